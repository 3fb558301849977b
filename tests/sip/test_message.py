import random
from contextlib import nullcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.errors import MisuseError, PeerError
from pbx.sip.headers import STAR, CSeq
from pbx.sip.message import (
    REASONS,
    MalformedRequest,
    Request,
    Response,
    parse_message,
    response_to,
    validate,
)
from pbx.sip.uri import SipUri

INVITE = (
    b"INVITE sip:bob@biloxi.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b"To: Bob <sip:bob@biloxi.com>\r\n"
    b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice@pc33.atlanta.com>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"v=0\n"
)

OK = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n"
    b"To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n"
    b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"\r\n"
)


def request(data: bytes = INVITE, *, stream: bool = False) -> Request:
    message = parse_message(data, stream=stream)
    assert isinstance(message, Request)
    return message


def response(data: bytes = OK) -> Response:
    message = parse_message(data)
    assert isinstance(message, Response)
    return message


def replaced(old: bytes, new: bytes, data: bytes = INVITE) -> bytes:
    assert old in data
    return data.replace(old, new, 1)


def fault(data: bytes, *, stream: bool = False) -> PeerError:
    with pytest.raises(PeerError) as caught:
        parse_message(data, stream=stream)
    return caught.value


class TestRfc3261Section7_1:
    def test_request(self) -> None:
        message = request()
        assert (message.method, message.uri) == ("INVITE", "sip:bob@biloxi.com")
        assert message.request_uri == SipUri("sip", "bob", None, "biloxi.com")
        assert message.via.branch == "z9hG4bK776asdhds"
        assert message.max_forwards == 70
        assert message.to.display_name == "Bob"
        assert message.to.tag is None
        assert message.from_.tag == "1928301774"
        assert message.call_id == "a84b4c76e66710@pc33.atlanta.com"
        assert message.cseq == CSeq(314159, "INVITE")
        assert message.contacts is not STAR
        assert str(message.contacts[0]) == "<sip:alice@pc33.atlanta.com>"
        assert message.body == b"v=0\n"
        assert repr(message) == "<INVITE sip:bob@biloxi.com SIP/2.0>"

    def test_request_uri_follows_uri(self) -> None:
        message = request()
        assert str(message.request_uri) == "sip:bob@biloxi.com"
        message.uri = "tel:+1"
        assert str(message.request_uri) == "tel:+1"

    def test_version_in_any_case(self) -> None:
        assert request(replaced(b" SIP/2.0\r\n", b" sip/2.0\r\n")).method == "INVITE"

    def test_method_is_case_sensitive(self) -> None:
        data = replaced(b"INVITE sip", b"invite sip")
        assert fault(data).status == 400
        assert request(replaced(b"314159 INVITE", b"1 invite", data)).method == "invite"

    @pytest.mark.parametrize(
        "line",
        [
            b"INVITE  sip:bob@biloxi.com SIP/2.0",
            b"INVITE sip:bob@biloxi.com SIP/2.0 ",
            b"INVITE sip:bob@biloxi.com",
            b"INVITE",
            b"INVITE sip:bob@biloxi.com; lr SIP/2.0",
            b"INVITE sip:bob@biloxi.com HTTP/1.1",
            b"INVITE sip:bob@biloxi.com SIP/2",
            b"INVITE sip:bob@bil\x00oxi.com SIP/2.0",
            b"INVITE bob SIP/2.0",
            b"INVITE <sip:bob@biloxi.com> SIP/2.0",
        ],
    )
    def test_bad_request_line_is_answerable(self, line: bytes) -> None:
        error = fault(replaced(b"INVITE sip:bob@biloxi.com SIP/2.0", line))
        assert error.status == 400
        assert isinstance(error, MalformedRequest)
        assert error.request.method == "INVITE"

    @pytest.mark.parametrize(
        "line", [b"", b" INVITE", b"{} x y", b"\xff\xfe", b"IN\x00VITE sip:x SIP/2.0"]
    )
    def test_no_request_line_at_all(self, line: bytes) -> None:
        error = fault(replaced(b"INVITE sip:bob@biloxi.com SIP/2.0", line))
        assert error.status == 400
        assert not isinstance(error, MalformedRequest)


