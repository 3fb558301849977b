"""Calls by sips: TLS on each hop, to phones that have registered for it (RFC 5630)."""

from urllib.parse import quote

import pytest

from pbx.sip.flow import Address
from pbx.sip.message import Request, Response
from tests.call.office import Invite, Office, Phone, talking

NOT_ALLOWED = '380 minisipserver "SIPS Not Allowed"'


@pytest.fixture
def office() -> Office:
    return Office()


def secure(office: Office, number: str, scheme: str = "sips", *, stream: str = "tls") -> Phone:
    """Return a registered phone by TLS, whose URIs have that scheme."""
    address = Address(f"192.0.2.{int(number) - 90}", 5060)
    phone = Phone(office, number, address, int(number), stream=stream, scheme=scheme)
    office.phones[address] = phone
    phone.register()
    return phone


def scheme_of(message: Request) -> str:
    contacts = message.contacts
    assert isinstance(contacts, list)
    return str(contacts[0].uri).partition(":")[0]


class TestRfc5630Section5_3:
    """Which phones ring, and by which scheme."""

    @pytest.mark.parametrize("stream", ["tls", "wss"])
    def test_sips_to_sips(self, office: Office, stream: str) -> None:
        alice, bob = secure(office, "100"), secure(office, "101", stream=stream)
        call, invite = talking(alice, bob)
        assert invite.uri == "sips:101@192.0.2.11:5060"
        assert invite.via.transport == stream.upper()
        # §5.1.1, §5.1.2: all Contacts of the dialog, and TLS goes without saying
        assert scheme_of(invite) == "sips"
        assert "transport=tls" not in (invite.get("Contact") or "")
        assert call.answer is not None
        assert (call.answer.get("Contact") or "").startswith("<sips:101@192.0.2.1:")
        # §5.1.1.2: a target refresh keeps it
        call.reinvite(alice.sdp("sendonly"))
        assert scheme_of(bob.hears("INVITE")) == "sips"

    def test_only_the_phones_that_have_registered_by_sips(self, office: Office) -> None:
        alice, bob = secure(office, "100"), secure(office, "101")
        by_sip = office.phone("101", "192.0.2.77")
        alice.invite("101")
        bob.hears("INVITE")
        assert not by_sip.inbox

    @pytest.mark.parametrize("scheme", ["sip", ""])
    def test_a_phone_by_sip_is_not_called(self, office: Office, scheme: str) -> None:
        """Not even one that is there by TLS: it hasn't said that it wants such calls."""
        alice = secure(office, "100")
        bob = secure(office, "101", "sip") if scheme else office.phone("101")
        alice.invite("101")
        refusal = alice.response(480)
        assert refusal.get("Warning") == NOT_ALLOWED
        assert not bob.inbox
        assert office.cause() == ("NOT_REGISTERED", 20)

    def test_nobody_there_is_nobody_there(self, office: Office) -> None:
        alice = secure(office, "100")
        alice.invite("101")
        assert alice.response(480).get("Warning") is None

    @pytest.mark.parametrize("caller", ["udp", "tls"])
    def test_sip_to_a_phone_registered_by_sips(self, office: Office, caller: str) -> None:
        """The scheme is replaced, the connection is the same."""
        bob = secure(office, "101")
        alice = office.phone("100") if caller == "udp" else secure(office, "100", "sip")
        _, invite = talking(alice, bob)
        assert invite.uri == "sip:101@192.0.2.11:5060"
        assert invite.via.transport == "TLS"
        assert scheme_of(invite) == "sip"

    def test_a_call_that_is_forwarded_stays_secure(self, office: Office) -> None:
        alice, bob = secure(office, "100"), secure(office, "101")
        carol, dave = office.phone("102"), secure(office, "103")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 302, headers="Contact: <sip:102@192.0.2.1>")
        bob.hears("ACK")
        assert not carol.inbox
        call.ack_failure(alice.response(480))
        alice.inbox.clear()
        alice.invite("101", call_id="second")
        bob.respond(bob.hears("INVITE"), 302, headers="Contact: <sip:103@192.0.2.1>")
        bob.hears("ACK")
        assert dave.hears("INVITE").uri.startswith("sips:")

    def test_a_service_of_ours_is_secure_enough(self, office: Office) -> None:
        alice = secure(office, "100")
        call = alice.invite("*43")
        answer = call.answered()
        assert (answer.get("Contact") or "").startswith("<sips:")


