from collections.abc import Callable
from itertools import product

import pytest

from pbx.sip.events import AcceptedEnded, AckTimedOut, RequestReceived, TransportFailed
from pbx.sip.message import Request
from pbx.sip.server_transaction import (
    IGNORE,
    INVITE_TABLE,
    INVITE_TIMERS,
    NON_INVITE_TABLE,
    NON_INVITE_TIMERS,
    ServerAction,
    ServerInput,
    ServerState,
    ServerTable,
    ServerTransaction,
)
from pbx.sip.timers import Timer
from pbx.sip.trace import DropReason
from tests.sip.conftest import Agent, Clock, alone, assert_sent

INVITE_STATES = (
    ServerState.PROCEEDING,
    ServerState.COMPLETED,
    ServerState.CONFIRMED,
    ServerState.ACCEPTED,
    ServerState.TERMINATED,
)
NON_INVITE_STATES = (
    ServerState.TRYING,
    ServerState.PROCEEDING,
    ServerState.COMPLETED,
    ServerState.TERMINATED,
)
INVITE_INPUTS = (*INVITE_TIMERS, *ServerInput)
NON_INVITE_INPUTS = (
    *NON_INVITE_TIMERS,
    *(what for what in ServerInput if what is not ServerInput.ACK),
)

# The edges of RFC 3261 figure 7 with RFC 6026 figure 5; SEND_ONCE is §26.3.2.4
FIGURE_7 = {
    "PROCEEDING REQUEST PROCEEDING",
    "PROCEEDING SEND_PROVISIONAL PROCEEDING",
    "PROCEEDING SEND_SUCCESS ACCEPTED",
    "PROCEEDING SEND_FAILURE COMPLETED",
    "PROCEEDING SEND_ONCE TERMINATED",
    "PROCEEDING TRANSPORT_ERROR TERMINATED",
    "COMPLETED REQUEST COMPLETED",
    "COMPLETED G COMPLETED",
    "COMPLETED H TERMINATED",
    "COMPLETED ACK CONFIRMED",
    "COMPLETED TRANSPORT_ERROR TERMINATED",
    "CONFIRMED I TERMINATED",
    "ACCEPTED SEND_SUCCESS ACCEPTED",
    "ACCEPTED ACK ACCEPTED",
    "ACCEPTED L TERMINATED",
}
# The edges of RFC 3261 figure 8
FIGURE_8 = {
    "TRYING SEND_PROVISIONAL PROCEEDING",
    "TRYING SEND_SUCCESS COMPLETED",
    "TRYING SEND_FAILURE COMPLETED",
    "TRYING SEND_ONCE TERMINATED",
    "TRYING TRANSPORT_ERROR TERMINATED",
    "PROCEEDING REQUEST PROCEEDING",
    "PROCEEDING SEND_PROVISIONAL PROCEEDING",
    "PROCEEDING SEND_SUCCESS COMPLETED",
    "PROCEEDING SEND_FAILURE COMPLETED",
    "PROCEEDING SEND_ONCE TERMINATED",
    "PROCEEDING TRANSPORT_ERROR TERMINATED",
    "COMPLETED REQUEST COMPLETED",
    "COMPLETED J TERMINATED",
    "COMPLETED TRANSPORT_ERROR TERMINATED",
}


def octets(method: str, to_tag: str = "") -> str:
    return (
        f"{method} sip:alice@192.0.2.1 SIP/2.0\n"
        "Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKpeer\n"
        "From: <sip:bob@192.0.2.2>;tag=b\n"
        f"To: <sip:alice@192.0.2.1>{to_tag}\n"
        "Call-ID: c\n"
        f"CSeq: 1 {method}\n"
        "Contact: <sip:bob@192.0.2.2>\n"
        "Max-Forwards: 70\n"
        "Content-Length: 0\n\n"
    )


def begin(alice: Agent, method: str = "INVITE") -> ServerTransaction:
    """Let the peer that isn't there send a request; forget the 100."""
    alice.receive(octets(method))
    return alice.invited()


def acknowledge(alice: Agent, transaction: ServerTransaction) -> None:
    alice.receive(octets("ACK", f";tag={transaction.tag}"))


def refuse_and_acknowledge(alice: Agent, transaction: ServerTransaction) -> None:
    alice.answer(transaction, 486)
    acknowledge(alice, transaction)


