"""What ETSI TS 102 027-2 asks of the called side (CC_TE, QC_TE) and no other test shows."""

import pytest

from pbx.sip.flow import Flow
from pbx.sip.message import Response
from tests.call.office import HOME, Office, Phone, established, talking

CALLED = f"sip:101@{HOME.host}"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


@pytest.fixture
def bob(office: Office) -> Phone:
    return office.phone("101")


class TestRfc3261Section8_2:
    def test_the_order_of_the_checks(self, alice: Phone) -> None:
        """Method, scheme, extensions, body: what is wrong first is told first."""
        require = "Require: gin"
        alice.request("DANCE", "soap:x", call_id="a", cseq=1, to="<sip:x@y>", headers=require)
        alice.response(501)
        alice.request("INVITE", "soap:x", call_id="b", cseq=1, to="<sip:x@y>", headers=require)
        alice.response(416)
        alice.request(
            "INVITE", CALLED, call_id="c", cseq=1, body=b"x",
            headers=f"{require}\nContent-Type: text/plain",
        )  # fmt: skip
        alice.response(420)

    @pytest.mark.parametrize(
        "to",
        [
            "<sip:999@elsewhere.example>",
            "<tel:+15551234>",
            "<isbn:2983792873>",
            "<http://www.example.com>",
            "sip:101@192.0.2.1:5060",
        ],
    )
    def test_to_may_be_anybody(self, alice: Phone, bob: Phone, to: str) -> None:
        alice.request("INVITE", CALLED, call_id="c", cseq=1, to=to, body=alice.sdp())
        auth = alice.authorized(alice.response(407), "INVITE", CALLED)
        alice.request("INVITE", CALLED, call_id="c", cseq=2, to=to, body=alice.sdp(), headers=auth)
        alice.response(100)
        bob.respond(bob.hears("INVITE"), 180)
        assert (alice.response(180).get("To") or "").startswith(to)


class TestRfc3261Section8_2_2_3:
    """What a CANCEL, or the ACK of a refusal, requires is nothing that it could be refused for."""

    @pytest.mark.parametrize("name", ["Require", "Proxy-Require"])
    def test_in_a_cancel(self, office: Office, alice: Phone, bob: Phone, name: str) -> None:
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        alice.response(180)
        call.cancel(f"{name}: gin")
        alice.response(200)
        alice.response(487)
        bob.hears("CANCEL")

    @pytest.mark.parametrize("name", ["Require", "Proxy-Require", "Subject"])
    def test_in_an_ack(self, office: Office, alice: Phone, name: str) -> None:
        branch = alice.request("INVITE", CALLED, call_id="c", cseq=1, headers="Require: gin")
        refusal = alice.response(420)
        alice.request(
            "ACK", CALLED, call_id="c", cseq=1, to=refusal.get("To"), branch=branch,
            headers=f"{name}: gin",
        )  # fmt: skip
        # The refusal isn't repeated any more
        office.advance(40)
        assert not alice.inbox
        assert office.endpoint.transaction_count == 0


class TestRfc3261Section8_2_6_1:
    @pytest.mark.parametrize("method", ["BYE", "OPTIONS", "INFO", "UPDATE"])
    def test_no_provisional_response(self, office: Office, method: str) -> None:
        alice, _, call, _ = established(office)
        call.cseq += 1
        call.request(method, call.cseq)
        answer = alice.inbox.popleft()
        assert isinstance(answer, Response)
        assert answer.status >= 200


class TestRfc3261Section12_1_1:
    def test_a_2xx(self, office: Office, alice: Phone, bob: Phone) -> None:
        """What it carries, and what it has in common with the provisional responses before it."""
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        ringing = alice.response(180)
        bob.respond(invite, 200, "OK", bob.sdp())
        answer = call.answered()
        for response in (ringing, answer):
            assert response.all("Contact") == [f"<sip:101@{HOME}>"]
            assert {"INVITE", "ACK", "CANCEL", "BYE"} <= set(response.all("Allow"))
            assert response.get("Require") is None
            assert response.get("Content-Encoding") is None
        assert ringing.to.tag == answer.to.tag != ""
        assert "timer" in answer.all("Supported")
        assert answer.get("Content-Type") == "application/sdp"
        call.ack()
        call.bye()
        assert alice.response(200).to.tag == answer.to.tag

    def test_a_caller_without_a_tag(self, office: Office, alice: Phone, bob: Phone) -> None:
        """§12.1.1: "the tag is considered to have a value of null"."""

        def send(method: str, cseq: int, to: str, branch: str, more: str = "") -> None:
            alice.send(
                f"{method} {CALLED} SIP/2.0\n"
                f"Via: SIP/2.0/UDP {alice.host}:5060;branch=z9hG4bK{branch};rport\n"
                f"Max-Forwards: 70\nFrom: <sip:100@{HOME.host}>\nTo: {to}\n"
                f"Call-ID: old\nCSeq: {cseq} {method}\nContact: {alice.contact}{more}",
                alice.sdp() if method == "INVITE" else b"",
            )

        to = f"<{CALLED}>"
        send("INVITE", 1, to, "1")
        challenge = alice.response(407)
        send("ACK", 1, str(challenge.get("To")), "1")
        auth = alice.authorized(challenge, "INVITE", CALLED)
        send("INVITE", 2, to, "2", f"\n{auth}")
        alice.response(100)
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        answer = alice.response(200)
        assert answer.from_.tag is None
        send("ACK", 2, str(answer.get("To")), "3")
        office.advance(60)
        assert not alice.inbox
        bob.request("BYE", f"sip:100@{HOME}", call_id="none", cseq=1, to="<sip:x@y>;tag=none")
        bob.response(481)
        send("BYE", 3, str(answer.get("To")), "4")
        alice.response(200)
        bob.hears("BYE")

    def test_who_we_are_is_one_word(self, office: Office, alice: Phone) -> None:
        alice.request("OPTIONS", f"sip:{HOME.host}", call_id="o", cseq=1)
        assert alice.response(200).get("Server") == "office"


