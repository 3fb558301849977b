"""What is fuzzed: each target takes octets and may raise nothing; the parsers' own refusal is caught.

Beside crashes the targets look for readers that contradict themselves: what was read, is written and
read again, must be the same.
"""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Protocol
from xml.etree import ElementTree

import dns.message
from dns.exception import DNSException

from pbx.callback.errors import BadRequest, Unreadable
from pbx.callback.message import parse_message as parse_callback
from pbx.callback.request import wish_of
from pbx.config.callback import CallBackSettings
from pbx.errors import PeerError
from pbx.net.resolver import record_of
from pbx.net.websocket import WebSocketFraming
from pbx.registrar import pidf
from pbx.registrar.instances import features_of, instance_of, reg_id_of
from pbx.sdp.description import parse_sdp
from pbx.sdp.offer_answer import check_answer, normalise, on_hold, reject_all
from pbx.sip import stun
from pbx.sip.body import parts, refused_body, session_description
from pbx.sip.digest import parse_challenge, parse_credentials
from pbx.sip.digit_info import digit_of
from pbx.sip.event_package import event_of
from pbx.sip.flow import Address, Flow
from pbx.sip.framing import KeepAlive, StreamFramer
from pbx.sip.headers import (
    STAR,
    parse_contact_list,
    parse_cseq,
    parse_name_addr,
    parse_via,
    split_list,
)
from pbx.sip.history import answering, diversions, forwarded
from pbx.sip.identity import check_privacy, is_hidden, preferred
from pbx.sip.locate import locate
from pbx.sip.message import Message, Request, Response, parse_message
from pbx.sip.reason import parse_reasons
from pbx.sip.refer import parse_refer
from pbx.sip.register import granted_s, listed
from pbx.sip.reliable import rack_of, rseq_of, supports
from pbx.sip.replaces import parse_replaces, replaces_of, target_dialog_of
from pbx.sip.session_timer import SessionPolicy, inspect_session
from pbx.sip.uri import SipUri, parse_uri
from tests.fuzz.exchange import exchange
from tests.net.test_websocket import HANDSHAKE

Target = Callable[[bytes], None]


class Feeds(Protocol):
    """Cuts messages out of octets."""

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Return what is complete."""


def _text(data: bytes) -> str:
    """A header field's value, as `parse_message` reads it."""
    text = data.decode("utf-8", "surrogateescape")
    return "".join(each for each in text if each not in "\r\n")


def message(data: bytes) -> None:
    """The reader of messages, and everything that looks at one without a dialog."""
    for stream in (False, True):
        try:
            read = parse_message(data, stream=stream)
        except PeerError:
            continue
        assert parse_message(read.encode(), stream=stream) == read
        # What is accepted can be read, whether it has been read for that or not.
        for value in (read.via, read.from_, read.to, read.cseq, read.call_id):
            assert value is not None
        if isinstance(read, Response) and read.cseq.method == "REGISTER":
            listed(read)
        else:
            assert read.contacts is not None
        for name, _ in read.headers:
            with suppress(PeerError):
                read.all(name)
        for route in (*read.all("Route"), *read.all("Record-Route")):
            parse_name_addr(route)
        for look in (parts, refused_body, replaces_of, event_of, check_privacy, preferred):
            with suppress(PeerError):
                look(read)
        _look(read)


def _look(read: Message) -> None:
    """What never raises, or only for REFER."""
    session_description(read)
    is_hidden(read)
    diversions(read)
    if isinstance(read, Request):
        with suppress(PeerError):
            answering(read, "192.0.2.1")
        with suppress(PeerError):
            target_dialog_of(read)
        with suppress(PeerError):
            parse_refer(read, first=True)


def header(data: bytes) -> None:
    """Readers of single header field values."""
    text = _text(data)
    with suppress(PeerError):
        split_list(text)
    with suppress(PeerError):
        # Control characters in a name are not written (`quote`); but what was written once, stays.
        address = parse_name_addr(str(parse_name_addr(text)))
        assert parse_name_addr(str(address)) == address
    with suppress(PeerError):
        via = parse_via(text)
        assert parse_via(str(via)) == via
    with suppress(PeerError):
        cseq = parse_cseq(text)
        assert parse_cseq(str(cseq)) == cseq
    with suppress(PeerError):
        contacts = parse_contact_list([text])
        if contacts is not STAR:
            again = parse_contact_list([", ".join(map(str, contacts))])
            assert again is not STAR
            assert len(again) == len(contacts)
    with suppress(PeerError):
        parse_replaces(text)
    parse_reasons([text])


def uri(data: bytes) -> None:
    """URIs, their comparison and their writing."""
    with suppress(PeerError):
        read = parse_uri(_text(data))
        again = parse_uri(str(read))
        assert again == read
        if isinstance(read, SipUri) and isinstance(again, SipUri):
            assert read.address_of_record() == again.address_of_record()


def digest(data: bytes) -> None:
    """Credentials and challenges."""
    with suppress(PeerError):
        parse_credentials(_text(data))
    with suppress(PeerError):
        parse_challenge(_text(data))


def sdp(data: bytes) -> None:
    """Session descriptions, and the answers to them."""
    try:
        read = parse_sdp(data)
    except PeerError:
        return
    assert parse_sdp(read.encode()) == read
    with suppress(PeerError):
        on_hold(read)
        normalise(read, "192.0.2.1")
        check_answer(read, parse_sdp(reject_all(data, "192.0.2.1")))


