"""Transfers of calls on lines: who may, what they count for afterwards, what their records say."""

import msgspec
import pytest

from pbx.call.facts import CallFacts
from pbx.call.journal import CallState
from pbx.cdr.record import CallEntry, entry_of, facts_of, records_of
from pbx.config.line import Line
from pbx.config.settings import CallSettings
from tests.call.office import Office
from tests.call.phone import Invite, Phone
from tests.call.telco import LINE, TRUNK, Telco, telco
from tests.call.transferring import answers, refers, to


def changed(line: Line, **options: object) -> Line:
    """A line with other options."""
    return msgspec.structs.replace(line, **options)


@pytest.fixture
def office() -> Office:
    return Office(CallSettings(max_duration_s=0))


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


def goes_out(peer: Telco, alice: Phone, number: str = "9030123") -> Invite:
    """Alice talks with a number outside."""
    call = alice.invite(number)
    answers(peer, peer.hears("INVITE"))
    call.answered()
    call.ack()
    return call


def led_inside(peer: Telco, alice: Phone, bob: Phone) -> None:
    """Alice, who talks with a number outside, transfers it to bob."""
    refers(goes_out(peer, alice), to(bob.number), 100)
    answers(bob, bob.hears("INVITE"))
    answers(peer, peer.hears("INVITE"))
    alice.inbox.clear()


def last_cause(office: Office) -> str:
    """Why the newest call of those that have ended has."""
    cause = office.ended[-1].cause
    assert cause is not None
    return cause.tag.name


def lines_of(facts: CallFacts) -> tuple[str, ...]:
    """The lines that the records of a call name: it came in by, it went out by."""
    assert facts.cause is not None
    entry = entry_of(facts, 0.0)
    (fci,) = {one.fci for one in records_of(entry, facts.cause, 0.0, ("LO", "LT", "OO", "OT"))}
    return fci.lines


class TestTheLinesLimit:
    def test_who_was_called_outside_stays_called(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, most_outgoing=1, most_incoming=1))
        led_inside(peer, alice, office.phone("102"))
        assert office.exchange.capacity.of_line("peer") == (0, 1)
        office.phone("103").invite("9030999", call_id="another")
        assert last_cause(office) == "LINE_FULL"
        # Who calls in is no such call
        peer.calls("103")
        peer.trying()

    def test_also_after_a_crash_of_the_exchange(self, office: Office, alice: Phone) -> None:
        peer = telco(office, TRUNK)
        led_inside(peer, alice, office.phone("102"))
        (call,) = office.exchange.calls.values()
        kept = msgspec.json.encode(entry_of(call.facts, 0.0, call.state()))
        entry = msgspec.json.decode(kept, type=CallEntry)
        again = Office()
        telco(again, TRUNK)
        assert isinstance(entry.resume, CallState)
        again.exchange.resume(facts_of(entry, 0.0), entry.resume, again.now)
        assert again.exchange.capacity.of_line("peer") == (0, 1)
        again.exchange.hang_up(call.facts.id, again.now)
        again.pump()
        assert lines_of(again.ended[0]) == ("", "peer")

    def test_who_talks_with_a_service_has_called_in(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, most_incoming=1, destination="*43"))
        peer.calls("555").answered()
        assert office.exchange.capacity.of_line("peer") == (1, 0)
        peer.calls("555", call_id="in-2")
        peer.response(486)

    def test_of_two_legs_by_one_line(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, most_outgoing=1))
        call = goes_out(peer, alice)
        refers(call, to("9030999"), 100, 480)
        assert not peer.inbox
        assert office.cause() == ("LINE_FULL", 34)
        assert len(office.exchange.calls) == 1


