"""RTCP as a phone takes it apart and makes it (RFC 3550 §6), written for the tests."""

import struct
import time
from dataclasses import dataclass, field

SR, RR, SDES, BYE, XR = 200, 201, 202, 203, 207


@dataclass
class Block:
    """A report block (§6.4.1)."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    lsr: int
    dlsr: int


@dataclass
class Metrics:
    """A VoIP metrics block (RFC 3611 §4.7)."""

    ssrc: int
    loss: int
    discarded: int
    r: int
    mos: int
    buffer_ms: tuple[int, ...]
    """Now, at the most now, and at the most ever."""


@dataclass
class Compound:
    """What one datagram says."""

    kinds: list[int] = field(default_factory=list)
    ssrc: int = 0
    ntp: int = 0
    timestamp: int = 0
    packets: int = 0
    octets: int = 0
    blocks: list[Block] = field(default_factory=list)
    name: bytes = b""
    leaving: list[int] = field(default_factory=list)
    metrics: list[Metrics] = field(default_factory=list)


def _block(words: tuple[int, ...]) -> Block:
    ssrc, loss, highest, jitter, lsr, dlsr = words
    missing = loss & 0xFFFFFF
    return Block(
        ssrc, loss >> 24, missing - ((missing & 0x800000) << 1), highest, jitter, lsr, dlsr
    )


def parse(data: bytes) -> Compound:
    """Take a datagram apart; fails where it is not what §6.1 and A.2 ask for."""
    found, at = Compound(), 0
    while at < len(data):
        first, kind, length = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * length
        assert first >> 6 == 2
        assert first & 0x20 == 0, "padding"
        assert end <= len(data)
        body = data[at + 4 : end]
        count = first & 0x1F
        if not found.kinds:
            assert kind in (SR, RR), "a report comes first"
        found.kinds.append(kind)
        if kind in (SR, RR):
            (found.ssrc,) = struct.unpack_from("!I", body)
            skip = 4
            if kind == SR:
                high, low, *rest = struct.unpack_from("!5I", body, 4)
                found.ntp = high << 32 | low
                found.timestamp, found.packets, found.octets = rest
                skip = 24
            assert len(body) == skip + 24 * count
            found.blocks += [
                _block(struct.unpack_from("!6I", body, skip + 24 * number))
                for number in range(count)
            ]
        elif kind == SDES:
            assert count == 1
            ssrc, item, octets = struct.unpack_from("!IBB", body)
            assert (ssrc, item) == (found.ssrc, 1)
            found.name = body[6 : 6 + octets]
            # At least one zero ends the list, and more of them fill the word.
            assert set(body[6 + octets :]) == {0}
        elif kind == BYE:
            found.leaving += struct.unpack_from(f"!{count}I", body)
        elif kind == XR:
            ssrc, block, _, words = struct.unpack_from("!IBBH", body)
            assert (ssrc, block, words) == (found.ssrc, 7, 8)
            source, loss, discarded = struct.unpack_from("!IBB", body, 8)
            r, mos = body[28], body[31]
            found.metrics.append(
                Metrics(source, loss, discarded, r, mos, struct.unpack_from("!3H", body, 34))
            )
            assert len(body) == 40
        else:
            raise AssertionError(f"packet type {kind}")
        at = end
    assert at == len(data)
    return found


def ntp_now() -> int:
    """The time of day in NTP's 64 bits."""
    return int((time.time() + 2208988800) * 2**32)


def sender_report(ssrc: int, ntp: int, *blocks: Block) -> bytes:
    """A report of a phone that sends."""
    return _report(SR, ssrc, struct.pack("!QIII", ntp, 0, 0, 0), blocks)


def receiver_report(ssrc: int, *blocks: Block) -> bytes:
    """A report of a phone that doesn't."""
    return _report(RR, ssrc, b"", blocks)


def voip_metrics(ssrc: int, of: int, mos: int) -> bytes:
    """An XR packet with another block before the metrics (RFC 3611 §3)."""
    other = struct.pack("!BBHII", 4, 0, 2, 0, 0)
    block = struct.pack("!BBHI18xBB8x", 7, 0, 8, of, 127, mos)
    body = struct.pack("!I", ssrc) + other + block
    return struct.pack("!BBH", 0x80, XR, len(body) // 4) + body


def _report(kind: int, ssrc: int, info: bytes, blocks: tuple[Block, ...]) -> bytes:
    body = struct.pack("!I", ssrc) + info
    for one in blocks:
        loss = one.fraction << 24 | (one.lost & 0xFFFFFF)
        body += struct.pack("!6I", one.ssrc, loss, one.highest, one.jitter, one.lsr, one.dlsr)
    return struct.pack("!BBH", 0x80 | len(blocks), kind, len(body) // 4) + body
