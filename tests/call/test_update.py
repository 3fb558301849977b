"""UPDATE in calls (RFC 3311), signs of life in dialogs, early dialogs of callees, Timer C."""

import pytest

from pbx.config.settings import CallSettings
from pbx.sdp.description import parse_sdp
from pbx.sip.invite_uac import RING_LIMIT_S
from pbx.sip.message import Request
from tests.call.office import Invite, Office, Phone, established


@pytest.fixture
def office() -> Office:
    return Office()


def direction(body: bytes) -> str:
    return next(
        name for name in ("sendrecv", "sendonly", "recvonly", "inactive") if name.encode() in body
    )


def over(office: Office, call: Invite) -> None:
    """Alice hangs up, and nothing is left."""
    call.bye()
    office.advance(120)
    assert office.cause()[0] == "CALLER_HUNG_UP"
    office.assert_empty()


class TestRfc3311Section5_2:
    """Receiving an UPDATE."""

    def test_without_an_offer_it_is_a_sign_of_life(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.cseq += 1
        call.request("UPDATE", call.cseq)
        response = alice.response(200)
        assert response.contacts
        assert not response.body
        assert "UPDATE" in response.all("Allow")
        assert not bob.inbox
        over(office, call)

    def test_it_refreshes_the_target(self, office: Office) -> None:
        _, bob, call, invite = established(office)
        bob.request(
            "UPDATE",
            str(invite.contacts[0].uri) if isinstance(invite.contacts, list) else "",
            call_id=invite.call_id,
            cseq=3,
            to=invite.get("From"),
            from_tag=bob.tag,
            contact=False,
            headers=f"Contact: <sip:other@{bob.address.host}>",
        )
        bob.response(200)
        call.bye()
        assert bob.hears("BYE").uri == f"sip:other@{bob.address.host}"

    @pytest.mark.parametrize("status", [200, 488])
    def test_an_offer_reaches_the_other_party(self, office: Office, status: int) -> None:
        alice, bob, call, _ = established(office)
        call.cseq += 1
        call.request("UPDATE", call.cseq, alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        assert direction(change.body) == "sendonly"
        bob.respond(change, status, "-", bob.sdp("recvonly") if status == 200 else b"")
        bob.hears("ACK")
        answer = alice.response(status)
        if status == 200:
            assert direction(answer.body) == "recvonly"
            assert parse_sdp(answer.body).media[0].port
        # No ACK belongs to it, and the answer isn't repeated
        office.advance(10)
        assert not alice.inbox
        over(office, call)

    def test_the_called_party_may_hold_by_it(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        bob.within(invite, "UPDATE", 3, bob.sdp("sendonly"))
        change = alice.hears("INVITE")
        alice.respond(change, 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        assert direction(bob.response(200).body) == "recvonly"
        over(office, call)

    def test_a_second_offer_before_the_answer(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.request("UPDATE", 3, alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        call.request("UPDATE", 4, alice.sdp())
        refusal = alice.response(500)
        assert 0 <= int(refusal.get("Retry-After") or "-1") <= 10
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        alice.response(200)

    def test_it_meets_an_offer_of_ours(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        bob.within(invite, "UPDATE", 3, bob.sdp("sendonly"))
        bob.response(491)
        # A sign of life meets nothing
        bob.within(invite, "UPDATE", 4)
        bob.response(200)
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        alice.response(200)

    def test_a_change_that_takes_too_long(self, office: Office) -> None:
        """§5.2: 504, before the peer's Timer F, 32 s, ends its wait."""
        alice, bob, call, _ = established(office)
        call.request("UPDATE", 3, alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        bob.respond(change, 180)
        office.advance(31)
        alice.response(504)
        bob.hears("CANCEL")
        assert office.ended == []

    def test_before_the_answer(self, office: Office) -> None:
        """A sign of life gets a 200, another offer has to wait for the answer to the first one."""
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        call.answer = alice.response(180)
        call.request("UPDATE", 3)
        alice.response(200)
        call.request("UPDATE", 4, alice.sdp(port=4100))
        assert alice.response(500).get("Retry-After")
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        assert office.ended == []

    def test_an_offer_that_cannot_be_read(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.request("UPDATE", 3, b"nonsense")
        alice.response(488)
        call.request("UPDATE", 4, b"<x/>", "Content-Type: text/xml")
        alice.response(415)
        assert not bob.inbox
        assert office.ended == []

    def test_contact_that_is_none(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        call.request("UPDATE", 3, headers="Contact: <sip:a@b>, <sip:c@d>")
        alice.response(400)
        assert office.ended == []

    def test_no_dialog(self, office: Office) -> None:
        alice = office.phone("100")
        alice.request("UPDATE", "sip:101@192.0.2.1", call_id="x", cseq=1, to="<sip:a@b>;tag=none")
        alice.response(481)


class TestSignsOfLife:
    """What phones and trunks send within a call to see whether it is still there."""

    @pytest.mark.parametrize("method", ["UPDATE", "INFO", "MESSAGE", "OPTIONS"])
    def test_each_is_answered_200(self, office: Office, method: str) -> None:
        alice, bob, call, invite = established(office)
        call.request(method, 3)
        alice.response(200)
        bob.within(invite, method, 3)
        bob.response(200)
        assert not alice.inbox
        assert not bob.inbox


def ringing(office: Office) -> tuple[Phone, Phone, Invite, Request]:
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101")
    invite = bob.hears("INVITE")
    bob.respond(invite, 180)
    alice.response(180)
    return alice, bob, call, invite


class TestRfc3261Section12_1_2:
    """A callee's early dialogs."""

    @pytest.mark.parametrize("method", ["INFO", "OPTIONS", "UPDATE"])
    def test_the_called_phone_may_speak_before_it_answers(
        self, office: Office, method: str
    ) -> None:
        alice, bob, call, invite = ringing(office)
        bob.within(invite, method, 7)
        bob.response(200)
        # Its numbers go on (§12.2.2)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        bob.within(invite, "OPTIONS", 5)
        bob.response(500)
        bob.within(invite, "OPTIONS", 8)
        bob.response(200)
        assert not alice.inbox

    def test_a_tag_that_nobody_has(self, office: Office) -> None:
        _, bob, _, invite = ringing(office)
        bob.within(invite, "OPTIONS", 7, tag="another")
        bob.response(481)

    def test_an_invite_meets_ours(self, office: Office) -> None:
        _, bob, _, invite = ringing(office)
        bob.within(invite, "INVITE", 7, bob.sdp())
        bob.response(491)

    def test_a_bye_is_none_of_its_means(self, office: Office) -> None:
        """§15: "the callee's UA MUST NOT send a BYE on" an early dialog."""
        alice, bob, call, invite = ringing(office)
        bob.within(invite, "BYE", 7)
        bob.response(481)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        assert office.ended == []


class TestRfc3261Section13_2_1:
    """Which early session description counts."""

    def test_only_the_first_of_a_dialog(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 183, "-", bob.sdp(port=4000))
        first = alice.response(183)
        bob.respond(invite, 183, "-", bob.sdp(port=5000))
        assert not alice.inbox
        assert first.body
        heard = {one.remote_rtp.port for one in office.running().values() if one.remote_rtp}
        assert heard == {4000}


class TestRfc3261Section16_8:
    """Timer C."""

    def test_a_phone_that_died_while_it_rang(self) -> None:
        office = Office(CallSettings(no_answer_s=0))
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        alice.response(180)
        bob.inbox.clear()
        office.advance(RING_LIMIT_S + 1)
        while alice.inbox[0].start_line().startswith("SIP/2.0 180"):
            alice.response(180)
        assert "cause=18" in (alice.response(480).get("Reason") or "")
        assert office.cause()[0] == "CALLEE_UNREACHABLE"
        bob.hears("CANCEL")
        office.advance(120)
        office.assert_empty()

    def test_its_last_answer_that_crosses_the_cancel(self) -> None:
        office = Office(CallSettings(no_answer_s=0))
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        office.advance(RING_LIMIT_S + 0.1)
        bob.respond(bob.hears("CANCEL"), 200)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        bob.respond(bob.hears("BYE"), 200)
        office.advance(120)
        assert office.cause()[0] == "CALLEE_UNREACHABLE"


class TestGlare:
    """RFC 3261 §14.1: our own changes wait for the peer's."""

    def crossed(self, office: Office) -> tuple[Phone, Phone, Invite]:
        """Alice withdrew her hold just when Bob agreed: Bob has to be put back."""
        alice, bob, call, _ = established(office)
        branch = call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        bob.respond(change, 180)
        call.cancel_reinvite(branch)
        alice.response(200)
        alice.response(487)
        call.request("ACK", call.cseq, branch=branch)
        bob.respond(bob.hears("CANCEL"), 200)
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        return alice, bob, call

    def test_a_refused_one_is_tried_again(self, office: Office) -> None:
        _, bob, call = self.crossed(office)
        back = bob.hears("INVITE")
        assert direction(back.body) == "sendrecv"
        bob.respond(back, 491)
        bob.hears("ACK")
        # We called Bob: the dialog's Call-ID is ours
        office.advance(2.09)
        assert not bob.inbox
        for _ in range(192):
            if not bob.inbox:
                office.advance(0.01)
        again = bob.hears("INVITE")
        assert direction(again.body) == "sendrecv"
        bob.respond(again, 200, "OK", bob.sdp())
        bob.hears("ACK")
        office.advance(30)
        assert not bob.inbox
        over(office, call)

    def test_a_party_that_never_agrees(self, office: Office) -> None:
        _, bob, call = self.crossed(office)
        tries = 0
        for _ in range(600):
            while bob.inbox:
                message = bob.inbox.popleft()
                if isinstance(message, Request) and message.method == "INVITE":
                    tries += 1
                    bob.respond(message, 491)
            office.advance(0.5)
        assert tries == 11
        over(office, call)

    def test_the_peers_own_change_settles_it(self, office: Office) -> None:
        alice, bob, call = self.crossed(office)
        bob.respond(bob.hears("INVITE"), 491)
        bob.hears("ACK")
        call.reinvite(alice.sdp(port=4200))
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        alice.response(200)
        call.ack()
        office.advance(60)
        assert not bob.inbox
        over(office, call)
