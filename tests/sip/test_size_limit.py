"""Requests too large for a datagram: RFC 3261 §18.1.1."""

from dataclasses import replace

import pytest

from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.events import ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.failover import PATIENCE_S, SHUNNED_S
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response, parse_message, response_to
from pbx.sip.size_limit import LARGEST_DATAGRAM, by_tcp
from tests.sip.conftest import Agent, Clock

PHONE = Address("192.0.2.7", 5060)


class Sender:
    """An endpoint whose peer is played by the test."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.agent = Agent(clock, "alice", Address("192.0.2.1", 5060), "udp")
        self.udp = Flow("udp", self.agent.address, PHONE)
        self.tcp = Flow("tcp", self.agent.address, PHONE)
        self.heard = replace(self.tcp, connection=4)

    def send(
        self, method: str = "INVITE", size: int = 2000, flow: Flow | None = None, cseq: int = 1
    ) -> ClientTransaction:
        request = self.agent.request(method, CSeq=f"{cseq} {method}")
        request.body = b"x" * size
        transaction = self.agent.endpoint.send_request(request, flow or self.udp, self.clock.now)
        self.agent.flush()
        return transaction

    def sent(self) -> list[tuple[str, Request]]:
        """Transport and request of all that has been sent since the last time."""
        sent, self.agent.sent = self.agent.sent, []
        found = []
        for _, data, flow in sent:
            request = parse_message(data)
            assert isinstance(request, Request)
            assert request.via.transport == flow.transport.upper()
            assert flow.remote == PHONE
            found.append((flow.transport, request))
        return found

    def answered(self, request: Request, status: int, flow: Flow, headers: str = "") -> None:
        response = response_to(request, status, to_tag="tt")
        if headers:
            response.add(*headers.split(": "))
        self.agent.receive(response.encode(), flow)


@pytest.fixture
def sender(clock: Clock) -> Sender:
    return Sender(clock)


class TestRfc3261Section18_1_1:
    """Larger than 1300 octets: TCP, and back where nobody takes it."""

    @pytest.mark.parametrize("transport", ["tcp", "tls"])
    def test_a_stream_has_no_limit(self, transport: str) -> None:
        flow = Flow(transport, Address("192.0.2.1", 5060), PHONE)
        assert by_tcp(60000, flow) is None

    def test_the_limit(self, sender: Sender) -> None:
        sender.send("OPTIONS", size=0)
        ((_, request),) = sender.sent()
        room = LARGEST_DATAGRAM - len(request.encode()) - len("00")
        sender.send("OPTIONS", size=room, cseq=2)
        sender.send("OPTIONS", size=room + 1, cseq=3)
        (small, one), (large, two) = sender.sent()
        assert (small, len(one.encode())) == ("udp", LARGEST_DATAGRAM)
        assert (large, len(two.encode())) == ("tcp", LARGEST_DATAGRAM + 1)

    def test_what_comes_back_by_tcp_is_its_answer(self, sender: Sender) -> None:
        transaction = sender.send()
        ((_, request),) = sender.sent()
        sender.answered(request, 180, sender.heard)
        sender.answered(request, 200, sender.heard)
        one, two = sender.agent.take()
        assert isinstance(one, ResponseReceived)
        assert isinstance(two, ResponseReceived)
        assert two.transaction is transaction
        assert two.flow == sender.heard

    def test_back_to_udp_where_nobody_listens(self, sender: Sender) -> None:
        transaction = sender.send()
        ((_, first),) = sender.sent()
        sender.agent.fail("connection refused", sender.tcp)
        ((transport, second),) = sender.sent()
        assert transport == "udp"
        assert second.via.branch != first.via.branch
        assert second.body == first.body
        assert second.cseq == first.cseq
        sender.answered(second, 200, sender.udp)
        (event,) = sender.agent.take()
        assert isinstance(event, ResponseReceived)
        assert event.transaction is transaction

    def test_who_refuses_tcp_is_not_asked_again_soon(self, clock: Clock, sender: Sender) -> None:
        sender.send()
        sender.agent.fail("connection refused", sender.tcp)
        sender.sent()
        sender.send(cseq=2)
        assert [transport for transport, _ in sender.sent()] == ["udp"]
        clock.advance(SHUNNED_S)
        sender.sent()
        sender.send(cseq=3)
        assert [transport for transport, _ in sender.sent()] == ["tcp"]

    def test_a_phone_behind_a_nat_can_t_be_connected_to(self, sender: Sender) -> None:
        sender.send(flow=replace(sender.udp, only_way=True))
        assert [transport for transport, _ in sender.sent()] == ["udp"]

    def test_both_fail(self, sender: Sender) -> None:
        transaction = sender.send()
        sender.agent.fail("connection refused", sender.tcp)
        sender.agent.fail("no route to host", sender.udp)
        assert sender.agent.take() == [TransportFailed(transaction, "no route to host")]
        assert sender.agent.endpoint.transaction_count == 0

    @pytest.mark.parametrize("status", [486, 503])
    def test_a_refusal_is_one_whatever_brings_it(self, sender: Sender, status: int) -> None:
        sender.send()
        ((_, request),) = sender.sent()
        sender.answered(request, status, sender.heard)
        assert sender.agent.statuses() == [status]
        assert [request.method for _, request in sender.sent()] == ["ACK"]

    def test_another_request_by_tcp_fails_with_its_connection(self, sender: Sender) -> None:
        transaction = sender.send("OPTIONS", size=10, flow=sender.tcp)
        sender.agent.fail("gone", sender.tcp)
        assert sender.agent.take() == [TransportFailed(transaction, "gone")]


class TestSilence:
    """A connection comes up, and nobody speaks."""

    def test_an_invite_goes_on_by_udp(self, clock: Clock, sender: Sender) -> None:
        sender.send()
        sender.sent()
        clock.advance(PATIENCE_S)
        assert [transport for transport, _ in sender.sent()] == ["udp"]
        assert sender.agent.take() == []

    def test_who_rings_too_late_is_cancelled(self, clock: Clock, sender: Sender) -> None:
        sender.send()
        ((_, first),) = sender.sent()
        clock.advance(PATIENCE_S)
        sender.sent()
        sender.answered(first, 180, sender.heard)
        ((transport, cancel),) = sender.sent()
        assert (transport, cancel.method) == ("tcp", "CANCEL")
        assert cancel.via.branch == first.via.branch
        assert sender.agent.take() == []
        sender.answered(first, 487, sender.heard)
        assert [request.method for _, request in sender.sent()] == ["ACK"]
        assert sender.agent.take() == []

    def test_who_answers_too_late_has_the_call(self, clock: Clock, sender: Sender) -> None:
        transaction = sender.send()
        ((_, first),) = sender.sent()
        clock.advance(PATIENCE_S)
        ((_, second),) = sender.sent()
        sender.answered(second, 180, sender.udp)
        assert sender.agent.statuses() == [180]
        sender.answered(first, 200, sender.heard)
        (event,) = sender.agent.take()
        assert isinstance(event, ResponseReceived)
        assert event.transaction is transaction
        ((transport, cancel),) = sender.sent()
        assert (transport, cancel.method) == ("udp", "CANCEL")
        sender.answered(second, 487, sender.udp)
        assert sender.agent.take() == []

    def test_nobody_at_all(self, clock: Clock, sender: Sender) -> None:
        transaction = sender.send()
        clock.advance(PATIENCE_S + 32)
        assert sender.agent.take() == [TransactionTimedOut(transaction)]
        clock.advance(32)
        assert sender.agent.endpoint.transaction_count == 0
        assert sender.agent.endpoint.next_timer() is None

    def test_who_gave_up_wants_no_other_address(self, clock: Clock, sender: Sender) -> None:
        transaction = sender.send()
        sender.sent()
        sender.agent.cancel(transaction)
        clock.advance(PATIENCE_S)
        assert sender.sent() == []
        assert sender.agent.take() == [TransactionTimedOut(transaction)]

    def test_another_method_takes_its_time(self, clock: Clock, sender: Sender) -> None:
        transaction = sender.send("OPTIONS")
        sender.sent()
        clock.advance(31)
        assert sender.sent() == []
        clock.advance(1)
        ((transport, second),) = sender.sent()
        assert transport == "udp"
        sender.answered(second, 200, sender.udp)
        (event,) = sender.agent.take()
        assert isinstance(event, ResponseReceived)
        assert event.transaction is transaction
        assert isinstance(event.response, Response)
