"""Keys of a converted call in a real engine: one party's, told on to the other, each once and as long."""

import itertools

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.protocol import Digit, DigitEnded, EndDigit, Refused, SendDigits
from tests.media.engine_process import Link
from tests.media.keypad import CODES, dialled, keys_in
from tests.media.test_voice_digits import events, fields
from tests.media.voice_phone import G722, PCMA, PCMU, VoicePhone, converse, voice_phones

ALAW = (codecs.PCMA, PCMA)
ULAW = (codecs.PCMU, PCMU)
WIDE = (codecs.G722, G722)
OPUS = (codecs.OPUS, 98)

A_KEY_MS = 40
"""What a receiver has to take for a key (ITU-T Q.24)."""


def join(a: VoicePhone, b: VoicePhone, *, hidden: bool = True) -> None:
    """Make two phones the parties of a call; a's keys are tones, b understands events.

    Args:
        hidden: b hears nothing of the tones.
    """
    a.link.send(a.stream(b.port), b.stream(a.port))
    a.be(partner=b.port, event_type=-1, inband=True, hides_keys=hidden)
    b.be(partner=a.port)


def tell_on(link: Link, to: VoicePhone) -> None:
    """Do with the keys that have come what call control does."""
    link.poll(0.001)
    found = [one for one in link.waiting if isinstance(one, Digit | DigitEnded)]
    link.waiting.clear()
    for one in found:
        if isinstance(one, Digit):
            link.send(SendDigits(to.port, one.digit, on_ms=10_000, off_ms=60))
        else:
            link.send(EndDigit(to.port, max(one.duration_ms, 80)))


class TestTonesHidden:
    @pytest.mark.parametrize(("left", "right"), [(ALAW, ULAW), (ALAW, WIDE), (WIDE, OPUS)])
    @pytest.mark.parametrize("on_ms", [45, 80, 250])
    def test_who_is_told_of_a_key_hears_none(
        self, link: Link, left: tuple[int, int], right: tuple[int, int], on_ms: int
    ) -> None:
        with voice_phones(link, left, right) as (a, b):
            join(a, b)
            said = dialled("159#D", a.rate, on_ms=on_ms, off_ms=80)
            converse([(a, said), (b, b.quiet(len(said) / a.rate))])
            converse([(a, a.quiet(0.4)), (b, b.quiet(0.4))])
            assert [one.digit for one in link.said(Digit)] == list("159#D")
            assert [one for one in keys_in(b.heard(), b.rate) if one[1] >= A_KEY_MS] == []

    def test_what_is_said_before_and_behind_is_heard(self, link: Link) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            join(a, b)
            said = np.concatenate([a.tone(500, 0.6), dialled("5", a.rate), a.tone(500, 1.2)])
            converse([(a, said), (b, b.quiet(len(said) / a.rate))])
            assert link.expect(Digit).digit == "5"
            assert b.hears(500) > -17
            loud = [part for part in np.array_split(b.heard(), 100) if np.max(np.abs(part)) > 2000]
            assert len(loud) > 60

    def test_whoever_understands_nothing_else_hears_them(self, link: Link) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            join(a, b, hidden=False)
            said = dialled("159#D", a.rate, on_ms=100)
            converse([(a, said), (b, b.quiet(len(said) / a.rate))])
            converse([(a, a.quiet(0.4)), (b, b.quiet(0.4))])
            heard = [one for one, ms in keys_in(b.heard(), b.rate) if ms >= A_KEY_MS]
            assert heard == list("159#D")


