"""RTCP once more, with `struct` and dictionaries."""

import struct
from typing import Any


def split(data: bytes) -> list[tuple[int, int, bytes]] | None:
    """Return count, type and body of each packet of a datagram; None for nonsense (A.2, RFC 5506)."""
    packets: list[tuple[int, int, bytes]] = []
    rest = data
    while rest:
        if len(rest) < 4:
            return None
        first, kind, words = struct.unpack("!BBH", rest[:4])
        body, rest = rest[4 : 4 + 4 * words], rest[4 + 4 * words :]
        if first >> 6 != 2 or len(body) != 4 * words:
            return None
        if not packets and kind not in range(200, 208):
            return None
        if first & 0x20:
            padding = body[-1] if body else 0
            if rest or not packets or not 0 < padding <= len(body):
                return None
            body = body[:-padding]
        count = first & 0x1F
        needed = {200: 24 + 24 * count, 201: 4 + 24 * count, 203: 4 * count}.get(kind, 0)
        if len(body) < needed:
            return None
        packets.append((count, kind, body))
    return packets if len(data) >= 8 else None


def block(body: bytes) -> dict[str, int]:
    ssrc, loss, highest, jitter, lsr, dlsr = struct.unpack("!IIIIII", body)
    lost = loss & 0xFFFFFF
    return {
        "ssrc": ssrc,
        "fraction": loss >> 24,
        "lost": lost - (lost >> 23 << 24),
        "highest": highest,
        "jitter": jitter,
        "lsr": lsr,
        "dlsr": dlsr,
    }


def parse(data: bytes) -> list[dict[str, Any]] | None:
    """Return what a compound packet says."""
    packets = split(data)
    if packets is None:
        return None
    result: list[dict[str, Any]] = []
    for count, kind, body in packets:
        said: dict[str, Any] = {"kind": kind}
        if kind in (200, 201):
            said["ssrc"] = int.from_bytes(body[:4], "big")
            at = 4
            if kind == 200:
                names = ("ntp", "rtp", "packets", "octets")
                said |= dict(zip(names, struct.unpack("!QIII", body[4:24]), strict=True))
                at = 24
            said["blocks"] = [block(body[at + 24 * n : at + 24 * n + 24]) for n in range(count)]
        elif kind == 203:
            said["ssrcs"] = list(struct.unpack(f"!{count}I", body[: 4 * count]))
        else:
            said["body"] = body
        result.append(said)
    return result
