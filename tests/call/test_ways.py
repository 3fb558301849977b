"""More than one way outside: fail-over, limits, emergency calls, loops, and what records say."""

import msgspec
import pytest

from pbx.call.outside import NoLines, Room
from pbx.cdr.record import entry_of, records_of
from pbx.config.dial_plan import AnalyzeCalled, DialPlan, PlanBasics, Route
from pbx.config.line import Line
from pbx.config.settings import CallSettings
from pbx.routing.origin import Way
from tests.call.office import Office
from tests.call.phone import Phone
from tests.call.telco import OTHER, TRUNK, Telco, telco

FIRST = TRUNK
SECOND = OTHER
PLAN = DialPlan(
    basics=PlanBasics(default_route="out"),
    routes=(Route(name="out", lines=("peer", "second")),),
)

THROUGH = (
    AnalyzeCalled(prefix="5", route_type="outside"),
    AnalyzeCalled(prefix="5", source="peer", route_type="outside"),
    AnalyzeCalled(prefix="5", source="second", route_type="outside"),
)
"""Sends numbers outside, whoever calls."""


def changed(line: Line, **options: object) -> Line:
    """A line with other options."""
    return msgspec.structs.replace(line, **options)


def two(office: Office, first: Line = FIRST, second: Line = SECOND) -> tuple[Telco, Telco]:
    """Two lines, the first of which is tried first; their peers."""
    one, other = telco(office, first), telco(office, second)
    office.configure(first, second, plan=PLAN)
    return one, other


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


def answered(peer: Telco) -> None:
    """The peer answers the call that it hears of next."""
    invite = peer.hears("INVITE")
    peer.respond(invite, 200, "OK", peer.sdp())
    peer.hears("ACK")


def sides(office: Office) -> list[str]:
    """The kinds of the records that the one call leaves."""
    (facts,) = office.ended
    assert facts.cause is not None
    entry = entry_of(facts, 0.0)
    return [one.cdr_type for one in records_of(entry, facts.cause, 0.0, ("LO", "LT", "OO", "OT"))]


class TestFailOver:
    def test_a_dead_line_costs_less_than_four_seconds(self, office: Office, alice: Phone) -> None:
        one, other = two(office)
        call = alice.invite("9030123")
        one.hears("INVITE")
        office.advance(3.1)
        answered(other)
        call.answered()
        call.ack()
        (running,) = office.exchange.calls.values()
        assert running.facts.called_line == "second"
        assert "by line peer; no answer; by line second" in running.facts.route
        call.bye()
        alice.response(200)
        other.respond(other.hears("BYE"), 200)
        one.inbox.clear()
        office.advance(60)
        office.assert_empty()

    def test_the_next_call_goes_the_other_way_at_once(self, office: Office, alice: Phone) -> None:
        one, other = two(office)
        alice.invite("9030123")
        one.hears("INVITE")
        office.advance(3.1)
        other.hears("INVITE")
        one.inbox.clear()
        alice.inbox.clear()
        alice.invite("9030124", call_id="call-2")
        assert not one.inbox
        other.hears("INVITE")

    @pytest.mark.parametrize("status", [500, 503, 408, 401, 403])
    def test_what_the_line_says_of_itself(self, office: Office, alice: Phone, status: int) -> None:
        one, other = two(office)
        call = alice.invite("9030123")
        one.respond(one.hears("INVITE"), status)
        one.hears("ACK")
        answered(other)
        call.answered()

    def test_what_the_network_says(self, office: Office, alice: Phone) -> None:
        one, other = two(office)
        alice.invite("9030123")
        one.respond(one.hears("INVITE"), 480, headers='Reason: Q.850;cause=34;text="x"')
        one.hears("ACK")
        answered(other)

    @pytest.mark.parametrize(
        ("status", "reason"),
        [(486, ""), (404, ""), (480, ""), (603, ""), (500, "Reason: Q.850;cause=17")],
    )
    def test_what_the_callee_says_counts(
        self, office: Office, alice: Phone, status: int, reason: str
    ) -> None:
        one, other = two(office)
        alice.invite("9030123")
        one.respond(one.hears("INVITE"), status, headers=reason)
        one.hears("ACK")
        assert not other.inbox
        assert len(office.ended) == 1

    def test_nobody_is_rung_twice(self, office: Office, alice: Phone) -> None:
        one, other = two(office)
        alice.invite("9030123")
        invite = one.hears("INVITE")
        one.respond(invite, 180)
        alice.response(180)
        office.advance(10)
        assert not other.inbox
        one.respond(invite, 503)
        one.hears("ACK")
        assert not other.inbox
        assert len(office.ended) == 1

    def test_a_peer_that_has_only_said_trying_is_waited_for(
        self, office: Office, alice: Phone
    ) -> None:
        one, other = two(office)
        alice.invite("9030123")
        one.respond(one.hears("INVITE"), 100)
        office.advance(10)
        assert not other.inbox

    def test_a_path_that_fails(self, office: Office, alice: Phone) -> None:
        one, other = two(office)
        alice.invite("9030123")
        one.hears("INVITE")
        office.endpoint.flow_failed(one.flow, "unreachable", office.now)
        office.pump()
        answered(other)

    def test_none_is_left(self, office: Office, alice: Phone) -> None:
        one, other = two(office)
        alice.invite("9030123")
        one.respond(one.hears("INVITE"), 503)
        one.hears("ACK")
        other.respond(other.hears("INVITE"), 500)
        other.hears("ACK")
        assert office.cause()[0] == "CALLEE_REJECTED"
        assert sides(office) == ["LO", "OT"]
        end = "by line peer; it says 503; by line second; it says 500"
        assert office.ended[0].route.endswith(end)

    def test_an_answer_that_comes_too_late_is_ended(self, office: Office, alice: Phone) -> None:
        one, other = two(office)
        alice.invite("9030123")
        late = one.hears("INVITE")
        office.advance(3.1)
        answered(other)
        one.inbox.clear()
        one.respond(late, 200, "OK", one.sdp())
        one.hears("ACK")
        one.hears("BYE")

    def test_no_line_works(self, office: Office, alice: Phone) -> None:
        telco(office, changed(FIRST, enabled=False))
        alice.invite("9030123")
        assert office.ended[0].cause is not None
        assert not office.ended[0].called_line


