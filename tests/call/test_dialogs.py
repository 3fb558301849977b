"""Dialogs as both parties of a call see them: RFC 3261 §12, §15, §8.2 within a dialog."""

import pytest

from pbx.sip.message import Request
from tests.call.office import HOME, Invite, Office, Phone, established

RECORD_ROUTE = "Record-Route: <sip:p2.example;lr>\nRecord-Route: <sip:p1.example;lr>"


@pytest.fixture
def office() -> Office:
    return Office()


def ringing(office: Office, headers: str = "") -> tuple[Phone, Phone, Invite, Request]:
    """Alice's call, and bob's INVITE, not yet answered."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101", headers=headers)
    return alice, bob, call, bob.hears("INVITE")


class TestRfc3261Section12_1:
    """Creation of a dialog."""

    def test_the_callers_record_route_comes_back(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office, RECORD_ROUTE)
        bob.respond(invite, 180)
        assert len(alice.response(180).all("Record-Route")) == 2
        bob.respond(invite, 200, "OK", bob.sdp())
        assert call.answered().all("Record-Route") == [
            "<sip:p2.example;lr>",
            "<sip:p1.example;lr>",
        ]

    def test_requests_to_the_caller_follow_its_record_route(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office, RECORD_ROUTE)
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.ack()
        bob.within(invite, "BYE", 1)
        assert alice.hears("BYE").all("Route") == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]

    def test_requests_to_the_callee_follow_its_record_route(self, office: Office) -> None:
        _, bob, _, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp(), headers=RECORD_ROUTE)
        assert bob.hears("ACK").all("Route") == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]

    @pytest.mark.parametrize("contact", ["", "*", "<sip:a@192.0.2.77>, <sip:b@192.0.2.77>"])
    def test_an_answer_without_one_contact_is_acknowledged_at_the_request_uri(
        self, office: Office, contact: str
    ) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp(), contact=contact)
        assert bob.hears("ACK").uri == invite.uri
        call.answered()
        call.ack()
        call.bye()
        bob.hears("BYE")
        assert alice.response(200)

    def test_ringing_without_a_tag_is_ringing(self, office: Office) -> None:
        alice, bob, _, invite = ringing(office)
        bob.respond(invite, 180, tag="", contact="")
        assert alice.response(180).to.tag

    def test_an_answer_without_a_tag_is_a_dialog_too(self, office: Office) -> None:
        """RFC 2543 knew answers without: §12.1.2 takes the tag for null."""
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp(), tag="")
        bob.hears("ACK")
        bob.respond(invite, 200, "OK", bob.sdp(), tag="")
        bob.hears("ACK")
        assert not bob.inbox
        call.answered()
        call.ack()
        call.bye()
        alice.response(200)
        assert bob.hears("BYE").to.tag is None


class TestRfc3261Section12_2:
    """Requests within a dialog."""

    @pytest.mark.parametrize("method", ["BYE", "INVITE", "OPTIONS"])
    def test_another_remote_tag_is_another_dialog(self, office: Office, method: str) -> None:
        _, bob, _, invite = established(office)
        bob.within(invite, method, 1, tag="stranger")
        bob.response(481)
        assert office.ended == []

    def test_another_local_tag_is_another_dialog(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        assert call.answer is not None
        call.answer.set("To", f"{call.answer.get('To')}-7")
        call.bye()
        alice.response(481)
        assert office.ended == []

    def test_an_ack_of_another_dialog_counts_for_nothing(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        alice.request(
            "ACK",
            str(call.uri),
            call_id=call.call_id,
            cseq=2,
            to=call.answer.get("To") if call.answer else None,
            from_tag="stranger",
        )
        office.advance(0.6)
        alice.response(200)

    def test_an_ack_of_another_invite_counts_for_nothing(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.request("ACK", 77)
        office.advance(0.6)
        alice.response(200)
        call.ack()
        call.ack()
        office.advance(40)
        assert not alice.inbox

    def test_a_bye_names_no_contact(self, office: Office) -> None:
        _, bob, call, _ = established(office)
        call.bye()
        bye = bob.hears("BYE")
        assert bye.get("Contact") is None
        assert bye.get("Max-Forwards") == "70"

    def test_a_keep_alive_is_answered(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        call.cseq += 1
        call.request("OPTIONS", call.cseq)
        assert alice.response(200).all("Accept")[0] == "application/sdp"
        bob.within(invite, "OPTIONS", 1)
        bob.response(200)

    def test_a_keep_alive_while_it_rings(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 180)
        call.answer = alice.response(180)
        call.request("OPTIONS", 3)
        alice.response(200)
        assert office.ended == []

    @pytest.mark.parametrize(
        ("method", "headers", "status"),
        [
            ("SUBSCRIBE", "", 405),
            ("REGISTER", "", 405),
            ("DANCE", "", 501),
            ("OPTIONS", "Require: 199", 420),
            ("OPTIONS", 'Require: "unbalanced, x', 400),
        ],
    )
    def test_what_is_not_served(
        self, office: Office, method: str, headers: str, status: int
    ) -> None:
        alice, _, call, _ = established(office)
        call.request(method, 3, headers=headers)
        response = alice.response(status)
        if status in (405, 501):
            allowed = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO"]
            assert set(allowed) <= set(response.all("Allow"))
            assert method not in response.all("Allow")
        assert office.ended == []

    @pytest.mark.parametrize(
        ("method", "status"),
        [("OPTIONS", 481), ("BYE", 481), ("REGISTER", 401), ("NOTIFY", 405), ("DANCE", 501)],
    )
    def test_the_method_counts_before_the_dialog(
        self, office: Office, method: str, status: int
    ) -> None:
        """§8.2.1 comes first; and REGISTER belongs to no dialog, whatever its To says (§10)."""
        alice = office.phone("100")
        alice.request(
            method, f"sip:{HOME.host}", call_id="x", cseq=1, to=f"<sip:100@{HOME.host}>;tag=none"
        )
        alice.response(status)

    def test_an_early_dialogs_numbers_go_on_after_the_answer(self, office: Office) -> None:
        """§12.2.2: the answer confirms the dialog that was there, it doesn't begin another."""
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 183, "Session Progress", bob.sdp())
        call.answer = alice.response(183)
        call.request("INFO", 9)
        alice.response(200)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        call.request("OPTIONS", 5)
        alice.response(500)
        call.request("OPTIONS", 10)
        alice.response(200)

    def test_a_body_that_we_cannot_read(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(b"<x/>", "Content-Type: text/xml")
        assert alice.response(415).all("Accept")[0] == "application/sdp"
        assert not bob.inbox

    def test_a_change_whose_contact_is_none(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.cseq += 1
        alice.request(
            "INVITE",
            call.uri,
            call_id=call.call_id,
            cseq=call.cseq,
            to=call.answer.get("To") if call.answer else None,
            body=alice.sdp(),
            contact=False,
            headers="Contact: *",
        )
        alice.response(400)
        assert not bob.inbox


class TestRfc3261Section15:
    """Ending a session."""

    def test_both_hang_up_at_once(self, office: Office) -> None:
        """RFC 5407 §3.2: the BYE that crosses ours is answered 200."""
        alice, bob, call, invite = established(office)
        call.bye()
        alice.response(200)
        bye = bob.hears("BYE")
        bob.within(invite, "BYE", 1)
        bob.response(200)
        bob.respond(bye, 200)
        assert office.cause() == ("CALLER_HUNG_UP", 16)
        office.advance(120)
        office.assert_empty()

    def test_a_change_after_the_end_finds_no_dialog(self, office: Office) -> None:
        _, bob, call, invite = established(office)
        call.bye()
        bob.hears("BYE")
        bob.within(invite, "INVITE", 1, bob.sdp())
        bob.response(481)

    def test_an_end_after_a_refusal_finds_no_dialog(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 486)
        call.answer = alice.response(486)
        call.answer.add("Contact", "<sip:101@192.0.2.1>")
        call.request("BYE", 3)
        alice.response(481)

    def test_the_caller_may_end_an_early_dialog(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 180)
        call.answer = alice.response(180)
        call.request("BYE", 3, headers="Reason: Q.850;cause=31")
        assert alice.response(200).cseq.method == "BYE"
        assert alice.response(487).cseq.method == "INVITE"
        bob.hears("CANCEL")
        assert office.cause() == ("CALLER_CANCELLED", 31)

    def test_an_early_dialog_is_ended_by_its_own_parties_only(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 180)
        ringing_ = alice.response(180)
        alice.request(
            "BYE", call.uri, call_id=call.call_id, cseq=3, to=ringing_.get("To"), from_tag="other"
        )
        alice.response(481)
        assert office.ended == []

    def test_a_callee_cannot_end_what_it_has_not_answered(self, office: Office) -> None:
        _, bob, _, invite = ringing(office)
        bob.within(invite, "BYE", 1)
        bob.response(481)
        assert office.ended == []

    def test_no_bye_before_the_ack(self, office: Office) -> None:
        """§15: a callee waits for the ACK before it hangs up."""
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        bob.within(invite, "BYE", 1, headers="Reason: Q.850;cause=31")
        bob.response(200)
        assert not alice.inbox
        call.ack()
        assert "cause=31" in (alice.hears("BYE").get("Reason") or "")
        office.advance(120)
        office.assert_empty()

    def test_no_bye_before_the_ack_unless_none_comes(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        bob.within(invite, "BYE", 1, headers="Reason: Q.850;cause=31")
        office.advance(33)
        requests = [one for one in alice.inbox if isinstance(one, Request)]
        assert "cause=31" in (requests[0].get("Reason") or "")
        assert {one.method for one in requests} == {"BYE"}
        assert office.cause() == ("CALLEE_HUNG_UP", 31)
        office.advance(120)
        office.assert_empty()

    @pytest.mark.parametrize("reason", ['"unbalanced', "", "Q.850;cause=x", ",,"])
    def test_a_reason_that_cannot_be_read_ends_the_call_all_the_same(
        self, office: Office, reason: str
    ) -> None:
        alice, bob, call, _ = established(office)
        call.bye(headers=f"Reason: {reason}")
        alice.response(200)
        bob.hears("BYE")
        assert office.cause() == ("CALLER_HUNG_UP", 16)

    def test_a_refusal_with_a_reason_that_cannot_be_read(self, office: Office) -> None:
        alice, bob, _, invite = ringing(office)
        bob.respond(invite, 486, headers='Reason: "unbalanced')
        alice.response(486)
        assert office.cause() == ("CALLEE_REJECTED", 17)
