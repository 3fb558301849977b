"""What counts as plain must be readable: the look and the readers may not disagree (RFC 3261 §25.1)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sip.headers import parse_contact_list, parse_name_addr, parse_params, parse_via, split_list
from pbx.sip.message import parse_message
from pbx.sip.plain import PLAIN_ADDRESS_RE, PLAIN_PARAMS_RE, PLAIN_URI_RE, PLAIN_VIA_RE
from pbx.sip.uri import SipUri, parse_uri

# Pieces that make a value plain, or nearly so.
_HOSTS = [
    "a",
    "a.b",
    "a-b.c",
    "1.2.3.4",
    "1.2.3.256",
    "1.2",
    "a.1",
    "1.a",
    "a..b",
    "-a",
    "a-",
    "a_b",
]
_HOSTS += ["01.2.3.4", "[::1]", "a.", "", "é", "A.B", "1.2.3.4.5", "1.2.3.4-a"]
_PORTS = ["", ":5060", ":65536", ":99999", ":", ":0", ":5060x"]
_USERS = ["", "100@", "a.b+c@", "%41@", "a:b@", "a b@", "@", "*21#@", "é@", "a;b@"]
_PARAMS = ["", ";lr", ";transport=udp", ";a=", ";a=b;a=c", ";=b", ";a=%41", ";a b", ";a=[::1]", ";"]
_TAILS = [
    "",
    ";tag=1",
    ";tag=1;tag=2",
    ";tag=",
    ";tag",
    ';+x="a,b"',
    " ;tag=1",
    ";é=1",
    ",",
    "\x00",
]
_NAMES = ["", "Bob ", '"Bob" ', '"B, b"', '"B\\"', '"', "Bob, ", "é ", "a;b ", "  ", '"a"b']


def _of(*pieces: list[str]) -> st.SearchStrategy[str]:
    return st.tuples(*map(st.sampled_from, pieces)).map("".join)


URIS = _of(["sip:", "sips:", "SIP:", "tel:", ""], _USERS, _HOSTS, _PORTS, _PARAMS)
ADDRESSES = st.tuples(st.sampled_from(_NAMES), URIS, st.sampled_from(_TAILS)).map(
    lambda parts: f"{parts[0]}<{parts[1]}>{parts[2]}"
)
VIAS = _of(
    ["SIP/2.0/UDP ", "SIP/2.0/tcp ", "SIP/3.0/UDP ", "SIP/2.0/UDP  ", "SIP / 2.0 / UDP "],
    _HOSTS,
    _PORTS,
    ["", ";branch=z9hG4bK1", ";branch=", ";rport;branch=a", ";branch=a;branch=b"],
    ["", ";rport", ";rport=1", ";rport=", ";received=1.2.3.4"],
)


class TestPlain:
    @given(URIS)
    def test_uri(self, text: str) -> None:
        if PLAIN_URI_RE.fullmatch(text):
            read = parse_uri(text)
            assert isinstance(read, SipUri)
            assert not read.headers
            assert str(read) == text

    @given(ADDRESSES)
    def test_address(self, text: str) -> None:
        if PLAIN_ADDRESS_RE.fullmatch(text):
            parse_name_addr(text)
            assert split_list(text) == [text.strip()]
            assert isinstance(parse_contact_list([text]), list)

    @given(VIAS)
    def test_via(self, text: str) -> None:
        if PLAIN_VIA_RE.fullmatch(text):
            assert str(parse_via(text)) == text
            assert split_list(text) == [text.strip()]

    @given(st.lists(st.sampled_from(_PARAMS + _TAILS), max_size=4).map("".join))
    def test_params(self, text: str) -> None:
        """Where it is plain, reading it by the grammar, one by one, comes to the same."""
        if not PLAIN_PARAMS_RE.fullmatch(text):
            return
        by_grammar = re.findall(r";([^;=]+)=?([^;]*)", text)
        if len({name.lower() for name, _ in by_grammar}) < len(by_grammar):
            with pytest.raises(PeerError):
                parse_params(text)
        else:
            assert list(parse_params(text)) == by_grammar

    @pytest.mark.parametrize(
        ("plain", "text"),
        [
            (PLAIN_URI_RE, "sip:100@192.0.2.1:5060;transport=udp"),
            (PLAIN_URI_RE, "sips:example.com"),
            (PLAIN_ADDRESS_RE, '"Alice Liddell" <sip:alice@example.com>;tag=1928301774'),
            (PLAIN_ADDRESS_RE, "<sip:192.0.2.1;lr>"),
            (PLAIN_VIA_RE, "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport"),
            (PLAIN_PARAMS_RE, ";branch=z9hG4bK776asdhds;rport;received=192.0.2.1"),
        ],
    )
    def test_what_phones_send_is_plain(self, plain: re.Pattern[str], text: str) -> None:
        assert plain.fullmatch(text)


_REQUEST = (
    "OPTIONS {uri} SIP/2.0\r\nVia: {via}\r\nFrom: {from_}\r\nTo: {to}\r\nCall-ID: a\r\n"
    "CSeq: 1 OPTIONS\r\nContact: {contact}\r\nRoute: {route}\r\n\r\n"
)


class TestWhatIsAccepted:
    @given(uri=URIS, via=VIAS, from_=ADDRESSES, to=ADDRESSES, contact=ADDRESSES, route=ADDRESSES)
    def test_everything_can_be_read(self, **values: str) -> None:
        """After `parse_message` no property raises, whether a value was read by then or not."""
        data = _REQUEST.format(**values).encode("utf-8", "surrogateescape")
        try:
            message = parse_message(data)
        except PeerError:
            return
        for value in (message.via, message.from_, message.to, message.cseq, message.contacts):
            assert value is not None
        for route in message.all("Route"):
            parse_name_addr(route)