class TestRfc3261Section12_2_2:
    @pytest.mark.parametrize(
        "method", ["INVITE", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER", "MESSAGE"]
    )
    def test_a_strange_dialog(self, office: Office, method: str) -> None:
        """A To tag that nobody gave: 481, and the call that there is goes on."""
        alice, bob, call, _ = established(office)
        to = f"<{CALLED}>;tag=nobodys"
        alice.request(method, f"sip:101@{HOME}", call_id=call.call_id, cseq=9, to=to)
        alice.response(481)
        alice.request(method, f"sip:101@{HOME}", call_id="strange", cseq=9, to=to)
        alice.response(481)
        assert not bob.inbox
        assert not office.ended

    def test_a_number_may_leap(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.request("OPTIONS", 1000)
        alice.response(200)
        call.cseq = 1000
        call.bye()
        alice.response(200)
        bob.hears("BYE")


class TestRfc3261Section15_1_2:
    def test_a_bye_out_of_order(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.request("BYE", 1)
        alice.response(500)
        assert not bob.inbox
        assert not office.ended
        call.bye()
        alice.response(200)

    def test_a_change_that_is_pending(self, office: Office) -> None:
        """§15.1.2: "The UAS MUST still respond to any pending requests", with a 487."""
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        bob.hears("INVITE")
        call.bye()
        answers = [alice.inbox.popleft() for _ in range(2)]
        assert {(one.cseq.method, one.status) for one in answers if isinstance(one, Response)} == {
            ("BYE", 200),
            ("INVITE", 487),
        }


class TestRfc3261Section21_4_1:
    @pytest.mark.parametrize(
        ("good", "bad", "phrase"),
        [
            ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE", "CSeq method isn't the request's"),
            ("CSeq: 1 OPTIONS", "CSeq: 99999999999 OPTIONS", "CSeq number out of range"),
            ("Max-Forwards: 70", "Max-Forwards: 256", "Bad Max-Forwards"),
            ("\nCall-ID: o", "", "Missing Call-ID"),
            ("\nTo: <sip:101@192.0.2.1>", "", "Missing To"),
            ("sip:192.0.2.1 ", "sip:@192.0.2.1 ", "Bad URI"),
        ],
    )
    def test_the_phrase_says_what_is_wrong(
        self, office: Office, alice: Phone, good: str, bad: str, phrase: str
    ) -> None:
        heard: list[bytes] = []
        office.wire = lambda data: heard.append(data) or 1  # type: ignore[func-returns-value]
        text = (
            f"OPTIONS sip:{HOME.host} SIP/2.0\nVia: SIP/2.0/UDP {alice.host};branch=z9hG4bKm\n"
            "Max-Forwards: 70\nFrom: <sip:100@192.0.2.1>;tag=1\nTo: <sip:101@192.0.2.1>\n"
            "Call-ID: o\nCSeq: 1 OPTIONS"
        )
        office.phones[alice.address] = _Nobody()
        alice.send(text.replace(good, bad))
        assert heard[-1].startswith(f"SIP/2.0 400 {phrase}\r\n".encode())


class _Nobody:
    """Who can't read what comes: a message lacks what every message has."""

    def deliver(self, data: bytes, flow: Flow) -> None:
        pass


class TestRfc3261Section22:
    def test_a_call_is_challenged_by_407(self, alice: Phone) -> None:
        alice.request("INVITE", CALLED, call_id="c", cseq=1, body=alice.sdp())
        answer = alice.response(407)
        assert answer.get("Proxy-Authenticate")
        assert answer.get("WWW-Authenticate") is None

    def test_ack_and_cancel_are_never_challenged(
        self, office: Office, alice: Phone, bob: Phone
    ) -> None:
        """None of them carries credentials."""
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        alice.response(180)
        call.cancel()
        alice.response(200)
        refused = alice.response(487)
        call.ack_failure(refused)
        bob.inbox.clear()
        talking(alice, bob)
        office.advance(5)
        # The 2xx isn't repeated: its ACK has counted
        assert not alice.inbox
