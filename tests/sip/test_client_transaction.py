from collections.abc import Callable
from itertools import product

import pytest

from pbx.sip.client_transaction import (
    IGNORE,
    INVITE_TABLE,
    INVITE_TIMERS,
    NON_INVITE_TABLE,
    NON_INVITE_TIMERS,
    ClientAction,
    ClientInput,
    ClientState,
    ClientTable,
    ClientTransaction,
)
from pbx.sip.events import ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.message import Request, Response, response_to
from pbx.sip.timers import Timer
from pbx.sip.trace import DropReason
from tests.sip.conftest import Agent, Clock, alone, assert_sent, lose, pair

INVITE_STATES = (
    ClientState.CALLING,
    ClientState.PROCEEDING,
    ClientState.COMPLETED,
    ClientState.ACCEPTED,
    ClientState.TERMINATED,
)
NON_INVITE_STATES = (
    ClientState.TRYING,
    ClientState.PROCEEDING,
    ClientState.COMPLETED,
    ClientState.TERMINATED,
)

# The edges of RFC 3261 figure 5 with RFC 6026 figure 3, and §9.1 for CANCEL
FIGURE_5 = {
    "CALLING A CALLING",
    "CALLING B TERMINATED",
    "CALLING PROVISIONAL PROCEEDING",
    "CALLING SUCCESS ACCEPTED",
    "CALLING FAILURE COMPLETED",
    "CALLING TRANSPORT_ERROR TERMINATED",
    "CALLING CANCEL CALLING",
    "PROCEEDING PROVISIONAL PROCEEDING",
    "PROCEEDING SUCCESS ACCEPTED",
    "PROCEEDING FAILURE COMPLETED",
    "PROCEEDING TRANSPORT_ERROR TERMINATED",
    "PROCEEDING CANCEL PROCEEDING",
    "PROCEEDING CANCELLED TERMINATED",
    "COMPLETED FAILURE COMPLETED",
    "COMPLETED D TERMINATED",
    "COMPLETED TRANSPORT_ERROR TERMINATED",
    "ACCEPTED SUCCESS ACCEPTED",
    "ACCEPTED M TERMINATED",
}
# The edges of RFC 3261 figure 6
FIGURE_6 = {
    "TRYING E TRYING",
    "TRYING F TERMINATED",
    "TRYING PROVISIONAL PROCEEDING",
    "TRYING SUCCESS COMPLETED",
    "TRYING FAILURE COMPLETED",
    "TRYING TRANSPORT_ERROR TERMINATED",
    "PROCEEDING E PROCEEDING",
    "PROCEEDING F TERMINATED",
    "PROCEEDING PROVISIONAL PROCEEDING",
    "PROCEEDING SUCCESS COMPLETED",
    "PROCEEDING FAILURE COMPLETED",
    "PROCEEDING TRANSPORT_ERROR TERMINATED",
    "COMPLETED K TERMINATED",
}


def respond(alice: Agent, transaction: ClientTransaction, status: int, tag: str = "t") -> Response:
    """Let the peer that isn't there send a response."""
    response = response_to(
        transaction.request, status, to_tag=None if status == 100 else f"{tag}-{status}"
    )
    alice.receive(response.encode())
    return response


class TestTables:
    @pytest.mark.parametrize(
        ("table", "states", "timers", "figure"),
        [
            (INVITE_TABLE, INVITE_STATES, INVITE_TIMERS, FIGURE_5),
            (NON_INVITE_TABLE, NON_INVITE_STATES, NON_INVITE_TIMERS, FIGURE_6),
        ],
        ids=["INVITE", "non-INVITE"],
    )
    def test_the_figure_and_nothing_but_the_figure(
        self,
        table: ClientTable,
        states: tuple[ClientState, ...],
        timers: tuple[Timer, ...],
        figure: set[str],
    ) -> None:
        assert set(table) == set(product(states, (*timers, *ClientInput)))
        edges = {
            f"{state.name} {what.name} {row.state.name}"
            for (state, what), row in table.items()
            if row.state is not None
        }
        assert edges == figure
        assert all(row is IGNORE for row in table.values() if row.state is None)

    @pytest.mark.parametrize("table", [INVITE_TABLE, NON_INVITE_TABLE])
    def test_only_responses_are_acknowledged_and_passed_up(self, table: ClientTable) -> None:
        responses = {ClientInput.PROVISIONAL, ClientInput.SUCCESS, ClientInput.FAILURE}
        for (_, what), row in table.items():
            if {ClientAction.SEND_ACK, ClientAction.PASS_UP} & set(row.actions):
                assert what in responses


