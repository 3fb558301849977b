"""T1: the Request-URI's additional parameter, as miniSIPServer's users know it."""

from dataclasses import dataclass

import msgspec
import pytest

from pbx.config.line import Line
from pbx.sip.message import Request
from tests.call.office import HOME, Office
from tests.call.phone import Phone
from tests.call.telco import LINE, TRUNK, Telco, telco

NUMBER = "+8613901088888"
IMS = msgspec.structs.replace(LINE, domain="ims.example", destination="100")


def changed(line: Line, **options: object) -> Line:
    """A line with other options."""
    return msgspec.structs.replace(line, **options)


@dataclass
class Call:
    """A call that goes out: who hears it, and what was heard."""

    alice: Phone
    peer: Telco
    invite: Request


def outgoing(line: Line, dialed: str = NUMBER, headers: str = "") -> Call:
    """A call by a line."""
    office = Office()
    alice, peer = office.phone("100"), telco(office, line)
    alice.invite(dialed, headers=headers)
    return Call(alice, peer, peer.hears("INVITE"))


class TestT1_1TelUrisThatComeIn:
    """Incoming INVITE with Request-URI, To or From as tel is routed like sip, unconfigured."""

    @pytest.mark.parametrize("line", [IMS, changed(TRUNK, destination="100")])
    @pytest.mark.parametrize(
        "caller", [f"tel:{NUMBER}", f"sip:{NUMBER}@ims.example", "tel:+86-139-0108-8888"]
    )
    @pytest.mark.parametrize("dialed", ["tel:+8610-1000", f"sip:+86101000@{HOME.host}"])
    def test_t1_1_rings_and_shows_the_caller(self, line: Line, caller: str, dialed: str) -> None:
        office = Office()
        alice, peer = office.phone("100"), telco(office, line)
        call = peer.calls(dialed, caller, to=f"<{dialed}>")
        peer.trying()
        invite = alice.hears("INVITE")
        assert str(invite.from_.uri) == f"sip:{NUMBER}@{HOME.host}"
        alice.respond(invite, 200, "OK", alice.sdp())
        alice.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        peer.response(200)
        alice.respond(alice.hears("BYE"), 200)
        (facts,) = office.ended
        assert (facts.caller_number, facts.caller_line) == (NUMBER, line.name)
        assert facts.dialed_number == "+86101000"


class TestT1_2SipByDefault:
    @pytest.mark.parametrize("line", [IMS, TRUNK])
    def test_t1_2_a_request_uri_is_never_tel_by_itself(self, line: Line) -> None:
        assert outgoing(line).invite.uri.startswith(f"sip:{NUMBER}@")


class TestT1_3ExternalLines:
    def test_t1_3_user_phone_stands_in_the_request_uri(self) -> None:
        assert outgoing(IMS).invite.uri == f"sip:{NUMBER}@ims.example;user=phone"

    def test_t1_3_it_can_be_switched_off(self) -> None:
        assert outgoing(changed(IMS, uri_form="sip")).invite.uri == f"sip:{NUMBER}@ims.example"


class TestT1_4SipTrunks:
    def test_t1_4_no_parameter_is_added(self) -> None:
        assert outgoing(TRUNK).invite.uri == f"sip:{NUMBER}@198.51.100.2"


class TestT1_5TheAdditionalParameter:
    @pytest.mark.parametrize(
        ("parameter", "end"),
        [
            ("user=phone", ";user=phone"),
            (";user=phone", ";user=phone"),
            ("user=phone;x=y", ";user=phone;x=y"),
            (" ;trunk-context=a.example ; z ", ";trunk-context=a.example;z"),
            ("", ""),
            ("  ", ""),
            (";", ""),
        ],
    )
    def test_t1_5_it_is_a_free_string(self, parameter: str, end: str) -> None:
        line = changed(TRUNK, uri_parameters=parameter)
        assert outgoing(line).invite.uri == f"sip:{NUMBER}@198.51.100.2{end}"

    def test_t1_5_what_stands_there_already_is_not_doubled(self) -> None:
        line = changed(IMS, uri_parameters="user=phone;b")
        assert outgoing(line).invite.uri == f"sip:{NUMBER}@ims.example;user=phone;b"

    def test_extra_the_telephone_number_format(self) -> None:
        call = outgoing(changed(TRUNK, uri_form="tel"))
        assert call.invite.uri == f"tel:{NUMBER}"
        assert call.invite.get("To") == f"<tel:{NUMBER}>"

    @pytest.mark.parametrize(("country", "context"), [("86", "+86"), ("", "198.51.100.2")])
    def test_extra_a_local_number_has_a_context(self, country: str, context: str) -> None:
        line = changed(TRUNK, uri_form="tel", country=country)
        assert outgoing(line, "910086").invite.uri == f"tel:10086;phone-context={context}"


class TestT1_6WhereItStays:
    LINE = changed(IMS, uri_parameters="carrier=x")
    URI = f"sip:{NUMBER}@ims.example;user=phone;carrier=x"

    def test_t1_6_in_the_request_uri_alone(self) -> None:
        invite = outgoing(self.LINE).invite
        assert invite.uri == self.URI
        assert invite.get("To") == f"<sip:{NUMBER}@ims.example>"

    def test_t1_6_it_survives_the_authentication(self) -> None:
        call = outgoing(self.LINE)
        call.peer.challenge(call.invite)
        again = call.peer.hears("INVITE")
        assert again.uri == self.URI
        assert again.get("To") == call.invite.get("To")
        assert again.call_id == call.invite.call_id
        assert again.cseq.number == call.invite.cseq.number + 1

    def test_t1_6_the_ack_to_a_refusal_has_it(self) -> None:
        call = outgoing(self.LINE)
        call.peer.respond(call.invite, 486, "Busy Here")
        assert call.peer.hears("ACK").uri == self.URI

    def test_t1_6_a_cancel_after_the_authentication_has_it(self) -> None:
        office = Office()
        alice, peer = office.phone("100"), telco(office, self.LINE)
        call = alice.invite(NUMBER)
        peer.challenge(peer.hears("INVITE"))
        invite = peer.hears("INVITE")
        peer.respond(invite, 180)
        call.cancel()
        cancel = peer.hears("CANCEL")
        assert cancel.uri == self.URI
        assert cancel.via.branch == invite.via.branch
        assert cancel.cseq.number == invite.cseq.number

    def test_t1_6_another_line_has_its_own(self) -> None:
        office = Office()
        second = changed(TRUNK, uri_parameters="second")
        alice, peer = office.phone("100"), telco(office, self.LINE)
        other = telco(office, second, others=(self.LINE,))
        alice.invite(NUMBER)
        first, then = (peer, other) if peer.inbox else (other, peer)
        first.respond(first.hears("INVITE"), 503)
        first.hears("ACK")
        uris = {self.URI, f"sip:{NUMBER}@198.51.100.2;second"}
        assert then.hears("INVITE").uri in uris


class TestT1_7Digest:
    def test_t1_7_its_uri_is_the_request_uri_as_sent(self) -> None:
        call = outgoing(TestT1_6WhereItStays.LINE)
        call.peer.challenge(call.invite)
        again = call.peer.hears("INVITE")
        assert again.uri == TestT1_6WhereItStays.URI
        call.peer.proves(again)
