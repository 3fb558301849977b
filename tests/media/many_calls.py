"""Calls of many kinds in a real engine, one after the other, and what they leave behind.

`test_endurance` makes some hundred of them, `./build.sh bench media` ten thousand.
"""

import contextlib
import socket
import struct
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pbx.media import codecs
from pbx.media.engine import player_row, tape_row
from pbx.media.protocol import (
    Play,
    Played,
    Prepare,
    Record,
    Recorded,
    Refused,
    Release,
    Released,
    StopPlaying,
    StopRecording,
    StopVoice,
    Tap,
    Voice,
)
from tests.descriptors import changes, open_files
from tests.interop.waiting import until
from tests.media.engine_process import Link, Phone, free_block, running, silent, stream
from tests.media.rtcp_packets import ntp_now, sender_report
from tests.media.srtp_peer import SUITES, SrtpPeer
from tests.media.voice_phone import G722, PCMU

PORTS = 320
"""Of the engine: as many streams as fill all rows of players, recordings, rooms and coders."""

THREADS = 3

PACKETS = 4
"""That each phone sends before the call changes, and after."""

RING = 8
"""Streams that pull a call to another packet thread: more than hang together with it."""

OPUS = 98
_WAV_HEADER = 44
_SILENCE = b"\xf8\xff\xfe"
"""20 ms of silence by Opus (RFC 6716 §3.1)."""

_FORMATS = [(PCMU, codecs.PCMU), (G722, codecs.G722), (OPUS, codecs.OPUS), (8, codecs.PCMA)]
"""As many as a tap takes."""

_CLOSED_WITHIN_S = 10.0
"""The last files may still be on their way to the disk."""


@dataclass
class Party:
    """One side of a call: a phone, the engine's port that it talks to, and its keys.

    Args:
        link: to the engine.
        phone: of this and of later calls.
        port: the engine's.
        number: of the call.
    """

    link: Link
    phone: Phone
    port: int
    number: int
    peer: SrtpPeer | None = None
    said: list[bytes] = field(default_factory=list)
    sequence: int = 0

    def set(self, sink: int, suite: str = "") -> None:
        """Set the stream; with the name of a suite it gets new keys."""
        self.peer = SrtpPeer(suite) if suite else self.peer
        srtp = self.peer.srtp if self.peer else None
        self.link.send(stream(self.port, sink, self.phone.address, srtp=srtp))

    def say(self, payload_type: int = PCMU, payload: bytes = b"") -> None:
        """Send some packets, and a report."""
        for _ in range(PACKETS):
            told = payload or struct.pack("!II", self.number, self.sequence) * 20
            stamps = self.sequence & 0xFFFF, 160 * self.sequence, self.port
            packet = struct.pack("!BBHII", 0x80, payload_type, *stamps) + told
            self.sequence += 1
            self.said.append(packet)
            self._send(self.phone.rtp, packet, self.port)
        self._send(self.phone.rtcp, sender_report(self.port, ntp_now()), self.port + 1)

    def _send(self, sender: socket.socket, packet: bytes, port: int) -> None:
        if self.peer is not None:
            packet = self.peer.protect(packet, rtcp=sender is self.phone.rtcp)
        sender.sendto(packet, ("127.0.0.1", port))

    def hear(self) -> bytes:
        """Return the next packet that comes."""
        packet = self.phone.rtp.recv(4096)
        return packet if self.peer is None else self.peer.unprotect(packet)

    def read_report(self) -> None:
        """Await a report, of whoever is heard."""
        report = self.phone.rtcp.recv(4096)
        if self.peer is not None:
            report = self.peer.unprotect(report, rtcp=True)
        assert 200 <= report[1] <= 207, report

    def forget(self) -> None:
        """Throw away what has come for the call before."""
        for one in (self.phone.rtp, self.phone.rtcp):
            while not silent(one):
                pass


@dataclass
class Call:
    """A call that is passed on, tapped and recorded.

    Args:
        link: to the engine.
        number: its name, and its recording's.
        a, b: the parties.
        path: of the recording.
    """

    link: Link
    number: int
    a: Party
    b: Party
    path: Path

    suites = ("", "")
    """Which SRTP its legs have."""

    def begin(self) -> None:
        """Set it up."""
        a, b = self.a, self.b
        a.forget()
        b.forget()
        self.link.send(Prepare([a.port, b.port]))
        a.set(b.port, self.suites[0])
        b.set(a.port, self.suites[1])
        self.make()
        self.link.send(Record(self.number, str(self.path), a.port, b.port, stereo=True))

    def make(self) -> None:
        """Make it what it is."""
        self.link.send(*(Tap(one.port, _FORMATS[:3]) for one in (self.a, self.b)))

    def talk(self) -> None:
        """Let both phones say something."""
        self.a.say()
        self.b.say()

    def hear(self) -> None:
        """Await that they hear it."""
        for speaker, hearer in ((self.a, self.b), (self.b, self.a)):
            for packet in speaker.said:
                assert hearer.hear() == packet
            speaker.said.clear()
            hearer.read_report()

    def change(self) -> None:
        """Do what happens in the middle of it."""

    def end(self) -> None:
        """End it; what belongs to its streams ends with them."""
        self.link.send(Release([self.a.port, self.b.port]))


