"""How calls look on a line: numbers, names and identities, sessions, and what of them is told."""

import msgspec
import pytest

from pbx.config.line import Line
from pbx.config.settings import CallSettings
from pbx.sip.flow import Address
from pbx.sip.locate import Kind, Question
from pbx.sip.message import Request
from tests.call.office import HOME, Office
from tests.call.phone import Phone
from tests.call.telco import HOST, LINE, PLAN, TRUNK, Telco, telco
from tests.call.test_resume import reborn

HIDDEN = "Privacy: id"


def changed(line: Line, **options: object) -> Line:
    """A line with other options."""
    return msgspec.structs.replace(line, **options)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


def asked(
    office: Office, alice: Phone, line: Line, headers: str = "", body: bytes | None = None
) -> tuple[Telco, Request]:
    """The peer of a line, and the INVITE that it hears."""
    peer = telco(office, line)
    alice.invite("9030123", headers=headers, body=body)
    return peer, peer.hears("INVITE")


class TestFrom:
    @pytest.mark.parametrize(
        ("line", "value"),
        [
            (LINE, "<sip:4930100@198.51.100.1>"),
            (changed(LINE, domain="ims.example"), "<sip:4930100@ims.example>"),
            (changed(LINE, from_user="number"), "<sip:100@198.51.100.1>"),
            (changed(LINE, from_user="me", from_domain="b.example"), "<sip:me@b.example>"),
            (TRUNK, '"User 100" <sip:100@198.51.100.2>'),
            (changed(TRUNK, caller_number="555"), '"User 100" <sip:555@198.51.100.2>'),
        ],
    )
    def test_by_the_lines_options(
        self, office: Office, alice: Phone, line: Line, value: str
    ) -> None:
        _, invite = asked(office, alice, line)
        assert str(invite.from_.without_param("tag")) == value
        assert invite.get("Privacy") is None

    def test_the_contact_is_the_registered_one(self, office: Office, alice: Phone) -> None:
        _, invite = asked(office, alice, LINE)
        assert invite.get("Contact") == f"<sip:4930100@{HOME}>"

    def test_a_fixed_public_contact_and_the_address_for_sound(
        self, office: Office, alice: Phone
    ) -> None:
        options = {"contact_address": "203.0.113.7:5066", "sdp_address": "203.0.113.8"}
        _, invite = asked(office, alice, changed(LINE, **options))
        assert invite.get("Contact") == "<sip:4930100@203.0.113.7:5066>"
        lines = invite.body.decode().splitlines()
        assert [one for one in lines if one.startswith("c=")] == ["c=IN IP4 203.0.113.8"]
        assert [one.split()[-1] for one in lines if one.startswith("o=")] == [HOME.host]

    def test_the_same_of_a_call_from_there(self, office: Office, alice: Phone) -> None:
        options = {"contact_address": "203.0.113.7:5066", "sdp_address": "203.0.113.8"}
        peer = telco(office, changed(LINE, destination="100", **options))
        call = peer.calls("4930100")
        peer.trying()
        ring = alice.hears("INVITE")
        alice.respond(ring, 200, "OK", alice.sdp())
        answer = call.answered()
        assert answer.get("Contact") == "<sip:4930100@203.0.113.7:5066>"
        assert b"c=IN IP4 203.0.113.8\r\n" in answer.body
        # The phone is told nothing of it
        assert f"c=IN IP4 {HOME.host}\r\n".encode() in ring.body

    @pytest.mark.parametrize(
        ("identity", "name", "value"),
        [
            ("pai", "P-Asserted-Identity", "<sip:100@198.51.100.2>"),
            ("ppi", "P-Preferred-Identity", "<sip:100@198.51.100.2>"),
            (
                "rpid",
                "Remote-Party-ID",
                "<sip:100@198.51.100.2>;party=calling;screen=yes;privacy=off",
            ),
        ],
    )
    def test_and_the_identity_beside(
        self, office: Office, alice: Phone, identity: str, name: str, value: str
    ) -> None:
        _, invite = asked(office, alice, changed(TRUNK, identity=identity))
        assert invite.get(name) == value
        named = {"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"}
        assert [one for one, _ in invite.headers if one in named] == [name]