class TestRfc3261Section21_5_6:
    def test_version_not_supported(self) -> None:
        error = fault(replaced(b" SIP/2.0\r\n", b" SIP/3.0\r\n"))
        assert (error.status, error.reason) == (505, "Version Not Supported")
        assert isinstance(error, MalformedRequest)

    def test_version_goes_before_all_other_faults(self) -> None:
        data = replaced(b" SIP/2.0\r\n", b" SIP/3.0\r\n")
        assert fault(replaced(b"314159", b"x", data)).status == 505

    def test_response_of_other_version(self) -> None:
        assert fault(replaced(b"SIP/2.0 200", b"SIP/3.0 200", OK)).status == 505


class TestRfc3261Section7_2:
    def test_response(self) -> None:
        message = response()
        assert (message.status, message.reason) == (200, "OK")
        assert message.contacts == []
        assert message.max_forwards is None
        assert repr(message) == "<SIP/2.0 200 OK>"

    @pytest.mark.parametrize("line", [b"SIP/2.0 200 ", b"SIP/2.0 200", b"sip/2.0 200 "])
    def test_empty_reason(self, line: bytes) -> None:
        assert response(replaced(b"SIP/2.0 200 OK", line, OK)).reason == ""

    @pytest.mark.parametrize(
        "line",
        [b"SIP/2.0", b"SIP/2.0 ", b"SIP/2.0 20 OK", b"SIP/2.0 099 OK", b"SIP/2.0 700 OK", b"SIP/2.0 2000 OK", b"SIP/2.0  200 OK", b"SIP/2.0 \xd9\xa2\xd9\xa0\xd9\xa0 OK", b"SIP/2.0 200OK"],
    )  # fmt: skip
    def test_bad_status_line(self, line: bytes) -> None:
        error = fault(replaced(b"SIP/2.0 200 OK", line, OK))
        assert error.status == 400
        assert not isinstance(error, MalformedRequest)

    def test_faulty_response_is_never_answered(self) -> None:
        error = fault(replaced(b"314159", b"x", OK))
        assert not isinstance(error, MalformedRequest)

    def test_broken_header_of_a_response(self) -> None:
        assert fault(replaced(b"To: ", b"To ", OK)).status == 400


class TestRfc3261Section7_3:
    def test_folding_and_white_space(self) -> None:
        data = replaced(b"Max-Forwards: 70", b"MAX-forwards  \t:\r\n\t 70  ")
        data = replaced(b"Alice <", b"Alice\r\n \r\n\t<", data)
        message = request(data)
        assert message.max_forwards == 70
        assert message.from_.display_name == "Alice"
        assert message.get("From") == "Alice <sip:alice@atlanta.com>;tag=1928301774"

    def test_compact_names(self) -> None:
        data = INVITE
        for long, compact in (
            ("Via", "v"),
            ("To", "t"),
            ("From", "F"),
            ("Call-ID", "i"),
            ("Contact", "m"),
            ("Content-Length", "l"),
        ):
            data = replaced(f"\r\n{long}:".encode(), f"\r\n{compact}:".encode(), data)
        assert request(data) == request()

    def test_unknown_headers_pass_in_order(self) -> None:
        data = replaced(b"To:", b"X-one:  a,b ;;\r\nx-Two:\r\nX-ONE: \xff\xc3\xa4\r\nTo:")
        message = request(data)
        assert [name for name, _ in message.headers][2:5] == ["X-one", "x-Two", "X-ONE"]
        assert message.get("x-one") == "a,b ;;"
        assert message.all("x-ONE") == ["a,b ;;", "\udcff\u00e4"]
        assert message.get("X-two") == ""
        assert message.get("X-three") is None
        assert message.all("X-three") == []
        assert b"X-ONE: \xff\xc3\xa4\r\n" in message.encode()

    def test_lists(self) -> None:
        data = replaced(b"To:", b"Allow: INVITE,ACK,, BYE\r\nSubject: a, b\r\nallow: INFO\r\nTo:")
        message = request(data)
        assert message.all("Allow") == ["INVITE", "ACK", "BYE", "INFO"]
        assert message.all("Subject") == ["a, b"]
        assert message.get("Allow") == "INVITE,ACK,, BYE"
        assert message.get("Supported") is None

    @pytest.mark.parametrize(
        "line",
        [b"no colon", b": x", b"a b: x", b"\xc3\xa4: x", b"(x): y", b"Subject", b"x\x00: y", b""],
    )
    def test_bad_header_line(self, line: bytes) -> None:
        error = fault(replaced(b"Max-Forwards: 70", line))
        assert error.status == 400
        # an empty line is the end of the header, and what stands below is no header then
        assert isinstance(error, MalformedRequest)

    @pytest.mark.parametrize("text", [b"a\nInjected: b", b"a\rb", b"\n", b"a\r\r\n b"])
    def test_bare_line_breaks(self, text: bytes) -> None:
        error = fault(replaced(b"To:", b"Subject: " + text + b"\r\nTo:"))
        assert (error.status, error.reason) == (400, "Bare CR or LF in header")
        assert isinstance(error, MalformedRequest)

    def test_bare_line_break_where_the_answer_would_repeat_it(self) -> None:
        error = fault(replaced(b"Bob", b"Bob\nInjected: b"))
        assert error.status == 400
        assert isinstance(error, MalformedRequest)
        assert error.request.get("To") is None

    def test_empty_lines_before_the_start(self) -> None:
        assert request(b"\r\n\r\n" + INVITE) == request()

    def test_missing_empty_line(self) -> None:
        error = fault(INVITE.partition(b"\r\n\r\n")[0] + b"\r\n")
        assert error.reason == "No empty line after the header"
        assert isinstance(error, MalformedRequest)

    def test_too_many_headers(self) -> None:
        error = fault(replaced(b"\r\nContent-Type", b"\r\nX: y" * 300 + b"\r\nContent-Type"))
        assert error.status == 513
        assert isinstance(error, MalformedRequest)

    def test_too_large(self) -> None:
        assert fault(INVITE + b"x" * 65_535).status == 513

    @pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"\r\n\r\n\r\n\r\n"])
    def test_nothing(self, data: bytes) -> None:
        assert fault(data).status == 400