def framing(data: bytes) -> None:
    """A stream cut anywhere brings the same messages; the first octet says where it is cut."""
    whole, pieces = StreamFramer(), StreamFramer()
    step = (data[0] if data else 0) % 31 + 1
    assert _fed(whole, [data[1:]]) == _fed(
        pieces, [data[at : at + step] for at in range(1, len(data), step)]
    )


def websocket(data: bytes) -> None:
    """What follows a WebSocket's handshake, or is none; the first octet says which and how cut."""
    first = data[0] if data else 0
    step = first % 31 + 1
    stream = (HANDSHAKE if first & 0x80 else b"") + data[1:]
    items = _fed(WebSocketFraming(), [stream])
    cut = [stream[at : at + step] for at in range(0, len(stream), step)]
    assert _fed(WebSocketFraming(), cut) == items


def _fed(framer: Feeds, stream: list[bytes]) -> list[object]:
    items: list[object] = []
    for data in [*stream, b""]:
        try:
            while found := framer.feed(data):
                items += found
                data = b""
        except PeerError as error:
            return [*items, error.status]
    return items


def binding_request(data: bytes) -> None:
    """Datagrams that aren't SIP."""
    source = Address("192.0.2.10", 5060)
    answered = stun.answer(data, source)
    assert answered is None or len(answered) <= 3 * len(data)


def xml(data: bytes) -> None:
    """Presence documents; what is put together of them can be read again."""
    with suppress(PeerError):
        read = pidf.read(data)
        written = pidf.document("sip:100@192.0.2.1", [*read, *read])
        assert len(list(ElementTree.fromstring(written))) == 2 * len(read)


def body(data: bytes) -> None:
    """Message bodies: the first line is their type, the rest what they are."""
    kind, _, octets = data.partition(b"\n")
    request = Request("INFO", "sip:100@192.0.2.1", [("Content-Type", _text(kind))], octets)
    session_description(request)
    for look in (parts, refused_body, digit_of):
        with suppress(PeerError):
            look(request)


def fields(data: bytes) -> None:
    """Header fields together, a line each, in a request and in a response."""
    headers = []
    for line in data.split(b"\n"):
        name, _, value = line.partition(b":")
        if name.replace(b"-", b"").isalpha():
            headers.append((name.decode(), _text(value).strip()))
    for method in ("INVITE", "REFER"):
        _look_at_request(Request(method, "sip:101@192.0.2.1", headers))
    response = Response(422, "Session Interval Too Small", headers)
    rseq_of(response)
    diversions(response)
    granted_s(response, "<sip:100@192.0.2.1:5060>", 600)
    with suppress(PeerError):
        assert response.contacts is not None


def _look_at_request(request: Request) -> None:
    for look in (replaces_of, event_of, check_privacy, rack_of, preferred):
        with suppress(PeerError):
            look(request)
    with suppress(PeerError):
        parse_refer(request, first=True)
    with suppress(PeerError):
        inspect_session(request, SessionPolicy(), "tag")
    with suppress(PeerError):
        is_hidden(request)
    supports(request)
    _go_on(request)
    with suppress(PeerError):
        _register(request)


def _go_on(request: Request) -> None:
    """What a forwarded call says of its way can be read by who gets it, whatever the peer said."""
    before, after = (SipUri("sip", user, None, "192.0.2.1") for user in ("101", "102"))
    why = request.get("Subject") or ""
    went: list[str] = []
    for _ in range(2):
        went = forwarded(went, before, after, status=302, why=why)
    for entry in went:
        assert parse_name_addr(entry).param("index")
    again = Request("INVITE", "sip:a", [("Diversion", entry) for entry in diversions(request)])
    assert diversions(again) == diversions(request)


def _register(request: Request) -> None:
    contacts = request.contacts
    for contact in [] if contacts is STAR else contacts:
        instance_of(contact)
        reg_id_of(contact, request)
        features = features_of(contact)
        # They stand in the answer to the phone, behind its Contact.
        assert not features or parse_name_addr(f"<sip:a@192.0.2.1>{features}").params


def name_server(data: bytes) -> None:
    """A name server's answer: what is read of it, and where a request would go."""
    try:
        answer = dns.message.from_wire(data, ignore_trailing=True)
    except DNSException:
        return
    found = [
        read
        for section in (answer.answer, answer.additional)
        for rrset in section
        for one in rrset
        if (read := record_of(one)) is not None
    ]
    hop = parse_uri("sip:100@example.com")
    assert isinstance(hop, SipUri)
    flow = Flow("udp", Address("192.0.2.1", 5060), Address("192.0.2.2", 5060))
    questions, places = locate(hop, flow, lambda question: found, lambda most: most // 2)
    assert not (questions and places)
    for _, place in places:
        ip_address(place.host)


def callback(data: bytes) -> None:
    """A datagram for the call-back service: what is read is what a person could have written."""
    try:
        read = parse_callback(data)
        wish = wish_of(read, CallBackSettings())
    except (Unreadable, BadRequest):
        return
    assert all(one.isascii() and one.isprintable() for one in (wish.id, *wish.called))
    # One form is written, of whatever has been read
    assert wish_of(parse_callback(read.encode()), CallBackSettings()) == wish


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        message,
        header,
        fields,
        uri,
        digest,
        body,
        sdp,
        framing,
        websocket,
        binding_request,
        xml,
        name_server,
        callback,
        exchange,
    )
}
