"""Attended transfers by REFER with Replaces (RFC 5589 §7), as every party sees them."""

from collections import deque
from urllib.parse import quote

import pytest

from pbx.config.settings import ServiceSettings
from pbx.sdp.description import Direction
from pbx.sip.message import Request
from tests.call.office import HOME, Office, established
from tests.call.transferring import (
    answers,
    causes,
    connected,
    consulted,
    direction_of,
    gone,
    hold,
    referred_early,
    refers,
    replacing,
    told,
)


@pytest.fixture
def office() -> Office:
    return Office()


class TestAttended:
    def test_both_parties_talk(self, office: Office) -> None:
        alice, bob, carol, call, second, to_bob, to_carol = consulted(office)
        refers(call, replacing(second), 100, 200)
        assert {alice.hears("BYE").call_id, alice.hears("BYE").call_id} == {
            call.call_id,
            second.call_id,
        }
        again = carol.hears("INVITE")
        assert again.call_id == to_carol.call_id
        assert again.all("P-Asserted-Identity") == ['"User 101" <sip:101@192.0.2.1>']
        answers(carol, again)
        again = bob.hears("INVITE")
        assert again.call_id == to_bob.call_id
        assert again.all("P-Asserted-Identity") == ['"User 102" <sip:102@192.0.2.1>']
        assert direction_of(again) is Direction.SENDRECV
        answers(bob, again)
        connected(office, bob, carol)
        carol.within(to_carol, "BYE", 2)
        carol.response(200)
        bob.respond(bob.hears("BYE"), 200)
        assert sorted(causes(office)) == [
            "CALLEE_HUNG_UP",
            "CALLER_TRANSFERRED",
            "CALLER_TRANSFERRED",
        ]
        last = office.ended[-1]
        assert (last.caller_number, last.called_number, last.transferred_by) == (
            "101",
            "102",
            "100",
        )
        gone(office, alice)

    def test_who_was_called_transfers(self, office: Office) -> None:
        """The one that transfers is the called party of one call and the caller of the other."""
        alice, bob, call, invited = established(office)
        carol = office.phone("102")
        bob.within(invited, "INVITE", 2, bob.sdp("sendonly"))
        bob.response(100)
        answers(alice, alice.hears("INVITE"), "recvonly")
        bob.response(200)
        bob.within(invited, "ACK", 2)
        second = bob.invite("102", call_id="consult")
        answers(carol, carol.hears("INVITE"))
        second.answered()
        second.ack()
        bob.within(invited, "REFER", 3, headers=replacing(second))
        bob.response(202)
        told(bob, 100, 200)
        answers(carol, carol.hears("INVITE"))
        answers(alice, alice.hears("INVITE"))
        connected(office, alice, carol)

    def test_to_a_party_that_has_called(self, office: Office) -> None:
        """Carol had called alice: the dialog is seen from the other side."""
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        hold(call, bob)
        second = carol.invite("100", call_id="from-carol")
        invite = alice.hears("INVITE")
        answers(alice, invite)
        second.answered()
        second.ack()
        tags = f"{invite.call_id};to-tag={invite.from_.tag};from-tag={alice.tag}"
        refers(call, f"Refer-To: <sip:102@x?Replaces={quote(tags)}>", 100, 200)
        answers(carol, carol.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, carol)

    def test_while_it_still_rings(self, office: Office) -> None:
        """RFC 5589 §7.5: who transfers doesn't wait for the answer."""
        alice, bob, carol, _, _, _, to_carol = referred_early(office)
        answers(carol, to_carol)
        told(alice, 200)
        alice.respond(alice.hears("BYE"), 200)
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, carol)

    def test_it_is_forwarded_while_it_rings(self, office: Office) -> None:
        """Carol's phone names dave: he is rung for bob, as for any caller."""
        alice, bob, carol, _, _, _, to_carol = referred_early(office)
        dave = office.phone("103")
        moved = f"Contact: <sip:103@{HOME.host}>"
        carol.respond(to_carol, 302, "Moved Temporarily", headers=moved, contact="")
        carol.hears("ACK")
        told(alice, 181)
        invite = dave.hears("INVITE")
        assert str(invite.from_.without_param("tag")) == '"User 101" <sip:101@192.0.2.1>'
        assert invite.all("Referred-By") == [f"<sip:100@{HOME.host}>"]
        assert invite.all("Diversion") == [f"<sip:102@{HOME.host}>;reason=no-answer;counter=1"]
        answers(dave, invite)
        told(alice, 200)
        alice.respond(alice.hears("BYE"), 200)
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, dave)

    def test_it_is_forwarded_to_nobody(self, office: Office) -> None:
        alice, _, carol, _, _, _, to_carol = referred_early(office)
        moved = f"Contact: <sip:999@{HOME.host}>"
        carol.respond(to_carol, 302, "Moved Temporarily", headers=moved, contact="")
        told(alice, 480)
        assert len(office.exchange.calls) == 1

    def test_both_are_busy_changing(self, office: Office) -> None:
        """Carol is just being held: she is told when that is over."""
        alice, bob, carol, call, second, _, to_carol = consulted(office)
        second.reinvite(alice.sdp("sendonly", port=4100))
        held = carol.hears("INVITE")
        call.request("REFER", 4, headers=replacing(second))
        alice.inbox = deque(
            one for one in alice.inbox if isinstance(one, Request) or one.status < 200
        )
        office.advance(0.6)
        carol.inbox.clear()
        answers(carol, held, "recvonly")
        answers(carol, carol.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, carol)

    @pytest.mark.parametrize(
        "replaces", ["consult;to-tag=x;from-tag=ft", "other;to-tag=x;from-tag=y"]
    )
    def test_a_call_that_is_not_there(self, office: Office, replaces: str) -> None:
        alice, bob, carol, call, second, _, _ = consulted(office)
        refers(call, f"Refer-To: <sip:102@x?Replaces={quote(replaces)}>", 100, 481)
        assert not bob.inbox
        assert not carol.inbox
        assert len(office.exchange.calls) == 2

    def test_nobody_may_take_another_s_call(self, office: Office) -> None:
        """RFC 3891 §4: bob knows the tags of alice's call with carol, and is refused."""
        alice, bob, carol, call, second, to_bob, _ = consulted(office)
        bob.within(to_bob, "REFER", 2, headers=replacing(second))
        bob.response(202)
        told(bob, 100, 481)
        assert len(office.exchange.calls) == 2

    def test_into_a_room_that_one_has_called(self, office: Office) -> None:
        """Alice has looked who is there, and sends bob in her place."""
        alice, bob, call, to_bob = established(office)
        hold(call, bob)
        second = alice.invite("*6*1", call_id="consult", body=alice.sdp(port=4100))
        second.answered()
        second.ack()
        refers(call, replacing(second), 100, 200)
        for _ in range(2):
            alice.respond(alice.hears("BYE"), 200)
        again = bob.hears("INVITE")
        assert again.call_id == to_bob.call_id
        answers(bob, again)
        (running,) = office.exchange.calls.values()
        facts = running.facts
        assert (facts.caller_number, facts.dialed_number) == ("101", "*6*1")
        assert facts.transferred_by == "100"
        assert causes(office) == ["CALLER_TRANSFERRED", "CALLER_TRANSFERRED"]

    def test_into_a_service_that_is_full(self) -> None:
        office = Office(services=ServiceSettings(conference_parties=2))
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        for phone in (alice, carol):
            room = phone.invite("*6*1", call_id=f"room-{phone.number}")
            room.answered()
            room.ack()
            if phone is alice:
                second = room
        refers(call, replacing(second), 100, 486)
        assert len(office.exchange.calls) == 3

    def test_the_call_itself(self, office: Office) -> None:
        alice, bob, carol, call, second, _, _ = consulted(office)
        refers(call, replacing(call), 100, 481)
        assert len(office.exchange.calls) == 2
