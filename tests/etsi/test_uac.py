"""What ETSI TS 102 027-2 asks of the calling side (CC_OE, QC_OE) and no other test shows."""

import pytest

from pbx import app
from pbx.sip.capabilities import EXCHANGE
from pbx.sip.message import Request
from tests.call.office import HOME, Office, Phone, established, talking

STANDARD = {
    "100rel": "RFC 3262",
    "from-change": "RFC 4916",
    "norefersub": "RFC 4488",
    "outbound": "RFC 5626",
    "path": "RFC 3327",
    "precondition": "RFC 3312",
    "replaces": "RFC 3891",
    "tdialog": "RFC 4538",
    "timer": "RFC 4028",
}


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


@pytest.fixture
def bob(office: Office) -> Phone:
    return office.phone("101")


def as_every_request(request: Request) -> None:
    """Check what §8.1.1 wants of each request."""
    for name in ("To", "From", "Call-ID", "CSeq", "Max-Forwards", "Via"):
        assert request.get(name)
    assert request.cseq.method == request.method
    assert 0 < request.cseq.number < 2**31
    assert (request.via.branch or "").startswith("z9hG4bK")
    assert request.from_.tag
    assert request.get("Require") is None
    assert request.get("Proxy-Require") is None
    assert request.get("Content-Encoding") is None
    assert bool(request.body) == (request.get("Content-Type") is not None)


class TestRfc3261Section8_1_1:
    def test_an_invite(self, alice: Phone, bob: Phone) -> None:
        alice.invite("101")
        invite = bob.hears("INVITE")
        as_every_request(invite)
        assert invite.to.tag is None
        assert invite.get("Max-Forwards") == "69"
        assert invite.all("Contact") == [f"<sip:100@{HOME}>"]
        # §20.5: "All methods, including ACK and CANCEL, understood by the UA MUST be included"
        assert set(EXCHANGE.within) <= set(invite.all("Allow"))
        assert {"INVITE", "ACK", "CANCEL", "BYE", "INFO"} <= set(invite.all("Allow"))
        assert set(invite.all("Supported")) <= set(STANDARD)
        assert invite.get("Content-Type") == "application/sdp"

    def test_what_follows_it(self, office: Office, alice: Phone, bob: Phone) -> None:
        """ACK, re-INVITE, BYE: in one dialog, with rising numbers."""
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp())
        ack = bob.hears("ACK")
        call.answered()
        call.ack()
        call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        second = bob.hears("ACK")
        alice.response(200)
        call.ack()
        call.bye()
        bye = bob.hears("BYE")
        for request in (ack, change, second, bye):
            as_every_request(request)
            assert request.call_id == invite.call_id
            assert request.from_ == invite.from_
            assert request.to.tag == bob.tag
        numbers = [one.cseq.number for one in (invite, ack, change, second, bye)]
        first = numbers[0]
        assert numbers == [first, first, first + 1, first + 1, first + 2]
        branches = [one.via.branch for one in (invite, ack, change, second, bye)]
        assert len(set(branches)) == 5

    def test_each_call_is_another(self, office: Office, alice: Phone, bob: Phone) -> None:
        seen: set[str] = set()
        for number in range(3):
            alice.invite("101", call_id=f"c{number}")
            invite = bob.hears("INVITE")
            names = {invite.call_id, str(invite.from_.tag), str(invite.via.branch)}
            assert len(names) == 3
            assert not names & seen
            seen |= names

    def test_option_tags_are_those_of_standards(self) -> None:
        assert set(EXCHANGE.options) | set(EXCHANGE.options_within) <= set(STANDARD)


class TestRfc3261Section8_1_3_2:
    @pytest.mark.parametrize("status", [299, 499, 599, 699])
    def test_an_unknown_final_response(
        self, office: Office, alice: Phone, bob: Phone, status: int
    ) -> None:
        """It is the x00 of its class: acknowledged, and an answer or a refusal as that is."""
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, status, "Never Heard Of", bob.sdp() if status < 300 else b"")
        bob.hears("ACK")
        if status < 300:
            call.answered()
            call.ack()
            assert not office.ended
            call.bye()
            bob.hears("BYE")
        else:
            answer = alice.inbox.popleft()
            assert answer.status // 100 == (status if status > 599 else 480) // 100  # type: ignore[union-attr]
            assert office.ended

    @pytest.mark.parametrize("status", [102, 184, 190, 198])
    def test_an_unknown_provisional_response(self, alice: Phone, bob: Phone, status: int) -> None:
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, status, "Somehow", bob.sdp())
        assert b"m=audio" in alice.response(183).body
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()


class TestRfc3261Section12_2_1_1:
    def test_a_change_has_the_same_contact(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        assert change.get("Contact") == invite.get("Contact")


class TestRfc3261Section13_2_2:
    @pytest.mark.parametrize(
        ("first", "second"), [(404, 486), (600, 500), (500, 603), (302, 404), (486, 200)]
    )
    def test_the_first_refusal_is_the_one(
        self, office: Office, alice: Phone, bob: Phone, first: int, second: int
    ) -> None:
        """Another final response, whatever it says, isn't acknowledged as a second one."""
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, first)
        assert bob.hears("ACK").to.tag == bob.tag
        refused = alice.inbox.popleft()
        call.ack_failure(refused)  # type: ignore[arg-type]
        bob.respond(invite, second, tag="other")
        for message in bob.inbox:
            # At most the ACK of the first, once more (§17.1.1.2)
            assert isinstance(message, Request)
            assert (message.method, message.cseq.number) == ("ACK", invite.cseq.number)
        assert not alice.inbox
        assert len(office.ended) == 1


class TestRfc3261Section14_1:
    def test_each_description_has_a_version_of_its_own(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        versions = [_version(invite)]
        for direction in ("sendonly", "sendrecv"):
            call.reinvite(alice.sdp(direction))
            change = bob.hears("INVITE")
            versions.append(_version(change))
            bob.respond(change, 200, "OK", bob.sdp())
            bob.hears("ACK")
            alice.response(200)
            call.ack()
        assert versions == sorted(set(versions))


def _version(request: Request) -> int:
    (line,) = [line for line in request.body.splitlines() if line.startswith(b"o=")]
    return int(line.split()[2])


class TestRfc3261Section15_1_1:
    @pytest.mark.parametrize("status", [403, 408, 481, 500, 603])
    def test_a_bye_that_is_refused(self, office: Office, status: int) -> None:
        alice, bob, call, _ = established(office)
        call.bye()
        alice.response(200)
        bob.respond(bob.hears("BYE"), status)
        office.advance(40)
        assert not bob.inbox
        office.assert_empty()

    def test_a_challenged_bye_is_over_too(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call, _ = talking(alice, bob)
        call.bye()
        alice.response(200)
        challenge = 'WWW-Authenticate: Digest realm="x", nonce="n"'
        bob.respond(bob.hears("BYE"), 401, headers=challenge)
        office.advance(40)
        office.assert_empty()


class TestRfc3261Section19_3:
    def test_names_are_random(self) -> None:
        """Call-ID, tags and branches: of at least 32 random bits each."""
        names = {app.token() for _ in range(1000)}
        assert len(names) == 1000
        assert all(len(bytes.fromhex(name)) >= 4 for name in names)
        # No digit of it stands still
        assert all(len({name[place] for name in names}) == 16 for place in range(16))
