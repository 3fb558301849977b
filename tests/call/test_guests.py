"""Calls that come in by a line: whose they are, which number was called, and who calls."""

from dataclasses import replace

import msgspec
import pytest

from pbx.config.dial_plan import DialPlan, Incoming, PlanBasics, RefineCaller, Route
from pbx.config.line import Line
from pbx.sip.flow import Address
from pbx.sip.locate import Kind, Question
from pbx.sip.message import Request
from tests.call.office import HOME, Office
from tests.call.phone import Invite, Phone
from tests.call.telco import LINE, PLAN, TRUNK, Telco, telco
from tests.call.test_resume import reborn

CALLER = "sip:+8613901088888@telco.example"


def changed(line: Line, **options: object) -> Line:
    """A line with other options."""
    return msgspec.structs.replace(line, **options)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


def dialed(office: Office, line: Line, uri: str, headers: str = "", to: str | None = None) -> str:
    """The number that a call by a line is found to be for."""
    peer = telco(office, changed(line, destination="100"))
    office.phone("100")
    peer.calls(uri, CALLER, headers=headers, to=to)
    peer.trying()
    (call,) = office.exchange.calls.values()
    return call.facts.dialed_number


class TestTheCalledNumber:
    def test_stands_in_the_request_uri(self, office: Office) -> None:
        assert dialed(office, LINE, "+4930555") == "+4930555"

    def test_our_own_contact_is_none_where_to_says_more(self, office: Office) -> None:
        assert dialed(office, LINE, "4930100", to="<sip:+4930555@telco.example>") == "+4930555"

    def test_it_will_do_where_nothing_else_does(self, office: Office) -> None:
        assert dialed(office, LINE, "4930100", to="<sip:you@telco.example>") == "4930100"

    @pytest.mark.parametrize(
        ("source", "header"),
        [
            ("p-called-party-id", "P-Called-Party-ID: <sip:+4930777@telco.example>"),
            ("p-preferred-identity", "P-Preferred-Identity: <tel:+4930777>"),
            ("diversion", "Diversion: <sip:+4930777@a>;reason=x, <sip:+4930778@a>"),
            ("history-info", "History-Info: <sip:1@a>;index=1, <sip:+4930777@a>;index=1.1"),
            ("header:X-DID", "X-DID: +49 30 777"),
            ("header:X-DID", "X-DID: <sip:+4930777@a>"),
            ("remote-party-id", "Remote-Party-ID: <sip:+4930777@a>;party=called"),
        ],
    )
    def test_is_read_from_where_the_line_says(
        self, office: Office, source: str, header: str
    ) -> None:
        line = changed(LINE, did_from=(source, "request-uri"))
        assert dialed(office, line, "+4930555", headers=header) == "+4930777"
        assert source

    @pytest.mark.parametrize(
        ("uri", "number"),
        [
            ("tel:911;phone-context=+1", "911"),
            ("tel:030-555;phone-context=+49", "030555"),
            ("tel:555;ext=7;phone-context=telco.example", "555"),
            ("tel:+49-30-555", "+4930555"),
            ("sip:030555;phone-context=+49@telco.example;user=phone", "030555"),
        ],
    )
    def test_a_local_number_stays_one(self, office: Office, uri: str, number: str) -> None:
        # RFC 3966 §5.1.5: putting the context before it need not give a valid number; what a
        # national one is, the line's `country` says
        line = changed(LINE, did_from=("p-called-party-id",))
        header = f"P-Called-Party-ID: <{uri}>"
        assert dialed(office, line, "+49301", headers=header) == number

    def test_the_next_source_where_one_has_none(self, office: Office) -> None:
        line = changed(LINE, did_from=("p-called-party-id", "request-uri"))
        assert dialed(office, line, "+4930555") == "+4930555"
        line = changed(LINE, did_from=("diversion", "request-uri"))
        other = Office()
        assert dialed(other, line, "+4930555", headers="Diversion: <x:y>") == "+4930555"

    def test_a_line_of_one_destination_needs_none(self, office: Office) -> None:
        line = changed(LINE, user="me@telco.example", contact_user="me", did_from=("to",))
        assert dialed(office, line, "me", to="<sip:me@telco.example>") == "100"

    def test_leads_by_the_dial_plan(self, office: Office, alice: Phone) -> None:
        peer = telco(office)
        rows = (Incoming(line="telco", did="+4930555", destination="100"),)
        office.configure(LINE, plan=DialPlan(incoming=rows))
        peer.calls("+4930555", CALLER)
        peer.trying()
        assert alice.hears("INVITE")

    def test_nobodys_number(self, office: Office) -> None:
        peer = telco(office)
        peer.calls("+4930999", CALLER)
        peer.response(404)
        (facts,) = office.ended
        assert facts.caller_line == "telco"


