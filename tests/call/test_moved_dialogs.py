"""Who may lead a dialog to another path: the peer, which proves itself (RFC 3261 §22, RFC 5626 §5.3)."""

import pytest

from pbx.sip.flow import Address
from pbx.sip.message import Request, Response
from tests.call.chat import watch
from tests.call.office import HOME, Office, Phone, established

ELSEWHERE = Address("192.0.2.77", 5060)


@pytest.fixture
def office() -> Office:
    return Office()


def moved(office: Office, phone: Phone) -> Phone:
    """The same phone with another address: another network, or somebody who knows both tags."""
    other = office.phones[ELSEWHERE] = Phone(office, phone.number, ELSEWHERE)
    return other


def within(
    phone: Phone, answer: Response, call_id: str, method: str, cseq: int, more: str = ""
) -> str:
    """Send a request in the dialog that the user has begun by another address."""
    uri = f"sip:101@{HOME.host}"
    phone.request(method, uri, call_id=call_id, cseq=cseq, to=answer.get("To"), headers=more)
    return uri


class TestMoved:
    def test_a_stranger_is_challenged(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        stranger = moved(office, alice)
        assert call.answer is not None
        # Its number would make alice's own ones old
        within(stranger, call.answer, call.call_id, "OPTIONS", 4000)
        stranger.response(407)
        bob.within(invite, "INVITE", 2, bob.sdp("sendonly"))
        bob.response(100)
        assert alice.hears("INVITE")
        assert not stranger.inbox
        call.request("OPTIONS", 3)
        assert alice.response(200)

    @pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "MESSAGE", "REFER", "OPTIONS"])
    def test_each_method(self, office: Office, method: str) -> None:
        alice, bob, call, _ = established(office)
        stranger = moved(office, alice)
        assert call.answer is not None
        within(stranger, call.answer, call.call_id, method, 3)
        assert [one.status for one in stranger.inbox if isinstance(one, Response)] == [407]
        assert not bob.inbox

    def test_the_password_proves_it(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        there = moved(office, alice)
        assert call.answer is not None
        uri = within(there, call.answer, call.call_id, "OPTIONS", 3)
        auth = there.authorized(there.response(407), "OPTIONS", uri)
        within(there, call.answer, call.call_id, "OPTIONS", 4, auth)
        there.response(200)
        bob.within(invite, "BYE", 2)
        bob.response(200)
        # Its Contact is the old one: no target refresh has come
        assert isinstance(alice.hears("BYE"), Request)

    def test_a_re_invite_with_it_moves_the_call(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        there = moved(office, alice)
        assert call.answer is not None
        uri = f"sip:101@{HOME.host}"
        to = call.answer.get("To")
        there.request("INVITE", uri, call_id=call.call_id, cseq=3, to=to, body=there.sdp())
        auth = there.authorized(there.response(407), "INVITE", uri)
        there.request(
            "INVITE", uri, call_id=call.call_id, cseq=4, to=to, body=there.sdp(), headers=auth
        )
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        there.trying()
        there.response(200)
        there.request("ACK", uri, call_id=call.call_id, cseq=4, to=to)
        bob.hears("ACK")
        bob.within(invite, "BYE", 2)
        bob.response(200)
        there.hears("BYE")
        assert not alice.inbox

    def test_another_user_s_password(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        office.phone("102")
        stranger = office.phones[ELSEWHERE] = Phone(office, "102", ELSEWHERE)
        assert call.answer is not None
        uri = within(stranger, call.answer, call.call_id, "OPTIONS", 3)
        auth = stranger.authorized(stranger.response(407), "OPTIONS", uri)
        within(stranger, call.answer, call.call_id, "OPTIONS", 4, auth)
        stranger.response(403)

    def test_a_registered_path_is_known(self, office: Office) -> None:
        """It has shown the password there."""
        alice, bob, call, _ = established(office)
        there = office.phone("100", "192.0.2.77")
        assert call.answer is not None
        within(there, call.answer, call.call_id, "OPTIONS", 3)
        there.response(200)

    def test_the_called_party_s_side(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        stranger = moved(office, bob)
        stranger.within(invite, "INVITE", 2, stranger.sdp(), tag=bob.tag)
        stranger.response(407)
        call.request("INFO", 3)
        alice.response(200)
        assert not stranger.inbox

    def test_an_ack_moves_nothing(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        stranger = moved(office, alice)
        assert call.answer is not None
        within(stranger, call.answer, call.call_id, "ACK", 2)
        bob.within(invite, "BYE", 2)
        alice.hears("BYE")
        assert not stranger.inbox

    def test_who_has_gone_may_hang_up_from_anywhere(self, office: Office) -> None:
        """Nothing more goes to where a BYE comes from."""
        alice, bob, call, _ = established(office)
        there = moved(office, alice)
        assert call.answer is not None
        within(there, call.answer, call.call_id, "BYE", 3)
        there.response(200)
        bob.hears("BYE")

    def test_wrong_tags_are_no_dialog(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        stranger = moved(office, alice)
        assert call.answer is not None
        to = call.answer.get("To")
        uri = f"sip:101@{HOME.host}"
        stranger.request("OPTIONS", uri, call_id=call.call_id, cseq=3, to=to, from_tag="guess")
        stranger.response(481)


class TestSubscriptions:
    def test_a_stranger_does_not_get_the_state(self, office: Office) -> None:
        alice = office.phone("100")
        office.phone("101")
        lamp = watch(alice, "101")
        lamp.notified()
        lamp.phone = moved(office, alice)
        assert lamp.refresh().status == 401
        assert not lamp.phone.inbox
        lamp.phone = alice
        assert lamp.refresh(cseq=9).status == 200

    def test_the_password_proves_it(self, office: Office) -> None:
        alice = office.phone("100")
        office.phone("101")
        lamp = watch(alice, "101")
        lamp.notified()
        lamp.phone = moved(office, alice)
        auth = lamp.phone.authorized(lamp.refresh(), "SUBSCRIBE", lamp.uri)
        assert lamp.refresh(headers=auth).status == 200
        assert lamp.notified()