class TestACallerWhoHides:
    def test_by_privacy(self, office: Office, alice: Phone) -> None:
        _, invite = asked(office, alice, changed(TRUNK, identity="pai"), HIDDEN)
        assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
        assert invite.get("Privacy") == "id"
        assert invite.get("P-Asserted-Identity") == "<sip:100@198.51.100.2>"

    def test_by_from_alone(self, office: Office, alice: Phone) -> None:
        _, invite = asked(office, alice, changed(TRUNK, identity="pai", hide="from"), HIDDEN)
        assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
        assert invite.get("Privacy") is None
        assert invite.get("P-Asserted-Identity") is None

    def test_by_a_prefix(self, office: Office, alice: Phone) -> None:
        _, invite = asked(office, alice, changed(TRUNK, hide="prefix:*31#"), HIDDEN)
        assert invite.uri == "sip:*31%23030123@198.51.100.2"
        assert invite.from_.uri.user == "100"  # type: ignore[union-attr]

    def test_by_remote_party_id(self, office: Office, alice: Phone) -> None:
        _, invite = asked(office, alice, changed(TRUNK, identity="rpid"), HIDDEN)
        assert (invite.get("Remote-Party-ID") or "").endswith("privacy=full")


class TestSessions:
    @pytest.mark.parametrize(
        ("choice", "value"), [("ask", "1200"), ("accept", None), ("off", None)]
    )
    def test_timers(self, office: Office, alice: Phone, choice: str, value: str | None) -> None:
        line = changed(LINE, session_timer=choice, session_s=1200)
        _, invite = asked(office, alice, line)
        assert invite.get("Session-Expires") == value
        assert ("timer" in invite.all("Supported")) is (choice != "off")

    def test_no_update(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(LINE, update=False, session_s=90))
        call = alice.invite("9030123")
        invite = peer.hears("INVITE")
        told = "Allow: INVITE, ACK, BYE, UPDATE\nSession-Expires: 90;refresher=uac\nRequire: timer"
        peer.respond(invite, 200, "OK", peer.sdp(), headers=told)
        peer.hears("ACK")
        call.answered()
        call.ack()
        office.advance(46)
        # Refreshed by INVITE
        assert peer.hears("INVITE").to.tag


class TestDescriptions:
    def test_codecs_in_the_lines_order(self, office: Office, alice: Phone) -> None:
        _, invite = asked(office, alice, changed(TRUNK, codecs=("PCMU", "PCMA")))
        assert b" RTP/AVP 0 8 101\r\n" in invite.body

    def test_no_codec_is_left_out_where_none_would_be_left(
        self, office: Office, alice: Phone
    ) -> None:
        _, invite = asked(office, alice, changed(TRUNK, codecs=("G729",)))
        assert b" RTP/AVP 8 0 " in invite.body

    def test_packet_size(self, office: Office, alice: Phone) -> None:
        body = alice.sdp() + b"a=ptime:20\r\n"
        _, invite = asked(office, alice, changed(TRUNK, ptime_ms=30), body=body)
        assert invite.body.count(b"a=ptime") == 1
        assert b"a=ptime:30" in invite.body

    @pytest.mark.parametrize("dtmf", ["info", "inband"])
    def test_no_telephone_events(self, office: Office, alice: Phone, dtmf: str) -> None:
        _, invite = asked(office, alice, changed(TRUNK, dtmf=dtmf))
        assert b"telephone-event" not in invite.body

    def test_what_a_line_offers_is_looked_at_in_the_same_way(
        self, office: Office, alice: Phone
    ) -> None:
        peer = telco(office, changed(TRUNK, codecs=("PCMU",), ptime_ms=40, destination="100"))
        call = peer.calls("555")
        peer.trying()
        invite = alice.hears("INVITE")
        assert b" RTP/AVP 0 101" in invite.body
        alice.respond(invite, 200, "OK", alice.sdp())
        answer = call.answered()
        assert b" RTP/AVP 0 101\r\n" in answer.body
        assert b"a=ptime:40" in answer.body

    def test_what_can_not_be_read_is_left_alone(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(TRUNK, codecs=("PCMU",), destination="100"))
        peer.calls("555", body=b"nonsense")
        peer.trying()
        assert len(office.ended) == 1


