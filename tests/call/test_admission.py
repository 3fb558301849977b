"""Requests outside dialogs: RFC 3261 §8.2, §10.3, §11, §22."""

import pytest

from pbx.config.settings import SipSettings
from pbx.sip.flow import Address
from tests.call.office import HOME, Office, Phone, established


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100", register=False)


URI = f"sip:{HOME.host}"


class TestRfc3261Section22:
    """Authentication."""

    def test_a_phone_registers_and_unregisters(self, office: Office, alice: Phone) -> None:
        alice.register()
        assert len(office.bindings.of("100", office.now)) == 1
        alice.register(expires=0)
        assert office.bindings.of("100", office.now) == []

    def test_one_challenge_with_md5(self, alice: Phone) -> None:
        alice.request("REGISTER", URI, call_id="r", cseq=1, to=f"<sip:100@{HOME.host}>")
        challenges = alice.response(401).all("WWW-Authenticate")
        assert len(challenges) == 1
        assert "algorithm=MD5" in challenges[0]
        assert 'qop="auth"' in challenges[0]

    @pytest.mark.parametrize("number", ["100", "999"])
    def test_a_wrong_password_never_registers(self, office: Office, number: str) -> None:
        phone = Phone(office, number, Address("192.0.2.66", 5060))
        office.phones[phone.address] = phone
        to = f"<sip:{number}@{HOME.host}>"
        phone.request("REGISTER", URI, call_id="r", cseq=1, to=to)
        challenge = phone.response(401)
        phone.number = "wrong"
        auth = phone.authorized(challenge, "REGISTER", URI).replace('"wrong"', f'"{number}"')
        phone.number = number
        phone.request("REGISTER", URI, call_id="r", cseq=2, to=to, headers=auth)
        phone.response(401)
        assert office.bindings.of(number, office.now) == []

    def test_nobody_registers_anothers_number(self, office: Office, alice: Phone) -> None:
        to = f"<sip:101@{HOME.host}>"
        alice.request("REGISTER", URI, call_id="r", cseq=1, to=to)
        auth = alice.authorized(alice.response(401), "REGISTER", URI)
        alice.request("REGISTER", URI, call_id="r", cseq=2, to=to, headers=auth)
        alice.response(403)
        assert office.bindings.of("101", office.now) == []

    def test_nobody_calls_as_another(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        uri = f"sip:101@{HOME.host}"
        alice.number = "102"
        alice.request("INVITE", uri, call_id="c", cseq=1, body=alice.sdp())
        challenge = alice.response(407)
        alice.number = "100"
        auth = alice.authorized(challenge, "INVITE", uri)
        alice.number = "102"
        alice.request("INVITE", uri, call_id="c", cseq=2, body=alice.sdp(), headers=auth)
        alice.response(403)
        assert not bob.inbox

    def test_a_replayed_registration_is_challenged(self, office: Office, alice: Phone) -> None:
        to = f"<sip:100@{HOME.host}>"
        alice.request("REGISTER", URI, call_id="r", cseq=1, to=to)
        auth = alice.authorized(alice.response(401), "REGISTER", URI)
        alice.request("REGISTER", URI, call_id="r", cseq=2, to=to, headers=auth)
        alice.response(200)
        alice.request("REGISTER", URI, call_id="thief", cseq=2, to=to, headers=auth)
        assert "stale=true" in (alice.response(401).get("WWW-Authenticate") or "")

    def test_credentials_of_no_known_characters(self, alice: Phone) -> None:
        """Octets that are no UTF-8, in every place."""
        odd = "\udcff"
        alice.request(
            "REGISTER",
            URI,
            call_id="r",
            cseq=1,
            to=f"<sip:100@{HOME.host}>",
            headers=f'Authorization: Digest realm="minisipserver", username="{odd}", '
            f'nonce="{odd}.{odd}", uri="{URI}", response="{odd}", cnonce="{odd}"',
        )
        alice.response(401)

    def test_what_was_dialled_reaches_no_log_as_a_line_break(
        self, office: Office, caplog: pytest.LogCaptureFixture
    ) -> None:
        alice = office.phone("100")
        for dialed in ("1%0a%1b%ff", "1%ff:secret", "bob"):
            call = alice.invite(dialed, call_id=dialed)
            call.ack_failure(alice.response(404))
        heard = [facts.dialed_number for facts in office.ended]
        assert heard == ["1%0a%1b%ff", "1%ff", "bob"]
        assert all(record.getMessage().isprintable() for record in caplog.records)

    def test_who_has_no_number_is_nobody(self, alice: Phone) -> None:
        alice.send(
            "REGISTER sip:192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKz;rport\n"
            "Max-Forwards: 70\nFrom: <mailto:a@b>;tag=1\nTo: <mailto:a@b>\nCall-ID: n\n"
            "CSeq: 1 REGISTER"
        )
        # RFC 4475 §3.3.4: no address-of-record that a registrar could have
        alice.response(400)

    def test_broken_credentials(self, alice: Phone) -> None:
        alice.request(
            "REGISTER",
            URI,
            call_id="r",
            cseq=1,
            to=f"<sip:100@{HOME.host}>",
            headers='Authorization: Digest realm="minisipserver", nonce="x"',
        )
        alice.response(400)


class TestRfc3261Section8_2:
    """UAS behaviour common to all requests."""

    def test_an_ack_outside_a_dialog_is_nothing(self, alice: Phone) -> None:
        alice.request("ACK", URI, call_id="o", cseq=1)
        assert not alice.inbox

    def test_what_is_required_cannot_be_read(self, alice: Phone) -> None:
        alice.request("OPTIONS", URI, call_id="o", cseq=1, headers='Require: "unbalanced, x')
        alice.response(400)

    @pytest.mark.parametrize(("method", "status"), [("NOTIFY", 405), ("DANCE", 501)])
    def test_methods_that_are_not_served(self, alice: Phone, method: str, status: int) -> None:
        alice.request(method, URI, call_id="o", cseq=1)
        assert "INVITE" in alice.response(status).all("Allow")

    def test_an_unknown_scheme(self, alice: Phone) -> None:
        alice.request("OPTIONS", "soap.beep://x", call_id="o", cseq=1, to="<sip:x@y>")
        alice.response(416)

    def test_no_sips_without_tls(self, alice: Phone) -> None:
        alice.request("OPTIONS", "sips:192.0.2.1", call_id="o", cseq=1, to="<sip:x@y>")
        warning = alice.response(480).get("Warning")
        assert warning == '380 minisipserver "SIPS Not Allowed"'

    def test_an_extension_that_we_lack(self, alice: Phone) -> None:
        alice.request("OPTIONS", URI, call_id="o", cseq=1, headers="Require: 199, path, gin")
        assert alice.response(420).all("Unsupported") == ["199", "gin"]

    @pytest.mark.parametrize(
        ("headers", "says"),
        [("Content-Type: text/plain", "Accept"), ("Content-Encoding: gzip", "Accept-Encoding")],
    )
    def test_a_body_that_we_cannot_read(self, alice: Phone, headers: str, says: str) -> None:
        body = b"x" if "text" in headers else alice.sdp()
        extra = headers if "text" in headers else f"{headers}"
        alice.send(
            "INVITE sip:101@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKq;rport\n"
            "Max-Forwards: 70\nFrom: <sip:100@192.0.2.1>;tag=1\nTo: <sip:101@192.0.2.1>\n"
            f"Call-ID: b\nCSeq: 1 INVITE\nContact: <sip:100@192.0.2.10>\n{extra}"
            + ("\nContent-Length: 1\n\nx" if "text" in headers else ""),
            b"" if "text" in headers else body,
        )
        assert alice.response(415).get(says)

    def test_an_optional_body_does_no_harm(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        headers = "Content-Disposition: session;handling=optional"
        alice.invite("101", headers=headers)
        bob.hears("INVITE")

    def test_an_invite_without_contact(self, alice: Phone) -> None:
        alice.request("INVITE", "sip:101@192.0.2.1", call_id="c", cseq=1, contact=False)
        alice.response(400)

    def test_a_dialog_that_is_not_there(self, alice: Phone) -> None:
        alice.request("BYE", "sip:101@192.0.2.1", call_id="c", cseq=1, to="<sip:101@x>;tag=none")
        alice.response(481)
        alice.request("BYE", "sip:101@192.0.2.1", call_id="c", cseq=2)
        alice.response(481)

    def test_a_telephone_number_as_uri_is_dialled(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        uri = "tel:101;phone-context=home"
        alice.request("INVITE", uri, call_id="t", cseq=1, body=alice.sdp())
        auth = alice.authorized(alice.response(407), "INVITE", uri)
        alice.request("INVITE", uri, call_id="t", cseq=2, body=alice.sdp(), headers=auth)
        alice.response(100)
        bob.hears("INVITE")


class TestRfc3261Section10_3:
    def test_too_many_phones_of_a_user(self) -> None:
        office = Office(sip=SipSettings(max_contacts=1))
        alice = office.phone("100")
        other = office.phone("100", "192.0.2.50", register=False)
        to = f"<sip:100@{HOME.host}>"
        other.request("REGISTER", URI, call_id="r", cseq=1, to=to)
        auth = other.authorized(other.response(401), "REGISTER", URI)
        other.request("REGISTER", URI, call_id="r", cseq=2, to=to, headers=auth)
        assert other.response(403).reason == "Too Many Contacts"
        assert [one.uri for one in office.bindings.of("100", office.now)] == [
            alice.contact.strip("<>")
        ]

    def test_a_registration_again_is_the_same_phone(self, office: Office, alice: Phone) -> None:
        alice.register()
        alice.register()
        assert len(office.bindings.of("100", office.now)) == 1


class TestInDialog:
    def test_options_in_a_call(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        call.cseq += 1
        call.request("OPTIONS", call.cseq)
        alice.response(200)

    def test_a_method_that_is_not_served_in_a_call(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        call.cseq += 1
        call.request("SUBSCRIBE", call.cseq)
        alice.response(405)

    def test_a_request_out_of_order(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        call.request("OPTIONS", 1)
        alice.response(500)