class TestTheUsersLimit:
    """Who transfers a call to a number outside makes that call."""

    def test_it_may_make_none(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, destination="100"))
        office.change_user("100", most_outgoing=0)
        peer.calls("100")
        peer.trying()
        invite = alice.hears("INVITE")
        answers(alice, invite)
        peer.response(200)
        alice.within(invite, "REFER", 1, headers=to("9030999"))
        alice.response(202)
        assert b"SIP/2.0 100 " in alice.hears("NOTIFY").body
        assert b"SIP/2.0 403 Too Many Calls" in alice.hears("NOTIFY").body
        assert office.cause() == ("USER_FULL", 21)
        # It talks on
        assert len(office.exchange.calls) == 1

    def test_the_call_that_it_leaves_does_not_count(self, office: Office, alice: Phone) -> None:
        peer = telco(office, TRUNK)
        office.change_user("100", most_outgoing=1, most_calls=1)
        refers(goes_out(peer, alice), to("9030999"), 100)
        answers(peer, peer.hears("INVITE"))
        assert len(office.ended) == 1
        assert office.ended[0].cause is not None
        assert office.ended[0].cause.tag.name == "CALLER_TRANSFERRED"

    def test_and_goes_on_counting_when_it_has_left(self, office: Office, alice: Phone) -> None:
        peer = telco(office, TRUNK)
        office.change_user("100", most_outgoing=1)
        led_inside(peer, alice, office.phone("102"))
        assert office.exchange.capacity.of_user("100") == (0, 1)
        alice.invite("9030999", call_id="another")
        assert last_cause(office) == "USER_FULL"

    def test_a_carriers_call_led_inside_is_none_of_its(self, office: Office, alice: Phone) -> None:
        peer, bob = telco(office, changed(TRUNK, destination="100")), office.phone("102")
        peer.calls("100")
        invite = alice.hears("INVITE")
        answers(alice, invite)
        alice.within(invite, "REFER", 1, headers=to("102"))
        answers(bob, bob.hears("INVITE"))
        assert office.exchange.capacity.of_user("100") == (0, 0)

    def test_an_emergency_call_is_always_free(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, destination="100"))
        office.change_user("100", most_outgoing=0)
        peer.calls("100")
        peer.trying()
        invite = alice.hears("INVITE")
        answers(alice, invite)
        peer.inbox.clear()
        alice.within(invite, "REFER", 1, headers=to("112"))
        assert peer.hears("INVITE")


class TestRecords:
    def test_of_who_was_called_and_is_led_inside(self, office: Office, alice: Phone) -> None:
        peer, bob = telco(office, TRUNK), office.phone("102")
        led_inside(peer, alice, bob)
        (call,) = office.exchange.calls
        office.exchange.hang_up(call, office.now)
        office.pump()
        before, after = office.ended
        assert (lines_of(before), lines_of(after)) == (("", "peer"), ("", "peer"))
        assert after.transferred_by == "100"

    def test_of_who_is_led_to_a_service(self, office: Office, alice: Phone) -> None:
        """It came in by a line, which the record says."""
        peer = telco(office, changed(TRUNK, destination="100"))
        peer.calls("100")
        invite = alice.hears("INVITE")
        answers(alice, invite)
        alice.within(invite, "REFER", 1, headers=to("*47"))
        (call,) = office.exchange.calls
        office.exchange.hang_up(call, office.now)
        office.pump()
        assert office.ended[-1].caller_line == "peer"
        assert lines_of(office.ended[-1]) == ("peer", "")

    def test_of_two_numbers_outside(self, office: Office, alice: Phone) -> None:
        peer = telco(office, TRUNK)
        refers(goes_out(peer, alice), to("9030999"), 100)
        answers(peer, peer.hears("INVITE"))
        (call,) = office.exchange.calls
        office.exchange.hang_up(call, office.now)
        office.pump()
        assert lines_of(office.ended[-1]) == ("", "peer,peer")


class TestTheLinesOwnRefer:
    def test_a_carrier_may_transfer_nobody(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(LINE, destination="102"))
        bob = office.phone("102")
        alice.invite("9030123")
        invite = peer.hears("INVITE")
        answers(peer, invite)
        peer.within(invite, "REFER", 1, headers="Refer-To: <sip:0900@telco.example>")
        peer.response(603)
        assert not bob.inbox
        assert len(office.exchange.calls) == 1

    def test_a_peer_may_to_whom_it_may_call(self, office: Office, alice: Phone) -> None:
        peer, bob = telco(office, TRUNK), office.phone("102")
        call = alice.invite("9030123")
        invite = peer.hears("INVITE")
        answers(peer, invite)
        call.answered()
        call.ack()
        peer.within(invite, "REFER", 1, headers=to("102"))
        peer.response(202)
        answers(bob, bob.hears("INVITE"))
        assert alice.hears("INVITE")
