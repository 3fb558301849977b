"""Header extensions of RTP packets, written and read (RFC 8285 §4, RFC 6464 §3, RFC 6465 §3)."""

import struct
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine import voice_row
from pbx.media.engine.kernels import header_extension, rtp_in
from tests.media.levels_reader import Extended, read_extended

twin = settings(deadline=None, max_examples=300)

numbers = st.integers(1, 14)
one_octet = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=3),
        st.builds(
            lambda number, one: bytes([number << 4 | len(one) - 1]) + one,
            numbers,
            st.binary(min_size=1, max_size=16),
        ),
    ),
    max_size=6,
).map(b"".join)
two_octets = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=3),
        st.builds(
            lambda number, one: bytes([number, len(one)]) + one,
            st.integers(0, 20),
            st.binary(max_size=18),
        ),
    ),
    max_size=6,
).map(b"".join)


def packet(first: int, sources: int, extension: bytes, rest: bytes) -> bytes:
    return bytes([first | sources]) + bytes(11) + bytes(4 * sources) + extension + rest


def extension(kind: int, elements: bytes, words: int = -1) -> bytes:
    elements += bytes(-len(elements) % 4)
    return struct.pack("!HH", kind, len(elements) // 4 if words < 0 else words) + elements


def first(octets: bytes, wanted: int, length: int = -1) -> int:
    # What stands behind a packet in memory is anything.
    memory = np.frombuffer(octets + bytes([wanted << 4, 0x55]) * 40, np.uint8)
    given = len(octets) if length < 0 else length
    return int(header_extension.first_octet(memory, given, wanted))


class TestRead:
    @twin
    @given(
        st.sampled_from([0x80, 0x90, 0xB0]),
        st.integers(0, 15),
        st.one_of(
            st.builds(extension, st.just(0xBEDE), one_octet),
            st.builds(extension, st.integers(0x1000, 0x100F), two_octets),
            st.builds(extension, st.just(0xBEDE), one_octet, st.integers(0, 65535)),
            st.builds(extension, st.integers(0x1000, 0x100F), two_octets, st.integers(0, 65535)),
            st.builds(extension, st.integers(0, 65535), one_octet),
            st.binary(max_size=12),
        ),
        st.binary(max_size=8),
        numbers,
    )
    def test_like_its_twin(
        self, first_octet: int, sources: int, written: bytes, rest: bytes, wanted: int
    ) -> None:
        octets = packet(first_octet, sources, written, rest)
        found = read_extended(octets)
        expected = found.elements.get(wanted, b"")[:1] if found else b""
        assert first(octets, wanted) == (expected[0] if expected else -1)

    @twin
    @given(st.binary(max_size=60), numbers)
    def test_anything(self, octets: bytes, wanted: int) -> None:
        found = read_extended(octets)
        expected = found.elements.get(wanted, b"")[:1] if found else b""
        assert first(octets, wanted) == (expected[0] if expected else -1)

    def test_known_ones(self) -> None:
        # RFC 8285 §4.2 and §4.3: the same level, -37 dBov and voice, behind another element.
        elements = bytes([0x51, 1, 2, 0, 0x30, 0xA5])
        assert first(packet(0x90, 2, extension(0xBEDE, elements), b"sound"), 3) == 0xA5
        elements = bytes([5, 2, 1, 2, 0, 3, 1, 0xA5])
        assert first(packet(0x90, 0, extension(0x1000, elements), b"sound"), 3) == 0xA5
        # An element that has nothing in it says nothing.
        assert first(packet(0x90, 0, extension(0x1000, bytes([3, 0])), b"sound"), 3) == -1

    def test_nothing_behind_what_ends_all(self) -> None:
        for ending in (0xF0, 0xF5, 0x01):
            elements = bytes([ending, 1, 2, 0x30, 0xA5])
            assert first(packet(0x90, 0, extension(0xBEDE, elements), b""), 3) == -1

    def test_lengths_that_lie(self) -> None:
        octets = packet(0x90, 0, extension(0xBEDE, bytes([0x30, 0xA5]), 0xFFFF), b"")
        assert first(octets, 3) == 0xA5
        assert first(octets, 3, 16) == -1
        assert first(octets, 3, 5000) == -1
        assert first(octets, 3, 0) == -1
        assert first(packet(0x9F, 15, b"", b"")[:40], 3) == -1
        assert first(packet(0x90, 0, extension(0xBEDE, b"", 0xFFFF) + b"\x3f", b""), 3) == -1


def put(
    memory: int, level_number: int, level: int, speakers_number: int, speakers: Sequence[int]
) -> tuple[int, bytes]:
    """The octets behind the header that were written, and the whole packet."""
    out = np.full(memory, 0xEE, np.uint8)
    words = np.zeros(1 + voice_row.MOST_NAMED, np.int64)
    words[0] = len(speakers)
    words[1 : 1 + len(speakers)] = speakers
    octets = int(header_extension.put_levels(out, level_number, level, speakers_number, words))
    out[:12] = np.frombuffer(struct.pack("!BBHII", 0x80, 8, 7, 6, 5), np.uint8)
    if octets:
        header_extension.announce(out, len(speakers) if speakers_number else 0)
    return octets, out.tobytes()


class TestWrite:
    @twin
    @given(
        st.integers(0, 14),
        st.integers(0, 255),
        st.integers(0, 14),
        st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 127)), max_size=15),
    )
    def test_what_is_written_is_read(
        self, level_number: int, level: int, speakers_number: int, speakers: list[tuple[int, int]]
    ) -> None:
        if level_number == speakers_number:
            speakers_number = 0
        words = [source << 8 | loudness for source, loudness in speakers]
        octets, whole = put(150, level_number, level, speakers_number, words)
        if not level_number and not (speakers_number and speakers):
            assert octets == 0
            assert whole[12:] == b"\xee" * 138
            return
        elements = {level_number: bytes([level])} if level_number else {}
        told = speakers if speakers_number else []
        if told:
            elements[speakers_number] = bytes(loudness for _, loudness in told)
        end = 12 + octets
        assert octets % 4 == 0
        assert whole[end:] == b"\xee" * (150 - end)
        assert read_extended(whole) == Extended([source for source, _ in told], elements, end)
        memory = np.frombuffer(whole, np.uint8)
        assert rtp_in.payload_place(memory, 150) == end << 16 | (150 - end)

    def test_no_room(self) -> None:
        speakers = [1 << 8 | 2] * 15
        assert put(12 + 60 + 4 + 20, 1, 9, 2, speakers)[0] == 60 + 4 + 20
        for memory in (12, 13, 12 + 60 + 4 + 19):
            octets, whole = put(memory, 1, 9, 2, speakers)
            assert octets == 0
            assert whole[12:] == b"\xee" * (memory - 12)

    def test_a_number_of_speakers_that_lies(self) -> None:
        out = np.zeros(200, np.uint8)
        for count in (16, 2**62, -1):
            words = np.array([count] + [0] * 15, np.int64)
            octets = header_extension.put_levels(out, 0, 0, 2, words)
            assert octets == (60 + 4 + 16 if count > 0 else 0)
