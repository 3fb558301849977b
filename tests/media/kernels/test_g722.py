"""G.722: its twin's bits, and spandsp's, which passes the ITU's vectors."""

import ctypes
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media import codecs
from pbx.media.engine import coder_row
from pbx.media.engine.kernels import g722
from pbx.media.engine.libraries import SPANDSP
from tests.media.kernels.coders import LIBRARIES, decoder, encoder
from tests.media.kernels.sound import Sound, sine
from tests.media.kernels.twins_g722 import G722Twin

SECONDS = 4
RATE = 16000


def sounds() -> Iterator[tuple[str, Sound]]:
    chance = np.random.default_rng(722)
    length = SECONDS * RATE
    time = np.arange(length) / RATE
    yield "silence", np.zeros(length, np.int16)
    yield "tone", sine(1004, length, RATE, peak=12000)
    yield "sweep", (20000 * np.sin(2 * np.pi * (50 + 900 * time) * time)).astype(np.int16)
    yield "murmur", chance.normal(0, 30, length).astype(np.int16)
    yield "noise", chance.integers(-32768, 32768, length, np.int16)
    yield "square", np.where(time * 250 % 1 < 0.5, 32767, -32768).astype(np.int16)


SOUNDS = dict(sounds())


def spandsp_codes(sound: Sound) -> bytes:
    library = LIBRARIES.loaded[SPANDSP]
    library.g722_encode_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.g722_encode_init(None, 64000, 0))
    codes = np.zeros(len(sound) // 2, np.uint8)
    library.g722_encode(
        state,
        ctypes.c_void_p(codes.ctypes.data),
        ctypes.c_void_p(sound.ctypes.data),
        len(sound),
    )
    library.g722_encode_free(state)
    return codes.tobytes()


def spandsp_sound(data: bytes) -> Sound:
    library = LIBRARIES.loaded[SPANDSP]
    library.g722_decode_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.g722_decode_init(None, 64000, 0))
    codes = np.frombuffer(data, np.uint8)
    sound = np.zeros(2 * len(data), np.int16)
    library.g722_decode(
        state, ctypes.c_void_p(sound.ctypes.data), ctypes.c_void_p(codes.ctypes.data), len(data)
    )
    library.g722_decode_free(state)
    return sound


def in_packets(data: bytes) -> Sound:
    with decoder(codecs.G722) as receiver:
        return np.concatenate(
            [receiver.decode(data[at : at + 160]) for at in range(0, len(data), 160)]
        )


def assert_same(ours: Sound, theirs: Sound) -> None:
    """Equal, but where a sound is too loud to be said: ours is limited, theirs turns its sign."""
    different = ours != theirs
    assert np.isin(ours[different], (32767, -32768)).all()
    assert ((ours < 0) != (theirs < 0))[different].all()


class TestBesideSpandsp:
    @pytest.mark.parametrize("name", SOUNDS)
    def test_the_same_codes(self, name: str) -> None:
        sound = SOUNDS[name]
        with encoder(codecs.G722) as sender:
            assert b"".join(sender.frames(sound, 320)) == spandsp_codes(sound)

    @pytest.mark.parametrize("name", SOUNDS)
    def test_the_same_sound(self, name: str) -> None:
        data = spandsp_codes(SOUNDS[name])
        assert_same(in_packets(data), spandsp_sound(data))

    def test_codes_that_nobody_would_send(self) -> None:
        data = np.random.default_rng(1).integers(0, 256, 16000, np.uint8).tobytes()
        assert_same(in_packets(data), spandsp_sound(data))


class TestTwin:
    @settings(deadline=None, max_examples=25)
    @given(
        st.lists(st.lists(st.integers(-32768, 32767), max_size=60), max_size=6),
        st.sampled_from([0, 2, 8, 15]),
    )
    def test_encoder(self, packets: list[list[int]], quieter: int) -> None:
        twin = G722Twin()
        with encoder(codecs.G722) as sender:
            for packet in packets:
                pcm = [one >> quieter for one in packet]
                assert sender.encode(np.array(pcm, np.int16)) == twin.encode(pcm)

    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.binary(max_size=400), max_size=4))
    def test_decoder(self, packets: list[bytes]) -> None:
        twin = G722Twin()
        with decoder(codecs.G722) as receiver:
            for packet in packets:
                assert receiver.decode(packet).tolist() == twin.decode(packet)

    def test_a_long_packet(self) -> None:
        """More than the filters take at once."""
        sound = sine(700, 2000, RATE, peak=9000)
        with encoder(codecs.G722) as sender, decoder(codecs.G722) as receiver:
            data = sender.encode(sound)
            assert data == G722Twin().encode(sound.tolist())
            assert receiver.decode(data).tolist() == G722Twin().decode(data)


def test_every_coder_has_the_memory() -> None:
    assert coder_row.MEMORY == g722.MEMORY
