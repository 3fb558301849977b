"""Names in URIs, and going on to the next address: RFC 3263 §4.3, on the clock."""

from dataclasses import replace

import pytest

from pbx.sip.capabilities import Capabilities
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.failover import LONGEST_SHUNNED_S, PATIENCE_S, SHUNNED_S
from pbx.sip.flow import Address, Flow
from pbx.sip.locate import Answer, Kind, Question
from pbx.sip.message import Request, parse_message, response_to
from pbx.sip.uri import SipUri, parse_uri
from tests.sip.conftest import Agent, Clock

FIRST, SECOND, SOURCE = "192.0.2.11", "192.0.2.12", "192.0.2.7"
NAME = Question(Kind.A, "phone.example")


class Caller:
    """An endpoint whose next hop has a name with two addresses."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.agent = Agent(clock, "alice", Address("192.0.2.1", 5060), "udp")
        self.agent.endpoint = Endpoint(
            self.agent.endpoint._tokens,
            user_agent="alice/1",
            serves=Capabilities(("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS")),
            names=True,
        )
        uri = parse_uri("sip:bob@phone.example:5060")
        assert isinstance(uri, SipUri)
        self.source = Flow("udp", self.agent.address, Address(SOURCE, 5060))
        self.flow = replace(self.source, named=uri)

    def send(self, method: str = "INVITE", cseq: int = 1) -> ClientTransaction:
        request = self.agent.request(method, CSeq=f"{cseq} {method}")
        transaction = self.agent.endpoint.send_request(request, self.flow, self.clock.now)
        self.agent.flush()
        return transaction

    def resolve(self, *addresses: str) -> None:
        assert self.agent.endpoint.questions() == [NAME]
        self.agent.endpoint.resolved(NAME, Answer(addresses, 3600), self.clock.now)
        self.agent.flush()

    def sent(self) -> list[tuple[str, Request]]:
        """Host and request of all that has been sent since the last time."""
        sent, self.agent.sent = self.agent.sent, []
        found = []
        for _, data, flow in sent:
            request = parse_message(data)
            assert isinstance(request, Request)
            found.append((flow.remote.host, request))
        return found

    def answered(self, request: Request, status: int, *, host: str, retry: str = "") -> None:
        response = response_to(request, status, to_tag="tt")
        if retry:
            response.add("Retry-After", retry)
        self.agent.receive(response.encode(), self.path(host))

    def path(self, host: str) -> Flow:
        return Flow("udp", self.agent.address, Address(host, 5060))


@pytest.fixture
def caller(clock: Clock) -> Caller:
    return Caller(clock)


class TestNames:
    """A request waits for its address, and for nothing else."""

    def test_it_leaves_when_the_name_is_known(self, caller: Caller) -> None:
        transaction = caller.send()
        assert caller.sent() == []
        assert caller.agent.endpoint.pending_requests == 1
        caller.resolve(FIRST)
        ((host, request),) = caller.sent()
        assert host == FIRST
        caller.answered(request, 200, host=FIRST)
        (event,) = caller.agent.take()
        assert isinstance(event, ResponseReceived)
        assert event.transaction is transaction

    def test_a_name_that_nobody_knows(self, caller: Caller) -> None:
        """What the peer spoke from is left."""
        caller.send()
        caller.resolve()
        assert [host for host, _ in caller.sent()] == [SOURCE]

    def test_known_names_cost_no_time(self, caller: Caller) -> None:
        caller.send()
        caller.resolve(FIRST)
        caller.sent()
        caller.send("OPTIONS", cseq=2)
        assert [host for host, _ in caller.sent()] == [FIRST]

    def test_cancelled_before_it_left(self, caller: Caller) -> None:
        transaction = caller.send()
        caller.agent.cancel(transaction)
        assert caller.agent.take() == [TransactionTimedOut(transaction)]
        caller.resolve(FIRST)
        assert caller.sent() == []
        assert caller.agent.endpoint.pending_requests == 0

    def test_an_ack_waits_too(self, caller: Caller) -> None:
        caller.agent.endpoint.send_ack(caller.agent.request("ACK"), caller.flow, caller.clock.now)
        caller.agent.flush()
        assert caller.sent() == []
        caller.resolve(FIRST)
        ((host, request),) = caller.sent()
        assert (host, request.method) == (FIRST, "ACK")

    def test_whoever_answers_no_questions_sends_at_once(self, clock: Clock) -> None:
        agent = Agent(clock, "alice", Address("192.0.2.1", 5060), "udp")
        flow = replace(Caller(clock).flow, local=agent.address)
        agent.endpoint.send_request(agent.request(), flow, clock.now)
        agent.flush()
        assert [flow.remote.host for _, _, flow in agent.sent] == [SOURCE]
        assert agent.endpoint.questions() == []

    def test_whoever_has_no_streams_sends_datagrams(self, clock: Clock) -> None:
        agent = Agent(clock, "alice", Address("192.0.2.1", 5060), "udp")
        agent.endpoint = Endpoint(
            agent.endpoint._tokens, user_agent="a", serves=Capabilities(()), streams=False
        )
        request = agent.request()
        request.body = b"x" * 2000
        flow = Flow("tcp", agent.address, Address(SOURCE, 5060))
        agent.endpoint.send_request(request, flow, clock.now)
        agent.flush()
        ((_, data, sent),) = agent.sent
        assert sent.transport == "udp"
        assert b"SIP/2.0/UDP" in data


class TestRfc3263Section4_3:
    """503, silence and a dead path: the next address, by a transaction of its own."""

    def test_after_a_503(self, caller: Caller) -> None:
        transaction = caller.send()
        caller.resolve(FIRST, SECOND)
        ((_, first),) = caller.sent()
        caller.answered(first, 503, host=FIRST)
        (ack_host, ack), (host, second) = caller.sent()
        assert (ack_host, ack.method, ack.via.branch) == (FIRST, "ACK", first.via.branch)
        assert (host, second.method) == (SECOND, "INVITE")
        assert second.via.branch != first.via.branch
        assert caller.agent.take() == []
        # §17.1.1.2: the old transaction acknowledges a repeated 503 again
        caller.answered(first, 503, host=FIRST)
        assert [(host, request.method) for host, request in caller.sent()] == [(FIRST, "ACK")]
        caller.answered(second, 200, host=SECOND)
        (event,) = caller.agent.take()
        assert isinstance(event, ResponseReceived)
        assert event.transaction is transaction

    def test_after_silence(self, clock: Clock, caller: Caller) -> None:
        caller.send()
        caller.resolve(FIRST, SECOND)
        caller.sent()
        clock.advance(PATIENCE_S)
        hosts = [host for host, _ in caller.sent()]
        assert hosts[-1] == SECOND
        assert set(hosts[:-1]) == {FIRST}
        clock.advance(1)
        assert {host for host, _ in caller.sent()} == {SECOND}

    def test_after_a_dead_path(self, caller: Caller) -> None:
        caller.send("OPTIONS")
        caller.resolve(FIRST, SECOND)
        caller.agent.fail("no route to host", caller.path(FIRST))
        assert [host for host, _ in caller.sent()] == [FIRST, SECOND]
        assert caller.agent.take() == []

    def test_when_all_have_failed(self, clock: Clock, caller: Caller) -> None:
        transaction = caller.send("OPTIONS")
        caller.resolve(FIRST, SECOND)
        caller.agent.fail("no route to host", caller.path(FIRST))
        caller.agent.fail("no route to host", caller.path(SECOND))
        assert caller.agent.take() == [TransportFailed(transaction, "no route to host")]
        assert caller.agent.endpoint.transaction_count == 0

    def test_the_last_503_is_heard(self, caller: Caller) -> None:
        caller.send()
        caller.resolve(FIRST, SECOND)
        ((_, first),) = caller.sent()
        caller.answered(first, 503, host=FIRST)
        _, (_, second) = caller.sent()
        caller.answered(second, 503, host=SECOND)
        assert caller.agent.statuses() == [503]

    @pytest.mark.parametrize("status", [404, 486, 500, 603])
    def test_a_refusal_is_no_failure(self, caller: Caller, status: int) -> None:
        caller.send()
        caller.resolve(FIRST, SECOND)
        ((_, first),) = caller.sent()
        caller.answered(first, status, host=FIRST)
        assert caller.agent.statuses() == [status]
        assert [request.method for _, request in caller.sent()] == ["ACK"]

    def test_ringing_is_no_silence(self, clock: Clock, caller: Caller) -> None:
        caller.send()
        caller.resolve(FIRST, SECOND)
        ((_, first),) = caller.sent()
        caller.answered(first, 180, host=FIRST)
        clock.advance(60)
        assert caller.sent() == []

    def test_a_cancel_goes_where_the_invite_went(self, caller: Caller) -> None:
        """RFC 3263 §4: the CANCEL "MUST be sent to the same SIP server"."""
        transaction = caller.send()
        caller.resolve(FIRST, SECOND)
        ((_, first),) = caller.sent()
        caller.answered(first, 503, host=FIRST)
        _, (_, second) = caller.sent()
        caller.answered(second, 180, host=SECOND)
        caller.agent.cancel(transaction)
        ((host, cancel),) = caller.sent()
        assert (host, cancel.method, cancel.via.branch) == (SECOND, "CANCEL", second.via.branch)

    @pytest.mark.parametrize(
        ("retry", "shunned_s"),
        [
            ("", SHUNNED_S),
            ("120 (maintenance)", 120),
            ("99999", LONGEST_SHUNNED_S),
            ("x", SHUNNED_S),
        ],
    )
    def test_who_failed_comes_last_for_a_while(
        self, clock: Clock, caller: Caller, retry: str, shunned_s: float
    ) -> None:
        caller.send("OPTIONS")
        caller.resolve(FIRST, SECOND)
        ((_, first),) = caller.sent()
        caller.answered(first, 503, host=FIRST, retry=retry)
        ((_, second),) = caller.sent()
        caller.answered(second, 200, host=SECOND)
        clock.advance(shunned_s - 1)
        caller.send("OPTIONS", cseq=2)
        assert [host for host, _ in caller.sent()] == [SECOND]
        clock.advance(1)
        caller.sent()
        caller.send("OPTIONS", cseq=3)
        assert [host for host, _ in caller.sent()] == [FIRST]


class TestSentAgain:
    """What a challenge or the like makes of a request goes to who has answered, and then on."""

    def test_each_address_once_by_each_transport(self, caller: Caller) -> None:
        """A request that is too large for a datagram has TCP and UDP at each (RFC 3261 §18.1.1)."""
        endpoint, clock = caller.agent.endpoint, caller.clock
        request = caller.agent.request()
        request.body = b"x" * 2000
        before = endpoint.send_request(request, caller.flow, clock.now)
        caller.resolve(FIRST, SECOND)
        ((_, first),) = caller.sent()
        response = response_to(first, 407, to_tag="tt")
        caller.agent.receive(response.encode(), replace(caller.path(FIRST), transport="tcp"))
        assert caller.agent.statuses() == [407]
        caller.sent()
        again = caller.agent.request(CSeq="2 INVITE")
        again.uri = first.uri
        again.body = request.body
        endpoint.send_again(again, before, clock.now)
        caller.agent.flush()
        ways = []
        for _ in range(3):
            ((_, _, flow),) = caller.agent.sent
            caller.agent.sent = []
            ways.append((flow.transport, flow.remote.host))
            caller.agent.fail("no route to host", flow)
        assert ways == [("tcp", FIRST), ("tcp", SECOND), ("udp", SECOND)]
