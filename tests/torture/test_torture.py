"""The torture messages of RFC 4475 and RFC 5118: what a UDP server's reader makes of each.

Only what can be told from the message alone is judged here. Where the table says `ACCEPT`, the
transaction user may still refuse: `expected.py` says with what.
"""

import pytest

from pbx.errors import PeerError
from pbx.sip.headers import STAR, parse_via
from pbx.sip.message import MalformedRequest, Request, Response, parse_message, response_to
from pbx.sip.uri import OtherUri, SipUri, TelUri
from tests.torture.messages import VECTORS, octets

ACCEPT = 0

ANSWER = True
"""The fault is told to the sender."""
DROP = False
"""Nothing can be told to the sender: it's a response, or shows no way back."""

# name: (status or ACCEPT, whether the sender gets it)
RFC4475 = {
    # 3.1.1 valid messages
    "wsinv": (ACCEPT, ANSWER),  # 3.1.1.1 a short tortuous INVITE
    "intmeth": (ACCEPT, ANSWER),  # 3.1.1.2 wide range of valid characters; TU: 501
    "esc01": (ACCEPT, ANSWER),  # 3.1.1.3 % escaping
    "escnull": (ACCEPT, ANSWER),  # 3.1.1.4 escaped nulls in URIs
    "esc02": (ACCEPT, ANSWER),  # 3.1.1.5 % when it is no escape; TU: 501
    "lwsdisp": (ACCEPT, ANSWER),  # 3.1.1.6 no LWS between display name and <
    "longreq": (ACCEPT, ANSWER),  # 3.1.1.7 long values
    "dblreq": (ACCEPT, ANSWER),  # 3.1.1.8 extra octets behind a UDP request: cut off
    "semiuri": (ACCEPT, ANSWER),  # 3.1.1.9 semicolon in the user part
    "transports": (ACCEPT, ANSWER),  # 3.1.1.10 varied transports
    "mpart01": (ACCEPT, ANSWER),  # 3.1.1.11 multipart MESSAGE
    "unreason": (ACCEPT, ANSWER),  # 3.1.1.12 unusual reason phrase
    "noreason": (ACCEPT, ANSWER),  # 3.1.1.13 empty reason phrase
    # 3.1.2 invalid messages
    "badinv01": (400, ANSWER),  # 3.1.2.1 extraneous separators, in Via too
    "clerr": (400, ANSWER),  # 3.1.2.2 Content-Length larger than the message
    "ncl": (400, ANSWER),  # 3.1.2.3 negative Content-Length
    "scalar02": (400, ANSWER),  # 3.1.2.4 request scalars too large
    "scalarlg": (400, DROP),  # 3.1.2.5 response scalars too large
    "quotbal": (400, ANSWER),  # 3.1.2.6 unterminated quoted string
    "ltgtruri": (400, ANSWER),  # 3.1.2.7 <> around the Request-URI
    "lwsruri": (400, ANSWER),  # 3.1.2.8 LWS in the Request-URI
    "lwsstart": (400, ANSWER),  # 3.1.2.9 several SP in the Request-Line
    "trws": (400, ANSWER),  # 3.1.2.10 SP at the end of the Request-Line
    "escruri": (400, ANSWER),  # 3.1.2.11 header component in the Request-URI
    "baddate": (ACCEPT, ANSWER),  # 3.1.2.12 non-GMT Date: nobody here reads Date
    "regbadct": (400, ANSWER),  # 3.1.2.13 Contact with a header component, but without <>
    "badaspec": (400, ANSWER),  # 3.1.2.14 spaces within addr-spec
    "baddn": (400, ANSWER),  # 3.1.2.15 a comma in an unquoted display name
    "badvers": (505, ANSWER),  # 3.1.2.16 unknown protocol version
    "mismatch01": (400, ANSWER),  # 3.1.2.17 start line and CSeq differ in the method
    "mismatch02": (400, ANSWER),  # 3.1.2.18 the same with an unknown method
    "bigcode": (400, DROP),  # 3.1.2.19 overlarge response code
    # 3.2 transaction layer semantics
    "badbranch": (ACCEPT, ANSWER),  # 3.2.1 branch is the cookie alone; layer: as RFC 2543
    # 3.3 application layer semantics
    "insuf": (400, ANSWER),  # 3.3.1 From, To, Call-ID missing
    "unkscm": (ACCEPT, ANSWER),  # 3.3.2 unknown scheme in the Request-URI; TU: 416
    "novelsc": (ACCEPT, ANSWER),  # 3.3.3 known scheme that isn't SIP's; TU: 416
    "unksm2": (ACCEPT, ANSWER),  # 3.3.4 unknown schemes in From, To, Contact; TU: 400
    "bext01": (ACCEPT, ANSWER),  # 3.3.5 Proxy-Require and Require; TU: 420
    "invut": (ACCEPT, ANSWER),  # 3.3.6 unknown Content-Type; TU: 415
    "regaut01": (ACCEPT, ANSWER),  # 3.3.7 unknown authorization scheme; TU: 401
    "multi01": (400, ANSWER),  # 3.3.8 several values in single value header fields
    "mcl01": (400, ANSWER),  # 3.3.9 two Content-Length
    "bcast": (ACCEPT, ANSWER),  # 3.3.10 200 with a broadcast Via; layer: drop, two Via
    "zeromf": (ACCEPT, ANSWER),  # 3.3.11 Max-Forwards 0; TU answers for itself
    "cparam01": (ACCEPT, ANSWER),  # 3.3.12 contact parameter, not URI parameter
    "cparam02": (ACCEPT, ANSWER),  # 3.3.13 URI parameter, not contact parameter
    "regescrt": (ACCEPT, ANSWER),  # 3.3.14 header component in a REGISTER's contact
    "sdp01": (ACCEPT, ANSWER),  # 3.3.15 Accept that we can't meet; TU: 406
    # 3.4 backward compatibility
    "inv2543": (ACCEPT, ANSWER),  # 3.4.1 INVITE as RFC 2543 has it
}

