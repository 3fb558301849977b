"""Rooms in a real engine: who hears whom, and how loud, by a tone of each phone's own."""

import numpy as np
import pytest

from pbx.media import codecs
from tests.media.engine_process import Link
from tests.media.kernels.sound import fitted, level, rms
from tests.media.voice_phone import (
    G722,
    L16,
    LEVEL,
    PCMU,
    VoicePhone,
    converse,
    voice_phones,
)

PLAIN = (codecs.PCMU, PCMU)
WIDE = (codecs.L16_16000, L16)
TONES = (400, 610, 900, 1130, 1370, 1710, 1990, 2330, 2810, 3130)
"""One for each phone."""

SILENT = -48.0
"""dBov; nobody hears a tone that is weaker."""

PEAK = 3000.0
"""Ten of them fit into 16 bits."""

PEAK_LEVEL = -23.8
"""Its dBov."""

MOST_SPEAKERS = 8


def everybody(phones: list[VoicePhone], seconds: float = 1.3, peak: float = PEAK) -> None:
    """Let all phones say their tones at once."""
    converse(
        [(one, one.tone(hertz, seconds, peak)) for one, hertz in zip(phones, TONES, strict=False)]
    )


def talk(phones: list[VoicePhone], *speakers: VoicePhone, seconds: float = 1.3) -> None:
    """Let some phones say their tones, and all others be silent."""
    converse(
        [
            (one, one.tone(hertz, seconds, PEAK) if one in speakers else one.quiet(seconds))
            for one, hertz in zip(phones, TONES, strict=False)
        ]
    )


def heard_by(phone: VoicePhone, count: int, slack: float = 2.0) -> set[int]:
    """Whom, by their numbers, a phone hears at the level at which they speak."""
    levels = [phone.hears(hertz) for hertz in TONES[:count]]
    assert all(one < SILENT or abs(one - PEAK_LEVEL) < slack for one in levels), levels
    return {number for number, one in enumerate(levels) if one >= SILENT}