class TestTables:
    @pytest.mark.parametrize(
        ("table", "states", "inputs", "figure"),
        [
            (INVITE_TABLE, INVITE_STATES, INVITE_INPUTS, FIGURE_7),
            (NON_INVITE_TABLE, NON_INVITE_STATES, NON_INVITE_INPUTS, FIGURE_8),
        ],
        ids=["INVITE", "non-INVITE"],
    )
    def test_the_figure_and_nothing_but_the_figure(
        self,
        table: ServerTable,
        states: tuple[ServerState, ...],
        inputs: tuple[ServerInput | Timer, ...],
        figure: set[str],
    ) -> None:
        assert set(table) == set(product(states, inputs))
        edges = {
            f"{state.name} {what.name} {row.state.name}"
            for (state, what), row in table.items()
            if row.state is not None
        }
        assert edges == figure
        assert all(row is IGNORE for row in table.values() if row.state is None)

    @pytest.mark.parametrize("table", [INVITE_TABLE, NON_INVITE_TABLE])
    def test_only_responses_are_sent_and_only_acks_passed_up(self, table: ServerTable) -> None:
        responses = {
            ServerInput.SEND_PROVISIONAL,
            ServerInput.SEND_SUCCESS,
            ServerInput.SEND_FAILURE,
            ServerInput.SEND_ONCE,
        }
        for (_, what), row in table.items():
            assert ServerAction.SEND not in row.actions or what in responses
            assert ServerAction.PASS_ACK not in row.actions or what is ServerInput.ACK


def answer_once(alice: Agent, transaction: ServerTransaction) -> None:
    """Whether the peer has had a provisional response is looked at before the table is."""
    transaction.response = None
    alice.answer_once(transaction, 401)


REACH: dict[ServerState, Callable[[Agent, ServerTransaction], object]] = {
    ServerState.TRYING: lambda alice, transaction: None,
    ServerState.PROCEEDING: lambda alice, transaction: alice.answer(transaction, 180),
    ServerState.COMPLETED: lambda alice, transaction: alice.answer(transaction, 486),
    ServerState.ACCEPTED: lambda alice, transaction: alice.answer(transaction, 200),
    ServerState.CONFIRMED: lambda alice, transaction: refuse_and_acknowledge(alice, transaction),
    ServerState.TERMINATED: lambda alice, transaction: alice.fail(),
}
CAUSE: dict[ServerInput, Callable[[Agent, ServerTransaction], object]] = {
    ServerInput.REQUEST: lambda alice, transaction: alice.receive(octets(transaction.method)),
    ServerInput.ACK: acknowledge,
    ServerInput.SEND_PROVISIONAL: lambda alice, transaction: alice.answer(transaction, 183),
    ServerInput.SEND_SUCCESS: lambda alice, transaction: alice.answer(transaction, 202),
    ServerInput.SEND_FAILURE: lambda alice, transaction: alice.answer(transaction, 500),
    ServerInput.SEND_ONCE: answer_once,
    ServerInput.TRANSPORT_ERROR: lambda alice, transaction: alice.fail(),
}


class TestEveryCellOnARunningEndpoint:
    @pytest.mark.parametrize("what", ServerInput)
    @pytest.mark.parametrize("state", INVITE_STATES)
    def test_invite(self, clock: Clock, state: ServerState, what: ServerInput) -> None:
        self.walk(clock, "INVITE", state, what)

    @pytest.mark.parametrize("what", [w for w in ServerInput if w is not ServerInput.ACK])
    @pytest.mark.parametrize("state", NON_INVITE_STATES)
    def test_non_invite(self, clock: Clock, state: ServerState, what: ServerInput) -> None:
        self.walk(clock, "OPTIONS", state, what)

    def walk(self, clock: Clock, method: str, state: ServerState, what: ServerInput) -> None:
        alice = alone(clock)
        transaction = begin(alice, method)
        REACH[state](alice, transaction)
        assert transaction.state is state
        before, alice.events = len(alice.sent), []
        row = transaction.table[state, what]
        CAUSE[what](alice, transaction)
        assert transaction.state is (row.state or state)
        # In Terminated a request or an ACK meets no transaction any more
        if row is IGNORE and state is not ServerState.TERMINATED:
            assert len(alice.sent) == before
            assert alice.events == []


