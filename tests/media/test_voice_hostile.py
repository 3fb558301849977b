"""What no phone should send, at the ports of voices: the engine lives, and others sound right."""

import contextlib
import random
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from pbx.media import codecs
from pbx.media.protocol import Digit, Record, Recorded, Refused, StopRecording
from tests.media.engine_process import EngineProcess, Link
from tests.media.voice_phone import (
    EVENTS,
    G722,
    L16,
    LEVEL,
    PCMU,
    VoicePhone,
    converse,
    voice_phones,
)

PLAIN = (codecs.PCMU, PCMU)
NOISE = 13
"""Payload type of comfort noise."""

VICTIMS = (
    PLAIN,
    (codecs.OPUS, 98),
    (codecs.G722, G722),
    (codecs.GSM, 3),
    (codecs.G729, 18),
    (codecs.L16_48000, L16),
    (codecs.G726_32, 97),
)


def header(dice: random.Random, kind: int, **changes: int) -> bytes:
    first = changes.get("first", 0x80)
    return struct.pack(
        "!BBHII",
        first,
        kind,
        changes.get("sequence", dice.randrange(2**16)),
        changes.get("timestamp", dice.randrange(2**32)),
        changes.get("ssrc", 7),
    )


def octets(dice: random.Random, most: int = 1400) -> bytes:
    return dice.randbytes(dice.choice((0, 1, 3, 4, 20, 33, 160, dice.randrange(most))))


def anything(dice: random.Random, kind: int) -> bytes:
    return octets(dice)


def other_types(dice: random.Random, kind: int) -> bytes:
    return header(dice, dice.randrange(256)) + octets(dice)


def broken_headers(dice: random.Random, kind: int) -> bytes:
    """Versions, padding, extensions and sources that are not there."""
    data = header(dice, kind, first=dice.randrange(256)) + octets(dice)
    return data[: dice.choice((1, 11, 12, 13, 16, len(data)))]


def random_payloads(dice: random.Random, kind: int) -> bytes:
    """One time line after the other, with sound that no encoder has made."""
    place = dice.randrange(1000)
    where = {"sequence": place, "timestamp": 160 * place, "ssrc": dice.randrange(4)}
    return header(dice, kind, **where) + octets(dice)


def leaps(dice: random.Random, kind: int) -> bytes:
    stamp = dice.choice((0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, dice.randrange(2**32)))
    place = dice.choice((0, 1, 0x7FFF, 0x8000, 0xFFFF, dice.randrange(2**16)))
    return header(dice, kind, timestamp=stamp, sequence=place) + octets(dice)


def many_sources(dice: random.Random, kind: int) -> bytes:
    return header(dice, kind, ssrc=dice.randrange(64), sequence=5, timestamp=800) + octets(dice)


def events_and_noise(dice: random.Random, kind: int) -> bytes:
    return header(dice, dice.choice((EVENTS, NOISE, EVENTS | 0x80))) + dice.randbytes(
        dice.randrange(9)
    )


def reports(dice: random.Random, kind: int) -> bytes:
    """RTCP whose lengths and counts are what they like."""
    head = struct.pack(
        "!BBH",
        dice.choice((0x80, 0x81, 0x9F, 0xA1, dice.randrange(256))),
        dice.randrange(200, 208),
        dice.choice((0, 1, 6, 7, 12, 0xFFFF)),
    )
    return (head + dice.randbytes(4 * dice.randrange(16))) * dice.randrange(1, 4)


KINDS: tuple[Callable[[random.Random, int], bytes], ...] = (
    anything,
    other_types,
    broken_headers,
    random_payloads,
    leaps,
    many_sources,
    events_and_noise,
    reports,
)


@contextlib.contextmanager
def attack(phones: list[VoicePhone], seed: int) -> Iterator[None]:
    """Send nonsense from phones to their own voices as long as this lasts."""
    stop = threading.Event()
    dice = random.Random(seed)

    def run() -> None:
        while not stop.wait(0.01):
            for phone in phones:
                for _ in range(3):
                    data = dice.choice(KINDS)(dice, phone.payload_type)
                    own, port = dice.choice(
                        ((phone.phone.rtp, phone.port), (phone.phone.rtcp, phone.port + 1))
                    )
                    own.sendto(data, ("127.0.0.1", port))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_nonsense(engine: EngineProcess, link: Link, tmp_path: Path) -> None:
    with voice_phones(link, PLAIN, PLAIN, *VICTIMS) as phones:
        good, victims = phones[:2], phones[2:]
        for one in good:
            one.be(room=1)
        for number, one in enumerate(victims):
            one.ptime_ms = 10 if one.codec == codecs.L16_48000 else 20
            # Some leave their sound in a room of their own, and all of it is looked at.
            one.be(room=2 if number % 2 else 0, echo=True, inband=True, noise_type=NOISE)
            link.send(Record(number + 1, str(tmp_path / f"{number}.wav"), one.port, stereo=True))
        # First they are phones like any other.
        converse([(one, one.tone(500, 0.3)) for one in phones])
        with attack(victims, seed=1):
            converse(
                [(one, one.tone(hertz, 2.5)) for one, hertz in zip(good, (500, 900), strict=True)]
            )
        assert abs(good[0].hears(900, 1.0) - LEVEL) < 1
        assert abs(good[1].hears(500, 1.0) - LEVEL) < 1
        assert link.said(Refused) == []
        link.waiting = [one for one in link.waiting if not isinstance(one, Digit)]
        for number in range(len(victims)):
            link.send(StopRecording(number + 1))
            assert link.expect(Recorded).failure == ""
        # Who behaves again is heard again.
        for one in victims:
            one.be(ptime_ms=one.ptime_ms, echo=True, noise_type=NOISE)
            one.ssrc = 1234
            one.forget()
        converse([(one, one.tone(500, 2.0)) for one in victims])
        for one in victims:
            if one.codec in (codecs.PCMU, codecs.G722, codecs.OPUS):
                assert abs(one.hears(500, 0.5) - LEVEL) < 2, one.codec
        assert "Traceback" not in engine.log


def test_a_source_after_the_other(link: Link) -> None:
    """A new SSRC every few packets, as from a gateway that can't make up its mind."""
    with voice_phones(link, PLAIN) as phones:
        phone = phones[0]
        phone.be(echo=True)
        for number in range(64):
            phone.ssrc = number
            phone.timestamp = number * 0x7654321
            phone.sequence = number * 997
            for frame in phone.coder.frames(phone.tone(500, 0.06), 160):
                phone.send(frame)
                phone.timestamp += 160
        converse([(phone, phone.tone(500, 1.5))])
        assert abs(phone.hears(500, 0.6) - LEVEL) < 1


def test_a_clock_that_leaps(link: Link) -> None:
    """Timestamps that jump back and forth by hours, in an unbroken sequence."""
    with voice_phones(link, PLAIN) as phones:
        phone = phones[0]
        phone.be(echo=True)
        for leap in (0, 2**31, -(2**31) + 5, 2**30, -(2**29), 12345, -999999):
            phone.timestamp += leap
            converse([(phone, phone.tone(500, 0.2))])
        converse([(phone, phone.tone(500, 1.5))])
        assert abs(phone.hears(500, 0.6) - LEVEL) < 1
