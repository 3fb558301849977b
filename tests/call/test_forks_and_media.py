"""Parallel ringing, early media, late offers, hold, glare: RFC 3261 §13, §14, §16.7."""

import pytest

from pbx.call.cause import CallTag
from pbx.media.protocol import Release
from pbx.sdp.description import parse_sdp
from pbx.sip.message import Request
from tests.call.office import Invite, Office, Phone, established


@pytest.fixture
def office() -> Office:
    return Office()


def called(office: Office) -> tuple[Phone, Phone, Phone, Invite]:
    """Alice, and two phones of 101 that she has just called."""
    alice = office.phone("100")
    desk, mobile = office.phone("101"), office.phone("101", "192.0.2.50")
    return alice, desk, mobile, alice.invite("101")


def reinvite(phone: Phone, invite: Request, cseq: int, body: bytes) -> None:
    """A re-INVITE from a phone that was called."""
    contact = invite.contacts
    assert isinstance(contact, list)
    phone.request(
        "INVITE",
        str(contact[0].uri),
        call_id=invite.call_id,
        cseq=cseq,
        to=invite.get("From"),
        from_tag=f"tt{phone.address.host}",
        body=body,
    )


class TestRfc3261Section16_7:
    """Several phones of a user ring at once."""

    def test_the_first_answer_wins_and_the_others_are_cancelled(self, office: Office) -> None:
        alice, desk, mobile, call = called(office)
        one, other = desk.hears("INVITE"), mobile.hears("INVITE")
        desk.respond(one, 180)
        mobile.respond(other, 180)
        alice.response(180)
        mobile.respond(other, 200, "OK", mobile.sdp())
        mobile.hears("ACK")
        call.answered()
        call.ack()
        cancel = desk.hears("CANCEL")
        assert "completed elsewhere" in (cancel.get("Reason") or "")
        desk.respond(one, 487)
        desk.hears("ACK")
        call.bye()
        mobile.hears("BYE")
        assert not desk.inbox
        (facts,) = office.ended
        assert facts.called_addr == "udp 192.0.2.50:5060"

    def test_one_busy_phone_leaves_the_other_ringing(self, office: Office) -> None:
        alice, desk, mobile, call = called(office)
        desk.respond(desk.hears("INVITE"), 486)
        other = mobile.hears("INVITE")
        assert not alice.inbox
        mobile.respond(other, 200, "OK", mobile.sdp())
        call.answered()

    def test_busy_is_told_rather_than_silence(self, office: Office) -> None:
        alice, desk, mobile, _ = called(office)
        desk.respond(desk.hears("INVITE"), 480)
        mobile.respond(mobile.hears("INVITE"), 486)
        alice.response(486)

    def test_a_decline_by_one_is_a_decline_of_all(self, office: Office) -> None:
        alice, desk, mobile, _ = called(office)
        other = mobile.hears("INVITE")
        mobile.respond(other, 180)
        alice.response(180)
        desk.respond(desk.hears("INVITE"), 603)
        alice.response(603)
        mobile.hears("CANCEL")

    def test_a_second_answer_is_ended(self, office: Office) -> None:
        _, desk, mobile, call = called(office)
        one, other = desk.hears("INVITE"), mobile.hears("INVITE")
        mobile.respond(other, 200, "OK", mobile.sdp())
        desk.respond(one, 200, "OK", desk.sdp())
        call.answered()
        assert desk.hears("ACK")
        assert desk.hears("BYE")
        assert office.ended == []

    def test_another_fork_behind_a_proxy_is_ended(self, office: Office) -> None:
        _, bob, call, invite = established(office)
        bob.respond(invite, 200, "OK", bob.sdp(), tag="other")
        assert bob.hears("ACK").to.tag == f"other{bob.address.host}"
        assert bob.hears("BYE").to.tag == f"other{bob.address.host}"
        assert office.ended == []
        assert call.answer is not None


class TestEarlyMedia:
    def test_the_callers_hears_what_the_callee_sends_before_it_answers(
        self, office: Office
    ) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 183, "Session Progress", bob.sdp())
        early = alice.response(183)
        port = parse_sdp(early.body).media[0].port
        assert office.streams()[port].sink == parse_sdp(invite.body).media[0].port
        assert office.streams()[port].timeout_s == 0
        bob.respond(invite, 200, "OK", bob.sdp())
        answer = call.answered()
        assert answer.body == early.body
        assert answer.to.tag == early.to.tag
        assert office.streams()[port].timeout_s > 0

    def test_another_callees_answer_is_another_dialog(self, office: Office) -> None:
        """The caller takes a dialog's first answer for final (§13.2.1)."""
        alice, desk, mobile, call = called(office)
        one, other = desk.hears("INVITE"), mobile.hears("INVITE")
        desk.respond(one, 183, "Session Progress", desk.sdp())
        early = alice.response(183)
        mobile.respond(other, 200, "OK", mobile.sdp())
        assert call.answered().to.tag != early.to.tag
        call.ack()
        call.bye()
        assert alice.response(200)
        mobile.hears("ACK")
        mobile.hears("BYE")

    def test_a_second_phones_early_media_waits(self, office: Office) -> None:
        alice, desk, mobile, _ = called(office)
        desk.respond(desk.hears("INVITE"), 183, "-", desk.sdp())
        alice.response(183)
        mobile.respond(mobile.hears("INVITE"), 183, "-", mobile.sdp())
        assert not alice.inbox

    def test_a_description_that_cannot_be_read_is_plain_ringing(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180, "-", b"nonsense")
        assert alice.response(180).body == b""