class TestRfc3261Section8_1_1:
    @pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Via"])
    def test_mandatory_headers(self, name: str) -> None:
        message = request()
        message.remove(name)
        error = fault(message.encode())
        assert (error.status, error.reason) == (400, f"Missing {name}")
        # RFC 4475 §3.3.1: without a Via alone nobody could know the answer for its own
        assert isinstance(error, MalformedRequest) is (name != "Via")

    def test_max_forwards_may_be_missing(self) -> None:
        assert request(replaced(b"Max-Forwards: 70\r\n", b"")).max_forwards is None

    @pytest.mark.parametrize("value", [b"256", b"-1", b"", b"seventy", b"9" * 5000])
    def test_bad_max_forwards(self, value: bytes) -> None:
        assert fault(replaced(b"Max-Forwards: 70", b"Max-Forwards: " + value)).status == 400

    @pytest.mark.parametrize("value", [0, 255])
    def test_extreme_max_forwards(self, value: int) -> None:
        assert request(replaced(b"s: 70", b"s: %d" % value)).max_forwards == value

    @pytest.mark.parametrize(
        "line",
        [b"To: <sip:b@c>", b"f: <sip:b@c>", b"Call-ID: x", b"CSeq: 1 INVITE", b"Max-Forwards: 70", b"l: 4", b"Content-Type: a/b", b"Replaces: a\r\nReplaces: b"],
    )  # fmt: skip
    def test_repeated_header(self, line: bytes) -> None:
        error = fault(replaced(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n"))
        assert error.status == 400
        assert error.reason.startswith("Repeated ")
        assert isinstance(error, MalformedRequest)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"Bob <sip:", b'"Bob <sip:'),
            (b"Alice <sip:", b"Alice <si p:"),
            (b"a84b4c76e66710@", b"a84b 4c76e66710@"),
            (b"a84b4c76e66710@", b"a84b\x0766710@"),
            (b"314159 ", b"x "),
            (b"314159 INVITE", b"314159 BYE"),
            (b"Contact: <", b"Contact: *, <"),
            (b"Contact: <sip:", b"Contact: <"),
            (b"To:", b"Route: <sip:a@b;lr>, <x\r\nTo:"),
            (b"To:", b"Record-Route: <sip:a@b:x>\r\nTo:"),
            (b"sip:bob@biloxi.com SIP", b"sip:bob@biloxi.com?Subject=x SIP"),
            (b"sip:bob@biloxi.com SIP", b"sip:bob@biloxi..com SIP"),
        ],
    )
    def test_bad_value_is_answerable(self, old: bytes, new: bytes) -> None:
        error = fault(replaced(old, new))
        assert error.status == 400
        assert isinstance(error, MalformedRequest)

    @pytest.mark.parametrize(
        ("value", "answered"),
        [
            (b"", False),
            (b",", False),
            (b"x", False),
            (b"SIP/2.0", True),
            (b"SIP/2.0/UDP h;;", True),
        ],
    )
    def test_bad_via(self, value: bytes, answered: bool) -> None:
        data = replaced(b"SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds;rport", value)
        error = fault(data)
        assert error.status == 400
        assert isinstance(error, MalformedRequest) is answered

    @pytest.mark.parametrize(("method", "taken"), [("INVITE", False), ("REGISTER", True)])
    def test_only_a_registrar_may_list_what_cannot_be_read(self, method: str, taken: bool) -> None:
        asked = request(INVITE.replace(b"INVITE", method.encode()))
        answer = response_to(asked, 200, to_tag="x")
        answer.add("Contact", "<sip:1@[x>")
        with nullcontext() if taken else pytest.raises(PeerError):
            assert parse_message(answer.encode())

    def test_good_routes(self) -> None:
        message = request(replaced(b"To:", b"Route: <sip:a@b;lr>, <sip:c@d>\r\nTo:"))
        assert message.all("Route") == ["<sip:a@b;lr>", "<sip:c@d>"]

    def test_validate_what_we_made(self) -> None:
        message = request()
        validate(message)
        message.set("CSeq", "1 BYE")
        with pytest.raises(PeerError):
            validate(message)


