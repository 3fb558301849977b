"""The engine's parts in this process: what a real process on this machine can't be made to do."""

import ctypes
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.engine import packet_thread, ring_row
from pbx.media.engine import tables as t
from pbx.media.engine.control_socket import ControlListener
from pbx.media.engine.engine import Engine
from pbx.media.engine.kernels.voice_tick import LATE_NS
from pbx.media.engine.loading import load_kernels
from pbx.media.engine.packet_threads import PacketThreads
from pbx.media.engine.sockets import NoPortsError, bind_pairs, is_local
from pbx.media.engine.sound_file import SoundFile
from pbx.media.protocol import (
    VERSION,
    Counts,
    Hello,
    Latched,
    Play,
    Played,
    Query,
    Ready,
    Refused,
)
from tests.media.engine_process import (
    DEADLINE_S,
    PORTS,
    Link,
    Phone,
    free_block,
    rtcp,
    stream,
    until,
)
from tests.media.voice_phone import L16, LEVEL, PCMU, converse, voice_phones
from tests.media.wav_files import wav

StartEngine = Callable[..., tuple[Link, list[str | None]]]

TICK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
"""The entry of half a tick: the tables' and the voices' addresses, and when the tick was due."""


def held_up(half: Callable[[int, int, int], int], until_ns: int) -> Any:
    """Return half a tick that begins no sooner than so long after the tick was due."""

    def later(tables: int, voices: int, due: int) -> int:
        time.sleep(max(due + until_ns - time.monotonic_ns(), 0) / 1e9)
        return half(tables, voices, due)

    return TICK(later)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartEngine]:
    """Start engines without IPv6 in threads; each returns a greeted link and how it ended."""
    with ExitStack() as stack:

        def start_one(
            threads: int = 1, *, broken: int = -1, held_up_ns: int = 0
        ) -> tuple[Link, list[str | None]]:
            block = free_block()
            pairs = bind_pairs(block, block + PORTS - 1, ipv6=False)
            for pair in pairs:
                stack.callback(pair.close)
            packets = PacketThreads(
                load_kernels({}), pairs, threads, dual_stack=False, real_time=False
            )
            path = tmp_path / f"{block}.sock"
            listener = ControlListener(path)
            readable, writable = os.pipe()
            engine = Engine(pairs, packets, listener, readable, ipv6=False, grace_s=20.0)
            ended: list[str | None] = []
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(path))
            link = Link(connection)
            link.send(Hello(VERSION, 20.0))
            if broken >= 0:
                packets._threads[broken]._tables.facts[t.EPOLL_FD] = -1
            if held_up_ns:
                facts = packets._threads[0]._tables.facts
                serve = held_up(TICK(int(facts[t.SERVE_VOICES])), held_up_ns)
                facts[t.SERVE_VOICES] = ctypes.cast(serve, ctypes.c_void_p).value or 0
                # It is there until the thread has ended
                stack.callback(bool, serve)
            thread = threading.Thread(target=lambda: ended.append(engine.run()))
            thread.start()
            stack.callback(os.close, readable)
            stack.callback(os.close, writable)
            stack.callback(link.close)
            stack.callback(thread.join)
            stack.callback(os.write, writable, b"x")
            return link, ended

        yield start_one


class TestWithoutIpv6:
    def test_relay(self, start: StartEngine) -> None:
        link, ended = start()
        ready = link.expect(Ready)
        assert not ready.ipv6
        one, two = ready.ports[:2]
        a, b, other = Phone(), Phone(), Phone()
        link.send(stream(one, two, a.address), stream(two, one, b.address, local="127.0.0.2"))
        link.settle()
        packet = a.say(one)
        assert b.rtp.recvfrom(4096) == (packet, ("127.0.0.2", two))
        assert link.expect(Latched) == Latched(one, a.address)
        a.rtcp.sendto(rtcp(), ("127.0.0.1", one + 1))
        assert b.rtcp.recvfrom(4096) == (rtcp(), ("127.0.0.2", two + 1))
        other.say(one)
        until(lambda: link.counts()[one].refused == 1)
        counts = link.release(one, two)
        assert counts[one].source == a.address
        assert counts[two].sent == counts[two].rtcp_sent == 1
        assert ended == []
        for phone in (a, b, other):
            phone.close()

    def test_addresses_of_ipv6(self, start: StartEngine) -> None:
        link, _ = start()
        port = link.expect(Ready).ports[0]
        link.send(stream(port, 0, None, local="::1"))
        assert "no IPv6" in link.expect(Refused).reason


