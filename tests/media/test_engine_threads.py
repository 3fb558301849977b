"""A real engine with three packet threads: what they share, and what goes from one to another."""

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pbx.media import codecs
from pbx.media.engine.__main__ import _arguments as read_arguments
from pbx.media.protocol import (
    Counts,
    Play,
    Played,
    Query,
    Record,
    Recorded,
    Refused,
    Release,
    Released,
    SendDigits,
    StopPlaying,
    StopRecording,
    StopVoice,
    Stream,
    Tap,
    Voice,
)
from tests.bench.media.activity import packet_threads
from tests.media.engine_process import (
    EngineProcess,
    Link,
    Phone,
    connect_phones,
    rtp,
    running,
    silent,
    stand_still,
    stream,
    until,
)
from tests.media.rtcp_packets import Block, receiver_report
from tests.media.test_taps import record, relay
from tests.media.test_voice_pairs import join
from tests.media.test_voice_players import ended
from tests.media.test_voice_recordings import median_level, stopped
from tests.media.test_voice_rooms import TONES, everybody, heard_by
from tests.media.voice_phone import G722, LEVEL, PCMU, VoicePhone, converse, voice_phones
from tests.media.wav_files import read_wav

THREADS = 3
RING = 4
"""Streams that are more than a call."""

ULAW = (codecs.PCMU, PCMU)
WIDE = (codecs.G722, G722)


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    """The engine that `link` is to."""
    with running("--threads", str(THREADS)) as process:
        process.connect()
        yield process


def free_ring(ports: list[int], *, pulls: int = 0) -> list[Stream]:
    """Return streams without phones, each the sink of the one before; they are in one thread.

    Args:
        ports: of the streams; they get no packets.
        pulls: another port, whose group comes to their thread, for theirs is the larger one.
    """
    sinks = [*ports[1:], pulls or ports[0]]
    return [stream(port, sink, None) for port, sink in zip(ports, sinks, strict=True)]


def pull(link: Link, port: int, size: int = RING) -> None:
    """Have a stream, and all that is linked with it, go to another thread.

    A ring of streams begins where the least is, and grows until it is the larger group; then it is
    linked, and released.
    """
    ring = link.ready.ports[-size:]
    link.send(*free_ring(ring), *free_ring(ring, pulls=port)[-1:], Release(ring))


def burst(phone: Phone, port: int, count: int) -> list[bytes]:
    return [phone.say(port) for _ in range(count)]


def heard(phone: Phone, count: int) -> list[bytes]:
    return [phone.rtp.recv(4096) for _ in range(count)]


