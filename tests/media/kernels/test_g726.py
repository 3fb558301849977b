"""G.726: what the engine sends and hears, beside a twin that is written after the Recommendation."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media import codecs
from tests.media.kernels.coders import decoder, encoder
from tests.media.kernels.sound import Sound, rest_level, sine
from tests.media.kernels.twins_g726 import G726Twin

SECONDS = 2
RATE = 8000
PACKINGS = pytest.mark.parametrize(
    ("number", "first_low"), [(codecs.G726_32, True), (codecs.AAL2_G726_32, False)]
)


def sounds() -> Iterator[tuple[str, Sound]]:
    chance = np.random.default_rng(726)
    length = SECONDS * RATE
    time = np.arange(length) / RATE
    yield "silence", np.zeros(length, np.int16)
    yield "tone", sine(1004, length, RATE, peak=12000)
    yield "sweep", (20000 * np.sin(2 * np.pi * (50 + 900 * time) * time)).astype(np.int16)
    yield "murmur", chance.normal(0, 30, length).astype(np.int16)
    yield "noise", chance.normal(0, 4000, length).astype(np.int16)
    # Voiced and unvoiced by turns, between pauses.
    voiced = np.sum([np.sin(2 * np.pi * 120 * one * time) / one for one in range(1, 25)], axis=0)
    hiss = chance.normal(0, 0.3, length)
    turns = np.array([0.0, 1.0, 0.2, 0.6])[(time * 9).astype(int) % 4]
    speech = turns * np.where(time * 4 % 1 < 0.7, voiced, hiss)
    yield "speech", (8000 * speech).astype(np.int16)
    # A modem's: what the tone detector and the transition detector are there for.
    jumps = np.where(time * 20 % 1 < 0.5, np.sin(2 * np.pi * 1200 * time), 0)
    yield (
        "keyed",
        (15000 * (jumps + np.sin(2 * np.pi * 2200 * time) * (jumps == 0))).astype(np.int16),
    )
    yield "overload", chance.integers(-32768, 32768, length, np.int16)
    yield "square", np.where(time * 250 % 1 < 0.5, 32767, -32768).astype(np.int16)


SOUNDS = dict(sounds())


@PACKINGS
class TestTwin:
    @pytest.mark.parametrize("name", SOUNDS)
    def test_sound(self, name: str, number: int, first_low: bool) -> None:
        sound = SOUNDS[name]
        with encoder(number) as sender, decoder(number) as receiver:
            packets = sender.frames(sound, 160)
            data = b"".join(packets)
            assert data == G726Twin(first_low).encode(sound.tolist())
            heard = np.concatenate([receiver.decode(one) for one in packets])
            assert heard.tolist() == G726Twin(first_low).decode(data)

    @settings(deadline=None, max_examples=25)
    @given(
        packets=st.lists(st.lists(st.integers(-32768, 32767), max_size=60), max_size=6),
        quieter=st.sampled_from([0, 2, 8, 13]),
    )
    def test_encoder(
        self, number: int, first_low: bool, packets: list[list[int]], quieter: int
    ) -> None:
        twin = G726Twin(first_low)
        with encoder(number) as sender:
            for packet in packets:
                # What is odd would be left out.
                pcm = [one >> quieter for one in packet[: len(packet) & ~1]]
                assert sender.encode(np.array(pcm, np.int16)) == twin.encode(pcm)

    @pytest.mark.parametrize("code", range(16))
    def test_one_code_for_ever(self, number: int, first_low: bool, code: int) -> None:
        """Coefficients run to their bounds, and beyond what 16 bits hold."""
        data = bytes([17 * code]) * 2500
        with decoder(number) as receiver:
            assert receiver.decode(data).tolist() == G726Twin(first_low).decode(data)

    @settings(deadline=None, max_examples=25)
    @given(packets=st.lists(st.binary(max_size=400), max_size=4))
    def test_decoder(self, number: int, first_low: bool, packets: list[bytes]) -> None:
        """Codes that nobody would send, too."""
        twin = G726Twin(first_low)
        with decoder(number) as receiver:
            for packet in packets:
                assert receiver.decode(packet).tolist() == twin.decode(packet)

    def test_the_loudest_tone_does_not_crack(self, number: int, first_low: bool) -> None:
        """What is too loud is limited (Annex A, LIMO), where spandsp's decoder turns its sign."""
        tone = sine(1004, RATE, RATE, peak=32767)
        with encoder(number) as sender, decoder(number) as receiver:
            heard = np.concatenate([receiver.decode(one) for one in sender.frames(tone, 160)])
        assert rest_level(heard[RATE // 2 :], 1004, RATE) < -25
