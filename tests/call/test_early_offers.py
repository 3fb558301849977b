"""Another offer before the call is answered: by UPDATE (RFC 3311 §5), by PRACK, and late offers with
reliable responses (RFC 3262 §5, RFC 6337 §2)."""

import pytest

from pbx.config.settings import MediaSettings
from pbx.sdp.description import parse_sdp
from pbx.sip.message import Request, Response
from tests.call.office import Invite, Office, Phone
from tests.call.test_100rel import KNOWS, NEEDS, early, prack, reliable

UPDATES = "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE"


@pytest.fixture
def office() -> Office:
    return Office()


def direction(body: bytes) -> str:
    return next(
        name for name in ("sendrecv", "sendonly", "recvonly", "inactive") if name.encode() in body
    )


def ringing(
    office: Office,
    caller: str = f"{KNOWS}\n{UPDATES}",
    callee: str = f"{reliable(1)}\n{UPDATES}",
) -> tuple[Phone, Phone, Invite, Request]:
    """Alice's call to Bob, whose early answer both sides have acknowledged where they can."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101", headers=caller)
    invite = bob.hears("INVITE")
    bob.respond(invite, 183, "-", bob.sdp(), callee)
    if "RSeq" in callee:
        bob.respond(bob.hears("PRACK"), 200)
    if "100rel" in caller:
        _, rseq = early(alice, call, 183)
        prack(alice, call, rseq)
    else:
        call.answer = alice.response(183)
    return alice, bob, call, invite


def changing(office: Office) -> tuple[Phone, Phone, Invite, Request, Request]:
    """The same call, in which Alice offers another port; also the UPDATE that Bob gets."""
    alice, bob, call, invite = ringing(office)
    call.request("UPDATE", 4, alice.sdp(port=4200))
    return alice, bob, call, invite, bob.hears("UPDATE")


def answered(bob: Phone, call: Invite, invite: Request, body: bytes = b"") -> Response:
    """Bob answers; Alice's 200, which she acknowledges."""
    bob.respond(invite, 200, "OK", body)
    bob.hears("ACK")
    answer = call.answered()
    call.request("ACK", 2)
    return answer


def over(office: Office, call: Invite, bob: Phone) -> None:
    """Alice hangs up, and nothing is left."""
    call.bye()
    bob.respond(bob.hears("BYE"), 200)
    call.phone.response(200)
    office.advance(120)
    assert office.cause()[0] == "CALLER_HUNG_UP"
    office.assert_empty()


def remote_ports(office: Office) -> set[int]:
    return {one.remote_rtp.port for one in office.running().values() if one.remote_rtp}