class TestRfc3261Section17_2_1:
    """Figure 7: the INVITE server transaction."""

    def test_100_at_once(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets("INVITE").replace("Call-ID", "Timestamp: 54.3 0\nCall-ID"))
        response = alice.response_sent(100)
        assert response.to.tag is None
        assert response.get("Timestamp") == "54.3 0"
        assert_sent(alice, "", times=1)
        assert len(alice.take()) == 1

    def test_fault_3_a_repeated_invite_gets_the_last_provisional(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.receive(octets("INVITE"))
        assert_sent(alice, "100", times=2)
        alice.answer(transaction, 180)
        alice.answer(transaction, 183)
        alice.receive(octets("INVITE"))
        assert_sent(alice, "100", times=2)
        assert_sent(alice, "183", times=2)
        assert alice.sent[-1][1] == alice.sent[-2][1]
        assert alice.take() == []

    def test_fault_3_a_repeated_invite_gets_the_failure_again(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, 486)
        alice.receive(octets("INVITE"))
        assert_sent(alice, "486", times=2)
        assert alice.take() == []

    def test_timer_g_repeats_the_failure_and_timer_h_ends_it(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, 486)
        clock.advance(31.9)
        assert alice.times("486") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert alice.take() == []
        clock.advance(0.1)
        assert alice.take() == [AckTimedOut(transaction)]
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None

    def test_no_timer_g_over_a_reliable_transport(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        transaction = begin(alice)
        alice.answer(transaction, 486)
        clock.advance(31.9)
        assert_sent(alice, "486", times=1)
        clock.advance(0.1)
        assert alice.take() == [AckTimedOut(transaction)]

    def test_the_ack_stops_timers_g_and_h_and_timer_i_ends_it(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, 486)
        clock.advance(0.7)
        acknowledge(alice, transaction)
        acknowledge(alice, transaction)
        alice.receive(octets("INVITE"))
        clock.advance(4.9)
        assert alice.alive == 1
        clock.advance(0.1)
        assert alice.alive == 0
        assert_sent(alice, "486", times=2)
        assert alice.take() == []
        assert alice.drops() == {DropReason.ABSORBED_ACK: 2, DropReason.ABSORBED_REQUEST: 1}
        assert alice.endpoint.next_timer() is None

    def test_timer_i_is_zero_over_a_reliable_transport(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        transaction = begin(alice)
        alice.answer(transaction, 486)
        acknowledge(alice, transaction)
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None

    def test_other_final_responses_are_discarded(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, 486)
        alice.answer(transaction, 200)
        alice.answer(transaction, 500)
        alice.answer(transaction, 183)
        assert_sent(alice, "", times=2)

    @pytest.mark.parametrize(
        ("status", "completed"), [(100, False), (180, False), (200, True), (486, True)]
    )
    def test_completed(self, clock: Clock, status: int, completed: bool) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, status)
        assert transaction.completed is completed

    @pytest.mark.parametrize("status", [None, 180, 486])
    def test_transport_error(self, clock: Clock, status: int | None) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        if status:
            alice.answer(transaction, status)
        alice.fail("unreachable")
        assert alice.take() == [TransportFailed(transaction, "unreachable")]
        assert transaction.completed
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None
        before = len(alice.sent)
        alice.answer(transaction, 487)
        assert len(alice.sent) == before


class TestRfc3261Section26_3_2_4:
    """What is answered once: nobody's transaction is left, and nothing is repeated."""

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    @pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
    def test_nothing_is_left(self, clock: Clock, method: str, transport: str) -> None:
        alice = alone(clock, transport)
        transaction = alice.hear_and_answer_once(octets(method), 401)
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None
        assert transaction.completed
        clock.advance(64)
        assert_sent(alice, "401", times=1)
        assert_sent(alice, "", times=1)

    def test_a_repeated_request_is_answered_anew_with_the_same_tag(self, clock: Clock) -> None:
        alice = alone(clock)
        for _ in range(3):
            alice.hear_and_answer_once(octets("INVITE"), 407)
        assert len({data for _, data, _ in alice.sent}) == 1
        assert_sent(alice, "407", times=3)
        assert alice.alive == 0

    def test_the_ack_is_nobodys(self, clock: Clock) -> None:
        alice = alone(clock)
        acknowledge(alice, alice.hear_and_answer_once(octets("INVITE"), 407))
        (event,) = alice.take()
        assert isinstance(event, RequestReceived)
        assert event.transaction is None
        assert_sent(alice, "", times=1)
        assert alice.alive == 0

    def test_after_a_provisional_response_it_is_repeated_all_the_same(self, clock: Clock) -> None:
        """Who has had one no longer repeats its INVITE (§17.1.1.2)."""
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, 100)
        alice.answer_once(transaction, 486)
        clock.advance(0.5)
        assert_sent(alice, "486", times=2)
        acknowledge(alice, transaction)
        clock.advance(5)
        assert alice.alive == 0

    @pytest.mark.parametrize("status", [401, 200, 486])
    def test_what_comes_after_a_final_response_is_discarded(
        self, clock: Clock, status: int
    ) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, status)
        alice.answer_once(transaction, 503)
        assert_sent(alice, "503", times=0)


