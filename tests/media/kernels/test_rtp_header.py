"""RTP headers, written and read."""

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import rtp_in, rtp_out

twin = settings(deadline=None, max_examples=200)


def place_of(data: bytes) -> int:
    """RFC 3550 §5.1 with slices, in the form of `payload_place`."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return -1
    at = 12 + 4 * (data[0] & 15)
    if data[0] & 0x10:
        if len(data[at : at + 4]) < 4:
            return -1
        at += 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
    if at > len(data):
        return -1
    end = len(data)
    if data[0] & 0x20:
        if data[-1] == 0 or end - data[-1] < at:
            return -1
        end -= data[-1]
    return at << 16 | (end - at)


class TestRead:
    @twin
    @given(st.integers(0, 255), st.integers(0, 4), st.binary(max_size=120), st.integers(0, 30))
    def test_like_its_twin(self, first: int, words: int, rest: bytes, padding: int) -> None:
        extension = b"\xbe\xde" + words.to_bytes(2, "big")
        for data in (
            bytes([first]) + rest,
            bytes([first]) + bytes(11) + extension + rest + bytes([padding]),
            bytes([first | 0x80 & 0xBF])
            + bytes(11 + 4 * (first & 15))
            + extension
            + rest
            + bytes([padding]),
        ):
            octets = np.frombuffer(data + b"\xff" * 50, np.uint8)
            assert rtp_in.payload_place(octets, len(data)) == place_of(data)

    def test_length_that_lies(self) -> None:
        octets = np.full(20, 0x80, np.uint8)
        assert rtp_in.payload_place(octets, 21) == -1
        assert rtp_in.payload_place(octets, -1) == -1
        assert rtp_in.payload_place(octets, 20) == 12 << 16 | 8


class TestWrite:
    @twin
    @given(
        st.integers(0, 2**32 - 1),
        st.integers(0, 65535),
        st.integers(0, 2**32 - 1),
        st.lists(st.sampled_from(["sound", "silence", "event"]), max_size=30),
    )
    def test_a_call(self, ssrc: int, sequence: int, timestamp: int, ticks: list[str]) -> None:
        row = np.zeros(rtp_out.WIDTH, np.int64)
        rtp_out.begin(row, ssrc, sequence, timestamp)
        out = np.zeros(172, np.uint8)
        talking, octets = False, 0
        for tick in ticks:
            if tick == "sound":
                assert rtp_out.put_sound(row, out, 8, 160) == 12
                expected = struct.pack(
                    "!BBHII", 0x80, 8 | (0 if talking else 0x80), sequence, timestamp, ssrc
                )
                talking, octets = True, octets + 160
            elif tick == "event":
                assert rtp_out.put_event(row, out, 101, 4, 77, 1) == 12
                expected = struct.pack("!BBHII", 0x80, 101 | 0x80, sequence, 77, ssrc)
                talking, octets = False, octets + 4
            else:
                rtp_out.pause(row)
                talking = False
            if tick != "silence":
                assert out[:12].tobytes() == expected
                sequence = (sequence + 1) % 65536
            rtp_out.pass_time(row, 160)
            timestamp = (timestamp + 160) % 2**32
        assert row[rtp_out.SENT] == len(ticks) - ticks.count("silence")
        assert row[rtp_out.SENT_OCTETS] == octets
        assert not out[12:].any()

    def test_no_room(self) -> None:
        row = np.zeros(rtp_out.WIDTH, np.int64)
        assert rtp_out.put_sound(row, np.zeros(11, np.uint8), 8, 160) == 0
        assert row[rtp_out.SENT] == 0