class Rekeyed(Call):
    """A protected call, whose parties change their keys."""

    suites = (SUITES[2], SUITES[0])

    def change(self) -> None:
        self.a.set(self.b.port, SUITES[2])
        self.b.set(self.a.port, SUITES[0])


class Moved(Call):
    """A call, protected on one side, that another packet thread gets."""

    suites = (SUITES[1], "")

    def change(self) -> None:
        ring = self.link.ready.ports[-RING:]
        sinks = [*ring[1:], ring[0]]
        streams = [stream(port, sink, None) for port, sink in zip(ring, sinks, strict=True)]
        self.link.send(*streams, stream(ring[-1], self.a.port, None), Release(ring))
        # The next call's ring is of the same ports
        self.link.settle()


class Stopped(Call):
    """A call whose recording ends before it does."""

    def change(self) -> None:
        self.link.send(StopRecording(self.number))


class Converted(Call):
    """Parties who don't speak the same codec; one is played the ringback tone."""

    def make(self) -> None:
        self.link.send(
            Voice(self.a.port, codecs.OPUS, OPUS, partner=self.b.port),
            Voice(self.b.port, codecs.G722, G722, partner=self.a.port),
            Play(self.number, port=self.a.port, tone="ringback", times=0),
        )

    def talk(self) -> None:
        self.a.say(OPUS, _SILENCE)
        self.b.say(G722)

    def hear(self) -> None:
        for one in (self.a, self.b):
            assert one.hear()[1] & 0x7F in (OPUS, G722)


class PassedOnAgain(Call):
    """A call whose sound ends in the engine at first."""

    passed_on = False

    def make(self) -> None:
        super().make()
        for one, other in ((self.a, self.b), (self.b, self.a)):
            self.link.send(Voice(one.port, codecs.PCMU, PCMU, partner=other.port))

    def hear(self) -> None:
        for speaker, hearer in ((self.a, self.b), (self.b, self.a)):
            expected = [packet[12:] for packet in speaker.said] if self.passed_on else []
            speaker.said.clear()
            if not expected:
                hearer.hear()
            for payload in expected:
                # Behind what was the engine's own
                while hearer.hear()[12:] != payload:
                    pass

    def change(self) -> None:
        self.link.send(StopVoice(self.a.port), StopVoice(self.b.port))
        self.passed_on = True


class Conference(Call):
    """Two who sit in a room, one of them protected, and hear its music."""

    suites = (SUITES[3], "")

    def make(self) -> None:
        self.link.send(
            *(Voice(one.port, codecs.PCMU, PCMU, room=self.number) for one in (self.a, self.b)),
            Play(self.number, room=self.number, tone="music", times=0),
        )

    def hear(self) -> None:
        for one in (self.a, self.b):
            assert one.hear()[1] & 0x7F == PCMU

    def end(self) -> None:
        self.link.send(StopPlaying(self.number))
        super().end()


KINDS = (Call, Converted, Rekeyed, Conference, Moved, PassedOnAgain, Stopped)


