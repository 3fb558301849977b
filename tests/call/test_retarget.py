"""Phones that forward calls: 3xx followed (RFC 3261 §8.1.3.4), Diversion, History-Info."""

import msgspec
import pytest

from pbx.call.journal import CallState
from pbx.config.dial_plan import DialPlan, NumberChange
from pbx.config.settings import CallSettings
from pbx.sip.message import Request
from tests.call.office import HOME, Office, Phone
from tests.call.telco import LINE, PLAN, telco


@pytest.fixture
def office() -> Office:
    return Office()


def moves(phone: Phone, *numbers: str, status: int = 302, more: str = "") -> None:
    """The phone says who is to be rung instead; its ACK is taken."""
    contacts = "\n".join(f"Contact: <sip:{number}@{HOME.host}>" for number in numbers)
    headers = "\n".join(part for part in (contacts, more) if part)
    phone.respond(phone.hears("INVITE"), status, "Moved Temporarily", headers=headers)
    phone.hears("ACK")


def answers(phone: Phone, invite: Request) -> None:
    phone.respond(invite, 200, "OK", phone.sdp())
    phone.hears("ACK")


class TestFollowed:
    def test_not_outside_for_a_user_who_is_switched_off(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        peer = telco(office)
        alice.invite("101")
        office.change_user("101", enabled=False)
        moves(bob, "4930555")
        alice.response(480)
        assert not peer.inbox

    def test_not_outside_for_a_user_who_may_make_no_calls(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        peer = telco(office)
        office.change_user("101", most_outgoing=0)
        alice.invite("101")
        moves(bob, "4930555")
        alice.response(480)
        assert not peer.inbox
        # To another phone here it may
        alice.invite("101", call_id="call-2")
        carol = office.phone("102")
        moves(bob, "102")
        assert carol.hears("INVITE")

    def test_but_to_an_emergency_number(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        peer = telco(office)
        office.change_user("101", most_outgoing=0)
        alice.invite("101")
        moves(bob, "112")
        assert peer.hears("INVITE")

    def test_no_more_go_outside_at_once_than_the_user_may_make(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        peer = telco(office)
        # It is in none of them itself
        office.change_user("101", most_outgoing=1, most_calls=1)
        call = alice.invite("101")
        moves(bob, "4930555")
        answers(peer, peer.hears("INVITE"))
        alice.response(181)
        call.answered()
        call.ack()
        carol.invite("101", call_id="call-2")
        moves(bob, "4930555")
        carol.response(480)
        assert not peer.inbox
        bob.invite("4930555", call_id="call-3")
        bob.response(403)
        call.bye()
        alice.response(200)
        peer.respond(peer.hears("BYE"), 200)
        carol.invite("101", call_id="call-4")
        moves(bob, "4930555")
        assert peer.hears("INVITE")

    def test_a_forwarded_call_counts_for_the_user_after_a_restart_too(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        peer = telco(office)
        call = alice.invite("101")
        moves(bob, "4930555")
        answers(peer, peer.hears("INVITE"))
        alice.response(181)
        call.answered()
        call.ack()
        (before,) = office.exchange.calls.values()
        state = before.state()
        assert state is not None
        kept = msgspec.json.decode(msgspec.json.encode(state), type=CallState)
        after = Office()
        after.now = office.now
        for phone in (alice, bob, peer):
            phone.office = after
            after.phones[phone.address] = phone
        after.configure(LINE, plan=PLAN)
        after.exchange.resume(before.facts, kept, after.now)
        after.engine_ready(kept.ports)
        after.change_user("101", most_outgoing=1)
        bob.inbox.clear()
        bob.invite("4930555", call_id="call-2")
        bob.response(403)
        after.exchange.stop(after.now)
        after.pump()
        assert peer.hears("BYE")

    def test_nor_for_a_user_who_is_gone(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        peer = telco(office)
        office.configure(
            *office.snapshot.lines.values(),
            plan=DialPlan(number_change=(NumberChange(number="5", new="94930555"),)),
        )
        alice.invite("101")
        office.remove_user("101")
        moves(bob, "5")
        alice.response(480)
        assert not peer.inbox

    def test_not_to_who_has_calls_enough(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        office.change_user("102", most_calls=0)
        alice.invite("101")
        moves(bob, "102")
        alice.response(480)
        assert not carol.inbox

    def test_the_other_number_rings(self, office: Office) -> None:
        """B8: it was answered 480."""
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        call = alice.invite("101")
        moves(bob, "102")
        assert alice.response(181).reason == "Call Is Being Forwarded"
        invite = carol.hears("INVITE")
        assert str(invite.from_.without_param("tag")) == '"User 100" <sip:100@192.0.2.1>'
        assert invite.max_forwards == 68
        assert invite.all("Diversion") == [f"<sip:101@{HOME.host}>;reason=unconditional;counter=1"]
        # RFC 7044 §10.3 rule 4: what follows upon a response gets the next number, not a level
        asked, first, second = invite.all("History-Info")
        assert asked == f"<sip:101@{HOME.host}>;index=1"
        assert first.startswith(f"<sip:101@{HOME.host}?Reason=SIP%3Bcause%3D302")
        assert first.endswith(">;index=1.1;np=1")
        assert second == f"<sip:102@{HOME.host}>;index=1.2;mp=1.1"
        carol.respond(invite, 180, "Ringing")
        assert alice.response(180).all("P-Asserted-Identity") == ['"User 102" <sip:102@192.0.2.1>']
        answers(carol, invite)
        call.answered()
        call.ack()
        office.assert_private()
        call.bye()
        alice.response(200)
        carol.respond(carol.hears("BYE"), 200)
        (facts,) = office.ended
        assert (facts.dialed_number, facts.called_number) == ("101", "102")
        assert "forwarded by 101 to 102 (302)" in facts.route
        office.advance(80)
        office.assert_empty()

    def test_after_it_has_rung(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        alice.response(180)
        bob.respond(invite, 302, "Moved", headers=f"Contact: <sip:102@{HOME.host}>")
        alice.response(181)
        (value,) = carol.hears("INVITE").all("Diversion")
        assert "reason=no-answer" in value

    def test_what_the_phone_says_of_why(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        alice.invite("101")
        moves(bob, "102", more="Diversion: <sip:101@192.0.2.1>;reason=do-not-disturb")
        assert carol.hears("INVITE").all("Diversion") == [
            "<sip:101@192.0.2.1>;reason=do-not-disturb;counter=1"
        ]

    def test_a_phone_speaks_for_its_user_alone(self, office: Office) -> None:
        """Who diverts is the phone's user, whatever it says."""
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        alice.invite("101")
        more = (
            'Diversion: "Boss" <sip:103@192.0.2.1>;reason=follow-me'
            ',"X" <sip:101@evil.example>;reason="away";privacy=full;counter=99;screen=yes'
        )
        moves(bob, "102", more=more)
        assert carol.hears("INVITE").all("Diversion") == [
            "<sip:101@192.0.2.1>;reason=away;counter=1;privacy=full"
        ]

    @pytest.mark.parametrize("reason", ["because", '"a b"', ""])
    def test_a_reason_that_is_none(self, office: Office, reason: str) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        alice.invite("101")
        moves(bob, "102", more=f"Diversion: <sip:101@192.0.2.1>;reason={reason or '_'}")
        assert carol.hears("INVITE").all("Diversion") == [
            "<sip:101@192.0.2.1>;reason=unconditional;counter=1"
        ]

    def test_and_again(self, office: Office) -> None:
        alice, bob, carol, dave = (office.phone(number) for number in ("100", "101", "102", "103"))
        call = alice.invite("101")
        moves(bob, "102")
        moves(carol, "103", status=301)
        invite = dave.hears("INVITE")
        assert [value.split("@")[0] for value in invite.all("Diversion")] == [
            "<sip:102",
            "<sip:101",
        ]
        assert [value.rpartition(";index=")[2] for value in invite.all("History-Info")] == [
            "1",
            "1.1;np=1",
            "1.2;mp=1.1",
            "1.3;mp=1.2",
        ]
        alice.response(181)
        alice.response(181)
        answers(dave, invite)
        call.answered()

    def test_who_is_liked_best(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        carol, dave = office.phone("102"), office.phone("103")
        alice.invite("101")
        contacts = (
            f"Contact: <sip:102@{HOME.host}>;q=0.3\nContact: <sip:103@{HOME.host}>;q=0.7"
            "\nContact: <mailto:x@y>;q=1.0\nContact: <sip:999@x>;q=0.9"
        )
        bob.respond(bob.hears("INVITE"), 300, "Multiple Choices", headers=contacts)
        alice.response(181)
        assert dave.hears("INVITE")
        assert not carol.inbox

    def test_the_other_phones_of_the_user_ring_on(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        desk = office.phone("101", "192.0.2.111")
        call = alice.invite("101")
        ringing = desk.hears("INVITE")
        desk.respond(ringing, 180, "Ringing")
        alice.response(180)
        moves(bob, "102")
        alice.response(181)
        other = carol.hears("INVITE")
        carol.respond(other, 180, "Ringing")
        answers(desk, ringing)
        call.answered()
        carol.hears("CANCEL")
        assert office.exchange.calls
        (running,) = office.exchange.calls.values()
        assert running.facts.called_number == "101"

    def test_two_phones_forward_to_the_same(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        desk = office.phone("101", "192.0.2.111")
        call = alice.invite("101")
        moves(bob, "102")
        moves(desk, "102")
        alice.response(181)
        invite = carol.hears("INVITE")
        assert not carol.inbox
        answers(carol, invite)
        call.answered()

    def test_early_media_of_who_forwards_ends(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 183, "Session Progress", bob.sdp())
        alice.response(183)
        bob.respond(invite, 302, "Moved", headers=f"Contact: <sip:102@{HOME.host}>")
        alice.response(181)
        office.assert_private()
        answers(carol, carol.hears("INVITE"))
        call.answered()
        call.ack()
        office.assert_private()

    def test_of_a_transfer(self, office: Office) -> None:
        alice, bob, carol, dave = (office.phone(number) for number in ("100", "101", "102", "103"))
        call = alice.invite("101")
        answers(bob, bob.hears("INVITE"))
        call.answered()
        call.ack()
        call.request("REFER", 3, headers=f"Refer-To: <sip:102@{HOME.host}>")
        moves(carol, "103")
        invite = dave.hears("INVITE")
        assert invite.get("Referred-By")
        answers(dave, invite)
        answers(bob, bob.hears("INVITE"))
        office.assert_private()
        bodies = [one.body for one in alice.inbox if isinstance(one, Request) and one.body]
        assert [body.split()[1] for body in bodies] == [b"100", b"181", b"200"]

    def test_it_may_ring_its_whole_time(self) -> None:
        office = Office(CallSettings(no_answer_s=20))
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        office.advance(15)
        bob.respond(invite, 302, "Moved", headers=f"Contact: <sip:102@{HOME.host}>")
        carol.respond(carol.hears("INVITE"), 180, "Ringing")
        office.advance(15)
        assert not office.ended


class TestNotFollowed:
    @pytest.mark.parametrize(
        "headers",
        [
            "",
            "Contact: <sip:999@192.0.2.1>",
            "Contact: <sip:103@192.0.2.1>",  # not registered
            "Contact: <sip:101@192.0.2.1>",  # itself
            "Contact: <mailto:bob@x>",
            "Contact: *",
            "Contact: <sip:192.0.2.1>",
        ],
    )
    def test_the_caller_is_told(self, office: Office, headers: str) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 302, "Moved", headers=headers)
        alice.response(480)
        assert [facts.cause.heard for facts in office.ended if facts.cause] == [302]

    def test_a_circle(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        alice.invite("101")
        moves(bob, "102")
        moves(carol, "101")
        alice.response(181)
        alice.response(480)
        assert not bob.inbox
        office.advance(80)
        office.assert_empty()

    def test_no_hops_left(self, office: Office) -> None:
        """The caller's Max-Forwards counts each step."""
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        uri = f"sip:101@{HOME.host}"
        more = ""
        for cseq in (1, 2):
            lines = [
                f"INVITE {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKhops{cseq};rport",
                "Max-Forwards: 1",
                "From: <sip:100@192.0.2.1>;tag=ft",
                f"To: <{uri}>",
                "Call-ID: hops",
                f"CSeq: {cseq} INVITE",
                f"Contact: {alice.contact}",
                *([more] if more else []),
            ]
            alice.send("\n".join(lines), alice.sdp())
            if not more:
                more = alice.authorized(alice.response(407), "INVITE", uri)
        alice.response(100)
        moves(bob, "102")
        alice.response(480)
        assert not carol.inbox