class TestLimits:
    def test_a_full_line_is_passed_by(self, office: Office, alice: Phone) -> None:
        one, other = two(office, changed(FIRST, most_outgoing=1))
        alice.invite("9030123")
        one.hears("INVITE")
        alice.inbox.clear()
        alice.invite("9030124", call_id="call-2")
        other.hears("INVITE")
        running = [call.facts for call in office.exchange.calls.values()]
        assert "line peer is full; by line second" in running[1].route

    def test_all_lines_are_full(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, most_outgoing=1))
        alice.invite("9030122")
        peer.hears("INVITE")
        alice.inbox.clear()
        alice.invite("9030123", call_id="call-2")
        alice.response(480)
        assert not peer.inbox
        assert office.cause() == ("LINE_FULL", 34)
        assert sides(office) == ["LO"]

    def test_calls_both_ways_count(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, most=1, destination="100"))
        alice.invite("9030123")
        peer.hears("INVITE")
        peer.calls("100")
        peer.response(486)
        assert office.cause() == ("LINE_FULL", 17)
        assert sides(office) == ["OO"]

    def test_of_incoming_calls(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, most_incoming=1, destination="100"))
        peer.calls("100")
        peer.trying()
        peer.calls("100", call_id="in-2")
        peer.response(486)
        office.phone("101").invite("9030123")
        assert peer.hears("INVITE")

    def test_of_a_user_who_calls(self, office: Office, alice: Phone) -> None:
        peer = telco(office)
        office.change_user("100", most_outgoing=1)
        alice.invite("9030123")
        peer.hears("INVITE")
        alice.inbox.clear()
        alice.invite("9030124", call_id="call-2")
        alice.response(403)
        assert office.cause() == ("USER_FULL", 21)

    def test_of_a_user_who_is_called(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        office.change_user("101", most_calls=1)
        alice.invite("101")
        bob.hears("INVITE")
        office.phone("102").invite("101", call_id="call-2")
        assert office.cause() == ("USER_FULL", 17)

    def test_the_longest_call_of_a_line(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, max_duration_s=60))
        call = alice.invite("9030123")
        answered(peer)
        call.answered()
        call.ack()
        office.advance(59)
        assert not office.ended
        office.advance(2)
        assert office.cause()[0] == "MAX_DURATION"

    def test_how_long_a_line_may_ring(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, no_answer_s=20))
        alice.invite("9030123")
        peer.respond(peer.hears("INVITE"), 180)
        office.advance(21)
        assert office.cause()[0] == "NO_ANSWER"
        peer.hears("CANCEL")