def switches(pid: int) -> dict[str, int]:
    """Return how often each thread of a process has gone to sleep."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("voluntary"))
        counts[task.name] = int(line.split()[1])
    return counts


class TestHowMany:
    @pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 3), (16, 15), (256, 64)])
    def test_one_less_than_there_are_cores(
        self, monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
    ) -> None:
        """Cores that this process may use, that is: a service may be given fewer (CPUAffinity=)."""
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
        assert read_arguments(["--socket", "media.sock"]).threads == threads
        assert read_arguments(["--socket", "media.sock", "--threads", "2"]).threads == 2

    def test_of_an_engine_that_is_told_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ENGINE_THREADS", raising=False)
        with running() as engine:
            pid = engine.connect().ready.pid
            assert len(packet_threads(pid)) == max(len(os.sched_getaffinity(0)) - 1, 1)


class TestSharing:
    def test_calls_are_relayed_by_all_of_them(self, link: Link, phones: list[Phone]) -> None:
        busy: set[str] = set()
        for number in range(0, 2 * THREADS, 2):
            pair = phones[number % 4 : number % 4 + 2]
            one, two = link.ready.ports[number : number + 2]
            link.send(stream(one, two, pair[0].address), stream(two, one, pair[1].address))
            link.settle()
            before = switches(link.ready.pid)
            for _ in range(20):
                assert pair[0].say(one) == pair[1].rtp.recv(4096)
            after = switches(link.ready.pid)
            # It wakes for nearly each of them, the others for none of them.
            busy.add(max(after, key=lambda name: after[name] - before[name]))
        assert len(busy) == THREADS

    def test_a_query_counts_each_stream_once(self, link: Link) -> None:
        ports = link.ready.ports
        link.send(*(stream(port, 0, None) for port in ports))
        for turn in range(10):
            first, other = ports[turn % len(ports)], ports[(7 * turn + 3) % len(ports)]
            # While they move.
            link.send(stream(first, other, None), Query(), stream(other, first, None), Query())
            for _ in range(2):
                assert sorted(one.port for one in link.expect(Counts).streams) == ports


class TestMoving:
    def test_no_packet_is_lost_or_doubled(self, link: Link, phones: list[Phone]) -> None:
        """Of a call that goes from thread to thread while both phones talk."""
        a, b = phones[:2]
        one, two = link.ready.ports[:2]
        link.send(stream(one, two, a.address), stream(two, one, b.address))
        link.settle()
        for _ in range(30):
            pull(link, one)
            said, answered = [], []
            for _ in range(10):
                said += burst(a, one, 5)
                answered += burst(b, two, 5)
            assert heard(b, len(said)) == said
            assert heard(a, len(answered)) == answered
        assert len(link.said(Released)) == 30 * RING
        counts = link.release(one, two)
        assert (counts[one].received, counts[one].sent, counts[one].unsent) == (1500, 1500, 0)
        assert (counts[one].lost, counts[one].reordered) == (0, 0)

    def test_a_call_that_is_put_together_while_they_talk(
        self, link: Link, phones: list[Phone]
    ) -> None:
        a, b = phones[:2]
        for turn in range(10):
            one, two = link.ready.ports[turn % 9 : turn % 9 + 2]
            # Each begins in another thread, and keeps what comes until it knows where it goes.
            link.send(stream(one, 0, a.address, wait=True), stream(two, 0, b.address, wait=True))
            link.settle()
            said, answered = burst(a, one, 30), burst(b, two, 30)
            link.send(stream(one, two, a.address), stream(two, one, b.address))
            said += burst(a, one, 30)
            answered += burst(b, two, 30)
            assert heard(b, 60) == said
            assert heard(a, 60) == answered
            counts = link.release(one, two)
            assert counts[one].sent == counts[two].sent == 60

    def test_both_parties_of_a_converted_call(self, link: Link) -> None:
        with voice_phones(link, ULAW, WIDE) as (a, b):
            join(a, b)
            converse([(a, a.tone(500)), (b, b.tone(900))])
            assert abs(b.hears(500) - LEVEL) < 1.5
            assert abs(a.hears(900) - LEVEL) < 1.5

    def test_a_room_that_is_joined_one_after_the_other(self, link: Link) -> None:
        with voice_phones(link, *[ULAW] * 4) as phones:
            for count in range(1, 5):
                phones[count - 1].be(room=5)
                everybody(phones[:count])
                for number, one in enumerate(phones[:count]):
                    assert heard_by(one, 4) == set(range(count)) - {number}

    def test_a_room_that_goes_from_thread_to_thread(self, link: Link) -> None:
        with voice_phones(link, *[ULAW] * 3) as phones, ThreadPoolExecutor(1) as talking:
            for one in phones:
                one.be(room=5)
            speech = talking.submit(
                converse,
                [
                    (one, one.tone(hertz, 3.0, 3000.0))
                    for one, hertz in zip(phones, TONES, strict=False)
                ],
            )
            for count in (20, 50, 80):
                wait_for_packets(phones[0], count)
                pull(link, phones[1].port, 6)
                assert sorted(link.counts()) == [one.port for one in phones]
            speech.result()
            for number, one in enumerate(phones):
                assert heard_by(one, 3) == {0, 1, 2} - {number}
                check_order(one)

    def test_a_voice_takes_its_late_ticks_along(self, link: Link) -> None:
        """Those of the thread that it comes to aren't its own, and it loses none."""

        def late(phone: VoicePhone) -> tuple[int, int]:
            """Its own, and those of all threads."""
            link.send(Query())
            told = link.expect(Counts)
            (own,) = [one.late_ticks for one in told.voices if one.port == phone.port]
            return own, told.late_ticks

        with voice_phones(link, ULAW) as (phone,):
            phone.be()
            stand_still(link, 0.25)
            before, all_before = until(lambda: both if (both := late(phone))[0] >= 10 else None)
            for _ in range(2):
                pull(link, phone.port)
            after, all_after = late(phone)
            assert before <= after <= before + all_after - all_before

    def test_a_call_that_is_relayed_in_another_thread(
        self, link: Link, phones: list[Phone]
    ) -> None:
        """Its statistics go on where they were."""
        a, b = phones[:2]
        one, two = connect_phones(link, a, b)
        assert a.say(one) == b.rtp.recv(4096)
        answer = receiver_report(9, Block(7, 64, 3, 1, 0, 0, 0))
        b.rtcp.sendto(answer, ("127.0.0.1", two + 1))
        assert a.rtcp.recv(4096) == answer
        pull(link, one)
        a.rtp.sendto(rtp(30), ("127.0.0.1", one))
        assert b.rtp.recv(4096)
        worst = until(lambda: link.counts()[one].worst_loss_percent)
        assert worst >= 93
        assert link.counts()[two].peer_loss_percent == 25.0
        link.release(one, two)

    def test_what_is_played_for_a_voice(self, link: Link) -> None:
        with voice_phones(link, ULAW, ULAW) as (a, b), ThreadPoolExecutor(1) as listening:
            a.be()
            link.send(Play(1, a.port, tone="420", times=0))
            speech = listening.submit(converse, [(a, a.quiet(2.0))])
            for count in (15, 30, 45):
                wait_for_packets(a, count)
                pull(link, a.port, 8)
                link.settle()
            speech.result()
            check_order(a)
            assert a.hears(420, 1.5) > -25
            # The player's row is the next one's, in whatever thread that is.
            link.send(StopPlaying(1))
            assert ended(link, 1) == {1: ""}
            b.be()
            link.send(Play(2, b.port, tone="610", times=0))
            converse([(b, b.quiet(1.2)), (a, a.quiet(1.2))])
            assert b.hears(610) > -25
            assert a.hears(610) < -45

    def test_a_call_that_is_recorded(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b), ThreadPoolExecutor(1) as talking:
            relay(a, b)
            record(a, b, path)
            speech = talking.submit(converse, [(a, a.tone(500, 3.0)), (b, b.tone(900, 3.0))])
            for count in (20, 50, 80):
                wait_for_packets(b, count)
                pull(link, a.port, 8)
                link.settle()
            speech.result()
            assert stopped(link).failure == ""
            assert len(a.got) == len(b.got) == 150
            (left, right), rate = read_wav(path)
            for own, hertz in ((left, 500), (right, 900)):
                assert len(own) >= 3 * rate
                assert abs(median_level(own, hertz, rate) - LEVEL) < 1.0


