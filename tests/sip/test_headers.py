import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sip.grammar import is_token, parse_digits, quote, unquote
from pbx.sip.headers import (
    STAR,
    CSeq,
    NameAddr,
    Via,
    canonical_name,
    format_params,
    parse_contact_list,
    parse_cseq,
    parse_delta_seconds,
    parse_name_addr,
    parse_params,
    parse_via,
    split_list,
)
from pbx.sip.uri import OtherUri, SipUri, parse_uri
from tests.sip.test_uri import sip_uris


class TestRfc3261Section7_3_3:
    @pytest.mark.parametrize(
        ("given_name", "expected"),
        [
            ("i", "Call-ID"),
            ("I", "Call-ID"),
            ("m", "Contact"),
            ("e", "Content-Encoding"),
            ("l", "Content-Length"),
            ("c", "Content-Type"),
            ("f", "From"),
            ("s", "Subject"),
            ("k", "Supported"),
            ("t", "To"),
            ("v", "Via"),
            ("o", "Event"),
            ("r", "Refer-To"),
            ("u", "Allow-Events"),
            ("b", "Referred-By"),
            ("x", "Session-Expires"),
            ("j", "Reject-Contact"),
            ("d", "Request-Disposition"),
            ("a", "Accept-Contact"),
            ("n", "Identity-Info"),
            ("y", "Identity"),
            ("call-id", "Call-ID"),
            ("CALL-ID", "Call-ID"),
            ("cseq", "CSeq"),
            ("www-authenticate", "WWW-Authenticate"),
            ("Mime-Version", "MIME-Version"),
            ("max-FORWARDS", "Max-Forwards"),
            ("X-Custom-thing", "X-Custom-thing"),
        ],
    )
    def test_canonical_name(self, given_name: str, expected: str) -> None:
        assert canonical_name(given_name) == expected


class TestRfc3261Section7_3_1:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("", []),
            (" \t", []),
            ("a", ["a"]),
            ("INVITE, ACK ,\tBYE", ["INVITE", "ACK", "BYE"]),
            ('"a, b" <sip:x>, <sip:a,b@c>;q="1,2"', ['"a, b" <sip:x>', '<sip:a,b@c>;q="1,2"']),
            ('"a\\",b", c', ['"a\\",b"', "c"]),
            ("a,,b,", ["a", "", "b", ""]),
            ("<a>,,<b>,", ["<a>", "", "<b>", ""]),
        ],
    )
    def test_split_list(self, text: str, parts: list[str]) -> None:
        assert split_list(text) == parts

    @pytest.mark.parametrize("text", ['a, "b', "a, <b", "a, <b>>", '"a\x01",b'])
    def test_unbalanced(self, text: str) -> None:
        with pytest.raises(PeerError):
            split_list(text)

    def test_params(self) -> None:
        text = ';tag=abc ; Flag;\tq = 0.5;i="<urn:x;y>";h=[::1]:5060;b=YQ==;e='
        assert parse_params(text) == (
            ("tag", "abc"),
            ("Flag", ""),
            ("q", "0.5"),
            ("i", '"<urn:x;y>"'),
            ("h", "[::1]:5060"),
            ("b", "YQ=="),
            ("e", ""),
        )
        assert format_params(parse_params(text)) == (
            ';tag=abc;Flag;q=0.5;i="<urn:x;y>";h=[::1]:5060;b=YQ==;e'
        )
        assert parse_params("") == ()

    @pytest.mark.parametrize(
        "text",
        [
            "x",
            ";",
            ";;a",
            ";a;",
            ";a=b c",
            ';a="b',
            ";=b",
            ";a=b,c",
            ";a=<b>",
            ";a=1;A=2",
            ";a b",
            ";a\x00",
            "\n",
        ],
    )
    def test_bad_params(self, text: str) -> None:
        with pytest.raises(PeerError) as caught:
            parse_params(text)
        assert caught.value.status == 400