class TestRfc5630Section5_1_2:
    """What we don't take by sips, and what contradicts itself."""

    @pytest.mark.parametrize("stream", ["udp", "tcp"])
    def test_without_tls(self, office: Office, stream: str) -> None:
        secure(office, "101")
        alice = office.phone("100", connection=9 if stream == "tcp" else 0)
        alice.request("INVITE", "sips:101@192.0.2.1", call_id="c", cseq=1, body=alice.sdp())
        alice.trying()
        assert alice.response(480).get("Warning") == NOT_ALLOWED

    @pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "PUBLISH"])
    def test_nothing_else_either(self, office: Office, method: str) -> None:
        alice = office.phone("100")
        headers = "Event: presence"
        alice.request(method, "sips:101@192.0.2.1", call_id="m", cseq=1, headers=headers)
        assert alice.response(480).get("Warning") == NOT_ALLOWED

    def test_a_sip_contact(self, office: Office) -> None:
        alice = secure(office, "100")
        alice.scheme = "sip"
        alice.request("INVITE", "sips:101@192.0.2.1", call_id="c", cseq=1, body=alice.sdp())
        alice.trying()
        alice.response(400)

    def test_options_tells_what_an_invite_would_get(self, office: Office) -> None:
        alice = secure(office, "100")
        office.phone("101")
        alice.request("OPTIONS", "sips:101@192.0.2.1", call_id="o", cseq=1)
        assert alice.response(480).status == 480
        secure(office, "102")
        alice.request("OPTIONS", "sips:102@192.0.2.1", call_id="o2", cseq=1)
        alice.response(200)


def written(phone: Phone, number: str, scheme: str = "sips") -> Response:
    """Send a text, and return its final response, which is there at once."""
    uri = f"{scheme}:{number}@192.0.2.1"
    kind = "Content-Type: text/plain"
    phone.request("MESSAGE", uri, call_id="m", cseq=1, body=b"hi", headers=kind, contact=False)
    auth = phone.authorized(phone.response(407), "MESSAGE", uri)
    headers = f"{kind}\n{auth}"
    phone.request("MESSAGE", uri, call_id="m", cseq=2, body=b"hi", headers=headers, contact=False)
    message = phone.inbox.popleft()
    assert isinstance(message, Response)
    return message


class TestTextsAndLamps:
    """§5: the same rules for MESSAGE, SUBSCRIBE and PUBLISH."""

    def test_a_text_goes_by_sips_to_a_phone_by_sips(self, office: Office) -> None:
        alice, bob = secure(office, "100"), secure(office, "101", stream="wss")
        other = office.phone("101", "192.0.2.77")
        uri = "sips:101@192.0.2.1"
        kind = "Content-Type: text/plain"
        alice.request("MESSAGE", uri, call_id="m", cseq=1, body=b"hi", headers=kind)
        auth = alice.authorized(alice.response(407), "MESSAGE", uri)
        alice.request("MESSAGE", uri, call_id="m", cseq=2, body=b"hi", headers=f"{kind}\n{auth}")
        text = bob.hears("MESSAGE")
        assert text.uri.startswith("sips:101@")
        assert text.via.transport == "WSS"
        bob.respond(text, 200)
        alice.response(200)
        assert not other.inbox

    def test_not_to_a_phone_by_sip(self, office: Office) -> None:
        alice, bob = secure(office, "100"), office.phone("101")
        refusal = written(alice, "101")
        assert (refusal.status, refusal.get("Warning")) == (480, NOT_ALLOWED)
        assert not bob.inbox

    def test_who_is_away_gets_it_by_sips_alone(self, office: Office) -> None:
        alice = secure(office, "100")
        assert written(alice, "101").status == 202
        by_sip = office.phone("101", "192.0.2.77")
        assert not by_sip.inbox
        bob = secure(office, "101")
        text = bob.hears("MESSAGE")
        assert text.uri.startswith("sips:")
        bob.respond(text, 200)
        assert not by_sip.inbox

    def test_one_that_waits_does_not_hold_others_up(self, office: Office) -> None:
        alice = secure(office, "100")
        assert written(alice, "101").status == 202
        carol = office.phone("102")
        assert written(carol, "101", "sip").status == 202
        bob = office.phone("101", "192.0.2.77")
        text = bob.hears("MESSAGE")
        assert text.uri.startswith("sip:")
        bob.respond(text, 200)
        assert not bob.inbox

    def test_over_a_restart(self, office: Office) -> None:
        alice = secure(office, "100")
        assert written(alice, "101").status == 202
        again = Office(kept=office.kept)
        again.restore()
        assert not again.phone("101", "192.0.2.77").inbox
        bob = secure(again, "101")
        assert bob.hears("MESSAGE").uri.startswith("sips:")

    def test_a_lamp_by_sips(self, office: Office) -> None:
        alice = secure(office, "100")
        uri, headers = "sips:101@192.0.2.1", "Event: dialog\nExpires: 600"
        alice.request("SUBSCRIBE", uri, call_id="s", cseq=1, headers=headers)
        auth = alice.authorized(alice.response(401), "SUBSCRIBE", uri)
        alice.request("SUBSCRIBE", uri, call_id="s", cseq=2, headers=f"{headers}\n{auth}")
        answer = alice.response(200)
        assert (answer.get("Contact") or "").startswith("<sips:101@")
        notify = alice.hears("NOTIFY")
        assert notify.uri.startswith("sips:100@")
        assert notify.via.transport == "TLS"
        assert (notify.get("Contact") or "").startswith("<sips:101@")


