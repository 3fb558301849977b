"""How long the dial plan lets a call last: whoever has it then, and over a restart."""

import msgspec
import pytest

from pbx.call.journal import CallState
from pbx.cdr.record import CallEntry, entry_of, facts_of
from pbx.config.dial_plan import AnalyzeCalled, DialPlan, PlanBasics
from pbx.config.settings import CallSettings
from tests.call.office import Invite, Office, Phone, talking
from tests.call.telco import TRUNK, Telco, telco
from tests.call.transferring import answers, refers, to

ROWS = (
    AnalyzeCalled(prefix="0900", max_duration_s=60),
    AnalyzeCalled(prefix="0800", route_type="outside"),
    AnalyzeCalled(prefix="101", route_type="local", max_duration_s=60),
    AnalyzeCalled(prefix="*43", route_type="local", max_duration_s=60),
)
LIMITED = DialPlan(basics=PlanBasics(unknown_outside=True), analyze_called=ROWS)


@pytest.fixture
def office() -> Office:
    return Office(CallSettings(max_duration_s=0))


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


def line(office: Office) -> Telco:
    """A trunk, and a dial plan with limits."""
    peer = telco(office, TRUNK)
    office.configure(TRUNK, plan=LIMITED)
    return peer


def dials(peer: Telco, alice: Phone, number: str, call_id: str = "call-1") -> Invite:
    """Alice calls a number outside, which is answered."""
    call = alice.invite(number, call_id=call_id)
    answers(peer, peer.hears("INVITE"))
    call.answered()
    call.ack()
    return call


def ends_after(office: Office, seconds: float) -> None:
    """The call that goes on ends after that time, and no sooner."""
    before = len(office.ended)
    office.advance(seconds - 1)
    assert len(office.ended) == before
    assert office.exchange.calls
    office.advance(1.1)
    assert not office.exchange.calls
    cause = office.ended[-1].cause
    assert cause is not None
    assert cause.tag.name == "MAX_DURATION"