class TestRfc3261Section18_3:
    def test_datagram_without_length(self) -> None:
        assert request(replaced(b"Content-Length: 4\r\n", b"")).body == b"v=0\n"

    def test_datagram_with_more_is_cut(self) -> None:
        assert request(INVITE + b"garbage").body == b"v=0\n"

    def test_datagram_with_less(self) -> None:
        error = fault(INVITE[:-1])
        assert error.status == 400
        assert isinstance(error, MalformedRequest)

    def test_response_with_less_is_discarded(self) -> None:
        error = fault(replaced(b"\r\n\r\n", b"\r\nl: 1\r\n\r\n", OK))
        assert not isinstance(error, MalformedRequest)

    @pytest.mark.parametrize("value", [b"-4", b"4x", b"", b"0x4", b"\xd9\xa4"])
    def test_bad_length(self, value: bytes) -> None:
        assert fault(replaced(b"h: 4", b"h: " + value)).reason == "Bad Content-Length"

    def test_stream(self) -> None:
        assert request(INVITE, stream=True).body == b"v=0\n"

    def test_stream_without_length(self) -> None:
        error = fault(replaced(b"Content-Length: 4\r\n", b""), stream=True)
        assert error.reason == "Missing Content-Length"
        assert isinstance(error, MalformedRequest)

    @pytest.mark.parametrize("data", [INVITE + b"x", INVITE[:-1]])
    def test_stream_with_wrong_length(self, data: bytes) -> None:
        assert fault(data, stream=True).status == 400

    def test_stream_with_huge_length(self) -> None:
        error = fault(replaced(b"h: 4", b"h: 99999999999"), stream=True)
        assert error.status == 513
        assert isinstance(error, MalformedRequest)


