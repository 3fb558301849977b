"""No user's Contact leads a call out by a line: past rights, limits and records."""

import logging
from dataclasses import replace as changed

import msgspec
import pytest

from pbx.config.dial_plan import DialPlan
from pbx.registrar.binding import Binding
from pbx.sip.flow import Address, Flow
from pbx.sip.locate import Kind, Question
from pbx.sip.message import Response
from tests.call.office import HOME, Office, Phone, established
from tests.call.telco import LINE, TRUNK, Telco, telco
from tests.call.transferring import told

SERVER = TRUNK.server
ABROAD = "00900123456"
FROM_FRAUD = Flow("udp", HOME, Address("192.0.2.11", 5060))
NAME = Question(Kind.A, "innocent.example")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def peer(office: Office) -> Telco:
    return telco(office, TRUNK)


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


def register(phone: Phone, contact: str, headers: str = "", call_id: str = "fraud") -> Response:
    """Register a Contact that isn't the phone's own; return the answer."""
    uri, to = f"sip:{HOME.host}", f"<sip:{phone.number}@{HOME.host}>"
    lines = f"Contact: {contact}" + (f"\n{headers}" if headers else "")
    for cseq in (1, 2):
        auth = ""
        if cseq == 2:
            auth = "\n" + phone.authorized(phone.response(401), "REGISTER", uri)
        phone.request(
            *("REGISTER", uri),
            call_id=call_id,
            cseq=cseq,
            to=to,
            headers=lines + auth,
            contact=False,
        )
    answer = phone.inbox.popleft()
    assert isinstance(answer, Response)
    return answer


def stored(office: Office, uri: str, path: tuple[str, ...] = (), flow: Flow = FROM_FRAUD) -> None:
    """A user's binding from before, as a database may still have it."""
    office.bindings.restore([Binding("101", uri, flow, "before", 1, office.now + 600, path, q="1")])


def nobody_outside(office: Office, peer: Telco, alice: Phone) -> None:
    """A call to the user reaches no line, and its record says why."""
    alice.invite("101")
    alice.response(480)
    office.advance(1)
    assert not peer.inbox
    assert office.cause() == ("NOT_REGISTERED", 20)
    (facts,) = office.ended
    assert "it leads to line peer" in facts.route
    assert facts.called_line == ""


@pytest.mark.parametrize(
    ("contact", "headers"),
    [
        (f"<sip:{ABROAD}@{SERVER}>", ""),
        (f"<sip:{ABROAD}@{SERVER}:5070;transport=tcp>", ""),
        (f"<sip:{ABROAD}@192.0.2.11;maddr={SERVER}>", ""),
        (f"<sip:{ABROAD}@{SERVER};maddr=192.0.2.11>", ""),
        ("<sip:101@192.0.2.11>", f"Path: <sip:{SERVER};lr>\nSupported: path"),
        ("<sip:101@192.0.2.11>", f"Path: <sip:{SERVER};maddr=192.0.2.11;lr>\nSupported: path"),
        (f"<sip:{ABROAD}@{SERVER}>", f"Path: <sip:{HOME.host}:5070;lr>\nSupported: path"),
        (
            f"<sip:{ABROAD}@192.0.2.11>",
            f"Path: <sip:{HOME.host}:5070;lr>, <sip:{SERVER};lr>\nSupported: path",
        ),
    ],
)
def test_a_contact_at_a_trunk_is_refused(
    office: Office, peer: Telco, contact: str, headers: str
) -> None:
    phone = office.phone("101", register=False)
    answer = register(phone, contact, headers)
    assert (answer.status, answer.reason) == (403, "Contact Leads To A Line's Server")
    assert "Contact Leads To A Line's Server" in (answer.get("Warning") or "")
    assert office.bindings.of("101", office.now) == []


def test_a_contact_at_an_external_line_is_refused(office: Office) -> None:
    telco(office, LINE)
    phone = office.phone("101", register=False)
    assert register(phone, f"<sip:{ABROAD}@{LINE.server}>").status == 403


def test_a_contact_at_a_peer_of_a_line_is_refused(office: Office) -> None:
    telco(office, msgspec.structs.replace(TRUNK, peers=("203.0.113.0/28",)))
    phone = office.phone("101", register=False)
    assert register(phone, f"<sip:{ABROAD}@203.0.113.9>").status == 403