class TestRfc3311Section5_2:
    """The caller's UPDATE before the answer."""

    def test_it_is_the_called_phones_matter(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        call.request("UPDATE", 4, alice.sdp("sendonly", port=4200))
        change = bob.hears("UPDATE")
        assert direction(change.body) == "sendonly"
        assert change.to.tag == bob.tag
        assert change.contacts
        assert not alice.inbox
        bob.respond(change, 200, "OK", bob.sdp("recvonly", port=4300))
        agreed = alice.response(200)
        assert direction(agreed.body) == "recvonly"
        assert remote_ports(office) == {4200, 4300}
        # The session is agreed on: nothing of it stands in the last answers
        answer = answered(bob, call, invite)
        assert not answer.body
        assert not bob.inbox
        assert not alice.inbox
        assert remote_ports(office) == {4200, 4300}
        call.cseq = 4
        over(office, call, bob)

    def test_an_answer_that_comes_once_more_is_not_looked_at(self, office: Office) -> None:
        """Some phones repeat their first answer in the 200."""
        alice, bob, call, invite = ringing(office)
        call.request("UPDATE", 4, alice.sdp("sendonly"))
        bob.respond(bob.hears("UPDATE"), 200, "OK", bob.sdp("recvonly", port=4300))
        alice.response(200)
        answered(bob, call, invite, bob.sdp())
        assert 4300 in remote_ports(office)
        assert not bob.inbox

    @pytest.mark.parametrize(
        "callee", ["", UPDATES, reliable(1)], ids=["neither", "no 100rel", "no UPDATE"]
    )
    def test_a_phone_that_cannot_be_asked(self, office: Office, callee: str) -> None:
        """It is answered in its name, and hears of it when it has answered."""
        alice, bob, call, invite = ringing(office, callee=callee)
        call.request("UPDATE", 4, alice.sdp("sendonly", port=4200))
        agreed = alice.response(200)
        assert direction(agreed.body) == "recvonly"
        assert not bob.inbox
        assert 4200 in remote_ports(office)
        answer = answered(bob, call, invite, b"" if "RSeq" in callee else bob.sdp())
        assert not answer.body
        change = bob.hears("INVITE")
        assert direction(change.body) == "sendonly"
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        assert not alice.inbox
        call.cseq = 4
        over(office, call, bob)

    def test_the_called_phones_refusal(self, office: Office) -> None:
        alice, bob, call, invite, change = changing(office)
        bob.respond(change, 488)
        alice.response(488)
        assert remote_ports(office) == {4000}
        assert answered(bob, call, invite).body
        assert remote_ports(office) == {4000}
        assert not bob.inbox

    def test_a_phone_that_says_nothing(self, office: Office) -> None:
        """§5.2: 504, before the caller's own transaction gives up."""
        alice, bob, call, invite, change = changing(office)
        office.advance(16.5)
        alice.response(504)
        bob.inbox.clear()
        # Its answer comes after all, and it is put back when it has answered the call
        bob.respond(change, 200, "OK", bob.sdp(port=4300))
        answered(bob, call, invite)
        back = bob.hears("INVITE")
        assert parse_sdp(back.body).media[0].port

    def test_another_phone_answers_than_the_one_that_was_heard(self, office: Office) -> None:
        """What was agreed on holds for that phone's dialog alone."""
        alice, bob = office.phone("100"), office.phone("101")
        other = office.phone("101", "192.0.2.77")
        call = alice.invite("101", headers=f"{KNOWS}\n{UPDATES}")
        invite, second = bob.hears("INVITE"), other.hears("INVITE")
        bob.respond(invite, 183, "-", bob.sdp())
        first, rseq = early(alice, call, 183)
        prack(alice, call, rseq)
        call.request("UPDATE", 4, alice.sdp("sendonly", port=4200))
        alice.response(200)
        other.respond(second, 200, "OK", other.sdp(port=4500))
        other.hears("ACK")
        bob.hears("CANCEL")
        answer = call.answered()
        assert answer.to.tag != first.to.tag
        assert direction(answer.body) == "sendrecv"
        call.request("ACK", 2)
        assert remote_ports(office) == {4000, 4500}
        assert not other.inbox

    def test_while_the_first_answer_is_not_acknowledged(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers=f"{KNOWS}\n{UPDATES}")
        bob.respond(bob.hears("INVITE"), 183, "-", bob.sdp())
        early(alice, call, 183)
        call.request("UPDATE", 3, alice.sdp(port=4200))
        assert alice.response(500).get("Retry-After")

    def test_nothing_in_common(self) -> None:
        office = Office(media=MediaSettings(convert=False))
        alice, _, call, _ = ringing(office, callee="")
        video = alice.sdp().replace(b"m=audio", b"m=video")
        call.request("UPDATE", 4, video)
        alice.response(488)
        assert remote_ports(office) == {4000}

    def test_another_codec_is_converted(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office, callee="")
        only = b"\r\n".join(
            line for line in alice.sdp().split(b"\r\n") if not line.startswith(b"a=rtpmap")
        ).replace(b"RTP/AVP 8 0 101", b"RTP/AVP 9")
        call.request("UPDATE", 4, only)
        agreed = parse_sdp(alice.response(200).body).media[0]
        assert agreed.formats == ("9",)
        assert len(office.voices()) == 2
        office.assert_private()

    @pytest.mark.parametrize("status", [486, 302])
    def test_the_call_is_refused_meanwhile(self, office: Office, status: int) -> None:
        alice, bob, call, invite, change = changing(office)
        bob.respond(invite, status)
        bob.hears("ACK")
        alice.response(488)
        call.ack_failure(alice.response(480 if status == 302 else status))
        bob.respond(change, 487)
        office.advance(120)
        office.assert_empty()

    def test_the_caller_gives_up_meanwhile(self, office: Office) -> None:
        alice, bob, call, invite, change = changing(office)
        call.cancel()
        statuses = sorted(
            message.status for message in alice.inbox if isinstance(message, Response)
        )
        assert statuses == [200, 487, 487]
        call.ack_failure(next(
            message for message in alice.inbox
            if isinstance(message, Response) and message.cseq.method == "INVITE"
        ))  # fmt: skip
        bob.respond(change, 487)
        bob.respond(bob.hears("CANCEL"), 200)
        bob.respond(invite, 487)
        office.advance(120)
        office.assert_empty()

    def test_the_answer_waits_for_the_change(self, office: Office) -> None:
        """RFC 6337 §2.2: offers and answers are complete before the 2xx."""
        alice, bob, call, invite, change = changing(office)
        bob.respond(invite, 200, "OK")
        bob.hears("ACK")
        assert not alice.inbox
        bob.respond(change, 200, "OK", bob.sdp(port=4300))
        alice.response(200)
        assert not call.answered().body
        call.request("ACK", 2)
        assert remote_ports(office) == {4200, 4300}
        call.cseq = 4
        over(office, call, bob)

    def test_a_session_refresh_says_what_was_agreed_on(self, office: Office) -> None:
        """RFC 4028 §7.4: by INVITE with the description that the phone had last."""
        alice, bob, call, invite = ringing(office, callee=f"{reliable(1)}\n{UPDATES}")
        call.request("UPDATE", 4, alice.sdp("sendonly", port=4200))
        change = bob.hears("UPDATE")
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        alice.response(200)
        bob.respond(
            invite, 200, "OK", headers="Session-Expires: 90;refresher=uac\nAllow: INVITE, BYE"
        )
        bob.hears("ACK")
        call.answered()
        call.request("ACK", 2)
        office.advance(50)
        refresh = bob.hears("INVITE")
        assert refresh.body == change.body


class TestRfc3311Section5_1:
    """The called phone's UPDATE before its answer."""

    def test_it_is_the_callers_matter(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.within(invite, "UPDATE", 3, bob.sdp("sendonly", port=4300))
        change = alice.hears("UPDATE")
        assert change.from_.tag == (call.answer.to.tag if call.answer else "")
        alice.respond(change, 200, "OK", alice.sdp("recvonly", port=4200))
        assert direction(bob.response(200).body) == "recvonly"
        assert remote_ports(office) == {4200, 4300}
        assert not answered(bob, call, invite).body
        assert remote_ports(office) == {4200, 4300}
        assert not bob.inbox
        call.cseq = 3
        over(office, call, bob)

    @pytest.mark.parametrize("caller", [UPDATES, KNOWS, ""])
    def test_a_caller_that_cannot_be_asked(self, office: Office, caller: str) -> None:
        alice, bob, call, invite = ringing(office, caller)
        bob.within(invite, "UPDATE", 3, bob.sdp("sendonly", port=4300))
        assert direction(bob.response(200).body) == "recvonly"
        assert not alice.inbox
        assert 4300 in remote_ports(office)
        answered(bob, call, invite)
        change = alice.hears("INVITE")
        assert direction(change.body) == "sendonly"
        alice.respond(change, 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        assert not bob.inbox
        call.cseq = 4
        over(office, call, bob)

    @pytest.mark.parametrize("callee", ["", UPDATES])
    def test_before_the_callers_offer_is_answered_reliably(
        self, office: Office, callee: str
    ) -> None:
        _, bob, _, invite = ringing(office, callee=callee)
        bob.within(invite, "UPDATE", 3, bob.sdp("sendonly"))
        bob.response(491)

    def test_both_at_once(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        call.request("UPDATE", 4, alice.sdp("sendonly"))
        change = bob.hears("UPDATE")
        bob.within(invite, "UPDATE", 3, bob.sdp("sendonly"))
        bob.response(491)
        bob.respond(change, 491)
        alice.response(491)
        assert answered(bob, call, invite).body

    def test_a_second_phone_that_rings(self, office: Office) -> None:
        """Nobody hears it yet: it is answered from the caller's offer."""
        alice, bob = office.phone("100"), office.phone("101")
        other = office.phone("101", "192.0.2.77")
        call = alice.invite("101")
        invite, second = bob.hears("INVITE"), other.hears("INVITE")
        bob.respond(invite, 183, "-", bob.sdp())
        call.answer = alice.response(183)
        other.respond(second, 183, "-", other.sdp(), f"{reliable(1)}\n{UPDATES}")
        other.respond(other.hears("PRACK"), 200)
        other.within(second, "UPDATE", 3, other.sdp("sendonly", port=4500))
        assert direction(other.response(200).body) == "recvonly"
        other.respond(second, 200, "OK")
        other.hears("ACK")
        assert direction(call.answered().body) == "sendonly"
        call.ack()
        assert 4500 in remote_ports(office)


class TestPrackWithAnOffer:
    """RFC 3262 §5: the caller may offer another session in its PRACK."""

    def offered(self, office: Office, callee: str) -> tuple[Phone, Phone, Invite, Request]:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers=f"{KNOWS}\n{UPDATES}")
        invite = bob.hears("INVITE")
        bob.respond(invite, 183, "-", bob.sdp(), callee)
        if callee:
            bob.respond(bob.hears("PRACK"), 200)
        _, rseq = early(alice, call, 183)
        call.request("PRACK", 3, alice.sdp("sendonly", port=4200), f"RAck: {rseq} 2 INVITE")
        assert direction(alice.response(200).body) == "recvonly"
        return alice, bob, call, invite

    def test_a_phone_that_can_be_told(self, office: Office) -> None:
        alice, bob, call, invite = self.offered(office, f"{reliable(1)}\n{UPDATES}")
        change = bob.hears("UPDATE")
        assert direction(change.body) == "sendonly"
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        assert not alice.inbox
        assert not answered(bob, call, invite).body
        assert not bob.inbox
        call.cseq = 3
        over(office, call, bob)

    def test_a_phone_that_cannot(self, office: Office) -> None:
        alice, bob, call, invite = self.offered(office, "")
        assert not bob.inbox
        assert not answered(bob, call, invite, bob.sdp()).body
        change = bob.hears("INVITE")
        assert direction(change.body) == "sendonly"
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        assert not alice.inbox

    def test_while_the_first_offer_has_no_answer(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers=NEEDS)
        bob.respond(bob.hears("INVITE"), 180)
        _, rseq = early(alice, call, 180)
        prack(alice, call, rseq, 488, alice.sdp(port=4200))


class TestRfc3262Section5:
    """An INVITE without an offer: the reliable response has the phone's, the PRACK the answer."""

    def asked(self, office: Office, headers: str = KNOWS) -> tuple[Phone, Phone, Invite, Request]:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", b"", headers=headers)
        return alice, bob, call, bob.hears("INVITE")

    @pytest.mark.parametrize("caller", [KNOWS, NEEDS])
    @pytest.mark.parametrize("status", [180, 183])
    def test_offer_and_answer_before_the_call_is_answered(
        self, office: Office, caller: str, status: int
    ) -> None:
        alice, bob, call, invite = self.asked(office, caller)
        assert not invite.body
        assert "100rel" in invite.all("Supported")
        bob.respond(invite, status, "-", bob.sdp(port=4300), reliable(7))
        offer, rseq = early(alice, call, status)
        assert parse_sdp(offer.body).media[0].port
        # The PRACK carries the answer, which only Alice can give
        assert not bob.inbox
        prack(alice, call, rseq, body=alice.sdp(port=4200))
        acknowledged = bob.hears("PRACK")
        assert acknowledged.get("RAck") == f"7 {invite.cseq.number} INVITE"
        assert acknowledged.get("Content-Type") == "application/sdp"
        assert parse_sdp(acknowledged.body).media[0].port
        bob.respond(acknowledged, 200)
        assert remote_ports(office) == {4200, 4300}
        bob.respond(invite, 200, "OK")
        assert not bob.hears("ACK").body
        assert not call.answered().body
        call.request("ACK", 2)
        assert remote_ports(office) == {4200, 4300}
        call.cseq = 3
        over(office, call, bob)

    def test_a_change_after_that(self, office: Office) -> None:
        alice, bob, call, invite = self.asked(office, f"{KNOWS}\n{UPDATES}")
        bob.respond(invite, 183, "-", bob.sdp(), f"{reliable(7)}\n{UPDATES}")
        _, rseq = early(alice, call, 183)
        # Ours is still unanswered
        call.request("UPDATE", 3, alice.sdp("sendonly"))
        alice.response(491)
        bob.within(invite, "UPDATE", 3, bob.sdp("sendonly"))
        assert bob.response(500).get("Retry-After")
        call.cseq = 3
        prack(alice, call, rseq, body=alice.sdp())
        bob.respond(bob.hears("PRACK"), 200)
        call.request("UPDATE", 5, alice.sdp("sendonly"))
        bob.respond(bob.hears("UPDATE"), 200, "OK", bob.sdp("recvonly"))
        assert direction(alice.response(200).body) == "recvonly"
        assert not answered(bob, call, invite).body

    def test_a_prack_without_the_answer(self, office: Office) -> None:
        alice, bob, call, invite = self.asked(office)
        bob.respond(invite, 183, "-", bob.sdp(), reliable(7))
        _, rseq = early(alice, call, 183)
        prack(alice, call, rseq, 400)
        assert not bob.inbox
        prack(alice, call, rseq, body=alice.sdp())
        bob.hears("PRACK")

    def test_an_answer_that_is_none(self, office: Office) -> None:
        alice, bob, call, invite = self.asked(office)
        bob.respond(invite, 183, "-", bob.sdp(), reliable(7))
        _, rseq = early(alice, call, 183)
        call.request("PRACK", 3, b"nonsense", f"RAck: {rseq} 2 INVITE")
        alice.response(200)
        alice.response(488)
        assert office.cause()[0] == "REQUEST_UNUSABLE"
        bob.hears("CANCEL")

    def test_a_phone_that_makes_an_unusable_offer(self, office: Office) -> None:
        """Its PRACK refuses what can't be read, and the call goes on."""
        alice, bob, _, invite = self.asked(office)
        bob.respond(invite, 183, "-", b"nonsense", reliable(7))
        assert b"m=" not in bob.hears("PRACK").body
        alice.response(183) if alice.inbox else None
        assert office.ended == []

    def test_ringing_without_an_offer(self, office: Office) -> None:
        """A phone that breaks the rule: its PRACK has nothing to answer."""
        alice, bob, call, invite = self.asked(office)
        bob.respond(invite, 180, "-", headers=reliable(7))
        assert not bob.hears("PRACK").body
        assert alice.response(180).get("RSeq") is None
        bob.respond(invite, 200, "OK", bob.sdp())
        assert call.answered().body
        call.request("ACK", 2, alice.sdp())
        assert bob.hears("ACK").body

    def test_a_phone_that_does_not_know_it(self, office: Office) -> None:
        alice, bob, call, invite = self.asked(office)
        bob.respond(invite, 183, "-", bob.sdp())
        bob.respond(invite, 200, "OK", bob.sdp())
        assert not bob.inbox
        assert call.answered().body
        call.request("ACK", 2, alice.sdp())
        assert bob.hears("ACK").body
        over(office, call, bob)

    def test_an_answer_before_the_prack(self, office: Office) -> None:
        """§3 forbids the phone to; it is answered all the same."""
        alice, bob, call, invite = self.asked(office)
        bob.respond(invite, 183, "-", bob.sdp(port=4300), reliable(7))
        _, rseq = early(alice, call, 183)
        bob.respond(invite, 200, "OK")
        assert not alice.inbox
        prack(alice, call, rseq, body=alice.sdp(port=4200))
        bob.respond(bob.hears("PRACK"), 200)
        assert not bob.hears("ACK").body
        assert not call.answered().body
        call.request("ACK", 2)
        assert remote_ports(office) == {4200, 4300}
        call.cseq = 3
        over(office, call, bob)

    @pytest.mark.parametrize("headers", ["", UPDATES])
    def test_not_for_a_caller_without_it(self, office: Office, headers: str) -> None:
        _, _, _, invite = self.asked(office, headers)
        assert "100rel" not in invite.all("Supported")

    def test_not_for_several_phones_at_once(self, office: Office) -> None:
        other = office.phone("101", "192.0.2.77")
        _, _, _, invite = self.asked(office)
        assert "100rel" not in invite.all("Supported")
        assert "100rel" not in other.hears("INVITE").all("Supported")

    def test_the_caller_never_answers(self, office: Office) -> None:
        alice, bob, call, invite = self.asked(office)
        bob.respond(invite, 183, "-", bob.sdp(), reliable(7))
        early(alice, call, 183)
        office.advance(33)
        assert office.cause()[0] == "TRANSACTION_TIMED_OUT"
        assert bob.inbox[-1].start_line().startswith("CANCEL")