class TestRfc3261Section20_10:
    """Contact, and with it From, To, Route and all others of name-addr form."""

    def test_quoted_display_name(self) -> None:
        address = parse_name_addr('"Mr. \\"Watson\\" \\\\" <sip:w@h;lr>;q=0.7;expires=3600')
        assert address == NameAddr(
            'Mr. "Watson" \\',
            SipUri("sip", "w", None, "h", None, (("lr", ""),)),
            (("q", "0.7"), ("expires", "3600")),
        )
        assert str(address) == '"Mr. \\"Watson\\" \\\\" <sip:w@h;lr>;q=0.7;expires=3600'

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("<sip:a@h>", ""),
            ("Alice <sip:a@h>", "Alice"),
            ("Alice<sip:a@h>", "Alice"),
            ("Alice  von\tSpace \t <sip:a@h>", "Alice  von\tSpace"),
            ('""<sip:a@h>', ""),
            ("J\u00fcrgen (home) <sip:a@h>", "J\u00fcrgen (home)"),
            ('"J\udcfcrgen" <sip:a@h>', "J\udcfcrgen"),
        ],
    )
    def test_display_name(self, text: str, name: str) -> None:
        assert parse_name_addr(text).display_name == name

    def test_without_brackets_parameters_are_the_headers(self) -> None:
        address = parse_name_addr("sip:a@h;user=phone ; tag=x")
        assert address.uri == parse_uri("sip:a@h")
        assert address.param("user") == "phone"
        assert address.tag == "x"
        assert str(address) == "<sip:a@h>;user=phone;tag=x"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "sip:a@h?x=y",
            "sip:a,b@h",
            "<sip:a@h",
            "sip:a@h>",
            "< sip:a@h>",
            "<sip:a@h >",
            "<>",
            "a, b <sip:a@h>",
            '"a <sip:a@h>',
            'a"b" <sip:a@h>',
            '"a" b <sip:a@h>',
            "<sip:a@h>x",
            "<sip:a@h>;",
            "<sip:a@h> <sip:b@h>",
            "alice",
            "a\x01b <sip:a@h>",
            "sip:a@h;tag=1;tag=2",
        ],
    )
    def test_bad_address(self, text: str) -> None:
        with pytest.raises(PeerError) as caught:
            parse_name_addr(text)
        assert caught.value.status == 400

    def test_parameters(self) -> None:
        address = parse_name_addr('<sip:a@h>;+sip.instance="<urn:uuid:1>";OB')
        assert address.param("+SIP.instance") == "<urn:uuid:1>"
        assert address.param("ob") == ""
        assert address.param("tag") is None
        assert address.tag is None
        assert parse_name_addr("<sip:a@h>;tag=").tag is None
        assert parse_name_addr("<sip:a@h>").tag is None

    def test_changes(self) -> None:
        address = parse_name_addr('"A" <sip:a@h>;tag=x;q=1')
        assert str(address.with_params(tag="y", z="")) == '"A" <sip:a@h>;tag=y;q=1;z'
        assert str(address.with_params(("+x.y", '"1"'))) == '"A" <sip:a@h>;tag=x;q=1;+x.y="1"'
        assert str(address.without_param("TAG")) == '"A" <sip:a@h>;q=1'

    def test_line_break_never_leaves_a_display_name(self) -> None:
        address = NameAddr("a\r\nEvil: b", OtherUri("x", "y"))
        assert str(address) == '"a Evil: b" <x:y>'

    def test_contact_list(self) -> None:
        contacts = parse_contact_list(['"a, b" <sip:a@h>;q=1, <sip:b@h>', "sip:c@h"])
        assert contacts is not STAR
        assert [str(contact.uri) for contact in contacts] == ["sip:a@h", "sip:b@h", "sip:c@h"]
        assert parse_contact_list([]) == []

    def test_star(self) -> None:
        assert parse_contact_list([" * "]) is STAR

    @pytest.mark.parametrize("values", [["*", "<sip:a@h>"], ["*, *"], ["<sip:a@h>,"], ["*;q=1"]])
    def test_bad_contact_list(self, values: list[str]) -> None:
        with pytest.raises(PeerError):
            parse_contact_list(values)


class TestRfc3261Section20_42:
    def test_via(self) -> None:
        via = parse_via(
            "SIP/2.0/udp erlang.example.org:5060;branch=z9hG4bK87;Received=192.0.2.1;rport=9"
        )
        assert (via.transport, via.host, via.port) == ("UDP", "erlang.example.org", 5060)
        assert (via.branch, via.received, via.rport) == ("z9hG4bK87", "192.0.2.1", "9")
        assert str(via) == (
            "SIP/2.0/UDP erlang.example.org:5060;branch=z9hG4bK87;Received=192.0.2.1;rport=9"
        )

    def test_white_space_everywhere(self) -> None:
        via = parse_via("SIP / 2.0 / TCP  first.example.com : 4000 ; ttl = 16 ; branch=z9hG4bKa7c6")
        assert str(via) == "SIP/2.0/TCP first.example.com:4000;ttl=16;branch=z9hG4bKa7c6"

    def test_ipv6(self) -> None:
        via = parse_via("SIP/2.0/UDP [2001:db8::1]:5061;rport;received=[2001:db8::2]")
        assert (via.host, via.port, via.rport) == ("2001:db8::1", 5061, "")
        assert via.received == "2001:db8::2"
        assert str(via) == "SIP/2.0/UDP [2001:db8::1]:5061;rport;received=[2001:db8::2]"

    def test_bare_minimum(self) -> None:
        via = parse_via("SIP/2.0/UDP h")
        assert via == Via("UDP", "h")
        assert (via.branch, via.received, via.rport, via.param("ttl")) == (None, None, None, None)

    def test_other_version_is_kept(self) -> None:
        assert str(parse_via("SIP/7.0/UDP h")) == "SIP/7.0/UDP h"

    def test_with_params(self) -> None:
        via = parse_via("SIP/2.0/UDP h;rport;branch=z9hG4bK1")
        changed = via.with_params(("received", "192.0.2.9"), rport="5070")
        assert str(changed) == "SIP/2.0/UDP h;rport=5070;branch=z9hG4bK1;received=192.0.2.9"

    @pytest.mark.parametrize(
        "text",
        ["", "SIP/2.0/UDP", "SIP/2.0 h", "SIP/2.0/UDP h:", "SIP/2.0/UDP h:70000", "SIP/2.0/UDP h;", "SIP/2.0/UDPh", "SIP/2.0/UDP 1.2.3.400", "SIP/2.0/UDP h, SIP/2.0/UDP h", "SIP/2.0/UDP 2001:db8::1"],
    )  # fmt: skip
    def test_bad_via(self, text: str) -> None:
        with pytest.raises(PeerError) as caught:
            parse_via(text)
        assert caught.value.status == 400