class TestRfc6026Section7_1:
    """Accepted: a 2xx doesn't end the INVITE server transaction."""

    def test_fault_5_a_repeated_invite_is_absorbed(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, 200)
        alice.receive(octets("INVITE"))
        clock.advance(20)
        alice.receive(octets("INVITE"))
        assert alice.take() == []
        assert_sent(alice, "200", times=1)
        assert alice.drops() == {DropReason.ABSORBED_REQUEST: 2}

    def test_the_transaction_user_repeats_the_2xx(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        response = alice.answer(transaction, 200)
        alice.endpoint.retransmit(transaction, response, clock.now)
        alice.flush()
        assert_sent(alice, "200", times=2)
        assert alice.sent[-1] == alice.sent[-2]
        alice.answer(transaction, 486)
        alice.answer(transaction, 180)
        assert_sent(alice, "", times=3)

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_timer_l_whatever_the_transport(self, clock: Clock, transport: str) -> None:
        alice = alone(clock, transport)
        transaction = begin(alice)
        response = alice.answer(transaction, 200)
        clock.advance(31.9)
        alice.endpoint.retransmit(transaction, response, clock.now)
        assert alice.take() == []
        clock.advance(0.1)
        assert alice.take() == [AcceptedEnded(transaction)]
        assert alice.alive == 0
        assert alice.endpoint.next_timer() is None
        alice.endpoint.retransmit(transaction, response, clock.now)
        assert alice.endpoint.to_send() == []

    def test_an_ack_with_the_invites_branch_goes_up(self, clock: Clock) -> None:
        """As clients of RFC 2543 and careless ones send it."""
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, 200)
        acknowledge(alice, transaction)
        (event,) = alice.take()
        assert isinstance(event, RequestReceived)
        assert event.transaction is None
        assert event.request.method == "ACK"
        assert event.flow == alice.flow
        assert alice.drops() == {}

    def test_a_lost_path_does_not_matter_any_more(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        alice.answer(transaction, 200)
        alice.fail()
        assert alice.take() == []
        clock.advance(32)
        assert alice.take() == [AcceptedEnded(transaction)]


class TestRfc3261Section17_2_2:
    """Figure 8: the non-INVITE server transaction."""

    def test_in_trying_a_repeated_request_is_discarded(self, clock: Clock) -> None:
        alice = alone(clock)
        begin(alice, "OPTIONS")
        alice.receive(octets("OPTIONS"))
        clock.advance(100)
        assert alice.sent == []
        assert alice.take() == []
        assert alice.drops() == {DropReason.ABSORBED_REQUEST: 1}

    def test_in_proceeding_it_gets_the_last_provisional(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice, "OPTIONS")
        alice.answer(transaction, 100)
        alice.receive(octets("OPTIONS"))
        alice.answer(transaction, 183)
        alice.receive(octets("OPTIONS"))
        assert_sent(alice, "100", times=2)
        assert_sent(alice, "183", times=2)

    @pytest.mark.parametrize("status", [200, 302, 404, 500, 603])
    def test_fault_4_in_completed_it_gets_the_final_again(self, clock: Clock, status: int) -> None:
        alice = alone(clock)
        transaction = begin(alice, "OPTIONS")
        alice.answer(transaction, status)
        for _ in range(3):
            clock.advance(10)
            alice.receive(octets("OPTIONS"))
        assert_sent(alice, str(status), times=4)
        assert alice.take() == []

    def test_timer_j(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice, "OPTIONS")
        alice.answer(transaction, 100)
        alice.answer(transaction, 200)
        clock.advance(31.9)
        assert alice.alive == 1
        clock.advance(0.1)
        assert alice.alive == 0
        assert alice.take() == []
        assert alice.endpoint.next_timer() is None

    def test_timer_j_is_zero_over_a_reliable_transport(self, clock: Clock) -> None:
        alice = alone(clock, "tcp")
        transaction = begin(alice, "OPTIONS")
        alice.answer(transaction, 200)
        assert_sent(alice, "200", times=1)
        assert alice.alive == 0

    def test_other_final_responses_are_discarded(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice, "OPTIONS")
        alice.answer(transaction, 404)
        alice.answer(transaction, 200)
        alice.answer(transaction, 100)
        assert_sent(alice, "", times=1)

    @pytest.mark.parametrize("status", [None, 100, 200])
    def test_transport_error(self, clock: Clock, status: int | None) -> None:
        alice = alone(clock)
        transaction = begin(alice, "OPTIONS")
        if status:
            alice.answer(transaction, status)
        alice.fail("unreachable")
        assert alice.take() == [TransportFailed(transaction, "unreachable")]
        assert alice.alive == 0


class TestRfc3261Section8_2_6_2:
    """The To tag."""

    def test_a_fresh_one_until_a_response_has_one(self, clock: Clock) -> None:
        alice = alone(clock)
        transaction = begin(alice)
        assert transaction.tag == transaction.fresh_tag
        alice.answer(transaction, 180, tag="chosen")
        assert transaction.tag == "chosen"

    def test_in_a_dialog_the_dialogs(self, clock: Clock) -> None:
        alice = alone(clock)
        alice.receive(octets("BYE", ";tag=ours"))
        transaction = alice.invited()
        assert isinstance(transaction.request, Request)
        assert transaction.tag == "ours"
