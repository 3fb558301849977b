"""RTP of a call: RFC 3550, RFC 4733, RFC 4961."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.softphone import g711
from hw.softphone.keys import END_PACKETS, PAUSE, UPDATES
from hw.softphone.playout import DELAY
from hw.softphone.rtp import Packet, parse_packet
from hw.softphone.session import Agreed
from hw.softphone.stream import FRAME, SILENCE, Start, Stream
from pbx.sip.flow import Address

PEER = Address("192.0.2.9", 7000)
START = Start(ssrc=0x1234, sequence=65534, timestamp=0xFFFFFF00)


def agreed(**changes: object) -> Agreed:
    values: dict[str, object] = {
        "remote": PEER,
        "law": "PCMU",
        "payload_type": 0,
        "event_type": 101,
        "sends": True,
        "receives": True,
    }
    return Agreed(**{**values, **changes})  # type: ignore[arg-type]


def connected(**changes: object) -> Stream:
    stream = Stream(START)
    stream.agree(agreed(**changes))
    return stream


def speak(stream: Stream, level: int = 1000) -> Packet | None:
    """Exchange 20 ms; return the packet that was sent."""
    _, datagram = stream.exchange(np.full(FRAME, level, np.int16))
    packet = parse_packet(datagram[0]) if datagram is not None else None
    assert (packet is None) is (datagram is None)
    return packet


def said(number: int, level: int = 1000, payload_type: int = 0) -> bytes:
    """Return the peer's `number`-th packet."""
    law = "PCMA" if payload_type == 8 else "PCMU"
    payload = g711.encode(law, np.full(FRAME, level, np.int16))
    return Packet(payload_type, False, number, number * FRAME, 99, payload).encode()


class TestSending:
    def test_numbers_count_on_over_their_ends(self) -> None:
        stream = connected()
        packets = [speak(stream) for _ in range(4)]
        assert [p.sequence for p in packets if p] == [65534, 65535, 0, 1]
        assert [p.timestamp for p in packets if p] == [0xFFFFFF00, 0xFFFFFFA0, 0x40, 0xE0]
        assert [p.marker for p in packets if p] == [True, False, False, False]
        assert {p.ssrc for p in packets if p} == {0x1234}

    @pytest.mark.parametrize("law", ["PCMU", "PCMA"])
    def test_sound_goes_out_as_agreed(self, law: str) -> None:
        packet = speak(connected(law=law, payload_type=8))
        assert packet is not None
        assert packet.payload_type == 8
        assert abs(g711.decode(law, packet.payload).astype(int) - 1000).max() < 32

    def test_muted_is_silence_not_nothing(self) -> None:
        stream = connected()
        stream.muted = True
        packet = speak(stream)
        assert packet is not None
        assert abs(g711.decode("PCMU", packet.payload).astype(int)).max() == 0

    def test_on_hold_nothing_is_sent_and_time_goes_on(self) -> None:
        stream = connected()
        speak(stream)
        stream.agree(agreed(sends=False))
        assert speak(stream) is None
        stream.agree(agreed())
        packet = speak(stream)
        assert packet is not None
        assert (packet.sequence, packet.timestamp, packet.marker) == (65535, 0x40, True)

    def test_nothing_before_there_is_an_agreement(self) -> None:
        assert speak(Stream(START)) is None


class TestSymmetricRtp:
    def test_packets_go_where_the_peers_come_from(self) -> None:
        stream = connected()
        behind_nat = Address("198.51.100.7", 61000)
        stream.receive(said(0), behind_nat)
        _, datagram = stream.exchange(SILENCE)
        assert datagram is not None
        assert datagram[1] == behind_nat

    def test_nobody_else_can_turn_them_away_then(self) -> None:
        stream = connected()
        stream.receive(said(0), PEER)
        stream.receive(said(1, 9000), Address("203.0.113.5", 7000))
        assert stream.received == 1
        _, datagram = stream.exchange(SILENCE)
        assert datagram is not None
        assert datagram[1] == PEER

    def test_a_peer_that_moves_says_so(self) -> None:
        stream = connected()
        stream.receive(said(0), PEER)
        moved = Address("192.0.2.10", 8000)
        stream.agree(agreed(remote=moved))
        _, datagram = stream.exchange(SILENCE)
        assert datagram is not None
        assert datagram[1] == moved


