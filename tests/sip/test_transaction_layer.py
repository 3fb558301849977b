import random

import pytest

from pbx.sip.events import Cancelled, RequestReceived, ResponseReceived, TransportFailed
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Response, response_to
from pbx.sip.server_transaction import ServerState, ServerTransaction
from pbx.sip.trace import DropReason
from tests.sip.conftest import Agent, Clock, alone, assert_sent, lose, pair

BRANCH = ";branch=z9hG4bKpeer"


def octets(
    method: str = "INVITE",
    *,
    via: str = f"SIP/2.0/UDP 192.0.2.2:5060{BRANCH}",
    to: str = "<sip:alice@192.0.2.1>",
    sender: str = "<sip:bob@192.0.2.2>;tag=b",
    uri: str = "sip:alice@192.0.2.1",
    call_id: str = "c",
    cseq: int = 1,
    more: str = "",
) -> str:
    return (
        f"{method} {uri} SIP/2.0\nVia: {via}\nFrom: {sender}\nTo: {to}\nCall-ID: {call_id}\n"
        f"CSeq: {cseq} {method}\nMax-Forwards: 70\n{more}Content-Length: 0\n\n"
    )


def requests(agent: Agent) -> list[str]:
    """Methods of the requests that were told since last asked; with ACKs in brackets."""
    return [
        event.request.method if event.transaction else f"({event.request.method})"
        for event in agent.take()
        if isinstance(event, RequestReceived)
    ]


class TestRfc3261Section17_2_3:
    """Matching requests to server transactions: branch, sent-by and method."""

    @pytest.mark.parametrize(
        "via",
        [
            "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKother",
            f"SIP/2.0/UDP 192.0.2.3:5060{BRANCH}",
            f"SIP/2.0/UDP 192.0.2.2:5061{BRANCH}",
            f"SIP/2.0/UDP 192.0.2.2{BRANCH}",
        ],
    )
    def test_another_branch_or_sent_by_is_another_transaction(self, clock: Clock, via: str) -> None:
        alice = alone(clock)
        alice.receive(octets())
        alice.receive(octets(via=via, call_id="d"))
        assert requests(alice) == ["INVITE", "INVITE"]

    def test_another_method_is_another_transaction(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets("OPTIONS"))
        alice.receive(octets("MESSAGE"))
        assert requests(alice) == ["OPTIONS", "MESSAGE"]

    def test_the_same_in_any_case(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets(via=f"SIP/2.0/UDP host.example{BRANCH}"))
        alice.receive(octets(via="SIP/2.0/UDP HOST.example;branch=Z9HG4BKPEER"))
        assert requests(alice) == ["INVITE"]

    def test_the_rest_does_not_matter(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets())
        alice.receive(octets(call_id="d", cseq=9, uri="sip:other@192.0.2.1"))
        assert requests(alice) == ["INVITE"]

    def test_an_ack_that_matches_nothing_goes_up(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets())
        transaction = alice.invited()
        alice.answer(transaction, 200)
        ack = octets("ACK", via="SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKack")
        alice.receive(ack)
        alice.receive(ack)
        assert requests(alice) == ["(ACK)", "(ACK)"]
        assert transaction.state is ServerState.ACCEPTED