class TestRfc5630Section5_1_1_3:
    """Derived dialogs: no transfer and no pick-up makes a call by sips one by sip."""

    def refer(self, call: Invite, number: str, replaces: str = "") -> None:
        call.request("REFER", 3, headers=f"Refer-To: <sip:{number}@192.0.2.1{replaces}>")
        call.phone.response(202)

    def told(self, phone: Phone) -> bytes:
        """Return the last that NOTIFYs say, and answer them."""
        said = b""
        while phone.inbox:
            notify = phone.hears("NOTIFY")
            said = notify.body
            phone.respond(notify, 200)
        return said

    def test_blind_to_a_phone_by_sips(self, office: Office) -> None:
        alice, bob = secure(office, "100"), secure(office, "101")
        call, _ = talking(alice, bob)
        carol = secure(office, "102")
        self.refer(call, "102")
        assert carol.hears("INVITE").uri.startswith("sips:")

    def test_blind_to_one_by_sip(self, office: Office) -> None:
        alice, bob = secure(office, "100"), secure(office, "101")
        call, _ = talking(alice, bob)
        carol = office.phone("102")
        self.refer(call, "102")
        assert not carol.inbox
        assert self.told(alice).startswith(b"SIP/2.0 480 ")

    @pytest.mark.parametrize("answered", [True, False])
    def test_attended(self, office: Office, answered: bool) -> None:
        """Alice talks with bob by sips, and with carol by sip: they can't be left alone."""
        alice, bob = secure(office, "100"), secure(office, "101")
        call, _ = talking(alice, bob)
        carol = office.phone("102")
        alice.scheme = "sip"
        second = alice.invite("102", call_id="second")
        invite = carol.hears("INVITE")
        carol.respond(invite, 180)
        ringing = alice.response(180)
        if answered:
            carol.respond(invite, 200, "OK", carol.sdp())
            carol.hears("ACK")
            second.answered()
            second.ack()
        tags = f"second;to-tag={ringing.to.tag};from-tag={ringing.from_.tag}"
        self.refer(call, "102", f"?Replaces={quote(tags)}")
        assert self.told(alice).startswith(b"SIP/2.0 603 One Of Them Talks By sips Only")
        assert len(office.exchange.calls) == 2

    @pytest.mark.parametrize("scheme", ["sip", "sips"])
    def test_pick_up(self, office: Office, scheme: str) -> None:
        """Only by the scheme of the call that rings."""
        alice, bob = secure(office, "100", scheme), secure(office, "101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        alice.response(180)
        (name,) = office.exchange.calls
        replaces = f"Require: replaces\nReplaces: {name};to-tag=ringing;from-tag=calling"
        other = secure(office, "102", "sips" if scheme == "sip" else "sip")
        other.invite("101", call_id="other", headers=replaces)
        warning = other.response(480).get("Warning") or ""
        assert warning.startswith("380 " if scheme == "sip" else "381 ")
        same = secure(office, "103", scheme)
        same.invite("101", call_id="same", headers=replaces).answered()
