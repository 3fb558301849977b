import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sip.capabilities import Capabilities
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, RequestReceived, ResponseReceived
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response, parse_message, response_to
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.trace import Direction, DropReason, Trace, summary
from tests.sip.conftest import Agent, Clock, alone, assert_sent, pair

VECTORS = Path(__file__).parents[1] / "torture" / "vectors"


def octets(
    method: str = "OPTIONS", via: str = "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKp", more: str = ""
) -> str:
    return (
        f"{method} sip:alice@192.0.2.1 SIP/2.0\nVia: {via}\nFrom: <sip:bob@192.0.2.2>;tag=b\n"
        f"To: <sip:alice@192.0.2.1>\nCall-ID: c\nCSeq: 1 {method}\n{more}Content-Length: 0\n\n"
    )


def answered(alice: Agent, data: str, flow: Flow) -> tuple[Response, Flow]:
    """The response to a request that came on a flow, and where it went."""
    alice.receive(data, flow)
    alice.answer(alice.invited(), 200)
    _, sent, to = alice.sent[-1]
    response = parse_message(sent)
    assert isinstance(response, Response)
    return response, to


class TestRfc3261Section8_1_1:
    """What every request of ours carries."""

    def test_via(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.call()
        alice.call("OPTIONS")
        branches = set()
        for method in ("INVITE", "OPTIONS"):
            via = alice.request_sent(method).via
            assert (via.transport, via.host, via.port) == ("UDP", "192.0.2.1", 5060)
            assert via.rport == ""
            assert via.branch is not None
            assert via.branch.startswith("z9hG4bK")
            branches.add(via.branch)
        assert len(branches) == 2
        assert alice.sent[0][1].split(b"\r\n")[1].startswith(b"Via: ")

    def test_via_of_a_connection(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        alice.call()
        assert alice.request_sent("INVITE").via.transport == "TCP"

    def test_what_is_missing_is_put_in(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.call()
        alice.call("OPTIONS")
        invite = alice.request_sent("INVITE")
        assert invite.max_forwards == 70
        assert invite.get("User-Agent") == "alice/1"
        assert invite.all("Allow") == ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO"]
        assert alice.request_sent("OPTIONS").all("Allow") == []

    def test_what_is_there_stays(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.call(Max_Forwards="5", User_Agent="mine", Allow="INVITE", Via="SIP/2.0/UDP old")
        invite = alice.request_sent("INVITE")
        assert invite.max_forwards == 5
        assert invite.all("User-Agent") == ["mine"]
        assert invite.all("Allow") == ["INVITE"]
        assert len(invite.all("Via")) == 1


class TestRfc3261Section13_2_2_4:
    """The ACK to a 2xx is no transaction's."""

    def test_send_ack(self, clock: Clock) -> None:
        alice, bob = pair(clock)
        alice.call()
        bob.answer(bob.invited(), 200)
        ack = alice.request("ACK")
        for _ in range(2):
            alice.endpoint.send_ack(ack, alice.flow, clock.now)
            alice.flush()
        assert alice.alive == 1
        branches = {alice.request_sent("INVITE").via.branch}
        for event in bob.take():
            assert isinstance(event, RequestReceived)
            assert event.transaction is None
            assert len(event.request.all("Via")) == 1
            branches.add(event.request.via.branch)
        assert len(branches) == 3
        assert alice.endpoint.to_send() == []


class TestRfc3261Section18_2:
    """`received`, and where responses go."""

    UDP = Flow("udp", Address("192.0.2.1", 5060), Address("192.0.2.2", 5060))
    UDP_OTHER_PORT = Flow("udp", Address("192.0.2.1", 5060), Address("192.0.2.2", 40000))
    NAT = Flow("udp", Address("192.0.2.1", 5060), Address("198.51.100.9", 40000))
    TCP = Flow("tcp", Address("192.0.2.1", 5060), Address("198.51.100.9", 40000), 3)

    @pytest.mark.parametrize(
        ("sent_by", "flow", "params", "to"),
        [
            # No NAT: the port of the sent-by
            ("192.0.2.2", UDP, "", "192.0.2.2:5060"),
            ("192.0.2.2:5060", UDP, "", "192.0.2.2:5060"),
            ("192.0.2.2:5099", UDP, "", "192.0.2.2:5099"),
            ("192.0.2.2", UDP_OTHER_PORT, "", "192.0.2.2:5060"),
            ("host.example:5099", UDP, ";received=192.0.2.2", "192.0.2.2:5099"),
            # NAT: back to where it came from
            ("10.0.0.7:5099", NAT, ";received=198.51.100.9", "198.51.100.9:40000"),
            ("[fd00::7]:5099", NAT, ";received=198.51.100.9", "198.51.100.9:40000"),
            # A connection
            ("10.0.0.7", TCP, ";received=198.51.100.9", "198.51.100.9:40000"),
            ("host.example", TCP, ";received=198.51.100.9", "198.51.100.9:40000"),
        ],
    )
    def test_without_rport(
        self, clock: Clock, sent_by: str, flow: Flow, params: str, to: str
    ) -> None:
        alice = alone(clock, flow.transport)
        text = f"SIP/2.0/{flow.transport.upper()} {sent_by};branch=z9hG4bK1"
        response, reply_flow = answered(alice, octets(via=text), flow)
        assert response.all("Via") == [text + params]
        assert str(reply_flow.remote) == to
        assert reply_flow.local == flow.local
        assert reply_flow.connection == flow.connection

    @pytest.mark.parametrize("flow", [UDP, UDP_OTHER_PORT, NAT, TCP])
    def test_rport(self, clock: Clock, flow: Flow) -> None:
        """RFC 3581 §4: `rport` and, always, `received`."""
        alice = alone(clock, flow.transport)
        data = octets(via="SIP/2.0/UDP 192.0.2.2;rport;branch=z9hG4bK1")
        response, reply_flow = answered(alice, data, flow)
        assert response.via.received == flow.remote.host
        assert response.via.rport == str(flow.remote.port)
        assert reply_flow == flow

    def test_rport_over_ipv6(self, clock: Clock) -> None:
        alice = alone(clock)
        flow = Flow("udp", Address("2001:db8::1", 5060), Address("2001:db8::2", 40000))
        data = octets(via="SIP/2.0/UDP [2001:db8::2]:5060;rport;branch=z9hG4bK1")
        response, reply_flow = answered(alice, data, flow)
        assert response.via.received == "2001:db8::2"
        assert reply_flow == flow

    def test_only_the_top_via_changes(self, clock: Clock) -> None:
        alice = alone(clock)
        below = "SIP/2.0/UDP 10.1.1.1;rport;branch=z9hG4bK2"
        data = octets(via=f"SIP/2.0/UDP 192.0.2.2;rport;branch=z9hG4bK1, {below}")
        response, _ = answered(alice, data, self.UDP)
        top, *rest = response.all("Via")
        assert top.endswith(";received=192.0.2.2")
        assert rest == [below]

    def test_retransmissions_still_match(self, clock: Clock) -> None:
        """The key is that of the Via as it came."""
        alice = alone(clock)
        for _ in range(2):
            alice.receive(octets(via="SIP/2.0/UDP 10.0.0.7;rport"), self.NAT)
        assert len(alice.take()) == 1

    def test_unreachable_peer(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets(via="SIP/2.0/UDP 192.0.2.2:5099;branch=z9hG4bK1"))
        alice.take()
        alice.fail(flow=Flow("udp", alice.address, Address("192.0.2.2", 5099)))
        assert len(alice.take()) == 1


class TestResponses:
    def test_server_header(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets())
        transaction = alice.invited()
        response = alice.answer(transaction, 200)
        assert alice.response_sent(200).all("Server") == ["alice/1"]
        alice.endpoint.respond(transaction, response, clock.now)
        assert response.all("Server") == ["alice/1"]

    def test_405_names_what_is_allowed(self, clock: Clock) -> None:
        """§21.4.6."""
        alice = alone(clock)
        alice.receive(octets("PUBLISH"))
        transaction = alice.invited()
        alice.answer(transaction, 405)
        assert alice.response_sent(405).all("Allow") == list(alice.endpoint.serves.allow)

    def test_405_that_names_it_already(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets("PUBLISH"))
        transaction = alice.invited()
        response = response_to(transaction.request, 405, to_tag="t")
        response.add("Allow", "ACK")
        alice.endpoint.respond(transaction, response, clock.now)
        alice.flush()
        assert alice.response_sent(405).all("Allow") == ["ACK"]


class TestRfc5626Section3_5:
    """Keep-alives of CRLF, and what else phones send for them, are dropped without a word."""

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", DropReason.KEEP_ALIVE),
            (b"\r\n", DropReason.KEEP_ALIVE),
            (b"\r\n\r\n", DropReason.KEEP_ALIVE),
            (b"\0\0\0\0", DropReason.KEEP_ALIVE),
            (b"\0", DropReason.KEEP_ALIVE),
            (b"\0\x11\0\0\x21\x12\xa4\x42" + bytes(12), DropReason.STUN),
        ],
    )
    def test_dropped(self, clock: Clock, data: bytes, reason: DropReason) -> None:
        alice = alone(clock)
        alice.receive(data)
        assert alice.sent == []
        assert alice.take() == []
        assert alice.drops() == {reason: 1}

    def test_a_message_after_empty_lines_is_none(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive("\n\n" + octets())
        assert len(alice.take()) == 1


class TestRfc3261Section8_2_7:
    """Requests with a fault are answered by the endpoint, statelessly."""

    BAD = octets("INVITE").replace("CSeq: 1 INVITE", "CSeq: 1 OPTIONS")

    def test_400(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(self.BAD)
        response = alice.response_sent(400)
        assert response.to.tag
        assert response.call_id == "c"
        assert response.get("Server") == "alice/1"
        assert response.via.branch == "z9hG4bKp"
        assert_sent(alice, "", times=1)
        assert alice.take() == []
        assert alice.alive == 0
        assert alice.endpoint.trace.answered_malformed == {400: 1}

    def test_the_same_tag_each_time(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(self.BAD)
        alice.receive(self.BAD)
        assert alice.sent[0][1] == alice.sent[1][1]

    def test_505(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets().replace(" SIP/2.0\n", " SIP/7.0\n", 1))
        assert_sent(alice, "505", times=1)

    def test_to_where_it_came_from(self, clock: Clock) -> None:
        alice = alone(clock)
        flow = Flow("udp", alice.address, Address("198.51.100.9", 40000))
        alice.receive(self.BAD.replace(";branch", ";rport;branch"), flow)
        assert alice.sent[-1][2] == flow
        assert alice.response_sent(400).via.rport == "40000"

    def test_an_ack_is_never_answered(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets("ACK").replace("CSeq: 1 ACK", "CSeq: x"))
        assert alice.sent == []
        assert alice.take() == []
        assert alice.drops() == {DropReason.MALFORMED_ACK: 1}

    @pytest.mark.parametrize("end", ["\r", "\n"])
    def test_bare_line_ends_do_not_get_into_the_answer(self, clock: Clock, end: str) -> None:
        alice = alone(clock)
        for name in ("Call-ID: c", "Max-Forwards: 70"):
            data = octets(more="Max-Forwards: 70\n").replace("\n", "\r\n")
            alice.receive(data.replace(name, f"{name}{end}X-Evil: 1").encode())
        sent = [data for _, data, _ in alice.sent]
        assert [data.startswith(b"SIP/2.0 400 ") for data in sent] == [True, True]
        assert not any(b"X-Evil" in data for data in sent)
        assert alice.take() == []
        assert alice.drops() == {}

    def test_a_via_that_cannot_be_read(self, clock: Clock) -> None:
        """RFC 4475 §3.1.2.1: the answer goes back to where the request came from."""
        alice = alone(clock)
        flow = Flow("udp", alice.address, Address("192.0.2.77", 5099))
        alice.receive(octets(via="SIP/2.0/UDP 192.0.2.15;;,;,,"), flow)
        ((_, data, went),) = alice.sent
        assert data.startswith(b"SIP/2.0 400 ")
        assert b"\r\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n" in data
        assert went == flow

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ("hello\n\n", DropReason.GARBAGE),
            ("OPTIONS sip:a SIP/2.0\n\n", DropReason.GARBAGE),
            ("SIP/2.0 200 OK\n\n", DropReason.MALFORMED_RESPONSE),
            ("SIP/7.0 200 OK\n\n", DropReason.MALFORMED_RESPONSE),
        ],
    )
    def test_nothing_to_answer(self, clock: Clock, data: str, reason: DropReason) -> None:
        alice = alone(clock)
        alice.receive(data)
        assert alice.sent == []
        assert alice.take() == []
        assert alice.drops() == {reason: 1}

    def test_64_kib(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets(more=f"Subject: {'x' * 70_000}\n"))
        assert alice.take() == []
        assert sum(alice.drops().values()) == 1


class TestPendingRequests:
    def test_until_the_final_response(self, clock: Clock) -> None:
        alice, bob = pair(clock)
        seen = [alice.endpoint.pending_requests]
        alice.call("BYE")
        alice.call("BYE", Call_ID="other")
        seen.append(alice.endpoint.pending_requests)
        for event in bob.take():
            assert isinstance(event, RequestReceived)
            assert event.transaction is not None
            bob.answer(event.transaction, 200)
            seen.append(alice.endpoint.pending_requests)
        assert seen == [0, 2, 1, 0]
        assert alice.alive == 2

    @pytest.mark.parametrize("method", ["NOTIFY", "MESSAGE"])
    def test_nobody_waits_for_who_only_hears_news(self, clock: Clock, method: str) -> None:
        """A stop would take the longer for each phone that is dead."""
        alice = alone(clock)
        alice.call(method)
        assert alice.endpoint.pending_requests == 0
        assert alice.alive == 1


class TestTrace:
    def test_all_is_told(self, clock: Clock) -> None:
        lines: list[str] = []
        alice = alone(clock)
        trace = Trace(lambda direction, flow, text: lines.append(f"{direction.value} {text}"))
        alice.endpoint = Endpoint(
            lambda: "0" * 16, user_agent="u", serves=Capabilities(()), trace=trace
        )
        clock.agents = [alice]
        alice.receive(octets())
        alice.receive(octets())
        alice.answer(alice.invited(), 200)
        alice.receive(b"\r\n\r\n")
        alice.receive("nonsense\n\n")
        alice.endpoint.reject(PeerError(400, "Missing Content-Length"), alice.flow)
        assert lines == [
            "received OPTIONS sip:alice@192.0.2.1 SIP/2.0 | CSeq: 1 OPTIONS | Call-ID: c",
            "received OPTIONS sip:alice@192.0.2.1 SIP/2.0 | CSeq: 1 OPTIONS | Call-ID: c",
            "dropped absorbed-request: OPTIONS sip:alice@192.0.2.1 SIP/2.0"
            " | CSeq: 1 OPTIONS | Call-ID: c",
            "sent SIP/2.0 200 OK",
            "dropped keep-alive",
            lines[5],
            "dropped bad-stream: 400 Missing Content-Length",
        ]
        assert lines[5].startswith("dropped garbage: 400 ")
        assert (trace.received, trace.sent) == (2, 1)
        assert trace.drops[DropReason.BAD_STREAM] == 1

    def test_without_a_callback_it_only_counts(self) -> None:
        trace = Trace()
        flow = Flow("udp", Address("::1", 1), Address("::1", 2))
        trace.dropped(DropReason.STUN, flow)
        assert trace.drops == {DropReason.STUN: 1}
        assert Direction.SENT.value == "sent"

    def test_summary_of_a_bare_message(self) -> None:
        assert summary(Request("OPTIONS", "sip:x")) == "OPTIONS sip:x SIP/2.0"


class Fuzzed:
    """An endpoint in the middle of things: each kind of transaction in some state."""

    def __init__(self, transport: str) -> None:
        self.clock = Clock()
        self.alice = alone(self.clock, transport)
        alice = self.alice
        self.calls = [alice.call(), alice.call("OPTIONS")]
        self.seeds = [octets(method) for method in ("INVITE", "OPTIONS", "ACK", "CANCEL", "BYE")]
        for call in self.calls:
            for status in (100, 183, 200, 486):
                text = response_to(call.request, status, to_tag="t").encode().decode()
                self.seeds.append(text.replace("\r\n", "\n"))
        self.open: list[ServerTransaction] = []
        self.seeds += [octets("INVITE", via="SIP/2.0/UDP old.example:5060")]

    def take(self, data: bytes) -> None:
        """Receive it; answer what comes of it; let time pass. Nothing may raise."""
        self.alice.receive(data)
        for event in self.alice.take():
            self.react(event)
        self.clock.advance(0.3)

    def react(self, event: Event) -> None:
        if isinstance(event, RequestReceived) and event.transaction is not None:
            self.open.append(event.transaction)
            self.alice.answer(event.transaction, (180, 200, 486)[len(self.open) % 3])
        if isinstance(event, ResponseReceived):
            self.alice.cancel(event.transaction)

    def end(self) -> None:
        for transaction in self.open:
            self.alice.answer(transaction, 487)
        self.clock.advance(200)
        assert self.alice.alive == 0
        assert self.alice.endpoint.next_timer() is None


class TestAnyInput:
    """Whatever comes, `receive` doesn't raise, and nothing stays behind for ever."""

    @given(st.lists(st.binary(max_size=300), max_size=5), st.sampled_from(["udp", "tcp"]))
    def test_random_octets(self, packets: list[bytes], transport: str) -> None:
        fuzzed = Fuzzed(transport)
        for packet in packets:
            fuzzed.take(packet)
        fuzzed.end()

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 20),
                st.lists(
                    st.tuples(
                        st.floats(0, 1),
                        st.integers(0, 12),
                        st.sampled_from(
                            [b"", b"\0", b"\xff", b"\r\n", b"\n", b'"', b"<", b",", b";", b":"]
                        )
                        | st.binary(max_size=4),
                    ),
                    max_size=6,
                ),
            ),
            max_size=6,
        ),
        st.sampled_from(["udp", "tcp"]),
    )
    def test_mutated_messages(
        self, packets: list[tuple[int, list[tuple[float, int, bytes]]]], transport: str
    ) -> None:
        fuzzed = Fuzzed(transport)
        for number, mutations in packets:
            seed = fuzzed.seeds[number % len(fuzzed.seeds)]
            data = seed.replace("\n", "\r\n").encode()
            for where, length, insert in mutations:
                at = int(where * len(data))
                data = data[:at] + insert + data[at + length :]
            fuzzed.take(data)
        fuzzed.end()

    @given(st.permutations(range(14)), st.data())
    def test_lines_shuffled_and_doubled(self, order: list[int], data: st.DataObject) -> None:
        fuzzed = Fuzzed("udp")
        seed = data.draw(st.sampled_from(fuzzed.seeds))
        first, *lines = re.split(r"\n", seed.strip())
        lines = [lines[index % len(lines)] for index in order[: data.draw(st.integers(0, 14))]]
        fuzzed.take("\r\n".join([first, *lines, "", ""]).encode())
        fuzzed.end()

    @pytest.mark.parametrize("path", sorted(VECTORS.glob("*/*")), ids=lambda path: path.name)
    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_torture(self, path: Path, transport: str) -> None:
        fuzzed = Fuzzed(transport)
        fuzzed.take(path.read_bytes())
        fuzzed.take(path.read_bytes())
        fuzzed.end()
