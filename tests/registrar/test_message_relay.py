"""Texts between users, for absent ones too (RFC 3428)."""

import pytest

from pbx.config.settings import MessageSettings
from pbx.sip.message import Response
from tests.call.chat import reads, request, write
from tests.call.office import HOME, Office, Phone


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


def status(phone: Phone) -> int:
    answer = phone.inbox.popleft()
    assert isinstance(answer, Response), answer.start_line()
    return answer.status


def spoken(phone: Phone, headers: str) -> None:
    """Send a text to 101 whose headers, but for those that tell whose it is, are these."""
    uri = f"sip:101@{HOME.host}"
    phone.request("MESSAGE", uri, call_id="k", cseq=1, contact=False)
    auth = phone.authorized(phone.response(407), "MESSAGE", uri)
    phone.send(
        f"MESSAGE {uri} SIP/2.0\n"
        f"Via: SIP/2.0/UDP {phone.address.host}:5060;branch=z9hG4bKk;rport\n"
        f"From: <sip:{phone.number}@{HOME.host}>;tag=ft\nTo: <{uri}>\nCall-ID: k\n"
        f"CSeq: 2 MESSAGE\n{auth}\n{headers}",
        b"x",
    )


def again(office: Office) -> Office:
    """The exchange after a restart, on the same data and at the same time."""
    fresh = Office(kept=office.kept)
    fresh.now = office.now
    fresh.restore()
    return fresh


