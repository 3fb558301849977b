"""A service of the exchange's calls a number."""

import pytest

from pbx.call.facts import CallFacts
from pbx.call.leg import Target
from pbx.call.party import Party
from pbx.media.codecs import PCMA
from pbx.media.protocol import Voice
from pbx.routing.services import ServiceNumber
from tests.call.office import Office, Phone
from tests.call.services import player, voices

TONE = ServiceNumber("milliwatt", "*45")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def bob(office: Office) -> Phone:
    return office.phone("101")


def dialled(office: Office, phone: Phone) -> CallFacts:
    """Let the test tone call a phone."""
    (binding,) = office.bindings.of(phone.number, office.now)
    target = Target(phone.number, binding.uri, binding.flow)
    facts = office.exchange.dial_out.call(TONE, Party("*45"), target, "a test", office.now)
    office.pump()
    return facts


def answer(phone: Phone) -> bytes:
    """A description with one codec."""
    rows = ("v=0", "o=- 1 1 IN IP4 {0}", "s=-", "c=IN IP4 {0}", "t=0 0", "m=audio 4000 RTP/AVP 8")
    return "".join(f"{row}\r\n" for row in rows).format(phone.address.host).encode()


class TestDialOut:
    def test_it_plays_when_somebody_has_answered(self, office: Office, bob: Phone) -> None:
        facts = dialled(office, bob)
        assert (facts.state, facts.talk) == ("calling", None)
        invite = bob.hears("INVITE")
        assert invite.from_.uri.user == "*45"  # type: ignore[union-attr]
        assert facts.call_id == invite.call_id
        bob.respond(invite, 180)
        bob.respond(invite, 200, body=answer(bob))
        bob.hears("ACK")
        assert facts.state == "talking"
        (voice,) = voices(office).values()
        assert isinstance(voice, Voice)
        assert (voice.port, voice.codec) == (20000, PCMA)
        assert player(office).tone == "1004"
        assert office.exchange.calls_total == 1
        office.exchange.hang_up(facts.id, office.now)
        office.pump()
        bob.respond(bob.hears("BYE"), 200)
        (ended,) = office.ended
        assert ended is facts
        assert (facts.caller_number, facts.called_number, facts.codec) == ("*45", "101", "PCMA")
        office.advance(120)
        office.assert_empty()

    def test_the_callee_hangs_up(self, office: Office, bob: Phone) -> None:
        facts = dialled(office, bob)
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, body=answer(bob))
        bob.hears("ACK")
        bob.within(invite, "BYE", 2)
        bob.response(200)
        assert office.cause() == ("CALLER_HUNG_UP", 16)
        assert facts.state == "ended"
        office.advance(120)
        office.assert_empty()

    def test_it_is_refused(self, office: Office, bob: Phone) -> None:
        facts = dialled(office, bob)
        bob.respond(bob.hears("INVITE"), 486)
        bob.hears("ACK")
        assert facts.cause is not None
        assert facts.cause.status == 486
        office.advance(120)
        office.assert_empty()

    def test_nobody_answers(self, office: Office, bob: Phone) -> None:
        facts = dialled(office, bob)
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        office.advance(61)
        bob.respond(bob.hears("CANCEL"), 200)
        bob.respond(invite, 487)
        assert facts.state == "ended"
        office.advance(120)
        office.assert_empty()

    def test_without_an_engine_it_does_not_begin(self) -> None:
        office = Office(engine=False)
        facts = dialled(office, office.phone("101"))
        assert facts.state == "ended"
        office.advance(120)
        office.assert_empty()