def test_a_line_that_is_off_is_not_open_to_anybody(office: Office) -> None:
    telco(office, msgspec.structs.replace(TRUNK, enabled=False))
    phone = office.phone("101", register=False)
    assert register(phone, f"<sip:{ABROAD}@{SERVER}>").status == 403


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        (f"sip:{ABROAD}@{SERVER}", ()),
        ("sip:101@192.0.2.11", (f"<sip:{SERVER};lr>",)),
        (f"sip:{ABROAD}@192.0.2.11;maddr={SERVER}", ()),
        (f"sip:{ABROAD}@{SERVER};maddr=192.0.2.11", ()),
    ],
)
def test_what_is_stored_already_is_not_rung(
    office: Office,
    peer: Telco,
    alice: Phone,
    uri: str,
    path: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored(office, uri, path)
    nobody_outside(office, peer, alice)
    # Its 480, which nobody acknowledges here, comes again
    alice.inbox.clear()
    alice.invite("101", call_id="again")
    alice.response(480)
    told = [one for one in caplog.records if "line peer" in one.getMessage()]
    assert [one.levelno for one in told] == [logging.WARNING]


def test_however_long_it_is(
    office: Office, peer: Telco, alice: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    stored(office, f"sip:{ABROAD}@{SERVER};x={50000 * 'x'}")
    nobody_outside(office, peer, alice)
    assert len(office.ended[0].route) < 1000
    assert max(len(one.getMessage()) for one in caplog.records) < 1000


def test_the_users_other_phones_ring(office: Office, peer: Telco, alice: Phone) -> None:
    bob = office.phone("101")
    stored(office, f"sip:{ABROAD}@{SERVER}")
    alice.invite("101")
    bob.hears("INVITE")
    office.advance(1)
    assert not peer.inbox
    (call,) = office.exchange.calls.values()
    assert f"sip:{ABROAD}@{SERVER} not rung: it leads to line peer" in call.facts.route


def test_a_further_flow_of_a_phone_is_no_way_round(
    office: Office, peer: Telco, alice: Phone
) -> None:
    """RFC 5626: what is tried where the phone's first flow fails."""
    bob = office.phone("101", register=False)
    for number, host in ((1, SERVER), (2, bob.address.host)):
        path = (f"<sip:{host};lr>",)
        one = Binding("101", "sip:101@192.0.2.11", FROM_FRAUD, "c", 1, office.now + 600, path)
        office.bindings.restore([changed(one, instance="<urn:uuid:1>", reg_id=number)])
    alice.invite("101")
    bob.respond(bob.hears("INVITE"), 430, "Flow Failed")
    office.advance(40)
    assert not peer.inbox


def test_a_text_goes_to_no_line(office: Office, peer: Telco, alice: Phone) -> None:
    stored(office, f"sip:{ABROAD}@{SERVER}")
    uri = f"sip:101@{HOME.host}"
    alice.request("MESSAGE", uri, call_id="m", cseq=1, contact=False)
    auth = alice.authorized(alice.response(407), "MESSAGE", uri)
    text = f"{auth}\nContent-Type: text/plain"
    alice.request("MESSAGE", uri, call_id="m", cseq=2, contact=False, headers=text, body=b"hi")
    alice.response(202)
    assert not peer.inbox


class TestNames:
    """What a name stands for is known only when DNS has answered."""

    def test_a_name_that_stands_for_a_trunk(
        self, office: Office, peer: Telco, alice: Phone
    ) -> None:
        office.names[NAME] = (SERVER,)
        phone = office.phone("101", register=False)
        contact = f"<sip:{ABROAD}@{NAME.name}:5060;transport=udp>"
        # It can't be known yet
        assert register(phone, contact).status == 200
        alice.invite("101", call_id="first")
        phone.hears("INVITE")
        alice.inbox.clear()
        nobody_outside(office, peer, alice)

    def test_a_name_that_is_asked_for_in_the_call(
        self, office: Office, peer: Telco, alice: Phone
    ) -> None:
        """The call is on its way to it already: it goes to where the phone speaks from."""
        office.names[NAME] = (SERVER,)
        phone = office.phone("101", register=False)
        stored(office, f"sip:{ABROAD}@{NAME.name}:5060;transport=udp", flow=phone.flow)
        alice.invite("101")
        phone.hears("INVITE")
        office.advance(1)
        assert not peer.inbox

    def test_a_trunks_own_name(self, office: Office) -> None:
        line = msgspec.structs.replace(TRUNK, server="trunk.example:5060", transport="udp")
        office.names[Question(Kind.A, "trunk.example")] = (SERVER,)
        office.configure(line)
        phone = office.phone("101", register=False)
        assert register(phone, f"<sip:{ABROAD}@Trunk.Example.:5060>").status == 403
        assert register(phone, f"<sip:{ABROAD}@{SERVER}>", call_id="2").status == 403
        by_maddr = f"<sip:{ABROAD}@trunk.example;maddr={phone.address.host}>"
        assert register(phone, by_maddr, call_id="3").status == 403

    def test_a_phones_own_name(self, office: Office, peer: Telco, alice: Phone) -> None:
        phone = office.phone("101", register=False)
        office.names[NAME] = (phone.address.host,)
        contact = f"<sip:101@{NAME.name}:5060;transport=udp>"
        assert register(phone, contact).status == 200
        alice.invite("101")
        phone.hears("INVITE")


class TestAtTheSameHost:
    """A trunk's own address may have phones at it, as small offices have it."""

    def test_a_phone_at_the_trunks_address(self, office: Office, alice: Phone) -> None:
        telco(office, TRUNK)
        phone = Phone(office, "101", Address(SERVER, 5062))
        office.phones[phone.address] = phone
        assert register(phone, f"<sip:101@{SERVER}:5062>").status == 200
        call = alice.invite("101")
        invite = phone.hears("INVITE")
        phone.respond(invite, 200, "OK", phone.sdp())
        call.answered()

    def test_a_phone_at_a_peers_address(self, office: Office, alice: Phone) -> None:
        """A PBX that calls from another address than it is called at, and registers its users."""
        line = msgspec.structs.replace(TRUNK, peers=("203.0.113.9",))
        peer = telco(office, line)
        phone = office.phone("101", "203.0.113.9", register=False)
        assert register(phone, f"<sip:101@{SERVER}>").status == 200
        alice.invite("101")
        peer.hears("INVITE")

    def test_a_phone_within_a_network_of_peers(
        self, office: Office, peer: Telco, alice: Phone
    ) -> None:
        office.configure(msgspec.structs.replace(TRUNK, peers=("203.0.113.0/24",)))
        office.names[NAME] = (SERVER,)
        phone = office.phone("101", "203.0.113.9", register=False)
        assert register(phone, f"<sip:{ABROAD}@{SERVER}>").status == 403
        contact = f"<sip:{ABROAD}@{NAME.name}:5060;transport=udp>"
        assert register(phone, contact, call_id="2").status == 200
        alice.invite("101")
        phone.hears("INVITE")
        office.advance(1)
        assert not peer.inbox

    def test_a_proxy_that_is_the_trunk_too(self, office: Office, peer: Telco, alice: Phone) -> None:
        peer.number = "101"
        path = f"Path: <sip:{SERVER};lr>\nSupported: path"
        assert register(peer, "<sip:101@192.0.2.11>", path).status == 200
        alice.invite("101")
        peer.hears("INVITE")


class TestOtherWaysToSendACall:
    """A phone's 302 and a REFER name numbers, which the dial plan leads, and no addresses."""

    @pytest.fixture(autouse=True)
    def nowhere(self, office: Office, peer: Telco) -> None:
        """No number leads outside."""
        office.configure(TRUNK, plan=DialPlan())

    def test_a_302_to_a_trunk(self, office: Office, peer: Telco, alice: Phone) -> None:
        bob = office.phone("101")
        alice.invite("101")
        contact = f"Contact: <sip:{ABROAD}@{SERVER}>"
        bob.respond(bob.hears("INVITE"), 302, "Moved Temporarily", headers=contact)
        office.advance(1)
        assert not peer.inbox
        assert office.cause() == ("CALLEE_REJECTED", 23)

    def test_a_transfer_to_a_trunk(self, office: Office, peer: Telco) -> None:
        alice, _, call, _ = established(office)
        call.request("REFER", 3, headers=f"Refer-To: <sip:{ABROAD}@{SERVER}>")
        alice.response(202)
        told(alice, 100, 404)
        assert not peer.inbox

    def test_a_refer_outside_of_calls(self, office: Office, peer: Telco, alice: Phone) -> None:
        uri, headers = f"sip:100@{HOME.host}", f"Refer-To: <sip:{ABROAD}@{SERVER}>"
        alice.request("REFER", uri, call_id="r", cseq=1, headers=headers)
        auth = alice.authorized(alice.response(407), "REFER", uri)
        alice.request("REFER", uri, call_id="r", cseq=2, headers=f"{headers}\n{auth}")
        alice.response(202)
        told(alice, 100, 404)
        assert not peer.inbox
