"""The table of codecs: what both processes and every phone must agree on."""

import pytest

from pbx.media import codecs
from pbx.media.codecs import CODECS, codec, named, static


class TestTable:
    def test_numbers_are_places(self) -> None:
        assert [one.number for one in CODECS] == list(range(1, len(CODECS) + 1))
        assert all(codec(one.number) is one for one in CODECS)

    def test_unknown_numbers(self) -> None:
        for number in (-1, codecs.NONE, len(CODECS) + 1):
            with pytest.raises(KeyError):
                codec(number)

    def test_octets_fit_the_rates(self) -> None:
        """Bits per second of every codec whose packets have one size."""
        kbit = {one.number: one.octets * 8 // 20 for one in CODECS if one.octets and one.pcm_rate}
        assert kbit == {
            codecs.PCMU: 64,
            codecs.PCMA: 64,
            codecs.L16_8000: 128,
            codecs.L16_16000: 256,
            codecs.L16_48000: 768,
            codecs.G722: 64,
            codecs.GSM: 13,
            codecs.G726_32: 32,
            codecs.AAL2_G726_32: 32,
            codecs.G729: 8,
        }


class TestRfc3551Section6:
    @pytest.mark.parametrize(
        ("payload_type", "number"),
        [
            (0, codecs.PCMU),
            (3, codecs.GSM),
            (8, codecs.PCMA),
            (9, codecs.G722),
            (13, codecs.CN),
            (18, codecs.G729),
        ],
    )
    def test_static_types(self, payload_type: int, number: int) -> None:
        assert static(payload_type) == codec(number)

    def test_other_types_need_a_map(self) -> None:
        assert static(2) is None
        assert static(96) is None

    def test_g722_keeps_its_old_clock(self) -> None:
        assert codec(codecs.G722).rtp_clock == 8000
        assert codec(codecs.G722).pcm_rate == 16000


class TestNames:
    def test_case_does_not_matter(self) -> None:
        assert named("OPUS", 48000) == codec(codecs.OPUS)
        assert named("pcmu", 8000) == codec(codecs.PCMU)

    def test_the_clock_does(self) -> None:
        assert named("L16", 16000) == codec(codecs.L16_16000)
        assert named("L16", 44100) is None
        assert named("PCMU", 16000) is None