# How the test brings about each state and input
REACH_INVITE: dict[ClientState, list[int]] = {
    ClientState.CALLING: [],
    ClientState.PROCEEDING: [180],
    ClientState.COMPLETED: [486],
    ClientState.ACCEPTED: [200],
    ClientState.TERMINATED: [408],
}
REACH_NON_INVITE: dict[ClientState, list[int]] = {
    ClientState.TRYING: [],
    ClientState.PROCEEDING: [100],
    ClientState.COMPLETED: [200],
    ClientState.TERMINATED: [404],
}
CAUSE: dict[ClientInput, Callable[[Agent, ClientTransaction], object]] = {
    ClientInput.PROVISIONAL: lambda alice, transaction: respond(alice, transaction, 183),
    ClientInput.SUCCESS: lambda alice, transaction: respond(alice, transaction, 202),
    ClientInput.FAILURE: lambda alice, transaction: respond(alice, transaction, 503),
    ClientInput.CANCEL: lambda alice, transaction: alice.cancel(transaction),
    ClientInput.TRANSPORT_ERROR: lambda alice, transaction: alice.fail(),
}


class TestEveryCellOnARunningEndpoint:
    @pytest.mark.parametrize("what", ClientInput)
    @pytest.mark.parametrize("state", INVITE_STATES)
    def test_invite(self, clock: Clock, state: ClientState, what: ClientInput) -> None:
        self.walk(clock, "INVITE", REACH_INVITE[state], state, what)

    @pytest.mark.parametrize("what", ClientInput)
    @pytest.mark.parametrize("state", NON_INVITE_STATES)
    def test_non_invite(self, clock: Clock, state: ClientState, what: ClientInput) -> None:
        self.walk(clock, "OPTIONS", REACH_NON_INVITE[state], state, what)

    def walk(
        self, clock: Clock, method: str, statuses: list[int], state: ClientState, what: ClientInput
    ) -> None:
        alice = alone(clock)
        transaction = alice.call(method)
        for status in statuses:
            respond(alice, transaction, status)
        if state is ClientState.TERMINATED:
            clock.advance(40)
        assert transaction.state is state
        assert transaction.method == method
        before, alice.events = len(alice.sent), []
        row = transaction.table[state, what]
        CAUSE[what](alice, transaction)
        assert transaction.state is (row.state or state)
        if row is IGNORE:
            assert len(alice.sent) == before
            assert alice.events == []


