"""STUN on the SIP port: RFC 8489's answers, checked with RFC 5769's vectors, and who gets none."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip import stun
from pbx.sip.flow import Address, Flow
from pbx.sip.trace import DropReason
from tests.sip.conftest import Clock, alone

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
HEADER = bytes.fromhex("000100002112a442") + TRANSACTION
SOURCE = Address("192.0.2.1", 32853)


def request(attributes: bytes = b"", kind: int = 1) -> bytes:
    """Return a Binding request, or another message with that type."""
    return struct.pack("!HHI", kind, len(attributes), 0x2112A442) + TRANSACTION + attributes


def attribute(kind: int, value: bytes = b"") -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def fingerprinted(attributes: bytes = b"") -> bytes:
    """Return a Binding request that ends with a FINGERPRINT (RFC 8489 §14.7)."""
    before = struct.pack("!HHI", 1, len(attributes) + 8, 0x2112A442) + TRANSACTION + attributes
    return before + attribute(0x8028, struct.pack("!I", zlib.crc32(before) ^ 0x5354554E))


class TestRfc5769Section2:
    """The sample responses' XOR-MAPPED-ADDRESS values, which other implementations made."""

    def test_ipv4(self) -> None:
        answer = stun.answer(HEADER, Address("192.0.2.1", 32853))
        assert answer == bytes.fromhex("0101000c2112a442") + TRANSACTION + bytes.fromhex(
            "002000080001a147e112a643"
        )

    def test_ipv6(self) -> None:
        answer = stun.answer(HEADER, Address("2001:db8:1234:5678:11:2233:4455:6677", 32853))
        assert answer == bytes.fromhex("010100182112a442") + TRANSACTION + bytes.fromhex(
            "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
        )

    def test_the_sample_request_is_ices(self) -> None:
        """It asks for PRIORITY to be understood, which is ICE's alone: 420 names it."""
        sample = bytes.fromhex(
            "000100582112a442b7e7a701bc34d686fa87dfae"
            "802200105354554e207465737420636c69656e74"
            "002400046e0001ff80290008932ff9b151263b36"
            "000600096576746a3a68367659202020"
            "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
            "80280004e57a3bcf"
        )
        answer = stun.answer(sample, SOURCE)
        assert answer is not None
        assert answer[:2] == b"\x01\x11"
        assert answer.endswith(attribute(0x000A, b"\x00\x24"))


class TestRfc8489Section6_3:
    """What is answered with what."""

    @pytest.mark.parametrize("kind", [0x0006, 0x0008, 0x0014, 0x0015, 0x8022, 0x8029])
    def test_what_needs_no_understanding(self, kind: int) -> None:
        answer = stun.answer(request(attribute(kind, b"abc")), SOURCE)
        assert answer == stun.answer(HEADER, SOURCE)

    def test_unknown_attributes_are_named_in_their_order_and_once(self) -> None:
        asked = request(attribute(0x7001) + attribute(0x0024, b"1234") + attribute(0x7001, b"x"))
        answer = stun.answer(asked, SOURCE)
        assert answer is not None
        error = attribute(0x0009, b"\0\0\x04\x14Unknown Attribute")
        named = attribute(0x000A, b"\x70\x01\x00\x24")
        assert answer == request(error + named, kind=0x0111)

    def test_a_right_fingerprint(self) -> None:
        assert stun.answer(fingerprinted(), SOURCE) == stun.answer(HEADER, SOURCE)

    @pytest.mark.parametrize(
        "data",
        [
            request(kind=0x0011),
            request(kind=0x0101),
            request(kind=0x0111),
            request(kind=0x0003),
            HEADER[:19],
            HEADER + b"\0\0\0\0",
            b"\0\1\0\1" + HEADER[4:] + b"\0",
            b"\0\1\0\4" + HEADER[4:] + b"\x80\x22\0\1",
            b"\0\1\0\4" + HEADER[4:],
            fingerprinted()[:-1] + b"\0",
            fingerprinted() + attribute(0x8022),
        ],
        ids=[
            "indication",
            "response",
            "error response",
            "another method",
            "half a header",
            "more than it says",
            "not a multiple of four",
            "half an attribute",
            "less than it says",
            "wrong fingerprint",
            "something after it",
        ],
    )
    def test_no_answer(self, data: bytes) -> None:
        assert stun.is_stun(data)
        assert stun.answer(data, SOURCE) is None

    @given(st.binary(max_size=80))
    def test_any_octets(self, rest: bytes) -> None:
        """Nothing raises, and no answer is longer than three times its question."""
        data = HEADER[:8] + rest
        answer = stun.answer(data, SOURCE)
        assert answer is None or len(answer) <= 3 * len(data)


