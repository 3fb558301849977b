"""Digits through a real engine: as telephone-events (RFC 4733) and as tones, both ways."""

import itertools
import struct

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.protocol import Digit, DigitEnded, Play, Refused, SendDigits
from tests.media.engine_process import Link, stumbling
from tests.media.keypad import CODES, dialled, keys_in
from tests.media.voice_phone import (
    EVENTS,
    G722,
    L16,
    LEVEL,
    PCMU,
    Packet,
    VoicePhone,
    converse,
    voice_phones,
)

PLAIN = (codecs.PCMU, PCMU)
ALL_DIGITS = "1234567890*#ABCD"


def press(
    phone: VoicePhone,
    code: int,
    *,
    packets: int = 4,
    ends: int = 3,
    twice: bool = False,
    lost: tuple[int, ...] = (),
    kind: int = EVENTS,
) -> None:
    """Send one key as a phone does: growing durations, then the end three times."""
    last = 160 * packets
    bodies = [(0, 160 * (number + 1)) for number in range(packets)] + [(0x80, last)] * ends
    for number, (end, duration) in enumerate(bodies):
        payload = struct.pack("!BBH", code, end | 10, duration)
        for copy in range(2 if twice else 1):
            if number in lost:
                phone.sequence += 1
                continue
            phone.sequence -= copy
            phone.send(payload, payload_type=kind, marker=number == 0)
    phone.timestamp += last + 400


def pressed(link: Link, count: int) -> str:
    """The next digits that the engine reports, and that there are no more."""
    digits = [link.expect(Digit) for _ in range(count)]
    assert not any(one.inband for one in digits)
    assert link.said(Digit) == []
    return "".join(one.digit for one in digits)


