"""What a phone says of itself and of others is not believed, and does nobody harm."""

from dataclasses import replace
from urllib.parse import quote

import msgspec
import pytest

from pbx.call.journal import CallState
from pbx.sdp.description import Direction
from pbx.sip.message import Request
from pbx.store.snapshot import Snapshot
from tests.call.chat import PIDF, final, request
from tests.call.office import HOME, Office, Phone, established
from tests.call.transferring import answers, connected, direction_of, to

LATIN_1 = "J\udcfcrgen"
"""A name as phones of the last century send it: no UTF-8."""


@pytest.fixture
def office() -> Office:
    return Office()


def nameless(office: Office) -> None:
    """The administrator has given no user a name: the phones' own count."""
    users = [replace(one, display_name="") for one in office.snapshot.users.values()]
    office.snapshot = Snapshot.of(2, users)


def named(phone: Phone, method: str, number: str, body: bytes, headers: str) -> str:
    """Send a request with the Latin-1 name, answering its challenge; return its Call-ID."""
    uri, auth = f"sip:{number}@{HOME.host}", ""
    for cseq in (1, 2):
        phone.send(
            f"{method} {uri} SIP/2.0\n"
            f"Via: SIP/2.0/UDP {phone.host}:5060;branch=z9hG4bK-{method}-{cseq};rport\n"
            "Max-Forwards: 70\n"
            f'From: "{LATIN_1}" <sip:{phone.number}@{HOME.host}>;tag=ft\n'
            f"To: <{uri}>\nCall-ID: named\nCSeq: {cseq} {method}\n{headers}{auth}",
            body,
        )
        if not auth:
            auth = "\n" + phone.authorized(final(phone), method, uri)
    return "named"


class TestNamesThatAreNoUtf8:
    def test_a_text_is_kept(self, office: Office) -> None:
        nameless(office)
        alice = office.phone("100")
        named(alice, "MESSAGE", "101", b"hi", "Content-Type: text/plain")
        assert final(alice).status == 202
        again = Office(kept=office.kept)
        bob = again.phone("101")
        again.restore()
        assert bob.hears("MESSAGE").from_.display_name == LATIN_1

    def test_a_call_outlasts_a_restart(self, office: Office) -> None:
        nameless(office)
        alice, bob = office.phone("100"), office.phone("101")
        named(alice, "INVITE", "101", alice.sdp(), f"Contact: {alice.contact}")
        invite = bob.hears("INVITE")
        assert invite.from_.display_name == LATIN_1
        bob.respond(invite, 200, "OK", bob.sdp())
        (call,) = office.exchange.calls.values()
        state = call.state()
        assert state is not None
        kept = msgspec.json.decode(msgspec.json.encode(state), type=CallState)
        assert kept == state


class TestSubscriptions:
    def test_long_call_ids_are_told_apart(self, office: Office) -> None:
        alice = office.phone("100")
        long = "c" * 200
        for number in ("1", "2"):
            request(alice, "SUBSCRIBE", "101", headers="Event: dialog", call_id=long + number)
        assert len(office.of_kind("subscription")) == 2


class TestPresence:
    def test_documents_with_thousands_of_parts(self, office: Office) -> None:
        """To tell their ids apart takes a time that grows with the square of their number."""
        alice, body = office.phone("100"), b'<a id="x"/>' * 1000
        document = b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="x">%b</presence>'
        headers = f"Event: presence\nContent-Type: {PIDF}"
        _, answer = request(alice, "PUBLISH", "100", document % body, headers)
        assert answer.status == 413