class TestWithoutIoUring:
    def test_a_room_hears_all_the_same(
        self, start: StartEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the kernel has none, or a container's rules don't let us have it."""

        def refuse(facts: t.Words) -> None:
            raise PermissionError(errno.EPERM, "not here")

        monkeypatch.setattr(packet_thread, "Uring", refuse)
        link, _ = start()
        link.ready = link.expect(Ready)
        with voice_phones(link, *[(codecs.PCMU, PCMU)] * 3) as phones:
            for one in phones:
                one.be(room=1)
            speaker, *others = phones
            converse(
                [(speaker, speaker.tone(610, 1.3)), *((one, one.quiet(1.3)) for one in others)]
            )
            assert all(one.hears(610) > LEVEL - 2 for one in others)
            assert {one.unsent for one in link.counts().values()} == {0}


class TestLateTicks:
    def test_one_that_takes_too_long_is_late(self, start: StartEngine) -> None:
        """It begins in time, and what it sends goes out more than 5 ms after it was due."""
        link, _ = start(held_up_ns=LATE_NS + 1_000_000)
        link.ready = link.expect(Ready)
        with voice_phones(link, (codecs.PCMU, PCMU)) as phones:
            phones[0].be()

            def ticked() -> Counts | None:
                link.send(Query())
                told = link.expect(Counts)
                return told if told.ticks >= 20 else None

            told = until(ticked)
            # Each of them once, also those that a busy machine has left out; one may end as they are read
            assert abs(told.late_ticks - told.ticks) <= 1
            assert told.voices[0].late_ticks >= 20 - 1


class TestSlowFiles:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_what_has_not_been_read_yet_is_waited_for(
        self,
        start: StartEngine,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        threads: int,
    ) -> None:
        """A card that reads more slowly than is heard makes gaps; nothing is left out."""
        held, go_on = threading.Event(), threading.Event()
        read_on = SoundFile.read_on

        def read_slowly(file: SoundFile, _samples: int) -> None:
            if file.ready:
                held.set()
                assert go_on.wait(DEADLINE_S)
            read_on(file, 1)

        monkeypatch.setattr(SoundFile, "read_on", read_slowly)
        noise = np.random.default_rng(1).integers(1, 9000, 10_000).astype(np.int16)
        path = tmp_path / "a.wav"
        path.write_bytes(wav(noise, 8000))
        link, _ = start(threads)
        link.ready = link.expect(Ready)
        with voice_phones(link, (codecs.L16_8000, L16)) as [phone]:
            phone.be()
            link.send(Play(1, phone.port, path=str(path), times=2))
            converse([(phone, phone.quiet(0.9))])
            assert held.is_set()
            waiting = phone.heard()
            first = waiting[waiting != 0]
            assert 0 < len(first) < len(noise)
            assert not waiting[-800:].any()
            assert link.said(Played) == []
            go_on.set()
            converse([(phone, phone.quiet(2.6))])
            assert link.expect(Played) == Played(1)
            heard = phone.heard()
            assert np.array_equal(heard[heard != 0], np.tile(noise, 2))


class TestManyWhoHearAFile:
    def test_reading_it_costs_no_command(
        self, start: StartEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A hundred who wait hear a long file's begin: the packet threads have other things to do."""
        told: list[int] = []
        command, read_on = PacketThreads.command, SoundFile.read_on

        def note(packets: PacketThreads, record: t.Words) -> None:
            told.append(int(record[ring_row.OPERATION]))
            command(packets, record)

        monkeypatch.setattr(PacketThreads, "command", note)
        # Pieces of half a second.
        monkeypatch.setattr(SoundFile, "read_on", lambda file, _samples: read_on(file, 1))
        noise = np.random.default_rng(1).integers(1, 9000, 16_000).astype(np.int16)
        path = tmp_path / "a.wav"
        path.write_bytes(wav(noise, 8000))
        link, _ = start()
        link.ready = link.expect(Ready)
        with voice_phones(link, *[(codecs.L16_8000, L16)] * 3) as phones:
            for phone in phones:
                phone.be()
            told.clear()
            link.send(*(Play(name, one.port, path=str(path)) for name, one in enumerate(phones, 1)))
            converse([(one, one.quiet(2.4)) for one in phones])
            assert {link.expect(Played) for _ in phones} == {Played(name) for name in (1, 2, 3)}
            assert told == [ring_row.PLAY] * 3
            for phone in phones:
                heard = phone.heard()
                assert np.array_equal(heard[heard != 0], noise)


def sockets() -> int:
    """How many sockets this process has open."""
    found = 0
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(fd.readlink()).startswith("socket:")
    return found


class TestEnd:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_with_calls_running_leaves_no_socket(self, start: StartEngine, threads: int) -> None:
        before = sockets()
        link, ended = start(threads)
        one, two = link.expect(Ready).ports[:2]
        a, b = Phone(), Phone()
        link.send(stream(one, two, a.address), stream(two, one, b.address))
        link.settle()
        for phone, port, other in ((a, one, b), (b, two, a)):
            packet = phone.say(port)
            assert other.rtp.recv(4096) == packet
        assert {link.expect(Latched).port for _ in range(2)} == {one, two}
        link.greet(grace_s=0.0)
        for end in (link, a, b):
            end.close()
        until(lambda: ended)
        assert ended == [None]
        assert sockets() == before


class TestFailure:
    @pytest.mark.parametrize(("threads", "broken"), [(1, 0), (3, 0), (3, 2)])
    def test_a_packet_loop_ends(self, start: StartEngine, threads: int, broken: int) -> None:
        """The engine ends too, so that a working one takes its place."""
        _, ended = start(threads, broken=broken)
        until(lambda: ended)
        assert ended == ["the packet loop ended: Bad file descriptor"]


class TestSockets:
    def test_no_ports(self) -> None:
        with pytest.raises(NoPortsError):
            bind_pairs(30001, 30002, ipv6=False)

    def test_is_local(self) -> None:
        assert is_local("127.0.0.1")
        assert is_local("127.0.0.77")
        assert not is_local("198.51.100.1")
        assert not is_local("2001:db8::1") or not socket.has_ipv6
