"""Digits for a peer whose sound is passed on, and those that it presses itself."""

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.protocol import Digit, DigitEnded, Record, Refused, SendDigits, StopVoice, Tap
from tests.media.engine_process import Link
from tests.media.kernels.sound import tone_level
from tests.media.srtp_peer import SrtpPeer, secure
from tests.media.test_voice_digits import events, fields, press
from tests.media.test_voice_recordings import first_loud, stopped
from tests.media.voice_phone import (
    EVENTS,
    LEVEL,
    PCMU,
    Packet,
    VoicePhone,
    converse,
    voice_phones,
)
from tests.media.wav_files import read_wav

PLAIN = (codecs.PCMU, PCMU)
DUE_S = 0.3
"""How long the first digit is held back."""


def join(a: VoicePhone, b: VoicePhone, **changes: Any) -> None:
    """Let each hear the other as they come; `b` takes telephone-events."""
    b.link.send(
        a.stream(sink=b.port), b.stream(**{"sink": a.port, "event_type": EVENTS, **changes})
    )
    b.link.settle()


def talk(a: VoicePhone, b: VoicePhone, seconds: float) -> None:
    """Let `a` say a tone; what `b` hears is kept."""
    converse([(a, a.tone(500, seconds))])
    b.receive()


def groups_of(phone: VoicePhone) -> list[list[Packet]]:
    found = events(phone)
    for group in found:
        assert [one.marker for one in group] == [True] + [False] * (len(group) - 1)
    return found