class TestTransfers:
    def test_a_line_break_in_the_number(self, office: Office) -> None:
        """It would stand in the call's record, and in the log."""
        alice, _, call, _ = established(office)
        for number in ("1%0D%0A02", "1%FF"):
            call.cseq += 1
            call.request("REFER", call.cseq, headers=to(number))
            alice.response(400)
        assert office.ended == []

    def test_nobody_transfers_in_the_name_of_another_one(self, office: Office) -> None:
        _, _, call, _ = established(office)
        carol = office.phone("102")
        boss = f'Refer-To: <sip:102@{HOME.host}>\nReferred-By: "Boss" <sip:103@{HOME.host}>'
        call.request("REFER", 4, headers=boss)
        assert carol.hears("INVITE").all("Referred-By") == [f"<sip:100@{HOME.host}>"]

    def test_who_is_hidden_stays_so(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        call = alice.invite("101", headers="Privacy: id")
        answers(bob, bob.hears("INVITE"))
        call.answered()
        call.ack()
        call.request("REFER", 4, headers=to("102"))
        invite = carol.hears("INVITE")
        assert [name for name, value in invite.headers if "100@" in value] == []

    @pytest.mark.parametrize("status", [200, 488, 491])
    def test_a_hold_that_is_answered_after_the_transfer(self, office: Office, status: int) -> None:
        """Bob has put alice on hold, and transfers her before she has answered that."""
        alice, bob, _, invited = established(office)
        carol = office.phone("102")
        second = bob.invite("102", call_id="second")
        answers(carol, carol.hears("INVITE"))
        answer = second.answered()
        second.ack()
        bob.within(invited, "INVITE", 2, bob.sdp("sendonly"))
        bob.response(100)
        hold = alice.hears("INVITE")
        replaces = quote(f"second;to-tag={answer.to.tag};from-tag=ft")
        bob.within(
            invited, "REFER", 3, headers=to("102", "").replace(">", f"?Replaces={replaces}>", 1)
        )
        alice.respond(hold, status, "-", alice.sdp("recvonly") if status == 200 else b"")
        offered = _agree(office, alice, carol)
        assert offered == {"100": Direction.SENDRECV, "102": Direction.SENDRECV}
        connected(office, alice, carol)


def _agree(office: Office, *phones: Phone) -> dict[str, Direction]:
    """Let phones take whatever they are offered; return what was the last of it, by number."""
    offered = {}
    for _ in range(10):
        for phone in phones:
            for message in list(phone.inbox):
                phone.inbox.remove(message)
                if isinstance(message, Request) and message.method == "INVITE":
                    offered[phone.number] = direction_of(message)
                    held = offered[phone.number] is Direction.SENDONLY
                    phone.respond(message, 200, "OK", phone.sdp("recvonly" if held else "sendrecv"))
        office.advance(1)
    return offered


class TestAnswers:
    @pytest.mark.parametrize("name", ["Allow", "Require", "Supported", "Session-Expires"])
    def test_a_header_field_that_cannot_be_read(self, office: Office, name: str) -> None:
        """It costs no call: ringing is told of, and the answer acknowledged."""
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing", headers=f'{name}: a"b')
        alice.response(180)
        bob.respond(invite, 200, "OK", bob.sdp(), headers=f'{name}: a"b')
        bob.hears("ACK")
        alice.response(200)

    def test_a_phone_that_always_wants_a_longer_session(self, office: Office) -> None:
        """RFC 4028 §7.3 has the INVITE sent again; not as often as it likes."""
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        asked = 0
        while bob.inbox:
            message = bob.inbox.popleft()
            assert isinstance(message, Request)
            if message.method == "INVITE":
                asked += 1
                bob.respond(message, 422, "Too Small", headers=f"Min-SE: {2000 + asked}")
        assert asked == 6
        alice.response(480)
        assert office.cause()[0] == "CALLEE_REJECTED"


class TestForwarding:
    def test_whom_it_goes_to_may_be_hidden(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        alice.invite("101")
        moved = f"Contact: <sip:102@{HOME.host}>"
        bob.respond(bob.hears("INVITE"), 302, "Moved", headers=moved, contact="")
        carol.respond(carol.hears("INVITE"), 200, "OK", carol.sdp(), headers="Privacy: id")
        alice.response(181)
        answer = alice.response(200)
        assert [name for name, value in answer.headers if "102@" in value] == []