def wait_for_packets(phone: VoicePhone, count: int) -> None:
    """Wait until a phone that is talking in another thread has got so many packets."""
    until(lambda: len(phone.got) >= count)


class Walk:
    """Commands by chance, of which none is impossible, and what must come of them.

    Args:
        link: to the engine.
        folder: for recordings.
        seed: of the walk.
    """

    def __init__(self, link: Link, folder: Path, seed: int) -> None:
        self.link = link
        self.ports = link.ready.ports
        self.folder = folder
        self.dice = random.Random(seed)
        self.running: set[int] = set()
        self.voices: set[int] = set()
        self.taped: dict[int, tuple[int, int]] = {}
        self.released = 0
        self.players = 0
        self.recordings = 0
        self.changes = 0
        """Of codecs, since all of them were carried out: the engine refuses too many at once."""

    def step(self) -> None:
        if self.changes > 5:
            self._query(0)
        port = self.dice.choice(self.ports)
        if port not in self.running:
            return self._set(port)
        steps = [self._set, self._set, self._release, self._query]
        steps += [self._voice] * 3
        if port in self.voices:
            steps += [self._play, self._play, self._dial, self._stop_voice]
        else:
            steps += [self._tap]
        if self.players:
            steps += [self._stop_playing]
        return self.dice.choice(steps)(port)

    def _other(self) -> int:
        """Return a port that may be anybody's, or 0."""
        return self.dice.choice([0, *self.ports])

    def _set(self, port: int) -> None:
        self.running.add(port)
        self.link.send(stream(port, self._other(), None, wait=self.dice.random() < 0.2))

    def _release(self, port: int) -> None:
        self.running.discard(port)
        self.voices.discard(port)
        self.taped = {name: two for name, two in self.taped.items() if port not in two}
        self.released += 1
        self.link.send(Release([port]))

    def _query(self, _port: int) -> None:
        self.changes = 0
        self.link.send(Query())
        ports = [one.port for one in self.link.expect(Counts).streams]
        assert sorted(ports) == sorted(self.running)

    def _voice(self, port: int) -> None:
        self.voices.add(port)
        self.changes += 1
        room = self.dice.choice([0, 0, 1, 2, 3])
        others = sorted(self.running - {port})
        partner = self.dice.choice([0, *others]) if room == 0 else 0
        codec, number = self.dice.choice([ULAW, WIDE, (codecs.OPUS, 98)])
        self.link.send(Voice(port, codec, number, room=room, partner=partner))

    def _stop_voice(self, port: int) -> None:
        self.voices.discard(port)
        if any(port in two for two in self.taped.values()):
            # It would be heard no more.
            self._tap_only(port)
        self.link.send(StopVoice(port))

    def _tap_only(self, port: int) -> None:
        self.changes += 1
        self.link.send(Tap(port, [(PCMU, codecs.PCMU), (G722, codecs.G722)]))

    def _tap(self, port: int) -> None:
        """Record a relayed stream, and another one if there is one that can be."""
        if any(port in two for two in self.taped.values()):
            return
        self._tap_only(port)
        taken = {one for two in self.taped.values() for one in two}
        others = sorted(self.voices - taken - {port})
        right = self.dice.choice([0, *others])
        self.recordings += 1
        self.taped[self.recordings] = (port, right)
        path = self.folder / f"{self.recordings}.wav"
        self.link.send(Record(self.recordings, str(path), port, right))
        if self.dice.random() < 0.5:
            del self.taped[self.recordings]
            self.link.send(StopRecording(self.recordings))

    def _play(self, port: int) -> None:
        self.players += 1
        times = self.dice.choice([0, 1])
        tone = self.dice.choice(["425/40", "425/20 0/20 610/20"])
        if self.dice.random() < 0.5:
            self.link.send(Play(self.players, room=self.dice.randint(1, 3), tone=tone, times=times))
        else:
            self.link.send(Play(self.players, port, tone=tone, times=times))

    def _stop_playing(self, _port: int) -> None:
        self.link.send(StopPlaying(self.dice.randint(1, self.players)))

    def _dial(self, port: int) -> None:
        self.link.send(SendDigits(port, "1", on_ms=40, off_ms=20))

    def end(self) -> None:
        """Stop and release all, and take in what has come of every command."""
        self.link.send(*(StopPlaying(one) for one in range(1, self.players + 1)))
        self.released += len(self.running)
        self.link.send(Release(sorted(self.running)))
        self.running.clear()
        released = [self.link.expect(Released) for _ in range(self.released)]
        assert {one.counts.port for one in released} <= set(self.ports)
        played = {self.link.expect(Played).player for _ in range(self.players)}
        assert played == set(range(1, self.players + 1))
        recorded = {self.link.expect(Recorded).recording for _ in range(self.recordings)}
        assert recorded == set(range(1, self.recordings + 1))
        self._query(0)
        assert self.link.said(Refused) == []