class TestEmergency:
    def test_pre_empts_with_all_lines_full(self, office: Office, alice: Phone) -> None:
        one, other = two(office, changed(FIRST, most=1), changed(SECOND, most=1))
        bob, carol = office.phone("101"), office.phone("102")
        first = bob.invite("9030123", call_id="call-b")
        answered(one)
        first.answered()
        first.ack()
        carol.invite("9030124", call_id="call-c")
        other.hears("INVITE")
        office.change_user("100", most_calls=0, most_outgoing=0)
        call = alice.invite("112")
        peer = one if one.inbox else other
        assert peer.inbox[0].start_line().startswith(("BYE", "CANCEL", "INVITE"))
        invite = next(
            message
            for message in [*one.inbox, *other.inbox]
            if message.start_line().startswith("INVITE")
        )
        assert "112" in invite.start_line()
        (ended,) = office.ended
        assert ended.cause is not None
        assert ended.cause.tag.name == "PREEMPTED"
        running = [one.facts for one in office.exchange.calls.values() if one.facts.emergency]
        assert len(running) == 1
        call.cancel()

    def test_one_emergency_call_does_not_end_another(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(FIRST, most=1))
        bob = office.phone("101")
        alice.invite("112")
        peer.hears("INVITE")
        bob.invite("112", call_id="call-2")
        peer.hears("INVITE")
        assert not office.ended

    def test_a_line_that_is_down_is_tried(self, office: Office, alice: Phone) -> None:
        line = changed(FIRST, keep_alive="options")
        peer = telco(office, line)
        del office.phones[peer.address]
        office.advance(60)
        assert office.exchange.outside.trouble("peer")
        alice.invite("9030123")
        assert office.cause()[0] == "NO_LINE"
        alice.inbox.clear()
        office.phones[peer.address] = peer
        alice.invite("112", call_id="call-2")
        peer.hears("INVITE")

    def test_a_full_exchange_makes_room(self) -> None:
        office = Office(ports=4)
        peer = telco(office)
        alice, bob = office.phone("100"), office.phone("101")
        bob.invite("9030123", call_id="call-b")
        peer.hears("INVITE")
        office.phone("102").invite("9030124", call_id="call-c")
        peer.hears("INVITE")
        alice.invite("112")
        assert any("112" in one.start_line() for one in peer.inbox)
        assert office.ended[0].cause is not None
        assert office.ended[0].cause.tag.name == "PREEMPTED"

    def test_nothing_is_dialled_before_its_number(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(FIRST, hide="prefix:*31#"))
        alice.invite("112", headers="Privacy: id")
        assert peer.hears("INVITE").uri == "sip:112@198.51.100.2"

    def test_no_limit_ends_it(self) -> None:
        office = Office(CallSettings(no_answer_s=10, max_duration_s=20))
        peer = telco(office, changed(FIRST, no_answer_s=5, max_duration_s=5))
        call = office.phone("100").invite("112")
        invite = peer.hears("INVITE")
        peer.respond(invite, 180)
        office.advance(60)
        call.phone.inbox.clear()
        peer.respond(invite, 200, "OK", peer.sdp())
        peer.hears("ACK")
        call.answered()
        call.ack()
        office.advance(60)
        assert not office.ended

    def test_records_say_so(self, office: Office, alice: Phone) -> None:
        peer = telco(office)
        call = alice.invite("112")
        peer.respond(peer.hears("INVITE"), 180)
        alice.response(180)
        call.cancel()
        (facts,) = office.ended
        assert facts.cause is not None
        (record, _) = records_of(entry_of(facts, 0.0), facts.cause, 0.0, ("LO", "OT"))
        assert "emergency=yes" in str(record.fci)
        assert "lineOut=telco" in str(record.fci)