class TestRfc2543Matching:
    """§17.2.3 for branches without the magic cookie."""

    VIA = "SIP/2.0/UDP 192.0.2.2:5060"

    @pytest.mark.parametrize("branch", ["", ";branch=1", ";branch=z9hG4bK"])
    def test_a_repeated_invite(self, clock: Clock, branch: str) -> None:
        alice = alone(clock)
        alice.receive(octets(via=self.VIA + branch))
        alice.receive(octets(via=self.VIA + branch))
        assert requests(alice) == ["INVITE"]
        assert_sent(alice, "100", times=2)

    @pytest.mark.parametrize(
        "change",
        [
            {"uri": "sip:other@192.0.2.1"},
            {"to": "<sip:alice@192.0.2.1>;tag=a"},
            {"sender": "<sip:bob@192.0.2.2>;tag=other"},
            {"sender": "<sip:bob@192.0.2.2>"},
            {"call_id": "d"},
            {"cseq": 2},
            {"via": "SIP/2.0/UDP 192.0.2.9:5060"},
        ],
    )
    def test_each_part_counts(self, clock: Clock, change: dict[str, str]) -> None:
        alice = alone(clock)
        alice.receive(octets("OPTIONS", via=self.VIA))
        before = alice.alive
        alice.receive(octets("OPTIONS", **{"via": self.VIA, **change}))  # type: ignore[arg-type]
        assert alice.alive == before + 1

    def test_two_transactions_that_differ_in_the_to_tag_only(self, clock: Clock) -> None:
        alice = alone(clock)
        for tag in ("", ";tag=a"):
            alice.receive(octets("OPTIONS", via=self.VIA, to=f"<sip:alice@192.0.2.1>{tag}"))
        for event in alice.take():
            assert isinstance(event, RequestReceived)
            assert event.transaction is not None
            alice.answer(event.transaction, 200)
        assert alice.alive == 2
        clock.advance(32)
        assert alice.alive == 0

    def test_an_ack_with_the_tag_of_the_response(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets(via=self.VIA))
        transaction = alice.invited()
        alice.answer(transaction, 486, tag="ours")
        alice.receive(octets("ACK", via=self.VIA, to="<sip:alice@192.0.2.1>;tag=other"))
        assert requests(alice) == ["(ACK)"]
        assert transaction.state.name == "COMPLETED"
        alice.receive(octets("ACK", via=self.VIA, to="<sip:alice@192.0.2.1>;tag=ours"))
        assert requests(alice) == []
        assert transaction.state.name == "CONFIRMED"

    def test_cancel(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets(via=self.VIA))
        transaction = alice.invited()
        alice.receive(octets("CANCEL", via=self.VIA))
        assert alice.take() == [Cancelled(transaction, [])]
        assert_sent(alice, "200", times=1)