class TestEventsIn:
    def test_all_keys_and_nothing_else(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            # A fax machine's tone is nobody's key.
            for code in (*range(17), 36, 255):
                converse([(phones[0], phones[0].tone(500, 0.05))])
                press(phones[0], code)
            assert pressed(link, 17) == CODES + "!"

    @pytest.mark.parametrize("sent", [98, EVENTS])
    def test_a_peer_that_was_told_other_numbers(self, link: Link, sent: int) -> None:
        """RFC 3264 §5.1: it sends with those of our offer; some send with its answer's."""
        with voice_phones(link, PLAIN, (codecs.L16_8000, L16)) as phones:
            phones[0].be(told_event_type=98)
            phones[1].be(partner=phones[0].port, told_type=99)
            phones[0].be(told_event_type=98, partner=phones[1].port)
            press(phones[0], 5, kind=sent)
            assert pressed(link, 1) == "5"
            for kind in (99, L16):
                phones[0].forget()
                phones[1].kind = kind
                converse([(phones[1], phones[1].tone(500, 1.2)), (phones[0], phones[0].quiet(1.2))])
                assert phones[0].hears(500) > LEVEL - 3

    @pytest.mark.parametrize(
        ("ends", "twice", "lost"),
        [
            (0, False, ()),
            (1, False, ()),
            (3, False, (0,)),
            (3, False, (0, 1, 2, 3)),
            (3, False, (4, 5, 6)),
            (3, True, ()),
            (3, True, (2, 5)),
            (3, False, (0, 1, 2, 3, 5, 6)),
        ],
    )
    def test_each_key_once_whatever_is_lost_or_doubled(
        self, link: Link, ends: int, twice: bool, lost: tuple[int, ...]
    ) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            for code in (1, 1, 2, 11):
                press(phones[0], code, ends=ends, twice=twice, lost=lost)
            assert pressed(link, 4) == "112#"

    def test_in_the_middle_of_speech(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be(echo=True)
            for code in (4, 2):
                converse([(phones[0], phones[0].tone(500, 0.3))])
                press(phones[0], code)
            converse([(phones[0], phones[0].tone(500, 1.0))])
            assert pressed(link, 2) == "42"
            assert abs(phones[0].hears(500, 0.5) + 15.3) < 1

    def test_a_flood_is_cut_and_nothing_else(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            for number in range(2000):
                press(phones[0], number % 10, packets=1, ends=1)
            # As long as the engine takes to empty a flooded socket, and to trust the phone again.
            converse([(phones[0], phones[0].tone(500, 0.8))])
            # What a network has held up is let through, not what nobody can dial.
            assert 10 <= len(link.said(Digit)) < 500
            press(phones[0], 7)
            assert pressed(link, 1) == "7"

    @pytest.mark.parametrize("event_clock", [8000, 48000])
    @pytest.mark.parametrize(
        ("ends", "lost"), [(3, ()), (1, ()), (0, ()), (3, (0, 1, 2, 3, 5, 6)), (3, (4, 5, 6))]
    )
    def test_how_long_each_lasts(
        self, link: Link, ends: int, lost: tuple[int, ...], event_clock: int
    ) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be(event_clock=event_clock)
            for code, packets in ((5, 4), (5, 4), (9, 4)):
                press(phones[0], code, packets=packets, ends=ends, lost=lost)
            # Where no end has come, time tells
            found = [link.expect(DigitEnded) for _ in range(3)]
            assert [one.digit for one in found] == ["5", "5", "9"]
            assert {one.duration_ms for one in found} == {640 * 1000 // event_clock}
            converse([(phones[0], phones[0].quiet(0.3))])
            assert link.said(DigitEnded) == []

    def test_too_short_to_be_one(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            for payload in (b"", b"\1", b"\1\2\3"):
                phones[0].send(payload, payload_type=EVENTS)
            press(phones[0], 5)
            assert pressed(link, 1) == "5"

    def test_a_peer_without_events_sends_none(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be(event_type=-1)
            press(phones[0], 5)
            link.settle()
            phones[0].be(event_type=EVENTS)
            press(phones[0], 6)
            assert pressed(link, 1) == "6"


class TestTonesIn:
    # At 8 kHz, and brought down to it. Who speaks Opus has telephone-events.
    @pytest.mark.parametrize(("codec", "payload_type"), [PLAIN, (codecs.G722, G722)])
    def test_all_keys(self, link: Link, codec: int, payload_type: int) -> None:
        with voice_phones(link, (codec, payload_type)) as phones:
            phones[0].be(inband=True)
            converse([(phones[0], dialled(ALL_DIGITS, phones[0].rate))])
            converse([(phones[0], phones[0].quiet(0.4))])
            found = [link.expect(Digit) for _ in ALL_DIGITS]
            assert "".join(one.digit for one in found) == ALL_DIGITS
            assert all(one.inband for one in found)
            assert link.said(Digit) == []
            ended = link.said(DigitEnded)
            assert "".join(one.digit for one in ended) == ALL_DIGITS
            assert [one.duration_ms for one in ended] == pytest.approx([80] * 16, abs=20)

    def test_a_network_that_is_stuck_presses_no_key_twice(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be(inband=True)
            # Every 160 ms a key: these are the middle, the begin and the end of some.
            phones[0].held_up = {5: 0.12, 30: 0.1, 54: 0.14, 79: 0.08, 103: 0.12}
            converse([(phones[0], dialled(ALL_DIGITS, 8000))])
            phones[0].held_up = {}
            converse([(phones[0], phones[0].quiet(0.4))])
            assert "".join(one.digit for one in link.said(Digit)) == ALL_DIGITS
            ended = link.said(DigitEnded)
            assert "".join(one.digit for one in ended) == ALL_DIGITS
            assert [one.duration_ms for one in ended] == pytest.approx([80] * 16, abs=20)

    @pytest.mark.parametrize(("codec", "payload_type"), [PLAIN, (codecs.G722, G722)])
    def test_an_engine_that_stands_still_misses_none(
        self, link: Link, codec: int, payload_type: int
    ) -> None:
        """What its ticks were too late to play has been pressed all the same."""
        with voice_phones(link, (codec, payload_type)) as phones:
            phones[0].be(inband=True)
            with stumbling(link, *(0.08, 0.13, 0.18) * 4):
                converse([(phones[0], dialled(ALL_DIGITS, phones[0].rate))])
            converse([(phones[0], phones[0].quiet(0.4))])
            assert "".join(one.digit for one in link.said(Digit)) == ALL_DIGITS
            ended = link.said(DigitEnded)
            assert "".join(one.digit for one in ended) == ALL_DIGITS
            # A packet that comes just after such a tick may be too late for it.
            assert all(one.duration_ms <= 100 for one in ended)

    def test_only_where_wanted(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as phones:
            phones[0].be()
            phones[1].be(inband=True)
            noise = np.random.default_rng(1).normal(0, 4000, 8000).astype(np.int16)
            converse([(phones[0], dialled("159D", 8000)), (phones[1], noise)])
            converse([(one, one.quiet(0.4)) for one in phones])
            assert link.said(Digit) == []


def events(phone: VoicePhone) -> list[list[Packet]]:
    """The telephone-events that a phone has got, by their timestamps."""
    found = [one for one in phone.got if one.payload_type == EVENTS]
    return [list(group) for _, group in itertools.groupby(found, lambda one: one.timestamp)]


def fields(packet: Packet) -> tuple[int, bool, int]:
    """Code, end bit and duration."""
    code, flags, duration = struct.unpack("!BBH", packet.payload)
    assert flags & 0x40 == 0
    return code, flags & 0x80 != 0, duration


class TestEventsOut:
    @pytest.mark.parametrize(
        ("codec", "payload_type", "clock"),
        [(*PLAIN, 8000), (codecs.G722, G722, 8000), (codecs.OPUS, 98, 48000)],
    )
    def test_packets(self, link: Link, codec: int, payload_type: int, clock: int) -> None:
        with voice_phones(link, (codec, payload_type)) as phones:
            phone = phones[0]
            phone.be(echo=True)
            converse([(phone, phone.tone(500, 0.4))])
            link.send(SendDigits(phone.port, "5#A", on_ms=100, off_ms=60))
            converse([(phone, phone.tone(500, 1.3))])
            tick = clock // 50
            groups = events(phone)
            assert [fields(group[0])[0] for group in groups] == [5, 11, 12]
            for group in groups:
                assert [one.marker for one in group] == [True] + [False] * (len(group) - 1)
                parts = [fields(one) for one in group]
                assert [duration for _, _, duration in parts] == [
                    tick,
                    2 * tick,
                    3 * tick,
                    4 * tick,
                    *[5 * tick] * 3,
                ]
                assert [end for _, end, _ in parts] == [False] * 4 + [True] * 3
            starts = [group[0].timestamp for group in groups]
            for one, later in itertools.pairwise(starts):
                assert (later - one) % 2**32 >= (100 + 60) * clock // 1000
            # One sequence and one source, whatever goes out; sound rests while a key is pressed.
            numbers = [one.sequence for one in phone.got]
            assert numbers == [(numbers[0] + at) % 2**16 for at in range(len(numbers))]
            assert len({one.ssrc for one in phone.got}) == 1
            places = [at for at, one in enumerate(phone.got) if one.payload_type == EVENTS]
            for group in groups:
                first = phone.got.index(group[0])
                assert phone.got[first : first + len(group)] == group
                assert not phone.got[first - 1].marker or first - 1 in places
                after = phone.got[first + len(group)]
                assert after.marker
                passed = (after.timestamp - group[0].timestamp) % 2**32
                assert passed >= 7 * tick
            before = phone.got[places[0] - 1]
            assert (starts[0] - before.timestamp) % 2**32 % tick == 0
            assert [one.marker for one in phone.sound()].count(True) <= 1 + len(groups)

    def test_as_many_as_can_be_dialled(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            digits = (ALL_DIGITS + ALL_DIGITS[::-1]).lower()
            link.send(SendDigits(phones[0].port, digits, on_ms=40, off_ms=20))
            converse([(phones[0], phones[0].quiet(4.6))])
            codes = [fields(group[0])[0] for group in events(phones[0])]
            assert "".join(CODES[code] for code in codes) == digits.upper()

    def test_longer_than_one_packet_can_say(self, link: Link) -> None:
        """RFC 4733 §2.5.1.3: segments, each of which begins where the one before it ended."""
        with voice_phones(link, (codecs.OPUS, 98)) as phones:
            phones[0].be()
            link.send(SendDigits(phones[0].port, "7", on_ms=1500))
            converse([(phones[0], phones[0].quiet(2.0))])
            first, second = events(phones[0])
            assert {fields(one)[0] for one in first + second} == {7}
            assert fields(first[-1])[2] == 0xFFFF
            assert (second[0].timestamp - first[0].timestamp) % 2**32 == 0xFFFF
            assert fields(second[-1])[1:] == (True, 1500 * 48 - 0xFFFF)
            assert not any(fields(one)[1] for one in first)

    def test_beside_opus_with_a_clock_of_their_own(self, link: Link) -> None:
        """telephone-event/8000: durations in its units; the time line stays the sound's."""
        with voice_phones(link, (codecs.OPUS, 98)) as phones:
            phone = phones[0]
            phone.be(echo=True, event_clock=8000)
            converse([(phone, phone.tone(500, 0.4))])
            link.send(SendDigits(phone.port, "59", on_ms=100, off_ms=60))
            converse([(phone, phone.tone(500, 1.0))])
            groups = events(phone)
            assert [fields(group[0])[0] for group in groups] == [5, 9]
            for group in groups:
                durations = [fields(one)[2] for one in group]
                assert durations == [160, 320, 480, 640, 800, 800, 800]
            apart = (groups[1][0].timestamp - groups[0][0].timestamp) % 2**32
            assert 160 * 48 <= apart < 400 * 48
            before = phone.got[phone.got.index(groups[0][0]) - 1]
            assert (groups[0][0].timestamp - before.timestamp) % 2**32 % 960 == 0

    def test_more_come_behind_those_that_wait(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            for digits in ("12", "3", "4567"):
                link.send(SendDigits(phones[0].port, digits, on_ms=60, off_ms=40))
            converse([(phones[0], phones[0].quiet(1.8))])
            codes = [fields(group[0])[0] for group in events(phones[0])]
            assert codes == [1, 2, 3, 4, 5, 6, 7]

    def test_no_more_wait_than_can(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            # None goes out as long as the peer holds.
            link.send(phones[0].stream(send=False))
            for _ in range(3):
                link.send(SendDigits(phones[0].port, "0123456789*#ABCD", on_ms=40, off_ms=20))
            link.settle()
            phones[0].forget()
            link.send(phones[0].stream())
            converse([(phones[0], phones[0].quiet(4.8))])
            codes = [fields(group[0])[0] for group in events(phones[0])]
            assert codes == [*range(16)] * 2

    def test_they_wait_while_the_peer_holds(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            link.send(phones[0].stream(send=False))
            link.settle()
            phones[0].forget()
            link.send(SendDigits(phones[0].port, "8"))
            converse([(phones[0], phones[0].quiet(0.3))])
            assert phones[0].got == []
            link.send(phones[0].stream())
            converse([(phones[0], phones[0].quiet(0.6))])
            assert [fields(group[0])[0] for group in events(phones[0])] == [8]

    def test_no_longer_than_they_mean_something(self, link: Link) -> None:
        """As those to a peer whose sound is passed on: what was pressed long ago is dialled no more."""
        with voice_phones(link, PLAIN) as (phone,):
            phone.be()
            link.send(SendDigits(phone.port, "71", on_ms=3000))
            converse([(phone, phone.quiet(0.2))])
            assert events(phone) != []
            link.send(phone.stream(send=False), SendDigits(phone.port, "8"))
            link.settle()
            converse([(phone, phone.quiet(5.3))])
            phone.forget()
            link.send(phone.stream())
            converse([(phone, phone.quiet(0.5))])
            assert len(phone.sound()) > 10
            assert events(phone) == []
            link.send(SendDigits(phone.port, "9"))
            converse([(phone, phone.quiet(0.6))])
            assert [fields(group[0])[0] for group in events(phone)] == [9]

    @pytest.mark.parametrize(
        ("digits", "changes", "words"),
        [
            ("", {}, "can't be dialled"),
            ("12x", {}, "can't be dialled"),
            ("1 2", {}, "can't be dialled"),
            ("١", {}, "can't be dialled"),
            ("1" * 33, {}, "can't be dialled"),
            ("1", {"on_ms": 39}, "39"),
            ("1", {"on_ms": 10_001}, "10001"),
            ("1", {"off_ms": 19}, "19"),
            ("1", {"off_ms": 2**62}, "ms"),
        ],
    )
    @pytest.mark.parametrize("event_type", [EVENTS, -1])
    def test_refused(
        self, link: Link, digits: str, changes: dict[str, int], words: str, event_type: int
    ) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be(event_type=event_type)
            link.send(SendDigits(phones[0].port, digits, **changes))
            assert words in link.expect(Refused).reason

    def test_refused_where_there_is_no_voice(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            link.send(SendDigits(phones[0].port, "1"))
            assert "no voice" in link.expect(Refused).reason


class TestTonesOut:
    @pytest.mark.parametrize(("codec", "payload_type"), [PLAIN, (codecs.G722, G722)])
    def test_all_keys(self, link: Link, codec: int, payload_type: int) -> None:
        with voice_phones(link, (codec, payload_type)) as phones:
            phone = phones[0]
            phone.be(event_type=-1)
            link.send(SendDigits(phone.port, ALL_DIGITS, on_ms=100, off_ms=60))
            converse([(phone, phone.quiet(3.2))])
            assert events(phone) == []
            found = keys_in(phone.heard(), phone.rate)
            assert "".join(digit for digit, _ in found) == ALL_DIGITS
            assert all(85 <= length <= 115 for _, length in found)

    def test_nothing_is_heard_beside_them(self, link: Link) -> None:
        """Speech would hide them from who listens for two tones and little else (ITU-T Q.24)."""
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.be(event_type=-1, echo=False)
            link.send(Play(7, phone.port, tone="500", level_db=-10.0, times=0))
            converse([(phone, phone.quiet(0.4))])
            link.send(SendDigits(phone.port, "159", on_ms=100, off_ms=60))
            converse([(phone, phone.quiet(1.2))])
            assert [digit for digit, _ in keys_in(phone.heard(), phone.rate)] == list("159")
            # And behind them as before
            assert abs(phone.hears(500, 0.3) + 16.2) < 1

    def test_more_come_behind_those_that_are_dialled(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.be(event_type=-1)
            for digits in ("12", "3", "45"):
                link.send(SendDigits(phone.port, digits, on_ms=100, off_ms=60))
            converse([(phone, phone.quiet(1.4))])
            assert [digit for digit, _ in keys_in(phone.heard(), phone.rate)] == list("12345")
