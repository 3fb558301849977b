"""Header extensions of RTP packets by plain slices: RFC 3550 §5.3.1, RFC 8285 §4."""

from dataclasses import dataclass, field


@dataclass
class Extended:
    """What an RTP packet has ahead of its payload.

    Args:
        sources: contributing sources.
        elements: of the header extension, by their numbers.
        payload: where it begins.
    """

    sources: list[int] = field(default_factory=list)
    elements: dict[int, bytes] = field(default_factory=dict)
    payload: int = 12


def read_extended(packet: bytes) -> Extended | None:
    """None where there is no header extension; one that is cut off has what is left of it."""
    if len(packet) < 16 or not packet[0] & 0x10:
        return None
    at = 12 + 4 * (packet[0] & 15)
    sources = [int.from_bytes(packet[one : one + 4], "big") for one in range(12, at, 4)]
    head = packet[at : at + 4]
    if len(head) < 4:
        return None
    kind, octets = int.from_bytes(head[:2], "big"), 4 * int.from_bytes(head[2:], "big")
    body = packet[at + 4 : at + 4 + octets]
    end = at + 4 + octets
    if kind == 0xBEDE:
        return Extended(sources, _one_octet(body), end)
    return Extended(sources, _two_octets(body) if kind & 0xFFF0 == 0x1000 else {}, end)


def _one_octet(body: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while body:
        number, octets = body[0] >> 4, (body[0] & 15) + 1
        if body[0] == 0:
            body = body[1:]
            continue
        if number in (0, 15) or len(body) < 1 + octets:
            break
        found.setdefault(number, body[1 : 1 + octets])
        body = body[1 + octets :]
    return found


def _two_octets(body: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while body:
        if body[0] == 0:
            body = body[1:]
            continue
        if len(body) < 2 or len(body) < 2 + body[1]:
            break
        found.setdefault(body[0], body[2 : 2 + body[1]])
        body = body[2 + body[1] :]
    return found
