"""INVITEs that are refused before any phone rings, and those that nearly are: RFC 3261 §8.2, §21.4."""

import pytest

from tests.call.office import HOME, Office, Phone, established
from tests.call.phone import Invite


@pytest.fixture
def office() -> Office:
    return Office()


def call(
    phone: Phone, number: str, body: bytes | None = None, headers: str = "", hops: int = 70
) -> Invite:
    """Call a number with credentials; the answers lie in the phone's inbox."""
    uri = f"sip:{number}@{HOME.host}" if number else f"sip:{HOME.host}"
    offer = phone.sdp() if body is None else body
    phone.request(
        "INVITE", uri, call_id="c", cseq=1, body=offer, headers=headers, max_forwards=hops
    )
    auth = phone.authorized(phone.response(407), "INVITE", uri)
    branch = phone.request(
        "INVITE",
        uri,
        call_id="c",
        cseq=2,
        body=offer,
        headers=f"{headers}\n{auth}".strip(),
        max_forwards=hops,
    )
    return Invite(phone, uri, "c", branch)


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """A multipart body of (header, content)."""
    pieces = [f"--b1\r\n{head}\r\n\r\n".encode() + content for head, content in parts]
    return b"\r\n".join([*pieces, b"--b1--\r\n"])


PLACE = "Content-Type: application/pidf+xml\r\nContent-ID: <here@192.0.2.10>"


class TestRfc3261Section21_4_22:
    @pytest.mark.parametrize(
        ("dialed", "shown"), [("", ""), ("10", "10"), ("*4", "*4"), ("*6*", "*6*")]
    )
    def test_484(self, office: Office, dialed: str, shown: str) -> None:
        alice = office.phone("100")
        call(alice, dialed)
        assert "cause=28" in (alice.response(484).get("Reason") or "")
        assert office.cause() == ("NO_ROUTE", 28)
        assert office.ended[0].dialed_number == shown