class TestHearing:
    def heard(self, stream: Stream, frames: int) -> list[int]:
        return [round(float(stream.exchange(SILENCE)[0].mean())) for _ in range(frames)]

    @pytest.mark.parametrize("payload_type", [0, 8])
    def test_sound_comes_after_the_delay(self, payload_type: int) -> None:
        stream = connected()
        for number in range(5):
            stream.receive(said(number, 1000, payload_type), PEER)
        heard = self.heard(stream, DELAY // FRAME + 6)
        assert heard[: DELAY // FRAME] == [0] * (DELAY // FRAME)
        assert all(abs(level - 1000) < 32 for level in heard[DELAY // FRAME : -1])
        assert heard[-1] == 0

    def test_out_of_order_and_twice(self) -> None:
        stream = connected()
        for number, level in ((0, 1000), (2, 3000), (1, 2000), (1, 2000), (3, 4000)):
            stream.receive(said(number, level), PEER)
        heard = self.heard(stream, DELAY // FRAME + 4)[DELAY // FRAME :]
        assert [round(level / 1000) for level in heard] == [1, 2, 3, 4]

    def test_a_lost_packet_is_silence(self) -> None:
        stream = connected()
        for number in (0, 2):
            stream.receive(said(number), PEER)
        heard = self.heard(stream, DELAY // FRAME + 3)[DELAY // FRAME :]
        assert [level > 900 for level in heard] == [True, False, True]

    def test_a_path_that_has_become_longer_is_followed(self) -> None:
        stream = connected()
        stream.receive(said(0), PEER)
        self.heard(stream, 20)
        # Each of these comes 200 ms too late for the first one's clock.
        for number in range(10, 30):
            stream.receive(said(number), PEER)
            self.heard(stream, 1)
        assert self.heard(stream, 1)[0] > 900

    def test_a_faster_clock_does_not_pile_up(self) -> None:
        stream = connected()
        for number in range(200):
            stream.receive(said(number, number * 100), PEER)
            if number % 4:
                self.heard(stream, 1)
        # At most 200 ms behind
        assert self.heard(stream, 1)[0] > (200 - 12) * 100 - 600

    def test_a_source_that_counts_anew_is_heard(self) -> None:
        stream = connected()
        stream.receive(said(0), PEER)
        self.heard(stream, 3)
        fresh = Packet(0, True, 7, 0x80000000, 98, said(0)[12:]).encode()
        stream.receive(fresh, PEER)
        assert self.heard(stream, DELAY // FRAME + 1)[-1] > 900

    def test_what_is_no_sound_of_the_call_is_passed_over(self) -> None:
        stream = connected()
        for data in (
            b"",
            b"\x00" * 40,
            said(0)[:11],
            said(0, payload_type=3),
            b"\x80\xc8" + bytes(26),
        ):
            stream.receive(data, PEER)
        assert stream.received == 0
        stream.agree(agreed(receives=False))
        stream.receive(said(0), PEER)
        assert stream.received == 0


class TestKeys:
    """RFC 4733 §2.5."""

    def test_a_key(self) -> None:
        stream = connected()
        speak(stream)
        assert stream.press("#")
        packets = [speak(stream) for _ in range(UPDATES + END_PACKETS + PAUSE)]
        events = [p for p in packets if p and p.payload_type == 101]
        assert len(events) == UPDATES + END_PACKETS
        assert len({p.timestamp for p in events}) == 1
        assert [p.marker for p in events] == [True] + [False] * (len(events) - 1)
        told = [struct.unpack(">BBH", p.payload) for p in events]
        assert {event for event, _, _ in told} == {11}
        assert [duration for _, _, duration in told] == [160, 320, 480, 640, 800, 960, 960, 960]
        assert [bool(flags & 0x80) for _, flags, _ in told] == [False] * 5 + [True] * 3
        assert not stream.pressing

    def test_several_have_sound_between_them(self) -> None:
        stream = connected()
        stream.press("19d")
        packets = [speak(stream) for _ in range(3 * (UPDATES + END_PACKETS + PAUSE))]
        kinds = "".join("e" if p and p.payload_type == 101 else "s" for p in packets)
        assert kinds == "eeeeeeeessss" * 3
        codes = [p.payload[0] for p in packets if p and p.payload_type == 101 and p.marker]
        assert codes == [1, 9, 15]

    def test_who_takes_no_keys_gets_none(self) -> None:
        stream = connected(event_type=None)
        assert not stream.press("1")
        assert not Stream(START).press("1")

    def test_what_is_no_key(self) -> None:
        with pytest.raises(ValueError):
            connected().press("1x")


class TestPackets:
    @given(st.binary(max_size=200))
    def test_anything_may_come(self, data: bytes) -> None:
        stream = connected()
        stream.receive(data, PEER)
        stream.receive(b"\x80\x00" + data, PEER)
        stream.exchange(SILENCE)

    def test_extensions_sources_and_padding_are_left_out(self) -> None:
        head = struct.pack(">BBHII", 0xB1, 0, 5, 6, 7)
        extension = struct.pack(">HHI", 0xBEDE, 1, 0)
        packet = parse_packet(head + bytes(4) + extension + b"sound" + b"\x00\x00\x03")
        assert packet == Packet(0, False, 5, 6, 7, b"sound")