class TestWhoHearsWhom:
    @pytest.mark.parametrize("count", [1, 2, 3, 8])
    def test_all_others_and_never_oneself(self, link: Link, count: int) -> None:
        with voice_phones(link, *[PLAIN] * count) as phones:
            for one in phones:
                one.be(room=5)
            everybody(phones)
            for number, one in enumerate(phones):
                assert heard_by(one, count) == set(range(count)) - {number}

    def test_those_who_speak_of_more_than_are_mixed(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 10) as phones:
            for one in phones:
                one.be(room=5)
            # Silent ones take nobody's place, whoever came first.
            talk(phones, *phones[2:])
            for number, one in enumerate(phones):
                assert heard_by(one, 10) == set(range(2, 10)) - {number}
            # Who has spoken leaves the place to who speaks.
            talk(phones, *phones[:3], seconds=3.0)
            assert heard_by(phones[9], 3) == {0, 1, 2}

    def test_no_more_than_eight_at_once_and_the_loud_ones_first(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 10) as phones:
            for one in phones:
                one.be(room=5)
            # Who comes a tick later has to be 6 dB louder than those who are heard already.
            loud, others = 1.5 * PEAK, 0.5 * PEAK
            converse(
                [
                    (one, one.tone(hertz, 1.3, loud if number >= 8 else others))
                    for number, (one, hertz) in enumerate(zip(phones, TONES, strict=True))
                ]
            )
            levels = [phones[9].hears(hertz) for hertz in TONES]
            assert levels[9] < SILENT
            assert abs(levels[8] - PEAK_LEVEL - 3.5) < 1.5
            assert sum(one > SILENT for one in levels[:8]) == MOST_SPEAKERS - 2

    def test_rooms_are_apart(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 5) as phones:
            for one, room in zip(phones, (1, 1, 2**40, 2**40, 0), strict=True):
                one.be(room=room)
            everybody(phones)
            assert [heard_by(one, 5) for one in phones] == [{1}, {0}, {3}, {2}, set()]

    def test_from_one_room_to_another_in_mid_call(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 3) as phones:
            for one, room in zip(phones, (1, 1, 2), strict=True):
                one.be(room=room)
            everybody(phones)
            assert [heard_by(one, 3) for one in phones] == [{1}, {0}, set()]
            phones[1].be(room=2)
            everybody(phones)
            assert [heard_by(one, 3) for one in phones] == [set(), {2}, {1}]
            phones[1].be(room=0)
            everybody(phones)
            assert [heard_by(one, 3) for one in phones] == [set(), set(), set()]

    def test_alone_one_gets_silence(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be(room=1)
            converse([(phones[0], phones[0].tone(500))])
            heard = phones[0].heard()
            assert len(heard) > 8000
            assert level(heard) < -70


class TestHow:
    def test_muted_and_deaf(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 3) as phones:
            phones[0].be(room=1)
            phones[1].be(room=1, speaks=False)
            phones[2].be(room=1, listens=False)
            everybody(phones)
            assert [heard_by(one, 3) for one in phones] == [{2}, {0, 2}, set()]
            phones[1].be(room=1)
            phones[2].be(room=1, speaks=False, listens=False, echo=True)
            everybody(phones)
            assert [heard_by(one, 3) for one in phones] == [{1}, {0}, {2}]

    def test_an_echo_beside_the_others(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as phones:
            phones[0].be(room=1, echo=True)
            phones[1].be(room=1)
            everybody(phones)
            assert [heard_by(one, 2) for one in phones] == [{0, 1}, {0}]

    @pytest.mark.parametrize("gain", [-40.0, -6.0, 6.0, 18.0])
    def test_gain(self, link: Link, gain: float) -> None:
        with voice_phones(link, WIDE, WIDE) as phones:
            phones[0].be(room=1, gain_db=gain)
            phones[1].be(room=1)
            everybody(phones)
            assert abs(phones[1].hears(TONES[0]) - PEAK_LEVEL - gain) < 0.3
            assert abs(phones[0].hears(TONES[1]) - PEAK_LEVEL) < 0.3

    def test_all_rates_in_one_room(self, link: Link) -> None:
        formats = [PLAIN, (codecs.G722, G722), WIDE, (codecs.OPUS, 98), (codecs.L16_48000, 97)]
        with voice_phones(link, *formats) as phones:
            phones[4].ptime_ms = 10
            for one in phones:
                one.be(room=1)
            everybody(phones)
            for number, one in enumerate(phones):
                # Opus is made for voices, not for four tones at once.
                slack = 4.0 if one.codec == codecs.OPUS else 2.0
                assert heard_by(one, 5, slack) == set(range(5)) - {number}

    def test_as_wide_as_each_can_hear(self, link: Link) -> None:
        with voice_phones(link, WIDE, PLAIN, (codecs.G722, G722), (codecs.OPUS, 98)) as phones:
            for one in phones:
                one.be(room=1)
            converse(
                [
                    (phones[0], phones[0].tone(5000, 1.8)),
                    *((one, one.quiet(1.8)) for one in phones[1:]),
                ]
            )
            assert abs(phones[2].hears(5000) - LEVEL) < 2
            assert abs(phones[3].hears(5000) - LEVEL) < 2
            # Nor does what is too high for a phone come back as its image.
            assert np.median([level(part) for part in phones[1].tenths(0.8)]) < -60

    def test_loud_ones_are_limited_not_cut(self, link: Link) -> None:
        with voice_phones(link, WIDE, WIDE, WIDE, WIDE) as phones:
            for one in phones:
                one.be(room=1)
            hertz = (450, 700, 1150)
            converse(
                [
                    *(
                        (one, one.tone(wanted, 2.0, 30000.0))
                        for one, wanted in zip(phones[:3], hertz, strict=True)
                    ),
                    (phones[3], phones[3].quiet(2.0)),
                ]
            )
            shares = []
            for part in phones[3].tenths(0.8):
                parts = [fitted(part, wanted, 16000) for wanted in hertz]
                rest = part.astype(np.float64) - sum(parts)
                shares.append(rms(rest) / rms(part))
                assert max(map(rms, parts)) < 1.2 * min(map(rms, parts))
            # Three times full scale, cut off, would leave a third of it as noise.
            assert np.median(shares) < 0.03
            assert level(np.concatenate(phones[3].tenths(0.8))) > -12