class TestMutators:
    def test_names_in_any_spelling(self) -> None:
        message = Request("OPTIONS", "sip:a@b", [("f", "<sip:x@y>;tag=1"), ("x-A", "1")])
        assert message.headers == [("From", "<sip:x@y>;tag=1"), ("x-A", "1")]
        message.add("t", "<sip:a@b>")
        message.set("X-a", "2")
        message.set("USER-AGENT", "us")
        assert message.get("to") == "<sip:a@b>"
        assert message.headers[1] == ("X-a", "2")
        assert message.get("User-Agent") == "us"
        message.remove("x-a")
        message.remove("Nothing")
        assert [name for name, _ in message.headers] == ["From", "To", "User-Agent"]

    def test_prepend(self) -> None:
        message = Request("BYE", "sip:a@b")
        message.add("To", "<sip:a@b>")
        message.prepend("Via", "SIP/2.0/UDP one")
        message.prepend("v", "SIP/2.0/UDP two")
        message.add("Route", "<sip:one>")
        message.prepend("Route", "<sip:two>")
        assert message.headers == [
            ("Via", "SIP/2.0/UDP two"),
            ("Via", "SIP/2.0/UDP one"),
            ("To", "<sip:a@b>"),
            ("Route", "<sip:two>"),
            ("Route", "<sip:one>"),
        ]

    def test_set_replaces_all(self) -> None:
        message = Request(
            "BYE", "sip:a@b", [("a", "1"), ("X-t", "2"), ("x-T", "3"), ("To", "4"), ("X-t", "5")]
        )
        message.set("X-t", "6")
        assert message.headers == [("Accept-Contact", "1"), ("X-t", "6"), ("To", "4")]

    def test_cache_is_voided(self) -> None:
        message = request()
        assert message.cseq.number == 314159
        message.set("CSeq", "2 BYE")
        assert str(message.cseq) == "2 BYE"
        assert message.via.host == "pc33.atlanta.com"
        message.prepend("Via", "SIP/2.0/TCP proxy")
        assert message.via.host == "proxy"
        assert message.contacts != []
        message.remove("Contact")
        assert message.contacts == []
        assert message.max_forwards == 70
        message.set("Max-Forwards", "69")
        assert message.max_forwards == 69
        message.remove("From")
        message.add("From", "<sip:new@h>")
        assert str(message.from_.uri) == "sip:new@h"

    def test_replace_top_via(self) -> None:
        message = request(
            replaced(b";rport\r\n", b", SIP/2.0/TCP two;branch=z9\r\nVia: SIP/2.0/UDP three\r\n")
        )
        message.replace_top_via(message.via.with_params(received="192.0.2.1"))
        assert message.all("Via") == [
            "SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds;received=192.0.2.1",
            "SIP/2.0/TCP two;branch=z9",
            "SIP/2.0/UDP three",
        ]
        assert message.via.received == "192.0.2.1"
        assert parse_message(message.encode()) == message

    def test_replace_top_via_needs_one(self) -> None:
        with pytest.raises(MisuseError):
            Request("BYE", "sip:a@b").replace_top_via(request().via)


class TestRfc3261Section20_14:
    """Content-Length is the body's, whatever the header fields say."""

    def test_appended(self) -> None:
        message = Response(200, "OK", [("To", "x")], b"body")
        assert message.encode() == b"SIP/2.0 200 OK\r\nTo: x\r\nContent-Length: 4\r\n\r\nbody"

    def test_corrected_in_its_place(self) -> None:
        headers = [("l", "9"), ("To", "x"), ("Content-Length", "8")]
        assert Request("ACK", "sip:a@b", headers).encode() == (
            b"ACK sip:a@b SIP/2.0\r\nContent-Length: 0\r\nTo: x\r\n\r\n"
        )

    @pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb"])
    def test_injection_is_our_bug(self, value: str) -> None:
        with pytest.raises(MisuseError):
            Request("ACK", "sip:a@b", [("Subject", value)]).encode()
        with pytest.raises(MisuseError):
            Response(200, value).encode()


class TestEquality:
    def test_content_length_follows_from_the_body(self) -> None:
        assert request(replaced(b"Content-Length: 4\r\n", b"")) == request()

    def test_differences(self) -> None:
        assert request() != request(replaced(b"v=0\n", b"v=1\n"))
        assert request() != request(replaced(b"70", b"71"))
        assert request() != response()
        assert request() != "INVITE"

    def test_mutable_so_not_hashable(self) -> None:
        with pytest.raises(TypeError):
            hash(request())