class Calls:
    """Makes calls by one engine.

    Args:
        link: to the engine.
        folder: for recordings; it must be empty.
    """

    def __init__(self, link: Link, folder: Path) -> None:
        self._link = link
        self._folder = folder
        self._number = 0
        self._phones = {port: Phone() for port in link.ready.ports[:-RING]}

    def close(self) -> None:
        """Close the phones' sockets."""
        for phone in self._phones.values():
            phone.close()

    def make(self, count: int) -> None:
        """Make calls, as many at once as there are ports for, and end them."""
        ports = list(self._phones)
        pairs = list(zip(ports[::2], ports[1::2], strict=True))
        while count > 0:
            self._make_at_once(pairs[:count])
            count -= len(pairs)

    def _make_at_once(self, pairs: list[tuple[int, int]]) -> None:
        calls = [self._call(*pair) for pair in pairs]
        for step in ("begin", "talk", "hear", "change", "talk", "hear", "end"):
            for call in calls:
                getattr(call, step)()
            self._link.settle()
        self._see_the_end(calls)

    def _call(self, *ports: int) -> Call:
        self._number += 1
        a, b = (Party(self._link, self._phones[port], port, self._number) for port in ports)
        kind = KINDS[self._number % len(KINDS)]
        return kind(self._link, self._number, a, b, self._folder / f"{self._number}.wav")

    def _see_the_end(self, calls: list[Call]) -> None:
        moved = sum(isinstance(call, Moved) for call in calls)
        for _ in calls:
            recorded = self._link.expect(Recorded)
            assert recorded.failure == ""
            assert recorded.seconds > 0
        for _ in range(2 * len(calls) + RING * moved):
            self._link.expect(Released)
        assert self._link.said(Refused) == []
        self._link.waiting.clear()
        for call in calls:
            assert call.path.stat().st_size > _WAV_HEADER
            call.path.unlink()

    def refused_when_full(self) -> list[str]:
        """Return why commands are refused where all rows of the engine are used at once.

        None are, if calls have given back theirs. That it's really all is asserted.
        """
        link, ports = self._link, self._link.ready.ports
        link.send(*(stream(port, 0, None) for port in ports))
        assert sorted(link.counts()) == sorted(ports)
        # A row of coders for each format: four times as many as streams
        link.send(*(Tap(port, _FORMATS) for port in ports))
        refused = [one.reason for one in link.said(Refused)]
        link.send(Voice(ports[0], codecs.G722, G722))
        assert link.said(Refused), "there are more rows of coders"
        link.release(*ports)
        link.send(*(stream(port, 0, None) for port in ports))
        voices = [Voice(port, codecs.PCMU, PCMU, room=1 + at) for at, port in enumerate(ports)]
        players = range(1, player_row.players(len(ports)) + 1)
        link.send(*voices)
        link.send(*(Play(one, room=len(ports) + one, tone="dial", times=0) for one in players))
        refused += [one.reason for one in link.said(Refused)]
        refused += [one.failure for one in link.said(Played)]
        link.send(Play(players.stop, port=ports[0], tone="dial", times=0))
        too_many = link.said(Played)
        assert refused or too_many, "there are more rows of players"
        for number, port in zip(range(tape_row.TAPES + 1), ports, strict=False):
            link.send(Record(1 + number, str(self._folder / f"{number}.wav"), port))
        link.release(*ports)
        failures = [link.expect(Recorded).failure for _ in range(tape_row.TAPES + 1)]
        assert any(failures), "there are more rows of recordings"
        link.send(*(StopPlaying(one) for one in players))
        link.settle()
        link.waiting.clear()
        for file in self._folder.iterdir():
            file.unlink()
        return [*refused, *filter(None, failures)][:-1]


@dataclass(frozen=True, slots=True)
class Left:
    """What calls have left behind.

    Args:
        descriptors: see `tests.descriptors.changes`.
        refused: why it has not obeyed commands that it would have without them: rows are missing.
        growth_kib: of the engine's memory.
    """

    descriptors: list[str]
    refused: list[str]
    growth_kib: int


def make_calls(count: int) -> Left:
    """Make calls by an engine of their own, after some that it gets warm by.

    Raises:
        AssertionError, OSError: a call has failed.
    """
    first = free_block(PORTS)
    words = ("--threads", str(THREADS), "--last-port", str(first + PORTS - 1))
    with tempfile.TemporaryDirectory(prefix="calls-") as folder, ExitStack() as stack:
        engine = stack.enter_context(running(*words, first_port=first))
        link = engine.connect()
        pid = link.ready.pid
        calls = Calls(link, Path(folder))
        stack.callback(calls.close)
        # All rows have been used, and each kind of call has been in each thread
        calls.refused_when_full()
        calls.make(2 * len(link.ready.ports))
        until("no recording is open", lambda: not any(".wav" in one for one in open_files(pid)))
        before, before_kib = open_files(pid), memory_kib(pid)
        calls.make(count)
        refused = calls.refused_when_full()
        with contextlib.suppress(AssertionError):
            until("nothing more is open", lambda: open_files(pid) == before, _CLOSED_WITHIN_S)
        growth_kib = memory_kib(pid) - before_kib
        return Left(changes(before, open_files(pid)), refused, growth_kib)


def memory_kib(pid: int) -> int:
    """Return what a process takes of the memory (PSS); of files, how much depends on who else reads them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        name, _, rest = line.partition(":")
        if name == "Pss_Anon":
            return int(rest.split()[0])
    raise AssertionError("no Pss_Anon")