def shown(
    office: Office, alice: Phone, line: Line, headers: str = "", caller: str = CALLER
) -> Request:
    """What the phone hears of the caller."""
    peer = telco(office, changed(line, destination="100"))
    peer.calls("+4930555", caller, headers=headers)
    peer.trying()
    return alice.hears("INVITE")


class TestTheCaller:
    def test_stands_in_from(self, office: Office, alice: Phone) -> None:
        invite = shown(office, alice, TRUNK)
        assert str(invite.from_.uri) == f"sip:+8613901088888@{HOME.host}"
        assert invite.get("P-Asserted-Identity") == f"<sip:+8613901088888@{HOME.host}>"

    def test_who_is_vouched_for_comes_before(self, office: Office, alice: Phone) -> None:
        told = 'P-Asserted-Identity: "Anna" <sip:+4940111@telco.example>'
        invite = shown(office, alice, LINE, told)
        assert str(invite.from_.uri) == f"sip:+4940111@{HOME.host}"
        assert invite.from_.display_name == "Anna"

    def test_is_read_from_where_the_line_says(self, office: Office, alice: Phone) -> None:
        line = changed(LINE, caller_from=("remote-party-id", "from"))
        told = "P-Asserted-Identity: <sip:1@a>\nRemote-Party-ID: <sip:+4940222@a>;screen=yes"
        assert shown(office, alice, line, told).from_.uri.user == "+4940222"  # type: ignore[union-attr]

    def test_may_stand_in_a_header_of_its_own(self, office: Office, alice: Phone) -> None:
        line = changed(LINE, caller_from=("header:X-Caller", "from"))
        invite = shown(office, alice, line, "X-Caller: +49 (40) 333")
        assert invite.from_.uri.user == "+4940333"  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("headers", "caller"),
        [
            ("Privacy: id\nP-Asserted-Identity: <sip:+4940111@a>", CALLER),
            ("", "sip:anonymous@anonymous.invalid"),
        ],
    )
    def test_may_hide(self, office: Office, alice: Phone, headers: str, caller: str) -> None:
        invite = shown(office, alice, LINE, headers, caller)
        assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
        assert invite.get("P-Asserted-Identity") is None

    def test_a_nameless_one_is_recorded_as_anonymous(self, office: Office, alice: Phone) -> None:
        shown(office, alice, LINE, "", "sip:anonymous@anonymous.invalid")
        (call,) = office.exchange.calls.values()
        assert call.facts.caller_number == "anonymous"


