"""RTCP from party to party once more, with whole packets and objects (RFC 3550 §7.2)."""

import struct
from dataclasses import dataclass

SR, RR, BYE, RTPFB, PSFB, XR = 200, 201, 203, 205, 206, 207


@dataclass
class Heard:
    """What one party has been sent, as it believes to hear it, and by whom that is.

    Args:
        source: the row and the SSRC of whom it hears; None as long as that is nobody.
        ssrc: by which it knows whomever it hears.
        newest: sequence number that it has been sent, over all turns of the 16 bits.
        shift, stamp_shift: what the source's numbers and timestamps become greater by.
        renumbered: they are others than the source's.
        packets, octets: that it has been sent, headers and all.
        lost_before: packets lost before the source came.
        lost: packets lost in all, by its last report.
        named: middle 32 bits of the NTP time in the source's last report.
    """

    source: tuple[int, int] | None
    ssrc: int
    newest: int
    shift: int
    stamp_shift: int
    renumbered: bool
    packets: int
    octets: int
    lost_before: int
    lost: int = 0
    named: int = 0


@dataclass
class Way:
    """From one party to the other.

    Args:
        hearer, sink: what the one who gets the datagram hears, and its row.
        reporter, slot: the same of the one who has sent it.
    """

    hearer: Heard
    sink: int
    reporter: Heard
    slot: int

    def datagram(self, data: bytes) -> bytes:
        told = b""
        while len(data) >= 8:
            first, _, words = struct.unpack("!BBH", data[:4])
            size = 4 + 4 * words
            if first >> 6 != 2 or not 8 <= size <= len(data):
                break
            told += self._packet(data[:size])
            data = data[size:]
        return told + data

    def _packet(self, packet: bytes) -> bytes:
        count, kind = packet[0] & 0x1F, packet[1]
        head, body = packet[:4], packet[4:]
        if kind == BYE and self._leaves([body[at : at + 4] for at in range(0, 4 * count, 4)]):
            return b""
        if not (SR <= kind <= PSFB or kind == XR):
            return packet
        sender, rest = body[:4], body[4:]
        present = self._is_present(sender)
        if present:
            sender = struct.pack("!I", self.hearer.ssrc)
        info = b""
        if kind == SR:
            info, rest = rest[:20], rest[20:]
            if present and len(info) == 20:
                info = self._sender_info(info)
        if kind in (SR, RR):
            blocks = [rest[at : at + 24] for at in range(0, 24 * count, 24)]
            rest = b"".join(map(self._block, blocks)) + rest[24 * count :]
        elif kind == XR:
            rest = self._extended(rest)
        elif kind in (RTPFB, PSFB) and len(rest) >= 4:
            rest = self._feedback(rest, is_nack=kind == RTPFB and count == 1)
        return head + sender + info + rest

    def _is_present(self, ssrc: bytes) -> bool:
        return self.hearer.source == (self.slot, int.from_bytes(ssrc, "big"))

    def _leaves(self, sources: list[bytes]) -> bool:
        known = (struct.pack("!I", self.hearer.ssrc),) if self.hearer.source else ()
        return any(len(one) == 4 and (self._is_present(one) or one in known) for one in sources)

    def _own_name(self, ssrc: bytes) -> bytes | None:
        """Return the own SSRC of whom the reporter reports on; None where that isn't who reads it."""
        heard = self.reporter
        if heard.source is None or int.from_bytes(ssrc, "big") != heard.ssrc:
            return None
        slot, own = heard.source
        return struct.pack("!I", own) if slot == self.sink else None

    def _sender_info(self, info: bytes) -> bytes:
        ntp, stamp, packets, octets = struct.unpack("!QIII", info)
        heard = self.hearer
        heard.named = ntp >> 16 & 0xFFFFFFFF
        if heard.renumbered:
            stamp = (stamp + heard.stamp_shift) % 2**32
            packets = heard.packets % 2**32
            octets = (heard.octets - 12 * heard.packets) % 2**32
        return struct.pack("!QIII", ntp, stamp, packets, octets)

    def _block(self, block: bytes) -> bytes:
        heard = self.reporter
        if len(block) < 24 or heard.source is None or block[:4] != struct.pack("!I", heard.ssrc):
            return block
        fraction, highest, jitter, lsr, dlsr = struct.unpack("!B3x4I", block[4:])
        lost = int.from_bytes(block[5:8], "big", signed=True)
        heard.lost = lost
        own = self._own_name(block[:4])
        if own is None or not heard.renumbered:
            return block
        # The newest number that ends in these 16 bits
        sent = heard.newest - (heard.newest - highest) % 2**16
        highest = max(sent - heard.shift, 0) % 2**32
        lost = (lost - heard.lost_before) % 2**24
        if lsr != heard.named:
            lsr = dlsr = 0
        return own + struct.pack(
            "!B3s4I", fraction, lost.to_bytes(3, "big"), highest, jitter, lsr, dlsr
        )

    def _number(self, number: bytes) -> bytes:
        return struct.pack("!H", (int.from_bytes(number, "big") - self.reporter.shift) % 2**16)

    def _extended(self, blocks: bytes) -> bytes:
        told = b""
        while len(blocks) >= 8:
            kind, words = struct.unpack("!BxH", blocks[:4])
            size = 4 + 4 * words
            block, blocks = blocks[:size], blocks[size:]
            ranged = kind in (1, 2, 3, 6)
            if len(block) == size >= (12 if ranged else 8) and (ranged or kind == 7):
                own = self._own_name(block[4:8])
                if own is not None and ranged:
                    numbers = self._number(block[8:10]) + self._number(block[10:12])
                    block = block[:4] + own + numbers + block[12:]
                elif own is not None:
                    block = block[:4] + own + block[8:]
            told += block
        return told + blocks

    def _feedback(self, rest: bytes, *, is_nack: bool) -> bytes:
        own = self._own_name(rest[:4])
        if own is None:
            return rest
        missed = rest[4:]
        if is_nack:
            whole = len(missed) // 4 * 4
            pieces = [missed[at : at + 4] for at in range(0, whole, 4)]
            missed = b"".join(self._number(one[:2]) + one[2:] for one in pieces) + missed[whole:]
        return own + missed
