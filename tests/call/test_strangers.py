"""What strangers are told, once (RFC 3261 §26.3.2.4, §8.2.7): who they claim to be may be a victim."""

from collections import Counter

import pytest

from pbx.sip.message import Response
from pbx.sip.open_requests import MOST_OF_A_STRANGER
from tests.call.office import HOME, Invite, Office, Phone, established, talking
from tests.call.telco import TRUNK
from tests.call.test_moved_dialogs import moved, within

SERVER = f"sip:{HOME.host}"
BOB = f"sip:101@{HOME.host}"
LONG_S = 64.0


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def stranger(office: Office) -> Phone:
    return office.phone("100", "198.51.100.66", register=False)


def statuses(phone: Phone) -> list[int]:
    """Take what it has heard: responses alone."""
    heard = list(phone.inbox)
    phone.inbox.clear()
    assert all(isinstance(one, Response) for one in heard)
    return [one.status for one in heard if isinstance(one, Response)]


class TestRfc3261Section26_3_2_4:
    @pytest.mark.parametrize(
        ("method", "uri", "headers", "status"),
        [
            ("INVITE", BOB, "", 407),
            ("INVITE", BOB, "Proxy-Authorization: Digest x", 400),
            ("INVITE", BOB, "Require: magic", 420),
            ("INVITE", BOB, "Content-Encoding: gzip", 415),
            ("INVITE", "http://example.org", "", 416),
            ("INVITE", BOB, "Supported: timer\nSession-Expires: 10", 422),
            ("REGISTER", SERVER, "", 401),
            ("SUBSCRIBE", BOB, "Event: presence", 401),
            ("SUBSCRIBE", BOB, "Event: presence\nAccept: text/plain", 406),
            ("SUBSCRIBE", BOB, "Event: presence\nExpires: 1", 423),
            ("SUBSCRIBE", BOB, "Event: presence\nExpires: x", 400),
            ("SUBSCRIBE", BOB, "Event: refer", 403),
            ("SUBSCRIBE", BOB, "Event: x", 489),
            ("MESSAGE", BOB, "", 407),
            ("REFER", BOB, "Refer-To: <sip:102@192.0.2.1>", 407),
            ("OPTIONS", BOB, "", 407),
            ("OPTIONS", SERVER, "", 200),
            ("DANCE", SERVER, "", 501),
            ("BYE", BOB, "", 481),
            ("CANCEL", BOB, "", 481),
        ],
    )
    def test_each_is_told_once_and_forgotten(
        self, office: Office, stranger: Phone, method: str, uri: str, headers: str, status: int
    ) -> None:
        body = stranger.sdp() if method == "INVITE" else b""
        for _ in range(2):
            stranger.request(
                method, uri, call_id="c", cseq=1, body=body, headers=headers, branch="z9hG4bKone"
            )
            assert statuses(stranger) == [status]
            assert office.endpoint.transaction_count == 0
        office.advance(LONG_S)
        assert statuses(stranger) == []
        office.assert_empty()

    def test_in_no_dialog_that_there_is(self, office: Office, stranger: Phone) -> None:
        stranger.request("INVITE", BOB, call_id="c", cseq=2, to=f"<{BOB}>;tag=x")
        office.advance(LONG_S)
        assert statuses(stranger) == [481]
        office.assert_empty()

    def test_in_a_call_by_another_path(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        assert call.answer is not None
        stranger = moved(office, alice)
        for _ in range(2):
            within(stranger, call.answer, call.call_id, "INVITE", 3)
        office.advance(20)
        assert statuses(stranger) == [407, 407]
        call.bye()
        assert alice.response(200)

    def test_a_wrong_password(self, office: Office, stranger: Phone) -> None:
        stranger.request("INVITE", BOB, call_id="c", cseq=1, body=stranger.sdp())
        auth = stranger.authorized(stranger.response(407), "INVITE", BOB)
        wrong = auth.replace("nc=00000001", "nc=00000002")
        stranger.request("INVITE", BOB, call_id="c", cseq=2, body=stranger.sdp(), headers=wrong)
        office.advance(LONG_S)
        assert statuses(stranger) == [407]
        office.assert_empty()

    def test_the_ack_is_swallowed_and_the_call_is_made(self, office: Office) -> None:
        """The first challenge is lost, the second one comes twice."""
        alice, bob = office.phone("100"), office.phone("101")
        branch = alice.request("INVITE", BOB, call_id="c", cseq=1, body=alice.sdp())
        alice.response(407)
        for _ in range(2):
            alice.request("INVITE", BOB, call_id="c", cseq=1, body=alice.sdp(), branch=branch)
        first, second = alice.response(407), alice.response(407)
        assert first.get("To") == second.get("To")
        for challenge in (first, second):
            to = challenge.get("To")
            alice.request("ACK", BOB, call_id="c", cseq=1, to=to, branch=branch)
        assert not alice.inbox
        auth = alice.authorized(first, "INVITE", BOB)
        alice.request("INVITE", BOB, call_id="c", cseq=2, body=alice.sdp(), headers=auth)
        assert alice.response(100)
        assert bob.hears("INVITE")
        assert not bob.inbox

    def test_who_has_logged_in_is_told_until_it_acknowledges(self, office: Office) -> None:
        """Its credentials are good for one time, so the INVITE can't come again."""
        alice = office.phone("100")
        call = alice.invite("999")
        refusal = alice.response(404)
        office.advance(0.5)
        assert statuses(alice) == [404]
        call.ack_failure(refusal)
        office.advance(LONG_S)
        assert statuses(alice) == []
        office.assert_empty()


class TestFlood:
    """Whom the exchange has room for."""

    def options(self, call: Invite, phone: Phone, count: int) -> Counter[int]:
        """Send so many keep-alives within a call; return what they were answered."""
        for _ in range(count):
            call.cseq += 1
            call.request("OPTIONS", call.cseq)
        return Counter(statuses(phone))

    def test_who_has_registered(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        assert self.options(call, alice, 300) == {200: 300}

    def test_who_has_not(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        alice.register(expires=0)
        # Its password is forgotten with its last request
        office.advance(40)
        told = self.options(call, alice, 300)
        assert set(told) == {200, 503}
        assert told[200] == MOST_OF_A_STRANGER
        office.advance(32)
        alice.register()
        assert self.options(call, alice, 300) == {200: 300}

    def test_who_has_shown_a_password(self, office: Office) -> None:
        """A dialler that calls, but is no phone."""
        dialler = office.phone("100", "198.51.100.77", register=False)
        call, _ = talking(dialler, office.phone("101"))
        assert self.options(call, dialler, 300) == {200: 300}

    def test_a_line(self, office: Office) -> None:
        """Its calls are refused for want of a number, until it acknowledges that."""
        office.configure(TRUNK)
        carrier = office.phone("200", TRUNK.server, register=False)
        for number in range(2 * MOST_OF_A_STRANGER):
            carrier.request("INVITE", f"sip:999@{HOME.host}", call_id=f"c{number}", cseq=1)
        assert set(statuses(carrier)) == {404}
        assert office.endpoint.transaction_count == 2 * MOST_OF_A_STRANGER

    @pytest.mark.parametrize(
        "method", ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "CANCEL", "BYE"]
    )
    def test_a_strangers_requests_leave_nothing(
        self, office: Office, stranger: Phone, method: str
    ) -> None:
        for number in range(2000):
            stranger.request(method, BOB, call_id=f"c{number}", cseq=1)
        assert office.endpoint.transaction_count == 0
        assert len(statuses(stranger)) == 2000
        office.assert_empty()
