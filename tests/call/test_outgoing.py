"""Calls that go out by a line: what its peer hears, and what becomes of them."""

import pytest

from tests.call.office import Office
from tests.call.phone import Phone
from tests.call.telco import telco


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


class TestACall:
    def test_goes_out_rings_is_answered_and_ends(self, office: Office, alice: Phone) -> None:
        peer = telco(office)
        call = alice.invite("9030123")
        invite = peer.hears("INVITE")
        assert invite.uri == "sip:030123@198.51.100.1;user=phone"
        assert invite.from_.uri.user == "4930100"  # type: ignore[union-attr]
        peer.respond(invite, 180, "Ringing")
        alice.response(180)
        peer.respond(invite, 200, "OK", peer.sdp())
        ack = peer.hears("ACK")
        assert ack.uri == "sip:telco@198.51.100.1:5060"
        call.answered()
        call.ack()
        assert len(office.running()) == 2
        call.bye()
        alice.response(200)
        bye = peer.hears("BYE")
        peer.respond(bye, 200)
        (facts,) = office.ended
        assert (facts.caller_line, facts.called_line) == ("", "telco")
        assert facts.called_number == "030123"
        assert "by line telco" in facts.route
        office.advance(40)
        office.assert_empty()