OLD = bytes.fromhex("00010000") + bytes(range(16))


class TestRfc3489:
    """Clients without a magic cookie: RFC 8489 §11."""

    @pytest.mark.parametrize(
        ("source", "place"),
        [
            (SOURCE, "0001 8055 c0000201"),
            (Address("2001:db8::1", 5060), "0002 13c4 20010db8000000000000000000000001"),
        ],
    )
    def test_mapped_address(self, source: Address, place: str) -> None:
        assert stun.is_stun(OLD)
        value = bytes.fromhex(place)
        told = attribute(0x0001, value)
        header = struct.pack("!HH", 0x0101, len(told)) + OLD[4:]
        assert stun.answer(OLD, source) == header + told

    @pytest.mark.parametrize(("flags", "kind"), [(0, 0x0101), (6, 0x0111)])
    def test_another_source_is_not_to_be_had(self, flags: int, kind: int) -> None:
        """CHANGE-REQUEST (§11.2.4); many clients say that they want none."""
        asked = attribute(0x0003, struct.pack("!I", flags))
        data = struct.pack("!HH", 1, len(asked)) + OLD[4:] + asked
        answer = stun.answer(data, SOURCE)
        assert answer is not None
        assert answer[:2] == kind.to_bytes(2, "big")
        assert answer[4:20] == OLD[4:]
        assert (attribute(0x000A, b"\x00\x03") in answer) is (kind == 0x0111)

    @pytest.mark.parametrize("data", [OLD[:19], OLD + b"x", b"\0\2" + OLD[2:], b"\0" * 20])
    def test_what_is_none(self, data: bytes) -> None:
        assert not stun.is_stun(data)

    def test_the_endpoint_answers(self, clock: Clock) -> None:
        alice = alone(clock)
        flow = Flow("udp", alice.address, SOURCE)
        alice.receive(OLD, flow)
        assert [data for _, data, _ in alice.sent] == [stun.answer(OLD, SOURCE)]


class TestRfc5626Section4_4_2:
    """The endpoint answers on the flow, and goes on with SIP."""

    def test_answered_to_where_it_came_from(self, clock: Clock) -> None:
        alice = alone(clock)
        flow = Flow("udp", alice.address, SOURCE)
        alice.receive(HEADER, flow)
        assert [(data, path) for _, data, path in alice.sent] == [
            (stun.answer(HEADER, SOURCE), flow)
        ]
        assert alice.take() == []
        assert alice.endpoint.trace.stun == 1
        assert alice.drops() == {}

    def test_an_indication_is_dropped(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(request(kind=0x0011))
        assert alice.sent == []
        assert alice.drops() == {DropReason.STUN: 1}

    def test_over_a_connection_it_is_no_keep_alive(self, clock: Clock) -> None:
        """There CRLF is (§4.4.1); a framer never cuts such a message out."""
        alice = alone(clock, "tcp")
        alice.receive(HEADER)
        assert alice.sent == []
        assert alice.drops() == {DropReason.GARBAGE: 1}

    def test_whoever_watches_is_told(self, clock: Clock) -> None:
        alice = alone(clock)
        told: list[str] = []
        alice.endpoint.trace.callback = lambda direction, flow, text: told.append(text)
        alice.receive(HEADER)
        assert told == ["STUN"]