class TestPut:
    @pytest.mark.parametrize(
        ("codec", "payload_type", "clock"), [(*PLAIN, 8000), (codecs.OPUS, 98, 48000)]
    )
    def test_packets(self, link: Link, codec: int, payload_type: int, clock: int) -> None:
        with voice_phones(link, (codec, payload_type), (codec, payload_type)) as (a, b):
            join(a, b, event_clock=clock)
            talk(a, b, 0.4)
            link.send(SendDigits(b.port, "5#", on_ms=100, off_ms=60))
            talk(a, b, 1.3)
            groups = groups_of(b)
            assert [fields(group[0])[0] for group in groups] == [5, 11]
            for group in groups:
                durations = [fields(one)[2] for one in group]
                assert durations == sorted(durations)
                assert durations[0] == 20 * clock // 1000
                assert durations[-3:] == [100 * clock // 1000] * 3
                assert [fields(one)[1] for one in group][-3:] == [True] * 3
                assert not any(fields(one)[1] for one in group[:-3])
                # Sound goes on with a mark, no earlier than the packets would have been sound
                after = b.got[b.got.index(group[-1]) + 1]
                assert (after.marker, after.payload_type) == (True, payload_type)
                assert (after.timestamp - group[0].timestamp) % 2**32 == len(group) * (
                    codecs.codec(codec).rtp_clock // 50
                )
            # What comes is what was sent, packet by packet, from one source
            numbers = [one.sequence for one in b.got]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert {one.ssrc for one in b.got} == {a.ssrc}
            # The first one came late enough for the key to come as an event, too
            first = b.got.index(groups[0][0])
            assert (first + 1) * 0.02 > DUE_S

    def test_they_come_one_behind_the_other(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            join(a, b)
            for digits in ("1", "23", "1234567890*#ABCD1234"):
                link.send(SendDigits(b.port, digits, on_ms=40, off_ms=20))
            talk(a, b, 4.5)
            codes = [fields(group[0])[0] for group in groups_of(b)]
            # 16 wait at the most
            assert codes == [1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 10, 11, 12]

    @pytest.mark.parametrize("says", [b"", b"\xbe\xde\0\2\x10\x7f\x32SIPS\0"])
    def test_whoever_sends_events_needs_none(self, link: Link, says: bytes) -> None:
        """The key of a phone that tells of it in both ways comes once; also behind a header extension."""
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            a.says, b.extended = says, True
            join(a, b)
            link.send(SendDigits(b.port, "5"))
            press(a, 5)
            talk(a, b, 0.8)
            link.send(SendDigits(b.port, "6"))
            talk(a, b, 0.8)
            press(a, 6)
            talk(a, b, 0.1)
            assert [fields(group[0])[0] for group in groups_of(b)] == [5, 6]

    def test_another_partner_may_need_them(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN, PLAIN) as (a, b, c):
            join(a, b)
            press(a, 5)
            talk(a, b, 0.1)
            join(c, b)
            link.send(SendDigits(b.port, "6"))
            talk(c, b, 1.0)
            assert [fields(group[0])[0] for group in groups_of(b)] == [5, 6]

    def test_the_other_way_all_is_as_before(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            join(a, b)
            link.send(SendDigits(b.port, "5"))
            converse([(a, a.tone(500, 1.0)), (b, b.tone(800, 1.0))])
            assert events(a) == []
            numbers = [one.sequence for one in a.got]
            assert all(later - one == 1 for one, later in itertools.pairwise(numbers))
            assert abs(a.hears(800, 0.5) + 15.3) < 1

    @pytest.mark.parametrize("protected", [False, True])
    def test_a_recording_has_the_sound_all_the_same(
        self, link: Link, tmp_path: Path, *, protected: bool
    ) -> None:
        """What the party has said stands in it also where its partner has got keys instead."""
        path = tmp_path / "a.wav"
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            keys = secure(b.phone, SrtpPeer()).srtp if protected else None
            join(a, b, srtp=keys)
            link.send(*(Tap(one.port, [(PCMU, codecs.PCMU)]) for one in (a, b)))
            link.send(Record(1, str(path), a.port, b.port, stereo=True))
            link.send(SendDigits(b.port, "5#1", on_ms=100, off_ms=60))
            talk(a, b, 1.5)
            assert [fields(group[0])[0] for group in groups_of(b)] == [5, 11, 1]
            assert stopped(link).failure == ""
            (left, _), rate = read_wav(path)
        said = left[first_loud(left) :]
        pieces = np.split(
            said[: len(said) // (rate // 50) * (rate // 50)], len(said) // (rate // 50)
        )
        whole = sum(abs(tone_level(one, 500, rate) - LEVEL) < 1 for one in pieces)
        # With nothing where the keys are, it would be 51 of 75.
        assert whole >= 72

    def test_refused_where_the_peer_takes_none(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            join(a, b, event_type=-1)
            link.send(SendDigits(b.port, "5"))
            assert "no voice" in link.expect(Refused).reason

    @pytest.mark.parametrize(
        "changes", [{"event_type": 128}, {"event_type": -2}, {"event_clock": 0}]
    )
    def test_impossible_types(self, link: Link, changes: dict[str, int]) -> None:
        with voice_phones(link, PLAIN) as (a,):
            link.send(a.stream(**changes))
            assert "telephone-events" in link.expect(Refused).reason


class TestHeard:
    """Keys that are passed on as they come, and of which the exchange wants to know."""

    def test_each_is_told_of_once_and_passed_on(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            join(a, b)
            link.send(a.stream(sink=b.port, keys=True))
            link.settle()
            for code in (10, 1, 1):
                press(a, code, twice=True)
                talk(a, b, 0.1)
            digits = [link.expect(Digit) for _ in range(3)]
            assert [(one.port, one.digit, one.inband) for one in digits] == [
                (a.port, digit, False) for digit in "*11"
            ]
            assert link.said(Digit) == []
            assert [fields(group[0])[0] for group in events(b)] == [10, 1, 1]

    @pytest.mark.parametrize("lost", [(0, 1, 2), (4, 5, 6)])
    def test_its_packets_may_get_lost(self, link: Link, lost: tuple[int, ...]) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            join(a, b)
            link.send(a.stream(sink=b.port, keys=True))
            link.settle()
            for code in (5, 5):
                press(a, code, lost=lost)
                talk(a, b, 0.1)
            assert [link.expect(Digit).digit for _ in range(2)] == ["5", "5"]
            assert link.said(Digit) == []

    @pytest.mark.parametrize("protected", [False, True])
    def test_in_which_form_it_is_protected(self, link: Link, *, protected: bool) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            keys = secure(b.phone, SrtpPeer()).srtp if protected else None
            join(a, b, srtp=keys)
            link.send(a.stream(sink=b.port, keys=True))
            link.settle()
            press(a, 5)
            talk(a, b, 0.1)
            assert link.expect(Digit).digit == "5"

    def test_of_the_other_party_nothing_is_told(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            join(a, b, event_type=EVENTS)
            link.send(a.stream(sink=b.port, event_type=EVENTS, keys=True))
            link.settle()
            press(b, 5)
            talk(b, a, 0.1)
            press(a, 6)
            talk(a, b, 0.1)
            assert link.expect(Digit).digit == "6"
            assert link.said(Digit) == []

    def test_while_it_is_down_the_stream_becomes_a_voice_and_back(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            join(a, b)
            link.send(a.stream(sink=b.port, keys=True))
            link.settle()
            timestamp = a.timestamp
            for at in range(3):
                a.send(struct.pack("!BBH", 5, 10, 160 * (at + 1)), payload_type=EVENTS)
            assert link.expect(Digit).digit == "5"
            a.be()
            a.timestamp = timestamp
            for end in (0, 0x80, 0x80, 0x80):
                a.send(struct.pack("!BBH", 5, 10 | end, 800), payload_type=EVENTS)
            assert link.expect(DigitEnded).digit == "5"
            link.send(StopVoice(a.port))
            link.settle()
            a.send(struct.pack("!BBH", 5, 10 | 0x80, 800), payload_type=EVENTS)
            talk(a, b, 0.1)
            a.timestamp += 4000
            press(a, 6)
            talk(a, b, 0.1)
            assert link.expect(Digit).digit == "6"
            assert link.said(Digit) == []

    def test_what_another_call_has_pressed_is_forgotten(self, link: Link) -> None:
        for _ in range(2):
            with voice_phones(link, PLAIN, PLAIN) as (a, b):
                join(a, b)
                link.send(a.stream(sink=b.port, keys=True))
                link.settle()
                a.sequence, a.timestamp = 100, 16000
                press(a, 5)
                talk(a, b, 0.1)
                assert link.expect(Digit).digit == "5"

    def test_a_flood_leaves_room_for_what_must_not_get_lost(self, link: Link) -> None:
        """Faster than anybody presses keys, they aren't told of."""
        with voice_phones(link, PLAIN, PLAIN) as (a, b):
            join(a, b)
            link.send(a.stream(sink=b.port, keys=True))
            link.settle()
            for number in range(3000):
                a.timestamp += 160
                a.send(struct.pack("!BBH", number % 10, 0x8A, 160), payload_type=EVENTS)
            link.settle()
            assert len(link.said(Digit)) < 300
