"""Who is shown to whom, and what crosses the exchange (RFC 3323, RFC 3325, RFC 3841)."""

from dataclasses import replace

import pytest

from tests.call.office import HOME, Office, Phone

HIDDEN = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@pytest.fixture
def office() -> Office:
    return Office()


def call_as(phone: Phone, dialed: str, sender: str, headers: str = "") -> None:
    """Call with this From, answering the challenge; 100 Trying has been taken."""
    uri = f"sip:{dialed}@{HOME.host}"

    def send(cseq: int, more: str) -> None:
        head = "\n".join(
            [
                f"INVITE {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP {phone.address.host}:5060;branch=z9hG4bKanon{cseq};rport",
                "Max-Forwards: 70",
                f"From: {sender};tag=ft",
                f"To: <{uri}>",
                "Call-ID: anon",
                f"CSeq: {cseq} INVITE",
                f"Contact: {phone.contact}",
                more,
                headers,
            ]
        )
        phone.send("\n".join(line for line in head.split("\n") if line), phone.sdp())

    send(1, "")
    send(2, phone.authorized(phone.response(407), "INVITE", uri))
    phone.trying()


class TestTheCaller:
    def test_is_vouched_for(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", headers="P-Asserted-Identity: <sip:999@192.0.2.1>")
        invite = bob.hears("INVITE")
        assert str(invite.from_.without_param("tag")) == '"User 100" <sip:100@192.0.2.1>'
        assert invite.all("P-Asserted-Identity") == ['"User 100" <sip:100@192.0.2.1>']

    def test_who_hides_by_from(self, office: Office) -> None:
        """B17: it was refused 403, on every phone that hides its number."""
        alice, bob = office.phone("100"), office.phone("101")
        call_as(alice, "101", HIDDEN, "Subject: lunch\nAlert-Info: <urn:alert:source:internal>")
        invite = bob.hears("INVITE")
        assert str(invite.from_.without_param("tag")) == HIDDEN
        assert invite.get("P-Asserted-Identity") is None
        assert invite.get("Subject") is None
        assert invite.get("Alert-Info") == "<urn:alert:source:internal>"
        assert "100" not in invite.encode().decode().replace("100rel", "").partition("v=0")[0]
        bob.respond(invite, 486, "Busy Here")
        office.advance(40)
        # Its record knows it
        assert office.ended[0].caller_number == "100"

    @pytest.mark.parametrize("value", ["id", "user;critical", "header;session"])
    def test_who_hides_by_privacy(self, office: Office, value: str) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", headers=f"Privacy: {value}")
        invite = bob.hears("INVITE")
        assert str(invite.from_.without_param("tag")) == HIDDEN
        assert invite.get("P-Asserted-Identity") is None

    def test_privacy_that_cannot_be_had(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", headers="Privacy: cloak;critical")
        alice.response(500)
        assert not bob.inbox

    def test_another_number_is_still_refused(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call_as(alice, "101", "<sip:102@192.0.2.1>")
        alice.response(403)
        assert not bob.inbox

    def test_a_user_of_sha_256_may_hide(self) -> None:
        office = Office()
        user = office.snapshot.users["100"]
        users = [*office.snapshot.users.values()]
        users[users.index(user)] = replace(user, algorithm="SHA-256")
        office.snapshot = type(office.snapshot).of(2, users)
        alice, bob = office.phone("100"), office.phone("101")
        call_as(alice, "101", HIDDEN)
        assert str(bob.hears("INVITE").from_.without_param("tag")) == HIDDEN

    def test_its_own_requests_in_the_call(self, office: Office) -> None:
        """The hidden number doesn't come out in a later Contact either."""
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers="Privacy: id")
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        call.reinvite(alice.sdp("sendonly"))
        again = bob.hears("INVITE")
        assert again.contacts == invite.contacts
        assert str(again.contacts[0].uri) == "sip:anonymous@192.0.2.1:5060"  # type: ignore[index]


class TestTheCalledParty:
    def test_is_vouched_for(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        who = '"User 101" <sip:101@192.0.2.1>'
        assert alice.response(180).all("P-Asserted-Identity") == [who]
        bob.respond(invite, 200, "OK", bob.sdp(), headers="P-Asserted-Identity: <sip:9@x>")
        assert call.answered().all("P-Asserted-Identity") == [who]

    def test_may_hide_too(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp(), headers="Privacy: id\nReply-To: <sip:b@x>")
        answer = call.answered()
        assert answer.get("P-Asserted-Identity") is None
        assert answer.get("Reply-To") is None


class TestHeadersThatCross:
    def test_of_the_invitation(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        crossing = [
            "Subject: lunch",
            "Priority: urgent",
            "Alert-Info: <http://192.0.2.1/ring.wav>;info=external",
            "Call-Info: <sip:192.0.2.1>;answer-after=0",
            'Accept-Contact: *;methods="INVITE";class="business"',
            "Date: Sun, 29 Nov 2026 15:00:00 GMT",
            "Reply-To: <sip:boss@192.0.2.1>",
            "Reject-Contact: *;automata",
            "Request-Disposition: no-fork, parallel",
            "User-to-User: 56a390f3d2b7310023a2;encoding=hex",
        ]
        staying = ["X-Mine: 1", "Proxy-Require: privacy", "Organization: Us"]
        alice.invite("101", headers="\n".join([*crossing, *staying]))
        invite = bob.hears("INVITE")
        for line in crossing:
            name, _, value = line.partition(": ")
            assert invite.get(name) == value
        assert invite.get("X-Mine") is None
        assert invite.get("Proxy-Require") is None
        assert invite.get("Organization") == "Us"

    @pytest.mark.parametrize(
        ("status", "reason"), [(181, "Call Is Being Forwarded"), (182, "Queued, 2 ahead")]
    )
    def test_where_the_call_stands(self, office: Office, status: int, reason: str) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, status, reason)
        assert alice.response(status).reason == reason
        bob.respond(invite, 180, "Ringing", headers="Alert-Info: <urn:alert:tone:x>")
        ringing = alice.response(180)
        assert ringing.get("Alert-Info") == "<urn:alert:tone:x>"

    def test_of_a_refusal(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        headers = 'Retry-After: 120 (meeting)\nWarning: 399 bob "in a meeting"\nServer: x'
        bob.respond(bob.hears("INVITE"), 486, "Busy Here", headers=headers)
        bob.hears("ACK")
        refusal = alice.response(486)
        assert refusal.get("Retry-After") == "120 (meeting)"
        assert refusal.get("Warning") == '399 bob "in a meeting"'
        assert refusal.get("Server") == "office"

    def test_retry_after_of_another_status(self, office: Office) -> None:
        """A phone's 503 becomes a 500, which says nothing of when we will serve again."""
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 503, "No", headers="Retry-After: 120")
        bob.hears("ACK")
        assert alice.response(500).get("Retry-After") is None