class TestLateOffer:
    """INVITE without SDP (§13.2.1): the callee offers, the caller's ACK answers."""

    def test_offer_and_answer_are_carried_across(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", b"")
        invite = bob.hears("INVITE")
        assert invite.body == b""
        bob.respond(invite, 200, "OK", bob.sdp())
        assert not bob.inbox
        offer = call.answered()
        call.ack(alice.sdp())
        ack = bob.hears("ACK")
        to_alice = parse_sdp(offer.body).media[0].port
        to_bob = parse_sdp(ack.body).media[0].port
        assert office.streams()[to_alice].sink == to_bob

    def test_an_ack_without_the_answer_ends_the_call(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", b"")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        call.answered()
        call.ack()
        assert bob.hears("ACK")
        assert bob.hears("BYE")
        alice.hears("BYE")

    def test_an_unwanted_late_offer_is_declined(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", b"")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        alice.response(180)
        call.cancel()
        bob.hears("CANCEL")
        bob.respond(invite, 200, "OK", bob.sdp())
        assert parse_sdp(bob.hears("ACK").body).media[0].port == 0
        bob.hears("BYE")


class TestRfc3261Section14:
    """Re-INVITE: hold, resume, refusal, glare."""

    def test_hold_and_resume(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        held = bob.hears("INVITE")
        assert b"a=sendonly" in held.body
        bob.respond(held, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        assert b"a=recvonly" in call.answered().body
        call.ack()
        towards_alice = [
            one
            for one in office.streams().values()
            if one.remote_rtp and one.remote_rtp.host == alice.address.host
        ]
        assert [one.send for one in towards_alice] == [False]
        call.reinvite(alice.sdp("sendrecv"))
        resumed = bob.hears("INVITE")
        bob.respond(resumed, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        assert all(one.send for one in office.streams().values())
        assert office.ended == []

    def test_the_callee_holds(self, office: Office) -> None:
        alice, bob, _, invite = established(office)
        reinvite(bob, invite, 1, bob.sdp("sendonly"))
        bob.response(100)
        held = alice.hears("INVITE")
        assert b"a=sendonly" in held.body
        alice.respond(held, 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        bob.response(200)

    def test_a_refused_change_leaves_the_session_as_it_was(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        before = office.streams()
        call.reinvite(alice.sdp(port=4100))
        bob.respond(bob.hears("INVITE"), 488)
        bob.hears("ACK")
        alice.response(488)
        assert office.streams() == before
        assert office.ended == []

    def test_a_change_without_a_description_asks_the_other_party(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(b"")
        asked = bob.hears("INVITE")
        assert asked.body == b""
        bob.respond(asked, 200, "OK", bob.sdp(port=4200))
        call.answered()
        call.ack(alice.sdp())
        assert parse_sdp(bob.hears("ACK").body).media[0].port in office.streams()

    def test_both_change_at_once(self, office: Office) -> None:
        """Glare (§14.1, §14.2): both hear 491, and the call goes on."""
        alice, bob, call, invite = established(office)
        call.reinvite(alice.sdp("sendonly"))
        crossing = bob.hears("INVITE")
        reinvite(bob, invite, 1, bob.sdp("sendonly"))
        bob.response(491)
        bob.respond(crossing, 491)
        bob.hears("ACK")
        alice.response(491)
        assert office.ended == []

    def test_a_second_change_while_one_is_open(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        bob.hears("INVITE")
        call.reinvite(alice.sdp("sendonly"))
        refusal = alice.response(500)
        assert refusal.get("Retry-After") is not None

    def test_the_dialog_is_gone_on_the_other_side(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        bob.respond(bob.hears("INVITE"), 481)
        bob.hears("ACK")
        bob.hears("BYE")
        alice.response(487)
        alice.hears("BYE")

    def test_no_answer_to_a_change_ends_the_call(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        office.advance(33)
        assert [facts.cause.tag for facts in office.ended if facts.cause] == [
            CallTag.TRANSACTION_TIMED_OUT
        ]

    def test_adding_video_keeps_the_call(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        video = alice.sdp() + b"m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        call.reinvite(video)
        offered = bob.hears("INVITE")
        assert len(parse_sdp(offered.body).media) == 2
        refused = bob.sdp() + b"m=video 0 RTP/AVP 96\r\n"
        bob.respond(offered, 200, "OK", refused)
        bob.hears("ACK")
        assert parse_sdp(call.answered().body).media[1].port == 0
        call.ack()
        assert office.ended == []

    def test_a_phone_that_moves_is_followed(self, office: Office) -> None:
        """A target refresh (§12.2): later requests go to the new Contact."""
        alice, bob, call, _ = established(office)
        moved = office.phone("101", "192.0.2.99", register=False)
        call.reinvite(alice.sdp())
        offered = bob.hears("INVITE")
        moved.respond(offered, 200, "OK", moved.sdp())
        assert moved.hears("ACK").uri == "sip:101@192.0.2.99:5060"
        call.answered()
        call.ack()
        call.bye()
        moved.hears("BYE")
        assert not bob.inbox


class TestUnusableDescriptions:
    @pytest.mark.parametrize("body", [b"nonsense", b"v=0\r\n"])
    def test_an_offer_that_cannot_be_read_is_refused(self, office: Office, body: bytes) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", body)
        response = alice.inbox.popleft()
        assert response.start_line().startswith("SIP/2.0 4")
        assert not bob.inbox
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.tag is CallTag.REQUEST_UNUSABLE

    def test_an_answer_that_cannot_be_read_ends_the_call(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 200, "OK", b"nonsense")
        bob.hears("ACK")
        bob.hears("BYE")
        alice.response(488)

    def test_a_change_that_cannot_be_read_is_refused(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(b"nonsense")
        alice.response(488)
        assert not bob.inbox
        assert not [one for one in office.media if isinstance(one, Release)]