class TestRfc3261Section20_16:
    def test_cseq(self) -> None:
        assert parse_cseq("4711 INVITE") == CSeq(4711, "INVITE")
        assert parse_cseq("0009 \t invite") == CSeq(9, "invite")
        assert str(CSeq(1, "ACK")) == "1 ACK"
        assert parse_cseq("2147483647 ACK").number == 2**31 - 1
        assert parse_cseq("0" * 5000 + "1 ACK").number == 1

    @pytest.mark.parametrize(
        "text",
        ["", "1", "INVITE", "1INVITE", "-1 INVITE", "1 IN VITE", "2147483648 ACK", "9" * 5000 + " ACK", "\u0661 ACK", "1_0 ACK", "1 \u00e4"],
    )  # fmt: skip
    def test_bad_cseq(self, text: str) -> None:
        with pytest.raises(PeerError) as caught:
            parse_cseq(text)
        assert caught.value.status == 400


class TestRfc3261Section20_19:
    def test_delta_seconds(self) -> None:
        assert parse_delta_seconds(" 3600 ") == 3600
        assert parse_delta_seconds("0") == 0
        assert parse_delta_seconds("4294967296") == 2**32 - 1
        assert parse_delta_seconds("1" + "0" * 5000) == 2**32 - 1

    @pytest.mark.parametrize("text", ["", "-1", "1.5", "1 2", "\u0661", "soon"])
    def test_bad_seconds(self, text: str) -> None:
        with pytest.raises(PeerError):
            parse_delta_seconds(text)


class TestRfc3261Section25_1:
    def test_digits(self) -> None:
        assert parse_digits("007", 10) == 7
        assert parse_digits("11", 10) == 11
        assert parse_digits("99", 10) == 11
        assert parse_digits("0" * 30, 10) == 0
        assert parse_digits("", 10) is None

    def test_token(self) -> None:
        assert is_token("a-b.c!%*_+`'~9")
        assert not is_token("")
        assert not is_token("a b")

    @settings(deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cc"])))
    def test_quoting(self, text: str) -> None:
        assert unquote(quote(text)) == text

    def test_unquoted_stays(self) -> None:
        assert unquote('"') == '"'
        assert unquote("ab") == "ab"
        assert unquote("") == ""


NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=10)
TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=6)
PARAMS = st.dictionaries(TOKENS.map(str.lower), TOKENS | NAMES.map(quote) | st.just(""), max_size=3)


class TestProperties:
    @settings(deadline=None)
    @given(NAMES, sip_uris(), PARAMS)
    def test_address_is_read_again(self, name: str, uri: SipUri, params: dict[str, str]) -> None:
        address = NameAddr(name, uri, tuple(params.items()))
        assert parse_name_addr(str(address)) == address
        assert split_list(f"{address}, {address}") == [str(address)] * 2

    @settings(deadline=None)
    @given(TOKENS.map(str.upper), st.none() | st.integers(0, 65_535), PARAMS, st.ip_addresses())
    def test_via_is_read_again(
        self, transport: str, port: int | None, params: dict[str, str], host: object
    ) -> None:
        via = Via(transport, str(host), port, tuple(params.items()))
        assert parse_via(str(via)) == via

    @settings(deadline=None)
    @given(st.text(max_size=40) | st.text('<sip:a@h>;="\\,* /\t1', max_size=40))
    def test_nothing_but_peer_error(self, text: str) -> None:
        for parse in (
            parse_name_addr,
            parse_via,
            parse_cseq,
            parse_params,
            split_list,
            parse_delta_seconds,
        ):
            try:
                parse(text)
            except PeerError:
                continue

    @pytest.mark.timeout(10)
    @pytest.mark.parametrize(
        "unit",
        [" ", "a", ";", ";a ", "a;", '"', '\\"', "<", ">", ",", "/", "a ", '""', "<>", ' "a" '],
    )
    def test_time_grows_linearly(self, unit: str) -> None:
        for prefix in ("", '"', "<sip:a@h>", "SIP/2.0/UDP h", "1 ", ";a=", "a,"):
            for suffix in ("", "\x00", '"'):
                for parse in (parse_name_addr, parse_via, parse_cseq, parse_params, split_list):
                    try:
                        parse(prefix + unit * 30_000 + suffix)
                    except PeerError:
                        continue
