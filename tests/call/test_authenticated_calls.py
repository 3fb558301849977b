"""Challenges to the requests of calls on a line (RFC 3261 §22)."""

import pytest

from tests.call.office import Office
from tests.call.phone import Invite, Phone
from tests.call.telco import Telco, telco


@pytest.fixture
def office() -> Office:
    return Office()


def talking(office: Office) -> tuple[Phone, Telco, Invite]:
    """A call by a line whose INVITE has been challenged, and was answered then."""
    alice, peer = office.phone("100"), telco(office)
    call = alice.invite("9030123")
    peer.challenge(peer.hears("INVITE"))
    invite = peer.hears("INVITE")
    peer.proves(invite)
    # Without events in its sound, so that it hears of keys by INFO
    sdp = peer.sdp().replace(b" 101\r\na=rtpmap:101 telephone-event/8000", b"")
    peer.respond(invite, 200, "OK", sdp, headers="Allow: INVITE, ACK, BYE, CANCEL, INFO")
    ack = peer.hears("ACK")
    assert ack.all("Proxy-Authorization") == invite.all("Proxy-Authorization")
    assert ack.cseq.number == invite.cseq.number
    call.answered()
    call.ack()
    return alice, peer, call


class TestInvite:
    @pytest.mark.parametrize("status", [401, 407])
    def test_is_sent_once_more_with_credentials(self, office: Office, status: int) -> None:
        alice, peer = office.phone("100"), telco(office)
        alice.invite("9030123")
        first = peer.hears("INVITE")
        assert first.get("Proxy-Authorization") is None
        peer.challenge(first, status)
        second = peer.hears("INVITE")
        peer.proves(second)
        assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
        assert second.to.tag is None
        assert second.via.branch != first.via.branch
        assert second.body == first.body

    def test_the_same_again_is_a_refusal(self, office: Office) -> None:
        alice, peer = office.phone("100"), telco(office)
        alice.invite("9030123")
        peer.challenge(peer.hears("INVITE"))
        peer.challenge(peer.hears("INVITE"), nonce="n2")
        assert not peer.inbox
        # What is asked of us is no matter of the phone's
        response = alice.inbox.popleft()
        assert response.status not in (401, 407)  # type: ignore[union-attr]
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.heard == 407
        assert office.exchange.calls == {}

    def test_a_cancel_between_the_two_ends_it(self, office: Office) -> None:
        alice, peer = office.phone("100"), telco(office)
        call = alice.invite("9030123")
        invite = peer.hears("INVITE")
        peer.respond(invite, 100)
        call.cancel()
        peer.respond(peer.hears("CANCEL"), 200)
        peer.challenge(invite)
        assert not peer.inbox
        alice.inbox.clear()
        office.advance(40)
        office.assert_empty()


class TestInTheDialog:
    def test_what_follows_has_credentials_at_once(self, office: Office) -> None:
        alice, peer, call = talking(office)
        call.bye()
        alice.response(200)
        bye = peer.hears("BYE")
        peer.proves(bye)
        peer.respond(bye, 200)

    def test_a_bye_is_sent_once_more(self, office: Office) -> None:
        alice, peer, call = talking(office)
        call.bye()
        alice.response(200)
        first = peer.hears("BYE")
        peer.challenge(first, nonce="n9")
        again = peer.hears("BYE")
        peer.proves(again)
        assert again.cseq.number == first.cseq.number + 1
        peer.respond(again, 200)
        office.advance(40)
        office.assert_empty()

    def test_so_is_a_session_change_and_its_ack_fits(self, office: Office) -> None:
        alice, peer, call = talking(office)
        call.reinvite(alice.sdp("sendonly"))
        first = peer.hears("INVITE")
        peer.challenge(first, nonce="n9")
        again = peer.hears("INVITE")
        peer.proves(again)
        peer.respond(again, 200, "OK", peer.sdp("recvonly"))
        assert peer.hears("ACK").cseq.number == again.cseq.number
        call.answered()
        call.ack()
        # A repeated 2xx is acknowledged again
        peer.respond(again, 200, "OK", peer.sdp("recvonly"))
        assert peer.hears("ACK").cseq.number == again.cseq.number

    def test_a_prack_is(self, office: Office) -> None:
        alice, peer = office.phone("100"), telco(office)
        alice.invite("9030123")
        invite = peer.hears("INVITE")
        peer.respond(invite, 183, body=peer.sdp(), headers="Require: 100rel\nRSeq: 1")
        first = peer.hears("PRACK")
        peer.challenge(first)
        again = peer.hears("PRACK")
        peer.proves(again)
        assert again.get("RAck") == first.get("RAck")
        assert again.cseq.number > first.cseq.number
        peer.respond(again, 200)

    def test_a_key_is(self, office: Office) -> None:
        alice, peer, call = talking(office)
        call.request(
            "INFO", 3, b"Signal=5\r\nDuration=100\r\n", "Content-Type: application/dtmf-relay"
        )
        alice.response(200)
        first = peer.hears("INFO")
        peer.challenge(first, nonce="n9")
        again = peer.hears("INFO")
        peer.proves(again)
        assert again.body == first.body
        peer.respond(again, 200)

    def test_a_refused_one_costs_no_call(self, office: Office) -> None:
        alice, peer, call = talking(office)
        call.reinvite(alice.sdp("sendonly"))
        peer.challenge(peer.hears("INVITE"), nonce="n9")
        peer.challenge(peer.hears("INVITE"), nonce="n10")
        alice.response(488)
        assert office.exchange.calls != {}