PRECONDITIONS = (
    b"a=curr:qos local none\r\na=curr:qos remote none\r\n"
    b"a=des:qos mandatory local sendrecv\r\na=des:qos optional remote sendrecv\r\n"
)


class TestPreconditions:
    def test_are_answered_as_met(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(LINE, destination="100"))
        call = peer.calls("555", headers="Require: precondition", body=peer.sdp() + PRECONDITIONS)
        peer.trying()
        alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp())
        alice.hears("ACK")
        answer = call.answered().body
        for line in (
            b"a=curr:qos local sendrecv",
            b"a=curr:qos remote none",
            b"a=des:qos optional local sendrecv",
            b"a=des:qos mandatory remote sendrecv",
            b"a=conf:qos remote sendrecv",
        ):
            assert line in answer
        call.ack()
        # It has them now, and says so
        now = peer.sdp() + PRECONDITIONS.replace(b"local none", b"local sendrecv")
        call.cseq += 1
        call.request("UPDATE", call.cseq, now, "Require: precondition")
        alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp())
        told = peer.response(200).body
        assert b"a=curr:qos remote sendrecv" in told
        assert b"conf:qos" not in told

    def test_or_refused(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(LINE, destination="100", precondition="refuse"))
        peer.calls("555", headers="Require: precondition", body=peer.sdp() + PRECONDITIONS)
        peer.response(580)
        assert office.cause() == ("REQUEST_UNUSABLE", 79)
        peer.calls("555", call_id="in-2")
        peer.trying()
        assert alice.hears("INVITE")

    def test_nobody_else_may_require_them(self, office: Office, alice: Phone) -> None:
        alice.request(
            "INVITE",
            f"sip:101@{HOME.host}",
            call_id="c",
            cseq=1,
            headers="Require: precondition",
            body=alice.sdp(),
        )
        alice.response(420)

    def test_an_answer_that_can_not_be_read(self, office: Office, alice: Phone) -> None:
        peer = telco(office, changed(LINE, destination="100"))
        odd = PRECONDITIONS.replace(b"a=curr:qos local none", b"a=curr:x y")
        call = peer.calls("555", headers="Require: precondition", body=peer.sdp() + odd)
        peer.trying()
        alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp())
        assert b"a=curr:qos remote none" in call.answered().body


class TestForwardedCalls:
    def test_out_by_a_line_in_the_name_of_who_forwards(self, office: Office, alice: Phone) -> None:
        bob, peer = office.phone("101"), telco(office, changed(TRUNK, identity="pai"))
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 302, contact="", headers="Contact: <sip:9030123@x>")
        bob.hears("ACK")
        invite = peer.hears("INVITE")
        assert invite.uri == "sip:030123@198.51.100.2"
        assert "sip:101@" in (invite.get("Diversion") or "")
        assert invite.get("History-Info")
        news = alice.response(181)
        told = f'<sip:030123@{HOME.host}>;purpose=forwarding;username="101";contact="030123"'
        assert news.get("Call-Info") == told

    def test_a_line_that_is_not_told_of_it(self, office: Office, alice: Phone) -> None:
        bob, peer = office.phone("101"), telco(office, changed(TRUNK, diversion=False))
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 302, contact="", headers="Contact: <sip:9030123@x>")
        bob.hears("ACK")
        invite = peer.hears("INVITE")
        assert invite.get("Diversion") is None
        assert invite.get("History-Info") is None

    @pytest.mark.parametrize("wanted", [True, False])
    def test_a_caller_outside_hears_of_it_where_the_line_says_so(
        self, office: Office, alice: Phone, wanted: bool
    ) -> None:
        bob = office.phone("101")
        peer = telco(office, changed(TRUNK, destination="100", forwarding_news=wanted))
        peer.calls("555")
        peer.trying()
        alice.respond(alice.hears("INVITE"), 302, contact="", headers="Contact: <sip:101@x>")
        alice.hears("ACK")
        bob.hears("INVITE")
        assert (peer.response(181).get("Call-Info") is not None) is wanted