RFC5118 = {
    "ipv6-good": (ACCEPT, ANSWER),  # 4.1
    "ipv6-bad": (400, ANSWER),  # 4.2 no brackets in the Request-URI
    "port-ambiguous": (ACCEPT, ANSWER),  # 4.3 reads as an address that ends in 5070
    "port-unambiguous": (ACCEPT, ANSWER),  # 4.4
    "via-received-param-with-delim": (ACCEPT, ANSWER),  # 4.5 be liberal in what you accept
    "via-received-param-no-delim": (ACCEPT, ANSWER),  # 4.5 the grammar's form
    "ipv6-in-sdp": (ACCEPT, ANSWER),  # 4.6
    "mult-ip-in-header": (ACCEPT, ANSWER),  # 4.7
    "mult-ip-in-sdp": (ACCEPT, ANSWER),  # 4.8
    "ipv4-mapped-ipv6": (ACCEPT, ANSWER),  # 4.9
    "ipv6-bug-abnf-3-colons": (ACCEPT, ANSWER),  # 4.10 an error of RFC 3261's grammar, to be taken
    "ipv6-correct-abnf-2-colons": (ACCEPT, ANSWER),  # 4.10
}


def request(name: str) -> Request:
    message = parse_message(octets(name))
    assert isinstance(message, Request)
    return message


