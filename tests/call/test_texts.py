"""Texts within a call: MESSAGE in its dialog goes to the other party's (RFC 3428 §4)."""

import pytest

from pbx.sip.message import Request
from tests.call.office import Invite, Office, established

PLAIN = "Content-Type: text/plain"


@pytest.fixture
def office() -> Office:
    return Office()


def write(call: Invite, text: str, headers: str = PLAIN) -> None:
    call.cseq += 1
    call.request("MESSAGE", call.cseq, text.encode(), headers)


class TestRfc3428Section4:
    def test_both_ways(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        write(
            call, "好的", "Content-Type: text/plain;charset=utf-8\nSubject: S\nContent-Language: zh"
        )
        heard = bob.hears("MESSAGE")
        assert heard.body.decode() == "好的"
        assert heard.call_id == invite.call_id
        assert heard.get("Content-Type") == "text/plain;charset=utf-8"
        assert (heard.get("Subject"), heard.get("Content-Language")) == ("S", "zh")
        # "User Agents MUST NOT insert Contact header fields into MESSAGE requests."
        assert heard.get("Contact") is None
        assert not alice.inbox
        bob.respond(heard, 200, "OK")
        alice.response(200)
        bob.within(invite, "MESSAGE", 2, b"yes", PLAIN)
        heard = alice.hears("MESSAGE")
        assert heard.call_id == call.call_id
        alice.respond(heard, 202, "Accepted")
        bob.response(202)

    @pytest.mark.parametrize("status", [400, 413, 415, 486, 500, 603])
    def test_the_refusal_comes_back(self, office: Office, status: int) -> None:
        alice, bob, call, _ = established(office)
        write(call, "hello")
        bob.respond(bob.hears("MESSAGE"), status, "No", headers="Accept: text/html\nX-Own: 1")
        answer = alice.response(status)
        assert answer.get("Accept") == "text/html"
        assert answer.get("X-Own") is None

    @pytest.mark.parametrize("status", [401, 404, 407, 410, 480, 481, 502, 604])
    def test_what_would_end_the_sender_s_dialog_does_not(self, office: Office, status: int) -> None:
        """RFC 5057 §5.1: it speaks of the other dialog."""
        alice, bob, call, _ = established(office)
        write(call, "hello")
        bob.respond(bob.hears("MESSAGE"), status, "No")
        alice.response(500)
        assert office.ended == []

    @pytest.mark.parametrize("status", [405, 501])
    def test_a_phone_that_knows_no_texts(self, office: Office, status: int) -> None:
        alice, bob, call, _ = established(office)
        write(call, "hello")
        bob.respond(bob.hears("MESSAGE"), status, "No")
        allowed = alice.response(405).get("Allow") or ""
        assert "MESSAGE" not in allowed
        assert "INVITE" in allowed

    def test_a_phone_that_says_so_before(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp(), headers="Allow: INVITE, ACK, BYE, CANCEL")
        bob.hears("ACK")
        call.answered()
        call.ack()
        write(call, "hello")
        alice.response(405)
        assert not bob.inbox

    def test_what_the_other_party_accepts(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        accept = "Accept: application/sdp, text/html, application/im-iscomposing+xml"
        bob.respond(invite, 200, "OK", bob.sdp(), headers=accept)
        bob.hears("ACK")
        call.answered()
        call.ack()
        write(call, "<p>hello</p>", "Content-Type: text/html")
        bob.respond(bob.hears("MESSAGE"), 200, "OK")
        alice.response(200)
        write(call, "x", "Content-Type: image/png")
        answer = alice.response(415)
        assert answer.all("Accept")[:2] == ["text/plain", "application/sdp"]
        assert not bob.inbox

    def test_no_type(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        write(call, "hello", "Subject: S\nContent-Type:")
        alice.response(400)
        assert not bob.inbox

    def test_one_after_the_other(self, office: Office) -> None:
        """Two at once might change places on their way, and the phone refuse the first one."""
        alice, bob, call, _ = established(office)
        write(call, "one")
        write(call, "two")
        first = bob.hears("MESSAGE")
        assert not bob.inbox
        bob.respond(first, 200, "OK")
        assert bob.inbox[0].body == b"two"
        bob.respond(bob.hears("MESSAGE"), 603, "Decline")
        alice.response(200)
        alice.response(603)

    def test_more_than_can_wait(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        for number in range(40):
            write(call, f"{number}")
        statuses = [one.status for one in alice.inbox if not isinstance(one, Request)]
        assert statuses == [500] * 7
        assert len(bob.inbox) == 1

    def test_no_answer(self, office: Office) -> None:
        """The sender hears of it before it gives up itself (RFC 3261 §17.1.2.2: 64*T1)."""
        alice, bob, call, invite = established(office)
        write(call, "one")
        office.advance(5)
        write(call, "two")
        office.advance(12)
        alice.response(504)
        office.advance(5)
        alice.response(504)
        office.advance(20)
        assert not alice.inbox
        assert office.ended == []
        assert list(dict.fromkeys(message.body for message in bob.inbox)) == [b"one", b"two"]

    @pytest.mark.parametrize("hangs_up", ["sender", "reader"])
    def test_the_call_ends_meanwhile(self, office: Office, hangs_up: str) -> None:
        """RFC 3261 §15.1.2: pending requests are answered 487."""
        alice, bob, call, invite = established(office)
        write(call, "hello")
        bob.hears("MESSAGE")
        if hangs_up == "sender":
            call.bye()
        else:
            bob.within(invite, "BYE", 2)
        assert 487 in [one.status for one in alice.inbox if not isinstance(one, Request)]
        alice.inbox.clear()
        bob.inbox.clear()
        office.advance(80)
        office.assert_empty()

    def test_before_the_answer(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180, "Ringing")
        call.answer = alice.response(180)
        write(call, "hello")
        alice.response(403)
        assert not bob.inbox

    def test_to_a_service(self, office: Office) -> None:
        """Nobody reads it there."""
        alice = office.phone("100")
        call = alice.invite("*43")
        call.answered()
        call.ack()
        write(call, "hello")
        assert alice.response(415).get("Accept") == ""

    def test_after_a_transfer(self, office: Office) -> None:
        """To whom the party talks with now."""
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        call.request("REFER", 3, headers="Refer-To: <sip:102@192.0.2.1>")
        to_carol = carol.hears("INVITE")
        carol.respond(to_carol, 200, "OK", carol.sdp())
        bob.within(invite, "MESSAGE", 2, b"hello", PLAIN)
        texts: list[Request] = [
            one for one in carol.inbox if isinstance(one, Request) and one.method == "MESSAGE"
        ]
        assert [one.body for one in texts] == [b"hello"]
        assert texts[0].call_id == to_carol.call_id


def test_a_large_text_goes_by_tcp(office: Office) -> None:
    """RFC 3261 §18.1.1: as every request that is too large for a datagram."""
    alice, bob, call, _ = established(office)
    write(call, "x" * 3000)
    heard: list[Request] = [one for one in bob.inbox if isinstance(one, Request)]
    assert heard[0].via.transport == "TCP"


def test_phones_are_people(office: Office) -> None:
    """A phone that only asks for life isn't passed on."""
    alice, bob, call, _ = established(office)
    call.request("MESSAGE", 3)
    alice.response(200)
    assert not bob.inbox
