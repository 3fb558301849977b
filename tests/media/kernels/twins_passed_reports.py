"""What passed RTCP tells of its parties once more: whole datagrams, dictionaries, and fractions."""

from dataclasses import dataclass
from fractions import Fraction

from tests.media.kernels.twins_rtcp import block, split

SR, RR, XR = 200, 201, 207


@dataclass
class Party:
    """One who hears the other, and what is known of that.

    Args:
        row: its number.
        hears: row and SSRC of whom it hears; None as long as that is nobody.
        knows: the SSRC by which it knows whomever it hears.
    """

    row: int
    hears: tuple[int, int] | None = None
    knows: int = 0
    loss: int = -1
    mos: int = 0
    trip_ns: Fraction | None = None
    given: tuple[int, int] = (0, 0)
    """The last sender report of whom it hears: what it is called, and when it was passed on."""

    def sent_by_heard(self, slot: int, ssrc: int) -> bool:
        return self.hears == (slot, ssrc)


def pass_on(source: Party, sink: Party, data: bytes, now_ns: int) -> None:
    """Take in a datagram that goes from one to the other."""
    for count, kind, body in split(data) or []:
        sender = int.from_bytes(body[:4], "big")
        rest = body[4:]
        if kind == SR:
            ntp, rest = int.from_bytes(rest[:8], "big"), rest[20:]
            if sink.sent_by_heard(source.row, sender):
                sink.given = ntp >> 16 & 0xFFFFFFFF, now_ns
        if kind in (SR, RR):
            for number in range(count):
                _take_block(source, block(rest[24 * number : 24 * number + 24]), now_ns)
        elif kind == XR:
            _take_extended(source, rest)


def _take_block(source: Party, told: dict[str, int], now_ns: int) -> None:
    if source.hears is None or told["ssrc"] != source.knows:
        return
    source.loss = told["fraction"]
    name, passed_ns = source.given
    if told["lsr"] and told["lsr"] == name:
        trip = now_ns - passed_ns - Fraction(told["dlsr"] * 10**9, 65536)
        if Fraction(-(10**9), 8) < trip <= 60 * 10**9:
            source.trip_ns = max(trip, Fraction(0))


def _take_extended(source: Party, blocks: bytes) -> None:
    while len(blocks) >= 4:
        size = 4 + 4 * int.from_bytes(blocks[2:4], "big")
        one, blocks = blocks[:size], blocks[size:]
        metrics = one[0] == 7 and size == len(one) == 36
        if metrics and source.hears and int.from_bytes(one[4:8], "big") == source.knows:
            scores = [score for score in (one[27], one[26]) if 10 <= score <= 50]
            source.mos = scores[0] if scores else source.mos