class TestTransfer:
    def test_who_is_transferred_has_what_is_left(self, office: Office, alice: Phone) -> None:
        peer, bob = line(office), office.phone("102")
        call = dials(peer, alice, "0900123")
        office.advance(20)
        refers(call, to("102"), 100)
        answers(bob, bob.hears("INVITE"))
        answers(peer, peer.hears("INVITE"))
        ends_after(office, 40)

    def test_the_ringing_of_who_comes_next_is_part_of_it(
        self, office: Office, alice: Phone
    ) -> None:
        peer, bob = line(office), office.phone("102")
        call = dials(peer, alice, "0900123")
        office.advance(20)
        refers(call, to("102"), 100)
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        office.advance(15)
        answers(bob, invite)
        answers(peer, peer.hears("INVITE"))
        ends_after(office, 25)

    def test_nor_is_there_more_where_nobody_listens_meanwhile(
        self, office: Office, alice: Phone
    ) -> None:
        """Who transfers has hung up, so that the call before can't end who waits."""
        peer, bob = line(office), office.phone("102")
        call = dials(peer, alice, "0900123")
        office.advance(50)
        refers(call, to("102"), 100)
        call.bye()
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        office.advance(30)
        answers(bob, invite)
        answers(peer, peer.hears("INVITE"))
        ends_after(office, 1)

    def test_and_who_is_transferred_again(self, office: Office, alice: Phone) -> None:
        peer, bob, carol = line(office), office.phone("102"), office.phone("103")
        call = dials(peer, alice, "0900123")
        refers(call, to("102"), 100)
        invite = bob.hears("INVITE")
        answers(bob, invite)
        answers(peer, peer.hears("INVITE"))
        office.advance(20)
        bob.within(invite, "REFER", 1, headers=to("103"))
        bob.response(202)
        answers(carol, carol.hears("INVITE"))
        answers(peer, peer.hears("INVITE"))
        ends_after(office, 40)

    def test_to_a_service(self, office: Office, alice: Phone) -> None:
        peer = line(office)
        call = dials(peer, alice, "0900123")
        office.advance(20)
        refers(call, to("*47"), 100, 200)
        answers(peer, peer.hears("INVITE"))
        # Of several codecs one is asked for
        narrowed = peer.hears("INVITE")
        peer.respond(narrowed, 200, "OK", peer.sdp().replace(b"8 0 101", b"8 101"))
        peer.hears("ACK")
        ends_after(office, 40)

    def test_who_has_called_is_bound_nowhere_else(self, office: Office, alice: Phone) -> None:
        line(office)
        bob, carol = office.phone("101"), office.phone("102")
        call, invite = talking(alice, bob)
        bob.within(invite, "REFER", 1, headers="Refer-To: <sip:102@x>")
        bob.response(202)
        answers(carol, carol.hears("INVITE"))
        answers(alice, alice.hears("INVITE"))
        office.advance(100)
        assert office.exchange.calls
        assert call.answer

    def test_where_the_call_is_led_has_its_limit(self, office: Office, alice: Phone) -> None:
        peer, bob = line(office), office.phone("102")
        call, _ = talking(alice, bob)
        office.advance(20)
        refers(call, to("0900123"), 100)
        answers(peer, peer.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        ends_after(office, 60)

    def test_an_attended_one(self, office: Office, alice: Phone) -> None:
        peer, bob = line(office), office.phone("102")
        first, _ = talking(alice, bob)
        second = dials(peer, alice, "0900123", "call-2")
        office.advance(20)
        assert second.answer is not None
        tags = f"to-tag%3D{second.answer.to.tag}%3Bfrom-tag%3D{second.answer.from_.tag}"
        target = f"<sip:0900123@x?Replaces={second.call_id}%3B{tags}>"
        refers(first, f"Refer-To: {target}", 100, 200)
        answers(peer, peer.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        ends_after(office, 40)


class TestOfALine:
    """The line's own limit is of the party's whole call, whoever talks with it."""

    @pytest.fixture
    def peer(self, office: Office) -> Telco:
        return telco(office, msgspec.structs.replace(TRUNK, max_duration_s=60))

    def test_transferred(self, office: Office, alice: Phone, peer: Telco) -> None:
        bob, carol = office.phone("102"), office.phone("103")
        call = dials(peer, alice, "0900123")
        office.advance(20)
        refers(call, to("102"), 100)
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        office.advance(5)
        answers(bob, invite)
        answers(peer, peer.hears("INVITE"))
        office.advance(10)
        bob.within(invite, "REFER", 1, headers=to("103"))
        bob.response(202)
        answers(carol, carol.hears("INVITE"))
        answers(peer, peer.hears("INVITE"))
        ends_after(office, 25)

    def test_taken_over(self, office: Office, alice: Phone, peer: Telco) -> None:
        call = dials(peer, alice, "0900123")
        office.advance(20)
        assert call.answer is not None
        tags = f"to-tag={call.answer.to.tag};from-tag={call.answer.from_.tag}"
        mobile = office.phone("100", "192.0.2.110")
        headers = f"Require: replaces\nReplaces: {call.call_id};{tags}"
        taken = mobile.invite("0900123", call_id="take", headers=headers)
        taken.answered()
        taken.ack()
        answers(peer, peer.hears("INVITE"))
        ends_after(office, 40)


class TestAnotherPhone:
    def test_goes_on_with_what_is_left(self, office: Office, alice: Phone) -> None:
        peer = line(office)
        call = dials(peer, alice, "0900123")
        office.advance(20)
        assert call.answer is not None
        tags = f"to-tag={call.answer.to.tag};from-tag={call.answer.from_.tag}"
        mobile = office.phone("100", "192.0.2.110")
        headers = f"Require: replaces\nReplaces: {call.call_id};{tags}"
        taken = mobile.invite("0900123", call_id="take", headers=headers)
        taken.answered()
        taken.ack()
        answers(peer, peer.hears("INVITE"))
        ends_after(office, 40)


class TestService:
    def test_has_the_limit_of_its_number(self, office: Office, alice: Phone) -> None:
        line(office)
        call = alice.invite("*43")
        call.answered()
        call.ack()
        ends_after(office, 60)


class TestAfterARestart:
    def test_the_limit_holds(self, office: Office, alice: Phone) -> None:
        peer = line(office)
        dials(peer, alice, "0900123")
        office.advance(20)
        (call,) = office.exchange.calls.values()
        written = msgspec.json.encode(entry_of(call.facts, 5.0, call.state()))
        entry = msgspec.json.decode(written, type=CallEntry)
        after = Office(CallSettings(max_duration_s=0))
        after.now = office.now
        for phone in (alice, peer):
            phone.office = after
            after.phones[phone.address] = phone
        after.configure(TRUNK)
        assert isinstance(entry.resume, CallState)
        after.exchange.resume(facts_of(entry, 5.0), entry.resume, after.now)
        after.engine_ready(entry.resume.ports)
        ends_after(after, 40)