class TestVerdicts:
    def test_no_vector_is_missing(self) -> None:
        assert {path.stem for path in (VECTORS / "rfc4475").iterdir()} == RFC4475.keys()
        assert {path.name for path in (VECTORS / "rfc5118").iterdir()} == RFC5118.keys()

    @pytest.mark.parametrize(
        ("name", "status", "answered"),
        [(name, *verdict) for name, verdict in (RFC4475 | RFC5118).items()],
    )
    def test_verdict(self, name: str, status: int, answered: bool) -> None:
        data = octets(name)
        if status == ACCEPT:
            message = parse_message(data)
            assert parse_message(message.encode()) == message
            return
        with pytest.raises(PeerError) as caught:
            parse_message(data)
        assert caught.value.status == status
        assert isinstance(caught.value, MalformedRequest) is answered

    @pytest.mark.parametrize(
        "name", [name for name, (status, answered) in RFC4475.items() if status and answered]
    )
    def test_fault_is_answerable(self, name: str) -> None:
        with pytest.raises(MalformedRequest) as caught:
            parse_message(octets(name))
        fault = caught.value
        answer = response_to(fault.request, fault.status, fault.reason, to_tag="ours")
        assert answer.get("Via") == fault.request.get("Via")
        assert answer.get("Call-ID") == fault.request.get("Call-ID")
        assert answer.get("CSeq")
        answer.encode()

    @pytest.mark.parametrize("name", sorted(RFC4475 | RFC5118))
    def test_stream_reader_raises_peer_error_only(self, name: str) -> None:
        try:
            parse_message(octets(name), stream=True)
        except PeerError:
            pass

    @pytest.mark.parametrize("name", sorted(RFC4475 | RFC5118))
    def test_every_beginning_raises_peer_error_only(self, name: str) -> None:
        data = octets(name)
        for end in range(0, len(data), 7):
            try:
                parse_message(data[:end])
            except PeerError:
                continue


class TestRfc4475Section3_1_1:
    """What the accepted ones say."""

    def test_wsinv(self) -> None:
        message = request("wsinv")
        assert message.to.tag == "1918181833n"
        assert message.from_.display_name == 'J Rosenberg \\"'
        assert message.from_.tag == "98asjd8"
        assert message.max_forwards == 68
        assert str(message.cseq) == "9 INVITE"
        assert len(message.all("Via")) == 3
        assert message.via.host == "192.0.2.2"
        assert message.via.branch == "390skdjuw"
        assert (
            str(parse_via(message.all("Via")[1]))
            == "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8"
        )
        assert message.get("Subject") == ""
        assert message.get("newfangledheader") == "newfangled value continued newfangled value"
        assert message.contacts is not STAR
        (contact,) = message.contacts
        assert contact.display_name == 'Quoted string ""'
        assert contact.param("newparam") == "newvalue"
        assert contact.param("secondparam") == ""
        assert contact.param("q") == "0.33"
        assert isinstance(message.request_uri, SipUri)
        assert message.request_uri.has_param("unknownparam")

    def test_intmeth(self) -> None:
        message = request("intmeth")
        assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
        assert message.cseq.method == message.method
        assert message.cseq.number == 139122385
        uri = message.request_uri
        assert isinstance(uri, SipUri)
        assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
        assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
        assert uri.host == "example.com"
        assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
        assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
        assert message.from_.tag == "_token~1'+`*%!-."
        assert message.from_.param("fromParam''~+*_!.-%") == "\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439"  # fmt: skip
        assert message.max_forwards == 255

    def test_esc01(self) -> None:
        message = request("esc01")
        uri = message.request_uri
        assert isinstance(uri, SipUri)
        assert (uri.user, uri.host) == ("sips:user@example.com", "example.net")
        assert str(uri) == "sip:sips%3Auser%40example.com@example.net"
        assert isinstance(message.to.uri, SipUri)
        assert message.to.uri.user == "user"
        assert isinstance(message.from_.uri, SipUri)
        assert message.from_.uri.user == "I have spaces"
        assert message.contacts is not STAR
        contact = message.contacts[0].uri
        assert isinstance(contact, SipUri)
        assert contact.user == "caller"
        assert contact.has_param("lr")
        assert contact.param("name") == "value%41"

    def test_escnull(self) -> None:
        message = request("escnull")
        assert isinstance(message.to.uri, SipUri)
        assert message.to.uri.user == "null-\0-null"
        assert message.contacts is not STAR
        users = [
            contact.uri.user for contact in message.contacts if isinstance(contact.uri, SipUri)
        ]
        assert users == ["\0", "\0\0"]

    def test_esc02(self) -> None:
        message = request("esc02")
        assert message.method == "RE%47IST%45R"
        assert message.to.display_name == "%Z%45"
        assert message.via.branch == "z9hG4bK209%fzsnel234"
        assert len(message.all("Contact")) == 2
        assert message.get("C%6Fntact") == "<sip:alias2@host2.example.com>"

    def test_lwsdisp(self) -> None:
        assert request("lwsdisp").from_.display_name == "caller"

    def test_longreq(self) -> None:
        message = request("longreq")
        assert len(message.all("Via")) == 34
        assert message.via.host == "sip33.example.com"
        assert message.from_.tag is not None
        assert message.from_.tag == "1" + "298" * 50 + "2424"

    def test_dblreq(self) -> None:
        message = request("dblreq")
        assert message.method == "REGISTER"
        assert message.body == b""
        assert message.call_id == "dblreq.0ha0isndaksdj99sdfafnl3lk233412"

    def test_semiuri(self) -> None:
        uri = request("semiuri").request_uri
        assert isinstance(uri, SipUri)
        assert uri.user == "user;par=u@example.net"
        assert uri.host == "example.com"
        assert uri.params == ()
        assert str(uri) == "sip:user;par=u%40example.net@example.com"

    def test_transports(self) -> None:
        vias = request("transports").all("Via")
        assert [via.split()[0].rpartition("/")[2] for via in vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]  # fmt: skip

    def test_mpart01(self) -> None:
        message = request("mpart01")
        assert message.get("Content-Type") == "multipart/mixed;boundary=7a9cbec02ceef655"
        assert len(message.body) == 553

    def test_unreason(self) -> None:
        message = parse_message(octets("unreason"))
        assert isinstance(message, Response)
        assert message.status == 200
        assert message.reason.startswith("= 2**3 * 5**2 \u043d\u043e")

    def test_noreason(self) -> None:
        message = parse_message(octets("noreason"))
        assert isinstance(message, Response)
        assert (message.status, message.reason) == (100, "")


