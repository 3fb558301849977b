"""The call-back service's port: opened, moved and closed, and who is heard by it."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from pbx.net.callback_port import CallBackPort
from pbx.sip.flow import Address
from tests.interop.ports import Ports, has_ipv6


class Heard:
    """What has come."""

    def __init__(self) -> None:
        self.all: list[tuple[bytes, Address]] = []
        self._some = asyncio.Event()

    def take(self, data: bytes, source: Address) -> None:
        self.all.append((data, source))
        self._some.set()

    async def next(self) -> tuple[bytes, Address]:
        while not self.all:
            self._some.clear()
            await asyncio.wait_for(self._some.wait(), 20)
        return self.all.pop(0)


@pytest.fixture
def number() -> Iterator[int]:
    with Ports() as ports:
        yield ports.one()


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        own.settimeout(20)
        yield own


async def test_both_ways_on_this_machine(number: int, peer: socket.socket) -> None:
    heard = Heard()
    port = CallBackPort(heard.take)
    port.follow("127.0.0.1", number)
    assert port.address == f"udp 127.0.0.1:{number}"
    # What isn't new changes nothing
    port.follow("127.0.0.1", number)
    peer.sendto(b"REQUEST", ("127.0.0.1", number))
    data, source = await heard.next()
    assert (data, source) == (b"REQUEST", Address(*peer.getsockname()))
    port.send(b"ACK", source)
    assert peer.recv(100) == b"ACK"
    port.close()
    assert (port.address, port.failure) == ("", "")


async def test_anybody_by_ipv4_and_ipv6(number: int, peer: socket.socket) -> None:
    heard = Heard()
    port = CallBackPort(heard.take)
    port.follow("", number)
    peer.sendto(b"4", ("127.0.0.1", number))
    data, source = await heard.next()
    assert source == Address(*peer.getsockname())
    port.send(b"ACK", source)
    assert peer.recv(100) == b"ACK"
    if has_ipv6():
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
            other.settimeout(20)
            other.sendto(b"6", ("::1", number))
            data, source = await heard.next()
            assert source.host == "::1"
            port.send(b"ACK", source)
            assert other.recv(100) == b"ACK"
    port.close()


async def test_moved_and_closed(number: int, peer: socket.socket) -> None:
    heard = Heard()
    port = CallBackPort(heard.take)
    port.follow("127.0.0.1", number)
    port.follow("192.0.2.9", number)
    # Who is elsewhere has to get here; others are dropped by the service
    assert port.address == f"udp 0.0.0.0:{number}"
    port.follow("192.0.2.9", 0)
    assert port.address == ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", number))
    port.send(b"lost", Address("127.0.0.1", 9))
    port.close()


async def test_a_port_that_is_taken_until_it_is_free(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    port = CallBackPort(Heard().take)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", number))
        for _ in range(3):
            port.follow("127.0.0.1", number)
        assert (port.address, port.failure) == ("", "Address already in use")
        # Once is enough
        assert len(caplog.records) == 1
    port.follow("127.0.0.1", number)
    assert (port.address, port.failure) == (f"udp 127.0.0.1:{number}", "")
    port.close()


async def test_what_can_t_be_sent_is_lost(number: int) -> None:
    port = CallBackPort(Heard().take)
    port.follow("127.0.0.1", number)
    for to in (Address("192.0.2.1", 99999), Address("no address", 1), Address("127.0.0.1", 0)):
        port.send(b"x" * 100, to)
    port.close()
