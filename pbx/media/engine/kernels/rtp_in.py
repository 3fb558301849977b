"""Where the payload of an RTP packet is (RFC 3550 §5.1, §5.3.1)."""

from typing import Any

import numpy as np

from pbx.media.engine.kernels.rtp import RTP_HEADER, big_endian_16
from pbx.media.engine.native import kernel


@kernel
def payload_place(packet: Any, length: Any) -> Any:
    """Return where the payload of an RTP packet is, offset << 16 | octets, or -1.

    Skips contributing sources and a header extension, and leaves out padding. -1 is a packet whose
    header says more than there is.
    """
    if length < RTP_HEADER or length > packet.shape[0] or packet[0] >> 6 != 2:
        return -1
    first = np.int64(packet[0])
    offset = RTP_HEADER + 4 * (first & 0x0F)
    if first & 0x10 != 0:
        if offset + 4 > length:
            return -1
        offset += 4 + 4 * big_endian_16(packet, offset + 2)
    octets = length - offset
    if first & 0x20 != 0:
        padding = np.int64(packet[length - 1])
        octets = octets - padding if padding > 0 else -1
    return offset << 16 | octets if octets >= 0 else -1
