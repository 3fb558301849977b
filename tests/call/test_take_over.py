"""INVITE with Replaces of an answered call: another phone takes a party's place (RFC 3891)."""

import pytest

from pbx.sdp.description import Direction
from pbx.sip.message import Request
from tests.call.chat import watch
from tests.call.office import HOME, Invite, Office, Phone, established
from tests.call.transferring import answers, causes, connected, direction_of, hold

REFERRED = f"Referred-By: <sip:100@{HOME.host}>"


@pytest.fixture
def office() -> Office:
    return Office()


def of_caller(call: Invite) -> str:
    """The caller's dialog, as the exchange has it: to-tag is the exchange's."""
    assert call.answer is not None
    tags = f"to-tag={call.answer.to.tag};from-tag={call.answer.from_.tag}"
    return f"Replaces: {call.call_id};{tags}"


def of_callee(invite: Request, phone: Phone) -> str:
    return f"Replaces: {invite.call_id};to-tag={invite.from_.tag};from-tag={phone.tag}"


def takes(
    phone: Phone, replaces: str, more: str = "", body: bytes | None = None, number: str = "101"
) -> Invite:
    headers = f"Require: replaces\n{replaces}\n{more}".strip()
    return phone.invite(number, call_id=f"take-{phone.address.host}", headers=headers, body=body)