class TestAnyCommands:
    @pytest.mark.parametrize("seed", range(4))
    def test_all_come_to_their_end_and_nothing_is_left(
        self, link: Link, phones: list[Phone], tmp_path: Path, seed: int
    ) -> None:
        walk = Walk(link, tmp_path, seed)
        for number in range(1500):
            walk.step()
            # Something always comes in, wherever it goes.
            phones[number % 4].say(walk.ports[number % len(walk.ports)])
        walk.end()
        for turn in range(0, len(walk.ports), 2):
            one, two = walk.ports[turn : turn + 2]
            a, b = phones[turn % 4 : turn % 4 + 2]
            empty(a, b)
            link.send(stream(one, two, a.address), stream(two, one, b.address))
            link.settle()
            said, answered = burst(a, one, 20), burst(b, two, 20)
            assert heard(b, 20) == said
            assert heard(a, 20) == answered
            counts = link.release(one, two)
            assert counts[one].sent == counts[two].sent == counts[one].received == 20


def empty(*phones: Phone) -> None:
    """Take out what the walk has sent to phones."""
    for phone in phones:
        while not silent(phone.rtp):
            pass


def check_order(phone: VoicePhone) -> None:
    """Each packet follows the one before in number and in time."""
    got = phone.sound()
    for before, after in zip(got, got[1:], strict=False):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        passed = (after.timestamp - before.timestamp) & 0xFFFFFFFF
        assert 0 < passed < 10 * 160
        assert passed % 160 == 0