class TestRfc3261Section8_2_6:
    def test_copies(self) -> None:
        data = replaced(b"Max", b"Via: SIP/2.0/UDP two;branch=z9hG4bK2\r\nTimestamp: 54\r\nMax")
        answer = response_to(request(data), 404, to_tag="ours")
        assert answer.encode() == (
            b"SIP/2.0 404 Not Found\r\n"
            b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds;rport\r\n"
            b"Via: SIP/2.0/UDP two;branch=z9hG4bK2\r\n"
            b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
            b"To: Bob <sip:bob@biloxi.com>;tag=ours\r\n"
            b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n"
            b"CSeq: 314159 INVITE\r\n"
            b"Content-Length: 0\r\n\r\n"
        )

    def test_trying_has_the_timestamp_and_no_tag(self) -> None:
        data = replaced(b"Max", b"Timestamp: 54\r\nMax")
        answer = response_to(request(data), 100, to_tag=None)
        assert answer.get("Timestamp") == "54"
        assert answer.to.tag is None

    def test_tag_in_the_request_stays(self) -> None:
        data = replaced(b"<sip:bob@biloxi.com>", b"<sip:bob@biloxi.com>;tag=theirs")
        assert response_to(request(data), 200, to_tag="ours").to.tag == "theirs"

    def test_own_reason(self) -> None:
        assert response_to(request(), 400, "Bad CSeq", to_tag=None).reason == "Bad CSeq"
        assert response_to(request(), 200, "", to_tag=None).reason == ""
        assert response_to(request(), 699, to_tag=None).reason == ""

    def test_to_beyond_reading_goes_back_as_it_came(self) -> None:
        error = fault(replaced(b"Bob <", b'"Bob <'))
        assert isinstance(error, MalformedRequest)
        answer = response_to(error.request, 400, to_tag="ours")
        assert answer.get("To") == '"Bob <sip:bob@biloxi.com>'

    def test_first_of_repeated_headers(self) -> None:
        error = fault(replaced(b"CSeq: 314159", b"CSeq: 1 ACK\r\nCSeq: 314159"))
        assert isinstance(error, MalformedRequest)
        assert response_to(error.request, 400, to_tag="x").all("CSeq") == ["1 ACK"]

    def test_what_is_missing_stays_missing(self) -> None:
        answer = response_to(Request("BYE", "sip:a@b"), 400, to_tag="x")
        assert answer.headers == []

    def test_reasons(self) -> None:
        assert all(100 <= status <= 699 and reason for status, reason in REASONS.items())


HEADER_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20).map(
    lambda text: text.strip(" \t")
)


class TestProperties:
    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["Subject", "X-a", "x-A", "Organization", "Warning"]), HEADER_TEXT
            )
        ),
        st.binary(max_size=50),
        st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=10),
    )
    def test_what_is_written_is_read_again(
        self, headers: list[tuple[str, str]], body: bytes, reason: str
    ) -> None:
        message = request()
        answer = response_to(message, 486, reason, to_tag="t")
        for name, value in headers:
            message.add(name, value)
            answer.add(name, value)
        message.body = answer.body = body
        for one in (message, answer):
            for stream in (False, True):
                again = parse_message(one.encode(), stream=stream)
                assert again == one
                assert again.encode() == one.encode()

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_nothing_but_peer_error(self, data: bytes) -> None:
        for stream in (False, True):
            try:
                parse_message(data, stream=stream)
            except PeerError:
                continue

    @settings(deadline=None)
    @given(
        st.sampled_from([INVITE, OK]),
        st.lists(
            st.tuples(
                st.integers(0, 500),
                st.integers(0, 3),
                st.binary(max_size=3)
                | st.sampled_from([b"\r\n", b",", b";", b'"', b"<", b" ", b":"]),
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def test_nothing_but_peer_error_on_mutations(
        self, data: bytes, changes: list[tuple[int, int, bytes]]
    ) -> None:
        for position, length, insertion in changes:
            position %= len(data) + 1
            data = data[:position] + insertion + data[position + length :]
        for stream in (False, True):
            try:
                message = parse_message(data, stream=stream)
            except MalformedRequest as error:
                response_to(error.request, error.status, error.reason, to_tag="t").encode()
            except PeerError:
                continue
            else:
                assert parse_message(message.encode()) == message
                for read in (message.via, message.from_, message.to, message.call_id, message.cseq):
                    assert str(read)
                assert message.contacts is not None

    def test_lines_of_a_message_in_any_order(self) -> None:
        first, *lines = INVITE.partition(b"\r\n\r\n")[0].split(b"\r\n")
        shuffled = random.Random(3261)
        for _ in range(20):
            shuffled.shuffle(lines)
            assert request(b"\r\n".join((first, *lines)) + b"\r\n\r\nv=0\n").via.port is None

    @pytest.mark.timeout(10)
    @pytest.mark.parametrize("unit", [b" ", b"\r\n ", b"\r\n", b"\n", b"a", b":", b"x:\r\n", b"SIP/", b",", b'"', b"\t\r\n\t"])  # fmt: skip
    def test_time_grows_linearly(self, unit: bytes) -> None:
        block = unit * (60_000 // len(unit))
        for data in (
            block,
            b"INVITE " + block + b"x SIP/2.0\r\n\r\n",
            b"SIP/2.0 200 " + block + b"\r\n\r\n",
            replaced(b"To:", b"Subject: a" + block + b"b\r\n c\r\nTo:"),
            replaced(b"To:", b"Contact: a" + block + b"b\r\nTo:"),
        ):
            try:
                parse_message(data)
            except PeerError:
                continue