class TestLoops:
    def test_a_number_is_not_sent_back_where_it_comes_from(self, office: Office) -> None:
        peer = telco(office, TRUNK)
        office.configure(
            TRUNK,
            plan=DialPlan(
                basics=PlanBasics(default_route="out"),
                routes=(Route(name="out", lines=("peer",)),),
                analyze_called=THROUGH,
            ),
        )
        peer.calls("5551")
        peer.response(403)
        assert office.cause() == ("NO_RIGHT", 21)
        assert "line peer is where the call came from" in office.ended[0].route
        assert sides(office) == ["OO"]

    def test_a_call_that_comes_back_by_another_line(self, office: Office, alice: Phone) -> None:
        one, other = telco(office, FIRST), telco(office, SECOND)
        office.configure(
            FIRST,
            SECOND,
            plan=DialPlan(
                basics=PlanBasics(default_route="out"),
                routes=(Route(name="out", lines=("peer",)),),
                analyze_called=THROUGH,
            ),
        )
        alice.invite("5551")
        assert one.hears("INVITE")
        other.calls("5551", "sip:100@198.51.100.3")
        other.response(482)
        assert office.cause() == ("LOOP", 25)
        # Another caller's isn't the same call
        other.calls("5551", "sip:200@198.51.100.3", call_id="in-2")
        other.trying()
        assert one.hears("INVITE")

    @pytest.mark.parametrize("status", [482, 483])
    def test_who_called_hears_of_the_loop(self, office: Office, alice: Phone, status: int) -> None:
        """And of no fault of ours, as which a 500 looks: a person may mend it."""
        peer = telco(office, TRUNK)
        alice.invite("9030123")
        peer.respond(peer.hears("INVITE"), status, "X", headers="Reason: Q.850;cause=25")
        response = alice.response(status)
        assert response.reason in ("Loop Detected", "Too Many Hops")
        assert office.cause() == ("CALLEE_REJECTED", 25)

    def test_hops_run_out(self, office: Office) -> None:
        office.phone("100")
        peer = telco(office, changed(TRUNK, destination="100"))
        peer.calls("100", max_forwards=0)
        peer.response(483)


class TestTheEndOfTheWays:
    def test_the_next_one_is_full(self, office: Office, alice: Phone) -> None:
        one, other = two(office, FIRST, changed(SECOND, most=1, destination="101"))
        bob = office.phone("101")
        other.calls("555")
        other.trying()
        bob.inbox.clear()
        alice.invite("9030123")
        one.hears("INVITE")
        office.advance(3.1)
        assert not other.inbox
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.tag.name == "CALLEE_UNREACHABLE"
        assert "by line peer; no answer; line second is full" in facts.route

    def test_no_port_is_left(self) -> None:
        office = Office(ports=1)
        peer = telco(office)
        office.phone("100").invite("9030123")
        assert not peer.inbox
        assert office.cause() == ("LIMIT", 42)

    def test_no_port_and_nobody_to_end(self) -> None:
        office = Office(ports=1)
        peer = telco(office)
        office.phone("100").invite("112")
        assert not peer.inbox
        assert office.ended[0].cause is not None

    def test_a_dead_line_without_another_one(self, office: Office, alice: Phone) -> None:
        peer = telco(office, TRUNK)
        alice.invite("9030123")
        peer.hears("INVITE")
        office.advance(3.1)
        assert not office.ended
        assert office.exchange.outside.trouble("peer")
        office.advance(40)
        assert office.cause()[0] == "CALLEE_UNREACHABLE"

    def test_an_exchange_without_lines(self, office: Office, alice: Phone) -> None:
        none = NoLines()
        way = Way("telco", "1", "2")
        assert none.target(way, "1", hidden=False, now=0.0) is None
        assert none.trouble("telco")
        assert none.room("telco") == Room(0, 0)
        assert not none.speaks_for("telco", alice.flow)
        assert none.manner("telco") is None
        none.unanswered("telco", 0.0)
        office.exchange.outside = none
        alice.invite("9030123")
        assert office.ended[0].cause is not None

    def test_a_line_that_nobody_knows(self, office: Office) -> None:
        outside = office.exchange.outside
        assert outside.trouble("x") == "there is no such line"
        assert outside.room("x") == Room(0, 0)
        assert outside.target(Way("x", "1", "2"), "1", hidden=False, now=office.now) is None

    def test_a_caller_without_a_number_goes_through(self, office: Office) -> None:
        one, other = telco(office, FIRST), telco(office, SECOND)
        office.configure(
            FIRST,
            SECOND,
            plan=DialPlan(
                basics=PlanBasics(default_route="out"),
                routes=(Route(name="out", lines=("peer",)),),
                analyze_called=THROUGH,
            ),
        )
        other.calls("5551", "sip:anonymous@anonymous.invalid")
        other.trying()
        assert str(one.hears("INVITE").from_.uri) == "sip:anonymous@anonymous.invalid"
        # Another one may be another one
        other.calls("5551", "sip:anonymous@anonymous.invalid", call_id="in-2")
        other.trying()
        assert one.hears("INVITE")