class TestRfc3891Section3:
    def test_by_another_phone_of_the_caller(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        mobile = office.phone("100", "192.0.2.110")
        taken = takes(mobile, of_caller(call))
        answer = taken.answered()
        assert answer.all("P-Asserted-Identity") == ['"User 101" <sip:101@192.0.2.1>']
        assert direction_of(answer) is Direction.SENDRECV
        # "accepts the new INVITE by sending a 200-class response, and shuts down the replaced
        # dialog by sending a BYE"
        alice.respond(alice.hears("BYE"), 200)
        taken.ack()
        again = bob.hears("INVITE")
        assert again.call_id == invite.call_id
        answers(bob, again)
        connected(office, mobile, bob)
        (running,) = office.exchange.calls.values()
        facts = running.facts
        assert (facts.caller_number, facts.called_number) == ("100", "101")
        assert facts.transferred_by == ""
        taken.bye()
        mobile.response(200)
        bob.respond(bob.hears("BYE"), 200)
        assert causes(office) == ["CALLER_TRANSFERRED", "CALLER_HUNG_UP"]
        assert "another phone of 100" in office.ended[1].route
        office.advance(80)
        office.assert_empty()

    def test_by_another_phone_of_the_called_party(self, office: Office) -> None:
        """The call keeps its direction: who had called is the caller still."""
        alice, bob, call, invite = established(office)
        mobile = office.phone("101", "192.0.2.111")
        taken = takes(mobile, of_callee(invite, bob), number="100")
        taken.answered()
        bob.respond(bob.hears("BYE"), 200)
        taken.ack()
        answers(alice, alice.hears("INVITE"))
        connected(office, alice, mobile)
        (running,) = office.exchange.calls.values()
        facts = running.facts
        assert (facts.caller_number, facts.called_number) == ("100", "101")
        assert facts.caller_addr == str(alice.flow)
        call.bye()
        alice.response(200)
        mobile.respond(mobile.hears("BYE"), 200)
        assert causes(office) == ["CALLEE_TRANSFERRED", "CALLER_HUNG_UP"]
        office.advance(80)
        office.assert_empty()

    def test_the_dialog_as_the_phone_has_it(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        mobile = office.phone("101", "192.0.2.111")
        tags = f"to-tag={bob.tag};from-tag={invite.from_.tag}"
        takes(mobile, f"Replaces: {invite.call_id};{tags}").answered()
        bob.hears("BYE")

    def test_who_was_referred(self, office: Office) -> None:
        """RFC 5589 §7: alice has talked with bob, and has sent carol to him, not by us."""
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        taken = takes(carol, of_caller(call), REFERRED)
        taken.answered()
        alice.respond(alice.hears("BYE"), 200)
        taken.ack()
        again = bob.hears("INVITE")
        assert again.all("P-Asserted-Identity") == ['"User 102" <sip:102@192.0.2.1>']
        answers(bob, again)
        connected(office, carol, bob)
        (running,) = office.exchange.calls.values()
        facts = running.facts
        assert (facts.caller_number, facts.called_number) == ("102", "101")
        assert facts.transferred_by == "100"

    def test_of_a_party_that_is_held(self, office: Office) -> None:
        """As in an attended transfer: who refers has put the other one on hold before."""
        alice, bob, call, invite = established(office)
        hold(call, bob)
        carol = office.phone("102")
        taken = takes(carol, of_caller(call), REFERRED)
        assert direction_of(taken.answered()) is Direction.SENDRECV
        taken.ack()
        again = bob.hears("INVITE")
        assert direction_of(again) is Direction.SENDRECV
        answers(bob, again)
        connected(office, carol, bob)

    def test_its_answer_says_something_else(self, office: Office) -> None:
        """Bob holds: she hears of it."""
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        taken = takes(carol, of_caller(call), REFERRED)
        taken.answered()
        taken.ack()
        answers(bob, bob.hears("INVITE"), "sendonly")
        again = carol.hears("INVITE")
        assert direction_of(again) is Direction.SENDONLY

    def test_late_offer(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        taken = takes(carol, of_caller(call), REFERRED, b"")
        assert direction_of(taken.answered()) is Direction.SENDRECV
        alice.respond(alice.hears("BYE"), 200)
        assert not bob.inbox
        office.assert_private()
        taken.ack(carol.sdp())
        answers(bob, bob.hears("INVITE"))
        connected(office, carol, bob)

    def test_late_offer_and_a_change_before_its_ack(self, office: Office) -> None:
        """RFC 5407 §3.1: bob's change waits for carol's ACK, and then goes on."""
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        taken = takes(carol, of_caller(call), REFERRED, b"")
        taken.answered()
        alice.respond(alice.hears("BYE"), 200)
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        assert not carol.inbox
        taken.ack(carol.sdp())
        change = carol.hears("INVITE")
        carol.respond(change, 100)
        office.advance(2)
        answers(carol, change, "recvonly")
        assert direction_of(bob.response(200)) is Direction.RECVONLY
        bob.within(invite, "ACK", 1)
        answers(carol, carol.hears("INVITE"), "recvonly")
        for _ in range(11):
            if not bob.inbox:
                office.advance(0.1)
        answers(bob, bob.hears("INVITE"), "sendonly")
        office.assert_private()
        office.advance(40)
        assert not bob.inbox
        assert causes(office) == ["CALLER_TRANSFERRED"]

    def test_late_offer_without_an_answer(self, office: Office) -> None:
        """RFC 3264 §4: that leaves no session."""
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        taken = takes(carol, of_caller(call), REFERRED, b"")
        taken.answered()
        taken.ack()
        carol.hears("BYE")
        bob.hears("BYE")

    def test_without_a_common_codec(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        g722 = carol.sdp().replace(b"RTP/AVP 8 0 101", b"RTP/AVP 9")
        taken = takes(carol, of_caller(call), REFERRED, g722)
        taken.answered()
        taken.ack()
        answers(bob, bob.hears("INVITE"))
        office.assert_private()
        assert len(office.voices()) == 2

    def test_it_is_hung_up_before_the_other_party_hears_of_it(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        taken = takes(carol, of_caller(call), REFERRED)
        taken.answered()
        taken.ack()
        taken.bye()
        for phone in (alice, bob, carol):
            for message in [*phone.inbox]:
                if isinstance(message, Request) and message.method != "ACK":
                    phone.respond(message, 200, "OK", bob.sdp())
        office.advance(80)
        office.assert_empty()

    def test_of_a_service(self, office: Office) -> None:
        """A conference room, say: the other phone is in it instead."""
        alice = office.phone("100")
        call = alice.invite("*6*1")
        call.answered()
        call.ack()
        mobile = office.phone("100", "192.0.2.110")
        taken = takes(mobile, of_caller(call))
        taken.answered()
        taken.ack()
        alice.hears("BYE")
        (running,) = office.exchange.calls.values()
        assert running.facts.dialed_number == office.ended[0].dialed_number

    def test_and_again(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        mobile = office.phone("100", "192.0.2.110")
        first = takes(mobile, of_caller(call))
        first.answered()
        first.ack()
        alice.respond(alice.hears("BYE"), 200)
        answers(bob, bob.hears("INVITE"))
        second = alice.invite("101", call_id="back", headers=of_caller(first))
        second.answered()
        second.ack()
        mobile.respond(mobile.hears("BYE"), 200)
        answers(bob, bob.hears("INVITE"))
        connected(office, alice, bob)


class TestByTheLamp:
    """A user's own lamp tells of answered calls so that another phone can take them (RFC 4235)."""

    def test_taken(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        mobile = office.phone("100", "192.0.2.110")
        document = watch(mobile, "100").notified().body.decode()
        name = document.partition('call-id="')[2].partition('"')[0]
        assert name in office.exchange.calls
        takes(mobile, f"Replaces: {name};to-tag=calling;from-tag=ringing").answered()
        alice.hears("BYE")

    def test_others_are_not_told(self, office: Office) -> None:
        established(office)
        carol = office.phone("102")
        document = watch(carol, "100").notified().body.decode()
        assert "<state>confirmed</state>" in document
        assert "call-id" not in document

    def test_nobody_else_takes_it(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        carol = office.phone("102")
        (name,) = office.exchange.calls
        takes(carol, f"Replaces: {name};to-tag=calling;from-tag=ringing")
        carol.response(403)
        assert not alice.inbox
        assert not bob.inbox


class TestRefused:
    @pytest.mark.parametrize(
        "more",
        [
            "",
            f"Referred-By: <sip:103@{HOME.host}>",
            f"Referred-By: <sip:101@{HOME.host}>",
            "Referred-By: <<",
        ],
    )
    def test_who_may_not(self, office: Office, more: str) -> None:
        """§8: neither the same user, nor sent by it."""
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        takes(carol, of_caller(call), more)
        carol.response(403)
        assert not alice.inbox
        assert not bob.inbox
        assert [facts.caller_number for facts in office.ended] == ["102"]
        assert len(office.exchange.calls) == 1

    def test_only_while_it_rings(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        mobile = office.phone("100", "192.0.2.110")
        takes(mobile, f"{of_caller(call)};early-only")
        mobile.response(486)
        assert not bob.inbox

    def test_one_tag_is_wrong(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        mobile = office.phone("100", "192.0.2.110")
        takes(mobile, of_caller(call) + "x")
        mobile.response(481)

    def test_no_ports(self) -> None:
        office = Office(ports=2)
        alice, bob, call, _ = established(office)
        mobile = office.phone("100", "192.0.2.110")
        takes(mobile, of_caller(call))
        mobile.response(503)
        assert not alice.inbox
        call.bye()
        alice.response(200)
        bob.respond(bob.hears("BYE"), 200)
        office.advance(80)
        office.assert_empty()

    def test_a_description_that_is_none(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        mobile = office.phone("100", "192.0.2.110")
        takes(mobile, of_caller(call), body=b"nonsense")
        assert mobile.inbox.popleft().start_line().split()[1] in ("400", "488")
        assert not alice.inbox

    def test_a_party_that_is_being_transferred(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        call.request("REFER", 3, headers=f"Refer-To: <sip:102@{HOME.host}>")
        carol.respond(carol.hears("INVITE"), 180, "Ringing")
        mobile = office.phone("100", "192.0.2.110")
        takes(mobile, of_caller(call))
        mobile.response(491)