class TestRfc3261Section8_2_2_2:
    """Merged requests."""

    def merged(self, **changes: str) -> str:
        return octets("INVITE", via="SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKfork", **changes)  # type: ignore[arg-type]

    def test_482(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets())
        alice.receive(self.merged())
        assert requests(alice) == ["INVITE"]
        assert_sent(alice, "100", times=1)
        assert_sent(alice, "482", times=1)
        assert alice.response_sent(482).to.tag

    def test_the_482_is_repeated_and_its_ack_absorbed(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets())
        alice.receive(self.merged())
        alice.take()
        clock.advance(0.6)
        assert_sent(alice, "482", times=2)
        alice.receive(
            octets("ACK", via="SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKfork", to="<sip:a@b>;tag=t")
        )
        assert requests(alice) == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"to": "<sip:alice@192.0.2.1>;tag=a"},
            {"sender": "<sip:bob@192.0.2.2>;tag=other"},
            {"call_id": "d"},
            {"cseq": "2"},
        ],
    )
    def test_not_merged(self, clock: Clock, changes: dict[str, str]) -> None:
        alice = alone(clock)
        alice.receive(octets())
        alice.receive(self.merged(**changes))
        assert requests(alice) == ["INVITE", "INVITE"]

    def test_a_challenged_one_may_come_again_under_its_number(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.hear_and_answer_once(octets(), 407)
        alice.receive(self.merged())
        assert requests(alice) == ["INVITE"]
        assert_sent(alice, "482", times=0)

    @pytest.mark.parametrize("status", [486, 200])
    def test_one_that_has_been_answered_may_not(self, clock: Clock, status: int) -> None:
        alice = alone(clock)
        alice.receive(octets())
        alice.answer(alice.invited(), status)
        alice.receive(self.merged())
        assert requests(alice) == []
        assert_sent(alice, "482", times=1)

    def test_forgotten_with_its_transaction(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        alice.receive(octets())
        alice.answer(alice.invited(), 486)
        alice.receive(octets("ACK", to="<sip:alice@192.0.2.1>;tag=t"))
        assert alice.alive == 0
        alice.receive(self.merged())
        assert requests(alice) == ["INVITE"]


class TestRfc3261Section9_2:
    """CANCEL at the server."""

    def invited(self, clock: Clock) -> tuple[Agent, ServerTransaction]:
        alice = alone(clock)
        alice.receive(octets())
        return alice, alice.invited()

    def test_answered_200_and_told_once(self, clock: Clock) -> None:
        alice, transaction = self.invited(clock)
        alice.answer(transaction, 180, tag="ringing")
        alice.receive(octets("CANCEL", more='Reason: SIP;cause=200;text="a, b", Q.850;cause=16\n'))
        alice.receive(octets("CANCEL"))
        assert alice.take() == [
            Cancelled(transaction, ['SIP;cause=200;text="a, b"', "Q.850;cause=16"])
        ]
        assert_sent(alice, "200", times=2)
        assert str(alice.response_sent(200).cseq) == "1 CANCEL"
        assert alice.response_sent(200).to.tag == "ringing"
        alice.answer(transaction, 487)
        assert alice.response_sent(487).to.tag == "ringing"

    def test_the_same_tag_before_any_response_has_one(self, clock: Clock) -> None:
        alice, transaction = self.invited(clock)
        alice.receive(octets("CANCEL"))
        alice.answer(transaction, 487)
        assert alice.response_sent(200).to.tag == alice.response_sent(487).to.tag

    @pytest.mark.parametrize("status", [200, 486])
    def test_no_effect_after_a_final_response(self, clock: Clock, status: int) -> None:
        alice, transaction = self.invited(clock)
        alice.answer(transaction, status)
        alice.receive(octets("CANCEL"))
        assert alice.take() == []
        assert str(alice.response_sent(200).cseq) == "1 CANCEL"

    def test_no_effect_on_other_methods(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets("OPTIONS"))
        alice.take()
        alice.receive(octets("CANCEL"))
        assert alice.take() == []
        assert_sent(alice, "200", times=1)

    @pytest.mark.parametrize("first", [False, True])
    def test_481_where_nothing_matches(self, clock: Clock, first: bool) -> None:
        alice = alone(clock)
        if first:
            alice.receive(octets("INVITE", via="SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKother"))
            alice.take()
        alice.receive(octets("CANCEL"))
        alice.receive(octets("CANCEL"))
        assert alice.take() == []
        assert_sent(alice, "481", times=2)
        assert alice.response_sent(481).to.tag

    def test_an_invite_after_its_stray_cancel_is_a_new_request(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets("CANCEL"))
        alice.receive(octets())
        assert requests(alice) == ["INVITE"]

    def test_an_unreadable_reason_does_no_harm(self, clock: Clock) -> None:
        alice, transaction = self.invited(clock)
        alice.receive(octets("CANCEL", more='Reason: SIP;text="open, x\n'))
        assert alice.take() == [Cancelled(transaction, [])]


class TestRfc3261Section18_1_2:
    """Responses that are not for us."""

    def response(self, alice: Agent, via: str) -> None:
        transaction = alice.call()
        response = response_to(transaction.request, 180, to_tag="t")
        branch = transaction.request.via.branch or ""
        response.set("Via", via.replace("BRANCH", branch))
        alice.receive(response.encode())

    @pytest.mark.parametrize(
        "via",
        [
            "SIP/2.0/UDP 192.0.2.9:5060;branch=BRANCH",
            "SIP/2.0/UDP 192.0.2.1:5062;branch=BRANCH",
            "SIP/2.0/UDP 192.0.2.1;branch=BRANCH",
        ],
    )
    def test_foreign_sent_by(self, clock: Clock, via: str) -> None:
        alice = alone(clock)
        self.response(alice, via)
        assert alice.take() == []
        assert alice.drops() == {DropReason.FOREIGN_VIA: 1}

    def test_more_than_one_via(self, clock: Clock) -> None:
        alice = alone(clock)
        ours = "SIP/2.0/UDP 192.0.2.1:5060;branch=BRANCH"
        self.response(alice, f"{ours}, SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKx")
        assert alice.take() == []
        assert alice.drops() == {DropReason.MANY_VIAS: 1}

    def test_an_unreadable_via_below_ours(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        response = response_to(transaction.request, 180, to_tag="t")
        response.add("Via", 'SIP/2.0/UDP x;y="open, z')
        alice.receive(response.encode())
        assert alice.take() == []
        assert alice.drops() == {DropReason.MALFORMED_RESPONSE: 1}

    def test_a_response_may_come_another_way(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        response = response_to(transaction.request, 200, to_tag="t")
        other = Flow("udp", alice.address, Address("192.0.2.77", 5099))
        alice.receive(response.encode(), other)
        assert alice.take() == [ResponseReceived(transaction, response, other)]


class TestFlowFailed:
    def test_only_transactions_on_that_path_end(self, clock: Clock) -> None:
        alice = alone(clock)
        elsewhere = Flow("udp", alice.address, Address("192.0.2.3", 5060))
        here = alice.call("OPTIONS")
        alice.endpoint.send_request(alice.request("OPTIONS"), elsewhere, clock.now)
        alice.fail("unreachable")
        assert alice.take() == [TransportFailed(here, "unreachable")]
        assert alice.alive == 1
        alice.fail()
        assert alice.take() == []

    def test_another_connection_to_the_same_peer_goes_on(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        alice.call("OPTIONS")
        alice.receive(octets("OPTIONS"))
        alice.take()
        alice.fail(flow=Flow("tcp", alice.address, alice.flow.remote, 2))
        assert alice.take() == []
        alice.fail()
        # The request of the peer may still be answered, by another connection (§18.2.2).
        assert len(alice.take()) == 1

    def test_a_request_that_asked_for_a_connection_fails_with_it(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        asked = Flow("tcp", alice.address, alice.flow.remote, 0)
        transaction = alice.endpoint.send_request(alice.request("OPTIONS"), asked, clock.now)
        alice.fail("reset", Flow("tcp", alice.address, alice.flow.remote, 7))
        assert alice.take() == [TransportFailed(transaction, "reset")]

    def test_a_connection_that_could_not_be_made(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        asked = Flow("tcp", alice.address, alice.flow.remote, 0)
        transaction = alice.endpoint.send_request(alice.request("OPTIONS"), asked, clock.now)
        alice.call("OPTIONS")
        alice.fail("refused", asked)
        assert alice.take() == [TransportFailed(transaction, "refused")]


class TestRfc3261Section18_2_2:
    """A response whose connection has gone takes a new one, to where the peer listens."""

    VIA = "SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bKp"

    def asked(self, clock: Clock, via: str, method: str = "INVITE", kind: str = "tcp") -> Agent:
        alice = alone(clock, kind)
        alice.receive(octets(method, via=via))
        return alice

    @pytest.mark.parametrize(
        ("kind", "via", "port"),
        [
            ("tcp", "SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bKp", 5070),
            ("tcp", "SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKp", 5060),
            ("tcp", "SIP/2.0/TCP 198.51.100.9:5070;branch=z9hG4bKp;rport", 5070),
            ("tcp", "SIP/2.0/TCP phone.example:5070;branch=z9hG4bKp", 5070),
            ("tls", "SIP/2.0/TLS 192.0.2.2;branch=z9hG4bKp", 5061),
        ],
    )
    def test_to_received_and_sent_by(self, clock: Clock, kind: str, via: str, port: int) -> None:
        """Only ever to the host that the request came from, whatever the Via names."""
        alice = self.asked(clock, via, "OPTIONS", kind)
        transaction = alice.invited()
        alice.fail()
        assert alice.take() == []
        alice.answer(transaction, 200)
        _, data, flow = alice.sent[-1]
        assert data.startswith(b"SIP/2.0 200 ")
        assert flow == Flow(kind, alice.address, Address(alice.flow.remote.host, port))

    def test_the_last_response_tells_at_once_whether_anybody_listens(self, clock: Clock) -> None:
        alice = self.asked(clock, self.VIA)
        transaction = alice.invited()
        alice.answer(transaction, 180)
        before = len(alice.sent)
        alice.fail()
        ((_, data, flow),) = alice.sent[before:]
        assert data.startswith(b"SIP/2.0 180 ")
        assert flow.connection == 0
        alice.fail("refused", flow)
        assert alice.take() == [TransportFailed(transaction, "refused")]
        assert alice.alive == 0

    def test_a_final_response_without_its_ack_comes_again(self, clock: Clock) -> None:
        alice = self.asked(clock, self.VIA)
        alice.answer(alice.invited(), 486)
        alice.fail()
        _, data, flow = alice.sent[-1]
        assert data.startswith(b"SIP/2.0 486 ")
        assert flow.remote.port == 5070

    def test_a_2xx_is_repeated_by_its_user(self, clock: Clock) -> None:
        alice = self.asked(clock, self.VIA)
        transaction = alice.invited()
        alice.answer(transaction, 200)
        before = len(alice.sent)
        alice.fail()
        assert alice.sent[before:] == []
        assert transaction.response is not None
        alice.endpoint.retransmit(transaction, transaction.response, clock.now)
        alice.flush()
        assert alice.sent[-1][2].remote.port == 5070

    def test_a_browser_has_no_port_to_go_to(self, clock: Clock) -> None:
        alice = self.asked(clock, "SIP/2.0/WS x.invalid;branch=z9hG4bKp", kind="ws")
        transaction = alice.invited()
        alice.fail("closed")
        assert alice.take() == [TransportFailed(transaction, "closed")]


def whole_call(clock: Clock, alice: Agent, bob: Agent) -> None:
    """INVITE, 180, 200 (repeated as a UAS core does), ACK, BYE; both must see every step."""
    alice.call()
    clock.advance(10)
    ringing = bob.invited()
    bob.answer(ringing, 180)
    clock.advance(5)
    answer = bob.answer(ringing, 200)
    wait_s = 0.5
    acknowledged = False
    for _ in range(20):
        for event in alice.take():
            if isinstance(event, ResponseReceived) and event.response.status == 200:
                ack = alice.request("ACK", To=event.response.get("To") or "")
                alice.endpoint.send_ack(ack, alice.flow, clock.now)
                alice.flush()
        acknowledged = acknowledged or requests(bob) == ["(ACK)"]
        if acknowledged:
            break
        clock.advance(wait_s)
        wait_s = min(2 * wait_s, 4)
        bob.endpoint.retransmit(ringing, answer, clock.now)
        bob.flush()
    assert acknowledged
    clock.advance(40)
    bob.take()
    bye = alice.call("BYE", To=answer.get("To") or "", CSeq="2 BYE")
    clock.advance(20)
    (event,) = bob.take()
    assert isinstance(event, RequestReceived)
    assert event.transaction is not None
    bob.answer(event.transaction, 200)
    clock.advance(20)
    final = [event for event in alice.take() if isinstance(event, ResponseReceived)]
    assert [(event.transaction, event.response.status) for event in final] == [(bye, 200)]
    clock.advance(64)
    assert alice.alive == bob.alive == 0
    assert alice.endpoint.next_timer() is None
    assert bob.endpoint.next_timer() is None


class TestWholeCalls:
    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_without_loss(self, clock: Clock, transport: str) -> None:
        whole_call(clock, *pair(clock, transport))

    def test_ipv6(self, clock: Clock) -> None:
        alice, bob = pair(clock, host="2001:db8::")
        whole_call(clock, alice, bob)
        assert alice.request_sent("INVITE").via.host == "2001:db8::1"

    @pytest.mark.parametrize("lost", ["INVITE", "100", "180", "200", "ACK", "BYE"])
    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_each_message_lost(self, clock: Clock, lost: str, times: int) -> None:
        alice, bob = pair(clock)
        alice.loses = lose(lost, times=times)
        bob.loses = lose(lost, times=times)
        whole_call(clock, alice, bob)

    def test_everything_twice(self, clock: Clock) -> None:
        alice, bob = pair(clock)
        for agent, peer in ((alice, bob), (bob, alice)):

            def twice(data: bytes, peer: Agent = peer) -> bool:
                peer.receive(data)
                return False

            agent.loses = twice
        alice.call()
        ringing = bob.invited()
        bob.answer(ringing, 180)
        bob.answer(ringing, 486)
        assert alice.statuses() == [100] * 4 + [180] * 2 + [486]
        clock.advance(64)
        assert bob.take() == []
        assert alice.alive == bob.alive == 0

    @pytest.mark.parametrize("seed", range(50))
    def test_ten_percent_lost_each_way(self, clock: Clock, seed: int) -> None:
        chance = random.Random(seed)
        alice, bob = pair(clock)
        alice.loses = bob.loses = lambda data: chance.random() < 0.1
        whole_call(clock, alice, bob)

    @pytest.mark.parametrize("seed", range(20))
    def test_a_refused_call_with_loss(self, clock: Clock, seed: int) -> None:
        chance = random.Random(seed)
        alice, bob = pair(clock)
        alice.loses = bob.loses = lambda data: chance.random() < 0.3
        alice.call()
        clock.advance(31)
        bob.answer(bob.invited(), 486)
        clock.advance(100)
        final = [
            event.response.status
            for event in alice.take()
            if isinstance(event, ResponseReceived) and event.response.status >= 200
        ]
        assert final == [486]
        assert bob.take() == []
        assert alice.alive == bob.alive == 0

    def test_a_thousand_calls_leave_nothing_behind(self, clock: Clock) -> None:
        alice, bob = pair(clock)
        for number in range(1000):
            alice.call(Call_ID=f"c{number}")
            bob.answer(bob.invited(), 486)
        assert alice.alive == bob.alive == 1000
        clock.advance(40)
        assert alice.alive == bob.alive == 0
        for agent in (alice, bob):
            layer = agent.endpoint._layer
            assert not layer._clients
            assert not layer._servers
            assert not layer._initial
            assert not layer._by_remote
            assert len(layer.timers) == 0

    def test_responses_are_what_was_answered(self, clock: Clock) -> None:
        alice, bob = pair(clock)
        transaction = alice.call("OPTIONS")
        bob.answer(bob.invited(), 200)
        (event,) = alice.take()
        assert isinstance(event, ResponseReceived)
        assert event.transaction is transaction
        assert isinstance(event.response, Response)
        assert event.response.via == transaction.request.via.with_params(
            received="192.0.2.1", rport="5060"
        )