class TestWhoPoses:
    """A number like a user's makes nobody one."""

    TOLD = "P-Asserted-Identity: <sip:101@telco.example>"

    def test_is_not_vouched_for(self, office: Office, alice: Phone) -> None:
        invite = shown(office, alice, LINE, self.TOLD, "sip:101@telco.example")
        assert str(invite.from_.uri) == f"sip:101@{HOME.host}"
        assert invite.get("P-Asserted-Identity") is None

    def test_nor_where_the_dial_plan_has_made_its_number_one(
        self, office: Office, alice: Phone
    ) -> None:
        peer = telco(office, changed(LINE, destination="100"))
        rows = (RefineCaller(prefix="+4940", direction="in", remove=5),)
        office.configure(*office.snapshot.lines.values(), plan=DialPlan(refine_caller=rows))
        peer.calls("+4930555", "sip:+4940101@telco.example")
        peer.trying()
        invite = alice.hears("INVITE")
        assert str(invite.from_.uri) == f"sip:101@{HOME.host}"
        assert invite.get("P-Asserted-Identity") is None

    def test_another_exchange_may_say_so(self, office: Office, alice: Phone) -> None:
        invite = shown(office, alice, TRUNK, self.TOLD, "sip:101@198.51.100.2")
        assert invite.get("P-Asserted-Identity") == f"<sip:101@{HOME.host}>"

    def test_not_by_another_line_either(self, office: Office) -> None:
        peer = telco(office, changed(LINE, destination="95551"))
        other = Telco(office, "x", Address(TRUNK.server, 5060))
        office.phones[other.address] = other
        plan = DialPlan(
            basics=PlanBasics(default_route="out"), routes=(Route(name="out", lines=("peer",)),)
        )
        trunk = changed(TRUNK, identity="pai")
        office.configure(changed(LINE, destination="95551"), trunk, plan=plan)
        peer.calls("+4930555", "sip:101@telco.example")
        invite = other.hears("INVITE")
        assert invite.from_.uri.user == "101"  # type: ignore[union-attr]
        assert invite.get("P-Asserted-Identity") is None
        peer.inbox.clear()
        peer.calls("+4930555", "sip:+4940111@telco.example", call_id="in-2")
        invite = other.hears("INVITE")
        assert invite.get("P-Asserted-Identity") == "<sip:+4940111@198.51.100.2>"

    def test_nor_after_a_restart(self, office: Office, alice: Phone) -> None:
        bob = office.phone("102")
        peer = telco(office, changed(LINE, destination="100"))
        peer.calls("+4930555", "sip:101@telco.example")
        invite = alice.hears("INVITE")
        alice.respond(invite, 200, "OK", alice.sdp())
        after = reborn(office, alice, peer)
        after.phones[bob.address], bob.office = bob, after
        bob.register()
        alice.within(invite, "REFER", 1, headers="Refer-To: <sip:102@x>")
        alice.response(202)
        bob_heard = bob.hears("INVITE")
        assert bob_heard.from_.uri.user == "101"  # type: ignore[union-attr]
        assert bob_heard.get("P-Asserted-Identity") is None


class TestWhoseItIs:
    def test_a_stranger_is_challenged_as_ever(self, office: Office, alice: Phone) -> None:
        telco(office, changed(TRUNK, destination="100"))
        stranger = Telco(office, "x", Address("203.0.113.9", 5060))
        office.phones[stranger.address] = stranger
        stranger.calls("100", CALLER)
        stranger.response(407)
        assert not alice.inbox

    def test_a_peer_by_its_network(self, office: Office, alice: Phone) -> None:
        line = changed(TRUNK, destination="100", peers=("203.0.113.0/24",))
        telco(office, line)
        other = Telco(office, "x", Address("203.0.113.9", 5099))
        office.phones[other.address] = other
        other.calls("555", CALLER)
        other.trying()
        assert alice.hears("INVITE")

    def test_a_line_by_tls_has_no_calls_without(self, office: Office, alice: Phone) -> None:
        line = changed(TRUNK, destination="100", transport="tls")
        peer = telco(office, line)
        # Anybody can write the peer's address on a datagram
        peer.calls("555", CALLER)
        peer.response(407)
        peer.connection, peer.stream = 7, "tcp"
        peer.calls("555", CALLER, call_id="in-2")
        peer.response(407)
        assert not alice.inbox
        peer.stream = "tls"
        peer.calls("555", CALLER, call_id="in-3")
        peer.trying()
        assert alice.hears("INVITE")
        assert not office.exchange.outside.speaks_for("peer", replace(peer.flow, transport="udp"))
        assert office.exchange.outside.speaks_for("peer", peer.flow)

    def test_a_line_by_tls_whose_owner_names_peers(self, office: Office, alice: Phone) -> None:
        line = changed(TRUNK, destination="100", transport="tls", peers=(TRUNK.server,))
        peer = telco(office, line)
        peer.calls("555", CALLER)
        peer.trying()
        assert alice.hears("INVITE")

    def test_two_accounts_at_one_server(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        one = changed(LINE, destination="100")
        other = changed(LINE, name="other", user="4930200", destination="101")
        peer = telco(office, one, others=(other,))
        peer.calls("4930200", CALLER)
        peer.trying()
        assert bob.hears("INVITE")
        peer.calls("+4930100", CALLER, to="<sip:4930100@telco.example>", call_id="in-2")
        peer.trying()
        assert alice.hears("INVITE")

    def test_a_line_that_is_off_has_no_calls(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, destination="100", enabled=False))
        peer.calls("100", CALLER)
        peer.response(407)

    def test_a_phone_at_a_peers_address_is_a_user(self, office: Office, alice: Phone) -> None:
        telco(office, changed(TRUNK, destination="100"))
        bob = Phone(office, "101", Address(TRUNK.server, 5080))
        office.phones[bob.address] = bob
        # Not registered: the challenge tells
        bob.invite("100")
        assert alice.hears("INVITE").from_.uri.user == "101"  # type: ignore[union-attr]
        (call,) = office.exchange.calls.values()
        assert call.facts.caller_line == ""

    def test_it_is_one_whatever_it_takes_for_our_domain(self, office: Office, alice: Phone) -> None:
        telco(office, changed(TRUNK, destination="102"))
        other = office.phone("102")
        bob = Phone(office, "101", Address(TRUNK.server, 5080), sender="sip:101@pbx.example")
        office.phones[bob.address] = bob
        bob.invite("100")
        assert alice.hears("INVITE").from_.uri.user == "101"  # type: ignore[union-attr]
        assert not other.inbox

    @pytest.mark.parametrize("host", [TRUNK.server, "branch.example"])
    def test_a_user_of_the_peers_own_may_have_a_number_like_ours(
        self, office: Office, alice: Phone, host: str
    ) -> None:
        office.names[Question(Kind.A, "branch.example")] = (TRUNK.server,)
        telco(office, changed(TRUNK, destination="100"))
        office.configure(changed(TRUNK, server=host, destination="100"), plan=PLAN)
        # Where it has connected to us, its port is any
        other = Telco(office, "x", Address(TRUNK.server, 41000), 9)
        office.phones[other.address] = other
        other.calls("555", f"sip:101@{host}")
        other.trying()
        assert alice.hears("INVITE")

    def test_a_registered_phone_at_a_peers_very_port(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101", TRUNK.server)
        office.configure(changed(TRUNK, destination="100"), plan=PLAN)
        bob.invite("100")
        assert alice.hears("INVITE").from_.uri.user == "101"  # type: ignore[union-attr]

    def test_nobody_outside_may_pick_up(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, destination="100"))
        peer.calls("100", CALLER, headers="Replaces: a;to-tag=b;from-tag=c\nRequire: replaces")
        peer.response(403)

    def test_a_number_like_ours_lights_no_lamp(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, destination="100"))
        peer.calls("555", "sip:101@branch.example")
        peer.trying()
        invite = alice.hears("INVITE")
        alice.respond(invite, 200, "OK", alice.sdp())
        assert not office.lamps._calls.busy("101")
        assert office.lamps._calls.busy("100")