class TestHowLong:
    @pytest.mark.parametrize("other", [WIDE, OPUS])
    def test_an_event_as_long_as_the_tone(self, link: Link, other: tuple[int, int]) -> None:
        with voice_phones(link, ALAW, other) as (a, b):
            join(a, b)
            lengths = {"1": 100, "5": 300, "#": 2000}
            parts = [dialled(one, a.rate, on_ms=ms, off_ms=100) for one, ms in lengths.items()]
            said = np.concatenate([*parts, a.quiet(0.5)])
            speeches = [(a, said), (b, b.quiet(len(said) / a.rate))]
            converse(speeches, lambda: tell_on(link, b))
            found = lasted(b)
            assert [digit for digit, _ in found] == list(lengths)
            assert [ms for _, ms in found] == pytest.approx(list(lengths.values()), abs=40)

    @pytest.mark.parametrize("other", [ALAW, WIDE])
    def test_a_tone_as_long_as_the_event(self, link: Link, other: tuple[int, int]) -> None:
        with voice_phones(link, OPUS, other) as (a, b):
            a.link.send(a.stream(b.port), b.stream(a.port))
            a.be(partner=b.port)
            b.be(partner=a.port, event_type=-1)
            for digit, packets in (("1", 5), ("#", 50)):
                link.send(SendDigits(b.port, digit, on_ms=10_000, off_ms=60))
                converse([(one, one.quiet(packets / 50)) for one in (a, b)])
                link.send(EndDigit(b.port, 20 * packets))
                converse([(one, one.quiet(0.3)) for one in (a, b)])
            found = keys_in(b.heard(), b.rate)
            assert [one for one, _ in found] == ["1", "#"]
            assert [ms for _, ms in found] == pytest.approx([100, 1000], abs=50)

    @pytest.mark.parametrize("event_type", [101, -1])
    def test_each_of_those_that_wait(self, link: Link, event_type: int) -> None:
        """A network that was stuck delivers them all at once."""
        with voice_phones(link, ALAW) as (phone,):
            phone.be(event_type=event_type)
            lengths = (("1", 80), ("5", 300), ("5", 80), ("9", 200))
            for digit, ms in lengths:
                link.send(SendDigits(phone.port, digit, on_ms=10_000, off_ms=60))
                link.send(EndDigit(phone.port, ms))
            converse([(phone, phone.quiet(1.4))])
            found = keys_in(phone.heard(), phone.rate) if event_type < 0 else lasted(phone)
            assert [one for one, _ in found] == [one for one, _ in lengths]
            assert [ms for _, ms in found] == pytest.approx([ms for _, ms in lengths], abs=25)

    @pytest.mark.parametrize("event_type", [101, -1])
    def test_of_several_the_last_one(self, link: Link, event_type: int) -> None:
        with voice_phones(link, ALAW) as (phone,):
            phone.be(event_type=event_type)
            for digits in ("15", "9#"):
                link.send(SendDigits(phone.port, digits, on_ms=200, off_ms=60))
                link.send(EndDigit(phone.port, 100))
            converse([(phone, phone.quiet(1.4))])
            found = keys_in(phone.heard(), phone.rate) if event_type < 0 else lasted(phone)
            assert [one for one, _ in found] == list("159#")
            assert [ms for _, ms in found] == pytest.approx([200, 100, 200, 100], abs=25)

    @pytest.mark.parametrize("event_type", [101, -1])
    def test_a_key_whose_end_is_lost_ends_all_the_same(self, link: Link, event_type: int) -> None:
        with voice_phones(link, ALAW) as (phone,):
            phone.be(event_type=event_type)
            link.send(SendDigits(phone.port, "5", on_ms=600, off_ms=60))
            converse([(phone, phone.quiet(1.0))])
            link.send(EndDigit(phone.port, 3000))
            converse([(phone, phone.quiet(0.5))])
            found = keys_in(phone.heard(), phone.rate) if event_type < 0 else lasted(phone)
            assert [one for one, _ in found] == ["5"]
            assert found[0][1] == pytest.approx(600, abs=25)

    def test_a_tone_whose_hearer_takes_events_meanwhile(self, link: Link) -> None:
        with voice_phones(link, ALAW) as (phone,):
            phone.be(event_type=-1)
            link.send(SendDigits(phone.port, "5", on_ms=10_000, off_ms=60))
            converse([(phone, phone.quiet(0.3))])
            phone.be()
            link.send(EndDigit(phone.port, 300))
            converse([(phone, phone.quiet(0.8))])
            ((digit, ms),) = keys_in(phone.heard(), phone.rate)
            assert digit == "5"
            assert ms < 600

    def test_of_a_stream_that_is_no_voice_there_is_none(self, link: Link) -> None:
        with voice_phones(link, ALAW) as (phone,):
            link.send(EndDigit(phone.port, 100))
            link.settle()
            assert link.said(Refused) == []

    @pytest.mark.parametrize("ms", [0, 10_001])
    def test_a_length_that_none_can_have(self, link: Link, ms: int) -> None:
        with voice_phones(link, ALAW) as (phone,):
            phone.be()
            link.send(EndDigit(phone.port, ms))
            link.settle()
            (refused,) = link.said(Refused)
            assert str(ms) in refused.reason


def lasted(phone: VoicePhone) -> list[tuple[str, int]]:
    """The keys that a phone was told of by events, and how long each lasted in milliseconds."""
    clock = codecs.codec(phone.codec).rtp_clock
    found: list[tuple[str, int]] = []
    for before, group in itertools.pairwise([[], *events(phone)]):
        code, ended, duration = fields(group[-1])
        ms = duration * 1000 // clock
        if before and not fields(before[-1])[1]:
            # A segment of the same key
            found[-1] = found[-1][0], found[-1][1] + ms
        else:
            found.append((CODES[code], ms))
    assert all(fields(group[-1])[1] for group in events(phone)[-1:])
    return found