class TestRfc3428Section6:
    def test_a_text_reaches_the_phone(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "Tea at four? 茶")
        message = bob.hears("MESSAGE")
        assert message.body.decode() == "Tea at four? 茶"
        assert message.get("Content-Type") == "text/plain"
        assert str(message.from_.uri) == f"sip:100@{HOME.host}"
        assert message.from_.display_name == "User 100"
        assert str(message.to.uri) == f"sip:101@{HOME.host}"
        # §4: no Contact
        assert message.get("Contact") is None
        bob.respond(message, 200, "OK")
        alice.response(200)
        assert office.kept == {}
        assert office.endpoint.transaction_count > 0
        office.advance(60)
        assert office.endpoint.transaction_count == 0

    def test_what_describes_it_crosses_and_nothing_else(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "x", "Subject: Tea\nDate: Sun, 29 Nov 2026 12:00:00 GMT\nX-Secret: 1")
        message = bob.hears("MESSAGE")
        assert message.get("Subject") == "Tea"
        assert message.get("Date") == "Sun, 29 Nov 2026 12:00:00 GMT"
        assert message.get("X-Secret") is None
        assert message.get("Proxy-Authorization") is None

    def test_a_sender_who_is_not_to_be_known(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "guess who", "Privacy: id")
        message = bob.hears("MESSAGE")
        assert b"User 100" not in message.encode()
        assert b"sip:100@" not in message.encode()
        assert str(message.from_.uri) == "sip:anonymous@anonymous.invalid"
        assert message.get("P-Asserted-Identity") is None

    def test_it_gets_its_date(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        office.now = 1000.0
        write(alice, "101", "x")
        assert bob.hears("MESSAGE").get("Date") == "Tue, 14 Nov 2023 22:13:20 GMT"

    def test_every_phone_of_the_user_gets_it(self, office: Office, alice: Phone) -> None:
        desk, mobile = office.phone("101"), office.phone("101", "192.0.2.50")
        write(alice, "101", "both")
        assert reads(mobile) == "both"
        alice.response(200)
        assert reads(desk) == "both"
        assert not alice.inbox

    def test_the_phones_refusal_is_the_senders(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "x")
        reads(bob, 415)
        alice.response(415)
        assert office.kept == {}
        write(alice, "101", "y")
        assert reads(bob) == "y"
        alice.response(200)

    @pytest.mark.parametrize("status", [302, 401, 407])
    def test_what_is_between_the_phone_and_us(
        self, office: Office, alice: Phone, status: int
    ) -> None:
        bob = office.phone("101")
        write(alice, "101", "x")
        reads(bob, status)
        alice.response(480)

    def test_one_after_the_other(self, office: Office, alice: Phone) -> None:
        bob, carol = office.phone("101"), office.phone("102")
        write(alice, "101", "one")
        write(carol, "101", "two")
        assert reads(bob) == "one"
        assert reads(bob) == "two"
        alice.response(200)
        carol.response(200)


class TestRefused:
    def test_nobody_of_that_number(self, alice: Phone) -> None:
        write(alice, "555", "x")
        alice.response(404)

    def test_as_another(self, office: Office, alice: Phone) -> None:
        liar = office.phone("101")
        uri = f"sip:102@{HOME.host}"
        headers = "Content-Type: text/plain"
        liar.request("MESSAGE", uri, call_id="l", cseq=1, body=b"x", headers=headers, contact=False)
        auth = liar.authorized(liar.response(407), "MESSAGE", uri)
        liar.number = "100"
        headers = f"{headers}\n{auth}"
        liar.request("MESSAGE", uri, call_id="l", cseq=2, body=b"x", headers=headers, contact=False)
        liar.response(403)

    def test_too_many_hops(self, office: Office, alice: Phone) -> None:
        spoken(alice, "Max-Forwards: 0\nContent-Type: text/plain")
        alice.response(483)

    def test_a_body_of_no_kind(self, office: Office, alice: Phone) -> None:
        office.phone("101")
        spoken(alice, "Max-Forwards: 9\nContent-Type:")
        alice.response(400)

    def test_a_bad_expires(self, office: Office, alice: Phone) -> None:
        write(alice, "101", "x", "Expires: soon")
        alice.response(400)


class TestRfc3428Section7:
    """A relay that stores: 202."""

    def test_octets_of_no_alphabet(self, office: Office, alice: Phone) -> None:
        """In the sender's name, in what describes the text, and in the text itself."""
        office.name_user("100", "")
        uri = f"sip:101@{HOME.host}"
        alice.request("MESSAGE", uri, call_id="k", cseq=1, contact=False)
        auth = alice.authorized(alice.response(407), "MESSAGE", uri)
        alice.send(
            f"MESSAGE {uri} SIP/2.0\n"
            f"Via: SIP/2.0/UDP {alice.address.host}:5060;branch=z9hG4bKk;rport\n"
            f'From: "\udcffx" <sip:100@{HOME.host}>;tag=ft\nTo: <{uri}>\nCall-ID: k\n'
            f"CSeq: 2 MESSAGE\n{auth}\nSubject: \udcfe\nContent-Type: text/plain",
            b"\xff\x00",
        )
        alice.response(202)
        bob = again(office).phone("101", register=False)
        bob.register()
        message = bob.hears("MESSAGE")
        assert message.from_.display_name == "\udcffx"
        assert message.get("Subject") == "\udcfe"
        assert message.body == b"\xff\x00"

    def test_for_an_absent_user(self, office: Office, alice: Phone) -> None:
        write(alice, "101", "one")
        alice.response(202)
        write(alice, "101", "two")
        alice.response(202)
        bob = office.phone("101", register=False)
        bob.register()
        assert reads(bob) == "one"
        assert reads(bob) == "two"
        assert not bob.inbox
        assert not alice.inbox
        assert office.kept == {}

    def test_it_is_kept_before_it_is_promised(self, office: Office, alice: Phone) -> None:
        write(alice, "101", "one")
        assert len(office.kept) == 1
        alice.response(202)

    def test_over_a_restart(self, office: Office, alice: Phone) -> None:
        for text in ("one", "two", "three"):
            write(alice, "101", text)
            alice.response(202)
            office.now += 1
        fresh = again(office)
        bob = fresh.phone("101", register=False)
        bob.register()
        assert [reads(bob) for _ in range(3)] == ["one", "two", "three"]
        assert fresh.kept == {}

    def test_a_silent_phone(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "anybody?")
        bob.hears("MESSAGE")
        office.advance(4.9)
        assert not alice.inbox
        office.advance(0.2)
        alice.response(202)
        office.advance(40)
        bob.inbox.clear()
        # Who is silent isn't asked again for each text ...
        write(alice, "101", "hello")
        alice.response(202)
        assert not bob.inbox
        # ... but when it comes back.
        bob.register()
        assert [reads(bob), reads(bob)] == ["anybody?", "hello"]
        assert office.kept == {}

    def test_a_phone_that_goes_and_comes_back(self, office: Office, alice: Phone) -> None:
        """The same phone with the same Call-ID (RFC 3261 §10.2.4), which was busy before it went."""
        bob = office.phone("101")
        write(alice, "101", "x")
        assert reads(bob, 480) == "x"
        alice.response(202)
        bob.register(expires=0)
        assert not bob.inbox
        bob.register()
        assert reads(bob) == "x"
        assert office.kept == {}

    def test_a_phone_that_is_lost_and_comes_back(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "x")
        bob.hears("MESSAGE")
        office.advance(6)
        alice.response(202)
        # Its registration runs out, and so does what is tried again
        office.advance(7200)
        bob.inbox.clear()
        bob.register()
        assert reads(bob) == "x"
        assert office.kept == {}

    def test_a_late_answer_counts(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "x")
        message = bob.hears("MESSAGE")
        office.advance(6)
        alice.response(202)
        assert len(office.kept) == 1
        bob.respond(message, 200)
        assert office.kept == {}
        office.advance(60)
        bob.inbox.clear()
        bob.register()
        assert not bob.inbox

    def test_a_phone_that_cannot_now_is_asked_again(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "x")
        reads(bob, 480)
        alice.response(202)
        office.advance(29)
        assert not bob.inbox
        office.advance(1.2)
        assert reads(bob, 480) == "x"
        office.advance(58)
        assert not bob.inbox
        office.advance(2.2)
        assert reads(bob) == "x"
        assert office.kept == {}

    def test_a_phone_that_never_can_holds_up_no_other(self, office: Office, alice: Phone) -> None:
        write(alice, "101", "x")
        alice.response(202)
        desk = office.phone("101", register=False)
        desk.register()
        reads(desk, 405)
        assert not desk.inbox
        assert len(office.kept) == 1
        # It isn't asked again as it refreshes, but another phone is.
        desk.register()
        assert not desk.inbox
        mobile = office.phone("101", "192.0.2.50", register=False)
        mobile.register()
        assert reads(mobile) == "x"
        assert office.kept == {}

    def test_not_beyond_its_time(self, office: Office, alice: Phone) -> None:
        write(alice, "101", "lunch now?", "Expires: 60")
        alice.response(202)
        office.advance(61)
        assert office.kept == {}
        bob = office.phone("101", register=False)
        bob.register()
        assert not bob.inbox

    def test_not_for_longer_than_the_setting(self, alice: Phone) -> None:
        office = Office(messages=MessageSettings(keep_s=100))
        alice = office.phone("100")
        write(alice, "101", "x", "Expires: 100000")
        alice.response(202)
        office.advance(101)
        assert office.kept == {}

    def test_where_none_is_kept(self) -> None:
        office = Office(messages=MessageSettings(keep_s=0))
        alice = office.phone("100")
        write(alice, "101", "x")
        alice.response(480)
        assert office.kept == {}

    def test_not_too_many(self) -> None:
        office = Office(messages=MessageSettings(most=2))
        alice = office.phone("100")
        for wanted in (202, 202, 480):
            write(alice, "101", "x")
            alice.response(wanted)
        assert len(office.kept) == 2
        write(alice, "102", "x")
        alice.response(202)

    def test_that_somebody_types_is_not_kept(self, office: Office, alice: Phone) -> None:
        uri = f"sip:101@{HOME.host}"
        _, answer = request(
            alice,
            "MESSAGE",
            "101",
            b"<isComposing/>",
            "Content-Type: application/im-iscomposing+xml",
            contact=False,
        )
        assert answer.status == 480, uri
        assert office.kept == {}

    def test_a_user_who_is_gone_gets_none(self, office: Office, alice: Phone) -> None:
        write(alice, "101", "x")
        alice.response(202)
        office.remove_user("101")
        assert office.kept == {}

    def test_a_user_who_goes_while_it_is_offered(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        write(alice, "101", "x")
        message = bob.hears("MESSAGE")
        office.remove_user("101")
        alice.response(404)
        bob.respond(message, 200)
        assert not alice.inbox

    def test_what_another_version_wrote(self, office: Office) -> None:
        office.kept[("message", "m")] = b'{"id": 7}'
        again(office)