class TestRfc3261Section17_1_1:
    """Figure 5: the INVITE client transaction."""

    def test_timer_a_repeats_the_request_and_timer_b_ends_it(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        clock.advance(31.9)
        assert alice.times("INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert alice.take() == []
        clock.advance(0.1)
        assert alice.take() == [TransactionTimedOut(transaction)]
        assert transaction.state is ClientState.TERMINATED
        assert alice.alive == 0
        clock.advance(100)
        assert_sent(alice, "INVITE", times=7)
        assert alice.endpoint.next_timer() is None

    def test_reliable_transport_repeats_nothing(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        transaction = alice.call()
        clock.advance(31.9)
        assert_sent(alice, "INVITE", times=1)
        clock.advance(0.1)
        assert alice.take() == [TransactionTimedOut(transaction)]

    def test_retransmissions_are_the_same_octets(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.call()
        clock.advance(4)
        assert len({data for _, data, _ in alice.sent}) == 1

    def test_a_provisional_response_stops_timer_a(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        clock.advance(0.6)
        respond(alice, transaction, 180)
        clock.advance(20)
        assert_sent(alice, "INVITE", times=2)
        assert alice.statuses() == [180]

    def test_fault_1_ringing_past_timer_b(self, clock: Clock) -> None:
        """§17.1.1.2 arms Timer B in Calling only: a phone may ring for minutes."""
        alice, bob = pair(clock)
        alice.call()
        ringing = bob.invited()
        bob.answer(ringing, 180)
        clock.advance(300)
        assert alice.statuses() == [100, 180]
        bob.answer(ringing, 200)
        assert alice.statuses() == [200]

    def test_every_provisional_response_goes_up(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        for status in (100, 180, 180, 183, 199):
            respond(alice, transaction, status)
        assert alice.statuses() == [100, 180, 180, 183, 199]

    @pytest.mark.parametrize("status", [300, 401, 486, 503, 603])
    @pytest.mark.parametrize("first", [None, 180])
    def test_a_failure_is_acknowledged_and_passed_up_once(
        self, clock: Clock, first: int | None, status: int
    ) -> None:
        alice = alone(clock)
        transaction = alice.call()
        if first:
            respond(alice, transaction, first)
            alice.take()
        response = respond(alice, transaction, status)
        assert alice.take() == [ResponseReceived(transaction, response, alice.flow)]
        assert_sent(alice, "ACK", times=1)
        assert transaction.state is ClientState.COMPLETED

    def test_fault_2_a_repeated_failure_is_acknowledged_again(self, clock: Clock) -> None:
        """§17.1.1.2: "Any retransmissions of the final response that are received while in the
        "Completed" state MUST cause the ACK to be re-passed"."""
        alice = alone(clock)
        transaction = alice.call()
        for _ in range(5):
            respond(alice, transaction, 486)
            clock.advance(4)
        assert_sent(alice, "ACK", times=5)
        assert len({data for _, data, _ in alice.sent if data.startswith(b"ACK")}) == 1
        assert alice.statuses() == [486]

    def test_timer_d(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        respond(alice, transaction, 486)
        clock.advance(31.9)
        assert alice.alive == 1
        clock.advance(0.2)
        assert alice.alive == 0
        respond(alice, transaction, 486)
        assert_sent(alice, "ACK", times=1)
        assert alice.drops() == {DropReason.STRAY_RESPONSE: 1}

    def test_timer_d_is_zero_over_a_reliable_transport(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        transaction = alice.call()
        respond(alice, transaction, 486)
        assert transaction.state is ClientState.TERMINATED
        assert_sent(alice, "ACK", times=1)
        assert alice.statuses() == [486]
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None

    @pytest.mark.parametrize("statuses", [[], [180], [486]])
    def test_transport_error(self, clock: Clock, statuses: list[int]) -> None:
        alice = alone(clock)
        transaction = alice.call()
        for status in statuses:
            respond(alice, transaction, status)
        alice.take()
        alice.fail("unreachable")
        assert alice.take() == [TransportFailed(transaction, "unreachable")]
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None


class TestRfc3261Section17_1_1_3:
    """The ACK to a 3xx-6xx."""

    def test_what_it_carries(self, clock: Clock) -> None:
        alice = alone(clock)
        request = alice.request(CSeq="4711 INVITE", To="Bob <sip:bob@192.0.2.2>")
        request.add("Route", "<sip:p1.example;lr>, <sip:p2.example;lr>")
        transaction = alice.endpoint.send_request(request, alice.flow, clock.now)
        alice.flush()
        respond(alice, transaction, 486)
        invite, ack = alice.request_sent("INVITE"), alice.request_sent("ACK")
        assert ack.uri == invite.uri
        assert ack.all("Via") == [str(invite.via)]
        assert ack.get("From") == invite.get("From")
        assert ack.get("To") == "Bob <sip:bob@192.0.2.2>;tag=t-486"
        assert ack.call_id == invite.call_id
        assert str(ack.cseq) == "4711 ACK"
        assert ack.all("Route") == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]
        assert ack.max_forwards == 70
        assert ack.body == b""
        assert alice.sent[-1][2] == alice.flow


class TestRfc6026Section7_2:
    """Accepted: a 2xx doesn't end the INVITE client transaction."""

    def test_fault_5_every_2xx_goes_up_and_is_not_acknowledged_here(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        respond(alice, transaction, 180)
        for fork in ("one", "one", "two", "one"):
            respond(alice, transaction, 200, fork)
        tags = [
            event.response.to.tag
            for event in alice.take()
            if isinstance(event, ResponseReceived) and event.response.status == 200
        ]
        assert tags == ["one-200", "one-200", "two-200", "one-200"]
        assert_sent(alice, "ACK", times=0)

    def test_other_responses_are_absorbed(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        respond(alice, transaction, 200)
        respond(alice, transaction, 180)
        respond(alice, transaction, 486)
        assert alice.statuses() == [200]
        assert alice.drops() == {DropReason.ABSORBED_RESPONSE: 2}

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_timer_m_whatever_the_transport(self, clock: Clock, transport: str) -> None:
        alice = alone(clock, transport)
        transaction = alice.call()
        clock.advance(0.2)
        respond(alice, transaction, 200)
        clock.advance(20)
        respond(alice, transaction, 200)
        clock.advance(11.9)
        assert alice.alive == 1
        clock.advance(0.1)
        assert alice.alive == 0
        respond(alice, transaction, 200)
        assert alice.statuses() == [200, 200]
        assert alice.drops() == {DropReason.STRAY_RESPONSE: 1}

    def test_a_lost_path_does_not_matter_any_more(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        respond(alice, transaction, 200)
        alice.fail()
        assert alice.statuses() == [200]
        assert transaction.state is ClientState.ACCEPTED


class TestRfc3261Section17_1_2:
    """Figure 6: the non-INVITE client transaction."""

    def test_timer_e_repeats_the_request_and_timer_f_ends_it(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call("OPTIONS")
        clock.advance(31.9)
        assert alice.times("OPTIONS") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        clock.advance(0.1)
        assert alice.take() == [TransactionTimedOut(transaction)]
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None

    def test_timer_e_goes_on_with_t2_in_proceeding(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call("OPTIONS")
        clock.advance(0.1)
        respond(alice, transaction, 100)
        clock.advance(31.8)
        assert alice.times("OPTIONS") == [0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
        assert alice.statuses() == [100]
        clock.advance(0.1)
        assert alice.take() == [TransactionTimedOut(transaction)]

    @pytest.mark.parametrize("status", [200, 302, 404, 500, 600])
    @pytest.mark.parametrize("first", [None, 100])
    def test_a_final_response_ends_the_repetition(
        self, clock: Clock, first: int | None, status: int
    ) -> None:
        alice = alone(clock)
        transaction = alice.call("OPTIONS")
        if first:
            respond(alice, transaction, first)
        respond(alice, transaction, status)
        respond(alice, transaction, status)
        clock.advance(4.9)
        assert alice.statuses() == [first, status] if first else [status]
        assert alice.alive == 1
        assert alice.drops() == {DropReason.ABSORBED_RESPONSE: 1}
        clock.advance(0.1)
        assert alice.alive == 0
        assert_sent(alice, "OPTIONS", times=1)

    def test_timer_k_is_zero_over_a_reliable_transport(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        transaction = alice.call("OPTIONS")
        clock.advance(10)
        assert_sent(alice, "OPTIONS", times=1)
        respond(alice, transaction, 200)
        assert alice.statuses() == [200]
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None

    def test_timer_f_over_a_reliable_transport(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        transaction = alice.call("OPTIONS")
        respond(alice, transaction, 100)
        clock.advance(32)
        assert alice.take()[1:] == [TransactionTimedOut(transaction)]

    @pytest.mark.parametrize("statuses", [[], [100]])
    def test_transport_error(self, clock: Clock, statuses: list[int]) -> None:
        alice = alone(clock)
        transaction = alice.call("REGISTER")
        for status in statuses:
            respond(alice, transaction, status)
        alice.take()
        alice.fail("unreachable")
        assert alice.take() == [TransportFailed(transaction, "unreachable")]
        assert alice.alive == 0

    def test_transport_error_after_the_final_response(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call("REGISTER")
        respond(alice, transaction, 200)
        alice.fail()
        assert alice.statuses() == [200]


class TestRfc3261Section9_1:
    """CANCEL by the client."""

    def test_waits_for_a_provisional_response(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        alice.cancel(transaction)
        clock.advance(3)
        assert_sent(alice, "CANCEL", times=0)
        respond(alice, transaction, 180)
        assert_sent(alice, "CANCEL", times=1)

    def test_only_one_is_sent(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        transaction = alice.call()
        respond(alice, transaction, 180)
        alice.cancel(transaction)
        alice.cancel(transaction)
        respond(alice, transaction, 180)
        assert_sent(alice, "CANCEL", times=1)

    @pytest.mark.parametrize("status", [200, 486])
    def test_none_after_a_final_response(self, clock: Clock, status: int) -> None:
        alice = alone(clock)
        transaction = alice.call()
        respond(alice, transaction, status)
        alice.cancel(transaction)
        clock.advance(1)
        assert_sent(alice, "CANCEL", times=0)

    def test_none_where_the_final_response_comes_first(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        alice.cancel(transaction)
        respond(alice, transaction, 200)
        clock.advance(1)
        assert_sent(alice, "CANCEL", times=0)
        assert alice.statuses() == [200]

    def test_none_for_other_methods(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call("OPTIONS")
        respond(alice, transaction, 100)
        alice.cancel(transaction)
        assert_sent(alice, "CANCEL", times=0)

    def test_what_it_carries(self, clock: Clock) -> None:
        alice = alone(clock)
        request = alice.request(CSeq="4711 INVITE", Require="100rel")
        request.add("Route", "<sip:p1.example;lr>")
        transaction = alice.endpoint.send_request(request, alice.flow, clock.now)
        alice.flush()
        respond(alice, transaction, 180)
        alice.cancel(transaction, 'SIP;cause=200;text="Call completed elsewhere"')
        invite, cancel = alice.request_sent("INVITE"), alice.request_sent("CANCEL")
        assert isinstance(invite, Request)
        assert cancel.uri == invite.uri
        assert cancel.all("Via") == [str(invite.via)]
        for name in ("From", "To", "Call-ID", "Route"):
            assert cancel.get(name) == invite.get(name)
        assert str(cancel.cseq) == "4711 CANCEL"
        assert cancel.get("Require") is None
        assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
        assert alice.sent[-1][2] == alice.flow

    def test_its_own_responses_do_not_show(self, clock: Clock) -> None:
        alice, bob = pair(clock)
        transaction = alice.call()
        ringing = bob.invited()
        bob.answer(ringing, 180)
        alice.cancel(transaction)
        bob.answer(ringing, 487)
        assert alice.statuses() == [100, 180, 487]

    def test_a_lost_cancel_is_repeated(self, clock: Clock) -> None:
        alice, bob = pair(clock)
        alice.loses = lose("CANCEL", times=2)
        transaction = alice.call()
        bob.answer(bob.invited(), 180)
        alice.cancel(transaction)
        clock.advance(1.6)
        assert alice.times("CANCEL") == [0, 0.5, 1.5]

    def test_no_final_response_within_64_t1(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        respond(alice, transaction, 180)
        clock.advance(50)
        alice.take()
        alice.cancel(transaction)
        clock.advance(31.9)
        assert alice.take() == []
        clock.advance(0.1)
        assert alice.take() == [TransactionTimedOut(transaction)]
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None

    def test_a_2xx_that_crosses_the_cancel_goes_up(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        respond(alice, transaction, 180)
        alice.cancel(transaction)
        respond(alice, transaction, 200)
        clock.advance(31.9)
        assert alice.statuses() == [180, 200]
        clock.advance(0.2)
        assert alice.take() == []
        assert alice.alive == 0

    def test_a_lost_path_ends_both(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        respond(alice, transaction, 180)
        alice.take()
        alice.cancel(transaction)
        assert alice.alive == 2
        alice.fail("gone")
        assert alice.take() == [TransportFailed(transaction, "gone")]
        assert alice.alive == 0


class TestRfc3261Section17_1_3:
    """Matching responses to client transactions."""

    def test_by_branch_and_method(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        other = alice.call("OPTIONS")
        response = response_to(transaction.request, 180, to_tag="t")
        response.set("CSeq", "1 OPTIONS")
        alice.receive(response.encode())
        assert alice.take() == []
        assert alice.drops() == {DropReason.STRAY_RESPONSE: 1}
        respond(alice, other, 200)
        respond(alice, transaction, 180)
        assert [
            event.transaction for event in alice.take() if isinstance(event, ResponseReceived)
        ] == [other, transaction]

    def test_the_branch_in_any_case(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        response = response_to(transaction.request, 180, to_tag="t")
        response.set("Via", (response.get("Via") or "").replace("branch=z9hG4bK", "branch=Z9HG4BK"))
        alice.receive(response.encode())
        assert alice.statuses() == [180]

    def test_a_response_without_branch(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = alice.call()
        response = response_to(transaction.request, 180, to_tag="t")
        response.set("Via", "SIP/2.0/UDP 192.0.2.1:5060")
        alice.receive(response.encode())
        assert alice.drops() == {DropReason.STRAY_RESPONSE: 1}
