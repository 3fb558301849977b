"""G.711: every code and every sample, the digital milliwatt, and what hostile lengths do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import g711
from tests.media.kernels import sound
from tests.media.kernels import twins_g711 as slow

CODES = np.arange(256, dtype=np.uint8)
SAMPLES = np.arange(-32768, 32768).astype(np.int16)

LAWS = ["ulaw", "alaw"]


def decoded(law: str, codes: np.ndarray) -> np.ndarray:
    pcm = np.zeros(len(codes), np.int16)
    assert getattr(g711, f"decode_{law}")(codes, len(codes), pcm) == len(codes)
    return pcm


def encoded(law: str, samples: np.ndarray) -> np.ndarray:
    payload = np.zeros(len(samples), np.uint8)
    assert getattr(g711, f"encode_{law}")(samples, len(samples), payload) == len(samples)
    return payload


class TestItuG711:
    @pytest.mark.parametrize("law", LAWS)
    def test_every_code(self, law: str) -> None:
        assert decoded(law, CODES).tolist() == [
            getattr(slow, f"decode_{law}")(code) for code in range(256)
        ]

    @pytest.mark.parametrize("law", LAWS)
    def test_every_sample(self, law: str) -> None:
        assert encoded(law, SAMPLES).tolist() == [
            getattr(slow, f"encode_{law}")(sample) for sample in range(-32768, 32768)
        ]

    @pytest.mark.parametrize("law", LAWS)
    def test_a_second_passage_changes_nothing(self, law: str) -> None:
        once = decoded(law, CODES)
        again = encoded(law, once)
        assert decoded(law, again).tolist() == once.tolist()
        # Only mu-law has a negative zero that comes back as the positive one.
        assert [*np.nonzero(again != CODES)[0]] == ([0x7F] if law == "ulaw" else [])

    @pytest.mark.parametrize("law", LAWS)
    def test_steps_grow_with_the_signal(self, law: str) -> None:
        back = decoded(law, encoded(law, SAMPLES)).astype(int)
        given = SAMPLES.astype(int)
        assert (np.diff(back) >= 0).all()
        # Half a step: 1/32 of the magnitude, and what the smallest step is.
        most = np.maximum(np.abs(given) / 31, 8) + 4
        inside = np.abs(given) <= 32256
        assert (np.abs(back - given) <= most)[inside].all()

    def test_known_codes(self) -> None:
        quiet = np.array([0, -1, 32767, -32768], np.int16)
        assert encoded("ulaw", quiet).tolist() == [0xFF, 0x7F, 0x80, 0x00]
        assert encoded("alaw", quiet).tolist() == [0xD5, 0x55, 0xAA, 0x2A]

    @pytest.mark.parametrize(
        ("law", "period"), [("ulaw", "1e0b0b1e9e8b8b9e"), ("alaw", "34212134b4a1a1b4")]
    )
    def test_the_digital_milliwatt(self, law: str, period: str) -> None:
        """Tables 5 and 6: 1 kHz at 0 dBm0, 3.17 or 3.14 dB below the largest sine."""
        tone = decoded(law, np.frombuffer(bytes.fromhex(period) * 100, np.uint8))
        most = {"ulaw": 3.17, "alaw": 3.14}[law]
        assert sound.tone_level(tone, 1000, 8000) == pytest.approx(-3.01 - most, abs=0.08)
        assert encoded(law, tone).tobytes() == bytes.fromhex(period) * 100

    @pytest.mark.parametrize("law", LAWS)
    @pytest.mark.parametrize("peak", [300, 3000, 30000])
    def test_a_sine_keeps_its_level_and_little_noise_comes(self, law: str, peak: int) -> None:
        given = sound.sine(1004, 8000, 8000, peak=peak)
        heard = decoded(law, encoded(law, given))
        assert sound.level(heard) == pytest.approx(sound.level(given), abs=0.2)
        # G.712's mask for the whole path asks for 33 dB down to -30 dBm0.
        assert sound.rest_level(heard, 1004, 8000) < (-33 if peak > 400 else -30)


class TestAnyLength:
    @settings(deadline=None, max_examples=60)
    @given(st.sampled_from(LAWS), st.integers(-5, 2100), st.integers(0, 2048), st.integers(0, 1000))
    def test_nothing_is_touched_outside(self, law: str, length: int, here: int, room: int) -> None:
        payload = np.full(here, 0x2A, np.uint8)
        guarded = np.full(room + 40, 77, np.int16)
        done = getattr(g711, f"decode_{law}")(payload, length, guarded[20 : 20 + room])
        assert done == max(min(length, here, room), 0)
        assert (guarded[:20] == 77).all()
        assert (guarded[20 + done :] == 77).all()
        octets = np.full(here + 40, 77, np.uint8)
        pcm = np.full(room, -12345, np.int16)
        done = getattr(g711, f"encode_{law}")(pcm, length, octets[20 : 20 + here])
        assert done == max(min(length, here, room), 0)
        assert (octets[:20] == 77).all()
        assert (octets[20 + done :] == 77).all()