class TestRfc4475Section3_3:
    def test_contact_parameter_and_uri_parameter(self) -> None:
        outside = request("cparam01").contacts
        inside = request("cparam02").contacts
        assert outside is not STAR
        assert inside is not STAR
        assert outside[0].param("unknownparam") == ""
        assert isinstance(outside[0].uri, SipUri)
        assert not outside[0].uri.has_param("unknownparam")
        assert inside[0].param("unknownparam") is None
        assert isinstance(inside[0].uri, SipUri)
        assert inside[0].uri.has_param("unknownparam")

    def test_escaped_route_in_contact(self) -> None:
        contacts = request("regescrt").contacts
        assert contacts is not STAR
        assert isinstance(contacts[0].uri, SipUri)
        assert contacts[0].uri.headers == (("Route", "<sip:sip.example.com>"),)

    def test_unknown_schemes(self) -> None:
        message = request("unksm2")
        assert isinstance(message.to.uri, OtherUri)
        assert isinstance(message.from_.uri, OtherUri)
        assert isinstance(request("unkscm").request_uri, OtherUri)
        assert isinstance(request("novelsc").request_uri, OtherUri)
        assert not isinstance(message.to.uri, TelUri)


class TestRfc5118:
    def test_ambiguous_port_belongs_to_the_address(self) -> None:
        uri = request("port-ambiguous").request_uri
        assert isinstance(uri, SipUri)
        assert (uri.host, uri.port) == ("2001:db8::10:5070", None)

    def test_unambiguous_port(self) -> None:
        uri = request("port-unambiguous").request_uri
        assert isinstance(uri, SipUri)
        assert (uri.host, uri.port) == ("2001:db8::10", 5070)
        assert str(uri) == "sip:[2001:db8::10]:5070"

    @pytest.mark.parametrize(
        "name", ["via-received-param-no-delim", "via-received-param-with-delim"]
    )
    def test_received_in_both_forms(self, name: str) -> None:
        via = request(name).via
        assert via.host == "2001:db8::9:1"
        assert via.received == "2001:db8::9:255"

    def test_mapped_address(self) -> None:
        message = request("ipv4-mapped-ipv6")
        assert (message.via.host, message.via.port) == ("::ffff:192.0.2.10", 19823)
