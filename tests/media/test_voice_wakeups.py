"""How often a conference wakes its packet thread in a real engine: for the tick, not for each packet."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.media import codecs
from pbx.media.protocol import Counts, Query, Release, Released
from tests.interop.net_phone import punctual
from tests.media.engine_process import EngineProcess, Link, free_block, running, until
from tests.media.voice_phone import PCMU, VoicePhone, converse, voice_phones

VOICES = 50
EVENLY, BURST = 25, 200
"""Packets, one a tick and all at once; a socket holds more."""

OVERTAKEN = (0, 2, 3, 4, 1), (0, 2, 3, 4, 4)
"""Of five packets: the order in which they come, and after how many times 20 ms."""

FIVES = 50

PUNCTUAL_S = 0.01
ATTEMPTS = 4
"""Of a talk whose packets, or the engine's ticks, came later than that: that network was another."""

SECONDS = 3.0
PACKETS = 150
MOST = 1.8
"""Sleeps for each tick: 90 a second."""


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    """The engine that `link` is to, of one packet thread."""
    first = free_block(2 * VOICES)
    ports = ("--first-port", str(first), "--last-port", str(first + 2 * VOICES - 1))
    with running("--threads", "1", *ports) as process:
        process.connect()
        yield process


def sleeps(pid: int) -> int:
    """Return how often the packet thread of an engine has gone to sleep."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    (task,) = (one for one in tasks if (one / "comm").read_text().startswith("packets"))
    lines = (task / "status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("voluntary"))
    return int(line.split()[1])


def ticks(link: Link) -> int:
    """Return how many ticks of 20 ms have passed."""
    link.send(Query())
    return link.expect(Counts).ticks


def test_a_room_of_fifty_wakes_it_for_its_ticks(link: Link) -> None:
    with voice_phones(link, *[(codecs.PCMU, PCMU)] * VOICES) as phones:
        for one in phones:
            one.be(room=1)
        slept, ticked = sleeps(link.ready.pid), ticks(link)
        converse([(one, one.quiet(SECONDS)) for one in phones])
        slept, ticked = sleeps(link.ready.pid) - slept, ticks(link) - ticked
        # So much has come, and gone, meanwhile.
        until(lambda: {one.received for one in link.counts().values()} == {PACKETS})
        assert all(len(one.sound()) > PACKETS / 2 for one in phones)
        assert ticked >= SECONDS * 45
        assert 0 < slept < MOST * ticked


def test_a_burst_does_not_wait_in_the_socket(link: Link) -> None:
    """A peer that sends evenly is asked for one packet a tick, until one has waited."""
    with voice_phones(link, (codecs.PCMU, PCMU)) as (phone,):
        phone.be(room=1)
        came, began = link.counts()[phone.port].received, ticks(link)
        converse([(phone, phone.quiet(EVENLY / 50))])
        for _ in range(BURST):
            phone.send(bytes([0xFF]) * 160)
        until(lambda: link.counts()[phone.port].received == came + EVENLY + BURST)
        # One a tick would take as many ticks as there are packets.
        assert ticks(link) - began < EVENLY + BURST / 2


def _say_overtaking(phone: VoicePhone) -> float:
    """Say silence in real time; the second of each five packets comes just behind the fifth.

    Returns by how many seconds a packet was late at the most because the machine was busy.
    """
    first, units, latest = phone.sequence, phone.timestamp, 0.0
    with punctual():
        begun = time.monotonic()
        for five in range(FIVES):
            for which, at in zip(*OVERTAKEN, strict=True):
                due = begun + (5 * five + at) / 50
                time.sleep(max(due - time.monotonic(), 0))
                latest = max(latest, time.monotonic() - due)
                phone.sequence = first + 5 * five + which
                phone.timestamp = units + 160 * (5 * five + which)
                phone.send(bytes([0xFF]) * 160)
    return latest


def _overtaken(link: Link) -> tuple[float, bool]:
    """Return how much of what was said was lost, in percent, and whether the machine was too busy."""
    with voice_phones(link, (codecs.PCMU, PCMU)) as (phone,):
        phone.be(room=1)
        before = link.late_ticks()
        late_s = _say_overtaking(phone)
        busy = late_s > PUNCTUAL_S or link.late_ticks() > before
        link.send(Release([phone.port]))
        ended = link.expect(Released)
        link.send(phone.stream())
        assert ended.voice is not None
        return ended.voice.loss_percent, busy


def test_one_that_was_overtaken_does_not_wait_in_the_socket(link: Link) -> None:
    """It is due already: a tick more, and it would be lost."""
    lost, busy = _overtaken(link)
    for _ in range(ATTEMPTS - 1):
        if not busy:
            break
        lost, busy = _overtaken(link)
    # One in five was overtaken, a tenth of them until the buffer knew.
    assert lost < 4.5
