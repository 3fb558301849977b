"""RTP packets (RFC 3550 §5.1)."""

import struct
from dataclasses import dataclass

_HEADER = struct.Struct(">BBHII")
_VERSION = 0x80


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, without CSRC list, header extension and padding."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    def encode(self) -> bytes:
        """Return the octets for the wire; numbers are cut to their fields."""
        header = _HEADER.pack(
            _VERSION,
            self.marker << 7 | self.payload_type,
            self.sequence & 0xFFFF,
            self.timestamp & 0xFFFFFFFF,
            self.ssrc,
        )
        return header + self.payload


def parse_packet(data: bytes) -> Packet | None:
    """Return the packet in a datagram; None for anything else, RTCP included (RFC 5761 §4)."""
    if len(data) < _HEADER.size or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    start = _HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if start > end:
        return None
    return Packet(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, data[start:end])
