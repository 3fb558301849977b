"""Keys pressed before the answer, in early media, towards who hears of them by INFO."""

import pytest

from pbx.sip.message import Request, Response
from tests.call.office import Office, Phone
from tests.call.phone import Invite
from tests.call.telco import Telco, telco
from tests.call.test_conversion import sdp
from tests.call.test_info import RELAY, TAKES_INFO
from tests.call.test_line_keys import EVENTS, INFO, heard_of, press

RELIABLE = "Require: 100rel\nRSeq: 1"


@pytest.fixture
def office() -> Office:
    return Office()


def announced(
    office: Office, headers: str = TAKES_INFO, tag: str = "tt"
) -> tuple[Phone, Telco, Invite, Request]:
    """Alice hears the line's early media, which comes with these headers and this tag."""
    peer, alice = telco(office, INFO), office.phone("100")
    call = alice.invite("9030123", body=sdp(alice, EVENTS), headers=TAKES_INFO)
    invite = peer.hears("INVITE")
    peer.respond(invite, 183, "-", sdp(peer, "8"), headers, tag=tag)
    call.answer = alice.response(183)
    return alice, peer, call, invite


def answers(peer: Phone, invite: Request, tag: str = "tt") -> None:
    peer.respond(invite, 200, "OK", sdp(peer, "8"), TAKES_INFO, tag=tag)
    peer.hears("ACK")


def keys(peer: Phone) -> list[str]:
    """Which keys a peer is told of."""
    return [told.split(",")[0].removeprefix("Signal=") for told in heard_of(peer)]


def called(office: Office) -> tuple[Phone, Telco, Invite, Request]:
    """The line calls Alice; her INVITE, which names telephone-events under some number."""
    peer, alice = telco(office, INFO), office.phone("100")
    call = peer.calls("555", body=sdp(peer, "8"), headers=TAKES_INFO)
    peer.trying()
    return alice, peer, call, alice.hears("INVITE")


def alices(alice: Phone, invite: Request) -> bytes:
    """Her answer, with the events that she was offered."""
    line = next(one for one in invite.body.decode().splitlines() if "telephone-event" in one)
    return sdp(alice, f"8 {line.split()[0][9:]}", line)


class TestToTheCalledParty:
    def test_it_is_told_in_the_early_dialog(self, office: Office) -> None:
        alice, peer, call, invite = announced(office)
        press(office, alice, "1")
        info = peer.hears("INFO")
        assert (info.call_id, info.to.tag) == (invite.call_id, peer.tag)
        assert info.cseq.number == invite.cseq.number + 1
        assert info.body == b"Signal=1\r\nDuration=230\r\n"
        peer.respond(info, 200)
        answers(peer, invite)
        press(office, alice, "2")
        assert keys(peer) == ["2"]

    def test_a_key_by_info(self, office: Office) -> None:
        alice, peer, call, _ = announced(office)
        call.request("INFO", 3, b"Signal=1\r\nDuration=250\r\n", RELAY)
        alice.response(200)
        assert keys(peer) == ["1"]

    def test_the_answer_costs_no_key_and_repeats_none(self, office: Office) -> None:
        """The call is answered while one waits for its own answer."""
        alice, peer, _, invite = announced(office)
        press(office, alice, "1")
        first = peer.hears("INFO")
        press(office, alice, "2")
        answers(peer, invite)
        assert not peer.inbox
        peer.respond(first, 200)
        assert keys(peer) == ["2"]
        assert not peer.inbox

    def test_another_callee_that_answers_hears_what_is_meant_for_it(self, office: Office) -> None:
        alice, peer, _, invite = announced(office, tag="menu")
        press(office, alice, "1")
        peer.hears("INFO")
        press(office, alice, "2")
        answers(peer, invite, tag="person")
        assert not peer.inbox
        press(office, alice, "3")
        info = peer.hears("INFO")
        assert info.to.tag == f"person{peer.address.host}"
        assert info.body == b"Signal=3\r\nDuration=230\r\n"

    def test_who_is_heard_of_two(self, office: Office) -> None:
        """Two callees with early media behind one line: the later one's is heard."""
        alice, peer, _, invite = announced(office, tag="one")
        peer.respond(invite, 183, "-", sdp(peer, "8"), TAKES_INFO, tag="two")
        alice.inbox.clear()
        press(office, alice)
        assert peer.hears("INFO").to.tag == f"two{peer.address.host}"

    def test_without_a_dialog_it_waits_for_the_answer(self, office: Office) -> None:
        """A provisional response without a tag; no other key has to come."""
        alice, peer, _, invite = announced(office, tag="")
        press(office, alice, "1")
        press(office, alice, "2")
        assert not peer.inbox
        answers(peer, invite)
        first = peer.hears("INFO")
        assert first.body.startswith(b"Signal=1")
        peer.respond(first, 200)
        assert keys(peer) == ["2"]

    def test_a_prack_comes_first(self, office: Office) -> None:
        """Sent again behind the INFO it would be out of order, and that might end the call."""
        alice, peer, _, _ = announced(office, f"{TAKES_INFO}\n{RELIABLE}")
        prack = peer.hears("PRACK")
        press(office, alice, "1")
        assert not peer.inbox
        peer.respond(prack, 200)
        assert keys(peer) == ["1"]

    def test_who_says_that_it_takes_none_gets_none(self, office: Office) -> None:
        alice, peer, _, invite = announced(office, "Allow: INVITE, ACK, BYE, CANCEL")
        press(office, alice)
        peer.respond(invite, 200, "OK", sdp(peer, "8"))
        peer.hears("ACK")
        assert not peer.inbox

    @pytest.mark.parametrize("status", [404, 481, 500])
    def test_a_refused_key_ends_nothing(self, office: Office, status: int) -> None:
        alice, peer, call, invite = announced(office)
        press(office, alice, "1")
        peer.respond(peer.hears("INFO"), status)
        answers(peer, invite)
        assert isinstance(call.answered(), Response)
        press(office, alice, "2")
        assert keys(peer) == ["2"]
        assert office.ended == []

    def test_after_a_cancel_it_is_nobodys(self, office: Office) -> None:
        alice, peer, call, _ = announced(office)
        press(office, alice, "1")
        peer.hears("INFO")
        press(office, alice, "2")
        call.cancel()
        peer.respond(peer.hears("CANCEL"), 200)
        office.advance(33)
        assert [one for one in peer.inbox if b"Signal=2" in one.body] == []


class TestToTheCaller:
    def test_it_is_told_in_the_early_dialog(self, office: Office) -> None:
        alice, peer, call, invite = called(office)
        alice.respond(invite, 183, "-", alices(alice, invite))
        call.answer = peer.response(183)
        press(office, alice, "1")
        info = peer.hears("INFO")
        assert info.from_.tag == call.answer.to.tag
        peer.respond(info, 200)
        alice.respond(invite, 200, "OK", alices(alice, invite))
        alice.hears("ACK")
        call.answered()
        call.ack()
        press(office, alice, "2")
        assert keys(peer) == ["2"]

    def test_a_key_before_the_ack_waits_for_it_alone(self, office: Office) -> None:
        alice, peer, call, invite = called(office)
        alice.respond(invite, 200, "OK", alices(alice, invite))
        alice.hears("ACK")
        call.answered()
        press(office, alice, "1")
        assert not peer.inbox
        call.ack()
        assert keys(peer) == ["1"]