class TestWhatTheLineSays:
    @pytest.mark.parametrize(
        "header",
        [
            "Answer-Mode: Auto",
            "Priv-Answer-Mode: Auto",
            "Alert-Info: <http://x.example>;info=alert-autoanswer",
            "Call-Info: <sip:x.example>;answer-after=0",
        ],
    )
    def test_no_phone_answers_by_itself(self, office: Office, alice: Phone, header: str) -> None:
        peer = telco(office, changed(TRUNK, destination="100"))
        peer.calls("555", CALLER, headers=f"{header}\nUser-to-User: 41")
        invite = alice.hears("INVITE")
        assert invite.get("User-to-User") == "41"
        assert not invite.all(header.partition(":")[0])


def talks(peer: Telco, alice: Phone) -> Invite:
    """A call from outside that alice has answered."""
    call = peer.calls("100", CALLER)
    peer.trying()
    alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp())
    alice.hears("ACK")
    call.answered()
    call.ack()
    return call


class TestInTheCall:
    def test_a_request_from_elsewhere_is_not_the_peers(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, destination="100"))
        call = talks(peer, alice)
        thief = Telco(office, "x", Address("203.0.113.9", 5060), sender=CALLER)
        office.phones[thief.address] = thief
        call.phone = thief
        call.reinvite(thief.sdp())
        thief.response(403)
        assert not alice.inbox

    def test_the_peers_other_address_is(self, office: Office, alice: Phone) -> None:
        line = changed(TRUNK, destination="100", peers=("203.0.113.9",))
        peer = telco(office, line)
        call = talks(peer, alice)
        other = Telco(office, "x", Address("203.0.113.9", 5060), sender=CALLER)
        office.phones[other.address] = other
        call.phone = other
        call.reinvite(other.sdp())
        assert alice.hears("INVITE")

    def test_a_service_answers(self, office: Office) -> None:
        peer = telco(office, changed(TRUNK, destination="*43"))
        call = peer.calls("555", CALLER)
        call.answered()
        call.ack()
        call.bye()
        peer.response(200)
        (facts,) = office.ended
        assert facts.caller_line == "peer"