class TestRfc3261Section16_3:
    def test_no_hop_is_left_to_a_phone(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call(alice, "101", hops=0)
        alice.response(483)
        assert office.cause() == ("REQUEST_UNUSABLE", 25)
        assert not bob.inbox

    def test_a_service_of_our_own_needs_none(self, office: Office) -> None:
        alice = office.phone("100")
        call(alice, "*43", hops=0)
        alice.response(200)

    def test_the_last_hop_is_one(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call(alice, "101", hops=1)
        assert bob.hears("INVITE").max_forwards == 0


class TestRfc3261Section20_29:
    """Proxy-Require: what is between the caller and the called phone has to know it."""

    @pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
    def test_420(self, office: Office, method: str) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.request(
            method, f"sip:101@{HOME.host}", call_id="c", cseq=1, body=alice.sdp(),
            headers="Proxy-Require: privacy, foo, Bar",
        )  # fmt: skip
        assert alice.response(420).get("Unsupported") == "foo, Bar"
        assert not bob.inbox

    def test_what_we_know(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call(alice, "101", headers="Proxy-Require: privacy\nPrivacy: id")
        alice.response(100)
        assert bob.hears("INVITE").get("Proxy-Require") is None

    def test_what_is_for_us_alone(self, office: Office) -> None:
        """§8.2.2: a UAS looks at Require only."""
        alice = office.phone("100")
        alice.register(headers="Proxy-Require: sec-agree")
        alice.request(
            "OPTIONS", f"sip:{HOME.host}", call_id="o", cseq=1, headers="Proxy-Require: foo"
        )
        alice.response(200)


class TestRfc3261Section20_33:
    """Retry-After reaches the caller with the status that it came with."""

    @pytest.mark.parametrize("status", [404, 480, 486, 500, 600, 603])
    def test_of_the_called_party(self, office: Office, status: int) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), status, "-", headers="Retry-After: 120;duration=60")
        bob.hears("ACK")
        assert alice.response(status).get("Retry-After") == "120;duration=60"

    def test_an_overloaded_phone_is_no_overloaded_exchange(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 503, "-", headers="Retry-After: 120")
        bob.hears("ACK")
        assert alice.response(500).get("Retry-After") is None


class TestRfc3261Section8_2_6_1:
    def test_the_timestamp_comes_back(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call(alice, "101", headers="Timestamp: 54.25")
        assert alice.response(100).get("Timestamp") == "54.25"
        bob.respond(bob.hears("INVITE"), 180)
        assert alice.response(180).get("Timestamp") is None


class TestRfc3261Section21_4_7:
    @pytest.mark.parametrize(
        "accept",
        ["text/nobodyKnowsThis", "", "application/sdp;q=0", "text/plain, application/sdp; q=0.00"],
    )
    def test_406(self, office: Office, accept: str) -> None:
        alice = office.phone("100")
        alice.request(
            "INVITE", f"sip:101@{HOME.host}", call_id="c", cseq=1, body=alice.sdp(),
            headers=f"Accept: {accept}",
        )  # fmt: skip
        alice.response(406)

    @pytest.mark.parametrize(
        "accept",
        ["application/sdp", "text/plain, Application/SDP ;level=1", "*/*", "application/*;q=0.1"],
    )
    def test_what_we_have(self, office: Office, accept: str) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call(alice, "101", headers=f"Accept: {accept}")
        alice.response(100)
        bob.hears("INVITE")

    def test_within_a_dialog(self, office: Office) -> None:
        alice, bob, going_on, _ = established(office)
        going_on.reinvite(alice.sdp(), "Accept: text/plain")
        alice.response(406)
        assert not bob.inbox
        assert not office.ended


class TestRfc5621Section4_2:
    def test_a_description_beside_a_place(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        body = multipart((PLACE, b"<presence/>"), ("Content-Type: application/sdp", alice.sdp()))
        call(alice, "101", body, "Content-Type: multipart/mixed; boundary=b1")
        alice.response(100)
        invite = bob.hears("INVITE")
        assert invite.get("Content-Type") == "application/sdp"
        assert b"m=audio" in invite.body
        bob.respond(invite, 200, "OK", bob.sdp())
        assert b"m=audio" in alice.response(200).body

    def test_an_answer_in_parts(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        going_on = call(alice, "101")
        alice.response(100)
        body = multipart(("Content-Type: application/sdp", bob.sdp()), ("X: y", b"hello"))
        bob.respond(
            bob.hears("INVITE"), 200, "OK", body, "Content-Type: multipart/mixed;boundary=b1"
        )
        assert b"m=audio" in going_on.answered().body
        bob.hears("ACK")

    def test_a_part_that_has_to_be_understood(self, office: Office) -> None:
        alice = office.phone("100")
        body = multipart(
            ("Content-Type: application/sdp", alice.sdp()),
            (
                "Content-Type: application/isup\r\nContent-Disposition: signal;handling=required",
                b"x",
            ),
        )
        headers = "Content-Type: multipart/mixed;boundary=b1"
        alice.request(
            "INVITE", f"sip:101@{HOME.host}", call_id="c", cseq=1, body=body, headers=headers
        )
        assert "multipart/mixed" in alice.response(415).all("Accept")

    def test_no_boundary(self, office: Office) -> None:
        alice = office.phone("100")
        alice.request(
            "INVITE", f"sip:101@{HOME.host}", call_id="c", cseq=1, body=b"x",
            headers="Content-Type: multipart/mixed",
        )  # fmt: skip
        alice.response(400)


class TestRfc3261Section21_4_28:
    def test_493(self, office: Office) -> None:
        alice = office.phone("100")
        headers = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data"
        alice.request(
            "INVITE", f"sip:101@{HOME.host}", call_id="c", cseq=1, body=b"0\x80", headers=headers
        )
        alice.response(493)


class TestRfc3261Section13_3_1_3:
    """A refused offer says why."""

    @pytest.mark.parametrize(
        ("number", "old", "new", "warning"),
        [
            ("101", "192.0.2.10\r\nt=", "224.1.1.1\r\nt=", '330 192.0.2.1 "Multicast media'),
            ("*43", "RTP/AVP 8 0 101", "RTP/AVP 3", '305 192.0.2.1 "Incompatible media format"'),
        ],
    )
    def test_488(self, office: Office, number: str, old: str, new: str, warning: str) -> None:
        alice = office.phone("100")
        office.phone("101")
        office.engine_ready(codecs=("PCMU", "PCMA", "telephone-event"))
        call(alice, number, alice.sdp().replace(old.encode(), new.encode()))
        while alice.inbox[0].start_line().startswith("SIP/2.0 100"):
            alice.inbox.popleft()
        response = alice.response(488)
        assert (response.get("Warning") or "").startswith(warning)

    def test_the_callees_refusal(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call(alice, "101")
        alice.response(100)
        bob.respond(bob.hears("INVITE"), 606, "Not Acceptable")
        assert (alice.response(606).get("Warning") or "").startswith("305 ")


class TestRfc3261Section17_2_1:
    """A 100 where nothing else is said at once."""

    def test_none_before_a_challenge(self, office: Office) -> None:
        alice = office.phone("100")
        alice.request("INVITE", f"sip:101@{HOME.host}", call_id="c", cseq=1, body=alice.sdp())
        alice.response(407)
        assert not alice.inbox

    def test_one_while_a_phone_is_asked(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call(alice, "101")
        alice.response(100)
        assert not alice.inbox
        bob.respond(bob.hears("INVITE"), 180)
        alice.response(180)


class TestRfc4475Section3_4_1:
    def test_a_caller_of_rfc_2543(self, office: Office) -> None:
        """No branch, no tag, no Contact, no Max-Forwards: it is called back by its From."""
        alice, bob = office.phone("100"), office.phone("101")
        text = (
            "{method} sip:101@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.10:5060\n"
            "From: <sip:100@192.0.2.10>\nTo: <sip:101@192.0.2.1>{tag}\nCall-ID: old\nCSeq: {cseq}"
        )
        alice.send(text.format(method="INVITE", cseq="1 INVITE", tag=""), alice.sdp())
        auth = alice.authorized(alice.response(407), "INVITE", "sip:101@192.0.2.1")
        again = text.format(method="INVITE", cseq="2 INVITE", tag="")
        alice.send(f"{again}\n{auth}", alice.sdp())
        alice.response(100)
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        tag = f";tag={alice.response(200).to.tag}"
        alice.send(text.format(method="ACK", cseq="2 ACK", tag=tag))
        assert office.exchange.hang_up(next(iter(office.exchange.calls)), office.now)
        office.pump()
        bye = alice.hears("BYE")
        assert bye.uri == "sip:100@192.0.2.10"