class TestTransfers:
    def test_the_line_is_not_told_of_another_number(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        peer = telco(office, changed(TRUNK, destination="100", identity="pai"))
        call = peer.calls("555", headers="Supported: from-change")
        peer.trying()
        invite = alice.hears("INVITE")
        alice.respond(invite, 200, "OK", alice.sdp())
        alice.hears("ACK")
        answer = call.answered()
        assert answer.get("P-Asserted-Identity") == "<sip:555@198.51.100.2>"
        call.ack()
        alice.within(invite, "REFER", 1, headers="Refer-To: <sip:101@x>")
        alice.response(202)
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        again = peer.hears("INVITE")
        assert again.get("P-Asserted-Identity") is None
        assert again.to.uri.user == "+8613901088888"  # type: ignore[union-attr]
        assert again.from_.uri.user == "555"  # type: ignore[union-attr]


class TestAfterARestart:
    def test_a_call_on_a_line_goes_on_as_one(self, office: Office, alice: Phone) -> None:
        peer, invite = asked(office, alice, LINE)
        peer.respond(invite, 200, "OK", peer.sdp())
        peer.hears("ACK")
        limited = changed(LINE, max_duration_s=60)
        after = reborn(office, alice, peer, limits=CallSettings(max_duration_s=0), line=limited)
        after.advance(60.2)
        bye = peer.hears("BYE")
        peer.challenge(bye)
        again = peer.hears("BYE")
        peer.proves(again)
        peer.respond(again, 200)
        (facts,) = after.ended
        assert facts.called_line == "telco"

    def test_a_line_that_is_gone_meanwhile(self, office: Office, alice: Phone) -> None:
        peer, invite = asked(office, alice, LINE)
        peer.respond(invite, 200, "OK", peer.sdp())
        peer.hears("ACK")
        after = reborn(office, alice, peer)
        after.exchange.stop(after.now)
        after.pump()
        assert peer.hears("BYE")

    def test_the_outbound_proxy_is_known_before_dns_has_told_it(
        self, office: Office, alice: Phone
    ) -> None:
        line = changed(LINE, server="ims.example", proxy="proxy.ims.example")
        address = Address("198.51.100.9", 5060)
        peer = office.phones[address] = Telco(office, "gw", address)
        office.names[Question(Kind.A, "proxy.ims.example")] = (address.host,)
        office.configure(line, plan=PLAN)
        alice.invite("9030123")
        nowhere = "<sip:gw@192.0.2.99>"
        peer.respond(peer.hears("INVITE"), 200, "OK", peer.sdp(), contact=nowhere)
        peer.hears("ACK")
        after = reborn(office, alice, peer, line=line)
        after.exchange.stop(after.now)
        after.pump()
        bye = peer.hears("BYE")
        assert bye.uri == "sip:gw@192.0.2.99"
        peer.challenge(bye)
        peer.proves(peer.hears("BYE"))

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_its_contact_is_one_that_the_carrier_can_reach(
        self, office: Office, alice: Phone, transport: str
    ) -> None:
        line = changed(LINE, contact_address="learned", transport=transport, session_s=90)
        peer = Telco(office, "gw", Address(HOST, 5060), 7 if transport == "tcp" else 0)
        peer.outside = Address("203.0.113.7", 40000)
        office.phones[peer.address] = peer
        office.configure(line, plan=PLAN)
        alice.invite("9030123")
        told = "Session-Expires: 90;refresher=uac\nRequire: timer"
        invite = peer.hears("INVITE")
        assert "@203.0.113.7:40000" in (invite.get("Contact") or "")
        peer.respond(invite, 200, "OK", peer.sdp(), headers=told)
        peer.hears("ACK")
        if transport == "tcp":
            peer.connection = 8
        peer.outside = Address("203.0.113.7", 50000)
        after = reborn(office, alice, peer, line=line)
        after.advance(1.1)
        assert "@203.0.113.7:50000" in (peer.hears("INVITE").get("Contact") or "")

    def test_its_contact_is_the_public_one_before_dns_has_told_anything(
        self, office: Office, alice: Phone
    ) -> None:
        line = changed(LINE, server="ims.example", contact_address="learned", session_s=90)
        peer = office.phones[Address(HOST, 5060)] = Telco(office, "gw", Address(HOST, 5060))
        peer.outside = Address("203.0.113.7", 40000)
        question = Question(Kind.A, "ims.example")
        office.names[question] = (HOST,)
        office.configure(line, plan=PLAN)
        alice.invite("9030123")
        told = "Session-Expires: 90;refresher=uac\nRequire: timer"
        peer.respond(peer.hears("INVITE"), 200, "OK", peer.sdp(), headers=told)
        peer.hears("ACK")
        before = len(peer.registered)
        after = reborn(office, alice, peer, line=line)
        after.advance(1.1)
        assert f"@{peer.outside}" in (peer.hears("INVITE").get("Contact") or "")
        assert len(peer.registered) == before
        after.names[question] = (HOST,)
        after.advance(120)
        assert f"@{peer.outside}" in peer.registered[before]


class TestAnOutboundProxy:
    """All messages of such a carrier go to the proxy: what it names leads nowhere."""

    LINE = changed(LINE, server="ims.example", proxy="198.51.100.9")

    def peer(self, office: Office) -> Telco:
        address = Address("198.51.100.9", 5060)
        peer = Telco(office, "gw", address, inner="10.1.1.1")
        office.phones[address] = peer
        office.configure(changed(self.LINE, destination="100"), plan=PLAN)
        return peer

    def test_is_where_everything_of_a_call_goes(self, office: Office, alice: Phone) -> None:
        peer = self.peer(office)
        call = alice.invite("9030123")
        invite = peer.hears("INVITE")
        assert invite.uri == "sip:030123@ims.example;user=phone"
        assert invite.all("Route") == ["<sip:198.51.100.9;lr>"]
        contact = "<sip:gw@nowhere.ims.example>"
        peer.respond(invite, 200, "OK", peer.sdp(), contact=contact)
        ack = peer.hears("ACK")
        assert ack.uri == "sip:gw@nowhere.ims.example"
        call.answered()
        call.ack()
        call.bye()
        alice.response(200)
        assert peer.hears("BYE").uri == "sip:gw@nowhere.ims.example"

    def test_of_a_call_that_has_come_in_too(self, office: Office, alice: Phone) -> None:
        peer = self.peer(office)
        peer.inner = "192.0.2.200"
        call = peer.calls("555")
        peer.trying()
        invite = alice.hears("INVITE")
        alice.respond(invite, 200, "OK", alice.sdp())
        alice.hears("ACK")
        call.answered()
        call.ack()
        alice.within(invite, "BYE", 1)
        alice.response(200)
        assert peer.hears("BYE").uri == "sip:gw@192.0.2.200:5060"

    def test_a_route_set_counts_before_it(self, office: Office, alice: Phone) -> None:
        peer, edge = self.peer(office), Telco(office, "edge", Address("198.51.100.10", 5060))
        office.phones[edge.address] = edge
        call = alice.invite("9030123")
        told = "Record-Route: <sip:198.51.100.10;lr>"
        peer.respond(peer.hears("INVITE"), 200, "OK", peer.sdp(), headers=told)
        assert edge.hears("ACK")
        call.answered()

    def test_its_connection_may_end(self, office: Office, alice: Phone) -> None:
        peer = self.peer(office)
        peer.connection = 7
        alice.invite("9030123")
        peer.hears("INVITE")
        (call,) = office.exchange.calls.values()
        _, leg = call.legs
        leg.usage.through = peer.flow
        office.exchange.disconnected(peer.flow)
        assert leg.usage.through.connection == 0
