"""The agent's view of the exchange: addresses, and notes that are refused."""

import asyncio

import pytest

from hw.exchange import Exchange, Note, own_address, reachable_address
from pbx.errors import CommandError
from tests.hw.exchange import Office
from tests.hw.waiting import until


@pytest.mark.parametrize(
    ("addresses", "address"),
    [
        (["udp 192.0.2.1:5060", "tcp 192.0.2.1:5060"], "192.0.2.1"),
        (["udp 127.0.0.1:5060", "tcp [2001:db8::1]:5060", "udp 192.0.2.7:5060"], "192.0.2.7"),
        (["udp 0.0.0.0:5060"], ""),
        (["udp [::]:5060", "nonsense", ""], ""),
        ([], ""),
    ],
)
def test_the_address_that_another_machine_can_use(addresses: list[str], address: str) -> None:
    assert reachable_address(addresses) == address


async def test_the_exchanges_word_comes_first_and_then_the_machines(office: Office) -> None:
    exchange = Exchange(lambda: office.socket, lambda _: None)
    office.exchange.status_values = {"addresses": ["udp 192.0.2.77:5060"]}
    assert await exchange.address() == own_address()
    await office.open()
    assert await exchange.address() == "192.0.2.77"
    office.exchange.failure = RuntimeError("a bug")
    assert await exchange.address() == own_address()


async def test_a_note_that_is_refused_holds_up_no_other(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[str] = []

    def note_hardware(kind: str, event: str, name: str, port: str) -> None:
        if name == "bad":
            raise CommandError("bad-hardware", "Not this.")
        taken.append(name)

    monkeypatch.setattr(office.exchange, "note_hardware", note_hardware)
    exchange = Exchange(lambda: office.socket, lambda _: None)
    delivering = asyncio.create_task(exchange.deliver())
    for name in ("one", "bad", "two"):
        exchange.note(Note("usb", "added", name))
    await office.open()
    await until("two notes", lambda: taken == ["one", "two"])
    assert "the exchange takes no note of 'bad': Not this." in caplog.text
    delivering.cancel()
