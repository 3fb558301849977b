"""Bodies and their parts: RFC 3261 §7.4, §20.11, §21.4.28, RFC 5621, RFC 2046 §5.1."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sip.body import parts, refused_body, session_description
from pbx.sip.message import Request

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
PLACE = b"<presence/>"


def invite(body: bytes, kind: str = "", **headers: str) -> Request:
    """An INVITE with a body."""
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if kind:
        fields.append(("Content-Type", kind))
    return Request("INVITE", "sip:bob@192.0.2.1", fields, body)


def part(content: bytes, kind: str = "", *lines: str) -> bytes:
    """A body part with its header."""
    head = [f"Content-Type: {kind}"] if kind else []
    return "\r\n".join([*head, *lines, "", ""]).encode() + content


def multipart(*pieces: bytes, boundary: str = "b1", end: bytes = b"--") -> bytes:
    """A multipart body, as RFC 2046 has it."""
    line = b"--" + boundary.encode()
    return b"".join(line + b"\r\n" + piece + b"\r\n" for piece in pieces) + line + end + b"\r\n"


MIXED = "multipart/mixed;boundary=b1"


class TestRfc3261Section20_11:
    """One body."""

    def test_a_session_description(self) -> None:
        for kind in ("Application/SDP;level=1", "application / sdp", " application\t/sdp ; a=b"):
            assert session_description(invite(SDP, kind)) == SDP
        assert refused_body(invite(SDP, "application/sdp")) == 0

    def test_no_body(self) -> None:
        assert refused_body(invite(b"")) == 0
        assert parts(invite(b"")) == []
        assert session_description(invite(b"", MIXED)) == b""

    def test_without_a_type_it_is_read_but_not_taken(self) -> None:
        assert session_description(invite(SDP)) == SDP
        assert refused_body(invite(SDP)) == 415

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content_Encoding": "gzip"},
            {"Content_Disposition": "early-session"},
            {"Content_Disposition": "render;handling=required"},
        ],
    )
    def test_another_use_of_it(self, headers: dict[str, str]) -> None:
        message = invite(SDP, "application/sdp", **headers)
        assert session_description(message) == b""
        assert refused_body(message) == 415

    @pytest.mark.parametrize("handling", ["optional", "Optional", '"optional"', "optional;x=1"])
    def test_what_needs_no_understanding(self, handling: str) -> None:
        message = invite(b"hi", "text/plain", Content_Disposition=f"icon; handling={handling}")
        assert refused_body(message) == 0

    @pytest.mark.parametrize("disposition", ["", "render", "icon;handling=required", 'x;="'])
    def test_what_nobody_here_understands(self, disposition: str) -> None:
        headers = {"Content_Disposition": disposition} if disposition else {}
        assert refused_body(invite(b"hi", "text/plain", **headers)) == 415


class TestRfc3261Section21_4_28:
    """An encrypted body is undecipherable."""

    @pytest.mark.parametrize(
        "kind",
        [
            "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
            "multipart/encrypted;boundary=b1",
        ],
    )
    def test_493(self, kind: str) -> None:
        assert refused_body(invite(b"\x30\x80", kind)) == 493
        assert session_description(invite(b"\x30\x80", kind)) == b""

    def test_beside_a_session_description(self) -> None:
        body = multipart(part(SDP, "application/sdp"), part(b"x", "application/pkcs7-mime"))
        assert refused_body(invite(body, MIXED)) == 493
        optional = part(b"x", "application/pkcs7-mime", "Content-Disposition: a;handling=optional")
        assert refused_body(invite(multipart(part(SDP, "application/sdp"), optional), MIXED)) == 0


class TestRfc5621Section4_2:
    """Several parts."""

    @pytest.mark.parametrize(
        ("beside", "lines", "status"),
        [
            # RFC 6442: a place, whose disposition its senders leave out
            ("application/pidf+xml", (), 0),
            ("application/pidf+xml", ("Content-ID: <a@b>", "Content-Disposition: by-reference"), 0),
            ("application/pidf+xml", ("Content-Disposition: render;handling=required",), 415),
            # RFC 3204: what an ISDN exchange had to say
            ("application/isup;version=x", ("Content-Disposition: signal;handling=optional",), 0),
            ("application/isup;version=x", ("Content-Disposition: signal;handling=required",), 415),
            ("application/isup;version=x", ("Content-Disposition: signal",), 415),
        ],
    )
    def test_mixed(self, beside: str, lines: tuple[str, ...], status: int) -> None:
        other, ours = part(PLACE, beside, *lines), part(SDP, "application/sdp")
        for pieces in ((other, ours), (ours, other)):
            message = invite(multipart(*pieces), MIXED)
            assert session_description(message) == SDP
            assert refused_body(message) == status

    def test_no_session_description_among_them(self) -> None:
        message = invite(multipart(part(b"x", "text/plain")), MIXED)
        assert (session_description(message), refused_body(message)) == (b"", 415)

    def test_of_alternatives_the_last_that_is_understood(self) -> None:
        first = part(SDP.replace(b"4000", b"4002"), "application/sdp")
        body = multipart(first, part(SDP, "application/sdp"), part(b"x", "application/sdpng"))
        message = invite(body, "multipart/alternative; boundary=b1")
        assert (session_description(message), refused_body(message)) == (SDP, 0)
        message = invite(multipart(part(b"x", "text/plain")), "multipart/alternative; boundary=b1")
        assert refused_body(message) == 415

    @pytest.mark.parametrize(("whole", "status"), [("", 415), ("required", 415), ("optional", 0)])
    @pytest.mark.parametrize("each", ["", "required", "optional"])
    def test_of_alternatives_only_the_handling_of_the_whole_counts(
        self, whole: str, status: int, each: str
    ) -> None:
        """§8.3."""
        line = [f"Content-Disposition: render;handling={each}"] if each else []
        body = multipart(part(b"x", "text/plain", *line), part(b"y", "text/html", *line))
        headers = {"Content_Disposition": f"render;handling={whole}"} if whole else {}
        message = invite(body, "multipart/alternative; boundary=b1", **headers)
        assert refused_body(message) == status

    def test_signed_is_read_without_its_signature(self) -> None:
        signature = part(
            b"x", "application/pkcs7-signature", "Content-Disposition: a;handling=required"
        )
        body = multipart(part(SDP, "application/sdp"), signature)
        message = invite(body, 'multipart/signed; micalg=sha1; boundary="b1"')
        assert (session_description(message), refused_body(message)) == (SDP, 0)

    def test_parts_of_parts(self) -> None:
        inner = multipart(part(SDP, "application/sdp"), part(PLACE, "a/b"), boundary="b2")
        body = multipart(part(inner, "multipart/related; boundary=b2"), part(b"p", "image/png"))
        message = invite(body, MIXED)
        assert (session_description(message), refused_body(message)) == (SDP, 0)

    def test_the_whole_is_optional(self) -> None:
        body = multipart(part(b"x", "a/b"))
        message = invite(body, MIXED, Content_Disposition="session;handling=optional")
        assert refused_body(message) == 0


class TestRfc2046Section5_1:
    """How a multipart body is written."""

    def test_preamble_and_epilogue_are_no_parts(self) -> None:
        body = (
            b"no part\r\n" + multipart(part(SDP, "application/sdp")) + b"nor this\r\n--b1\r\n\r\n"
        )
        assert [each.octets for each in parts(invite(body, MIXED))] == [SDP]

    def test_the_line_end_before_the_boundary_is_the_boundarys(self) -> None:
        (only,) = parts(invite(multipart(part(b"a\r\n\r\n", "text/plain")), MIXED))
        assert only.octets == b"a\r\n\r\n"

    def test_bare_line_feeds_and_padding(self) -> None:
        body = multipart(part(SDP, "application/sdp")).replace(b"--b1\r\n", b"--b1 \t\r\n", 1)
        assert session_description(invite(body, MIXED)) == SDP
        bare = SDP.replace(b"\r\n", b"\n")
        body = multipart(part(SDP, "application/sdp")).replace(b"\r\n", b"\n")
        assert session_description(invite(body, MIXED)) == bare

    def test_a_part_without_a_header_is_plain_text(self) -> None:
        (only,) = parts(invite(b"--b1\r\n\r\nhi\r\n--b1--", MIXED))
        assert (only.kind, only.disposition, only.octets) == ("text/plain", "render", b"hi")

    def test_a_folded_header(self) -> None:
        piece = b"content-type:\r\n application/sdp\r\n\r\n" + SDP
        assert session_description(invite(multipart(piece), MIXED)) == SDP

    def test_a_boundary_in_quotes_and_one_that_begins_like_another(self) -> None:
        pieces = multipart(part(SDP + b"--b 12\r\n", "application/sdp"), boundary="b 1")
        message = invite(pieces, 'multipart/mixed; boundary="b 1"')
        assert session_description(message) == SDP + b"--b 12\r\n"

    def test_binary_is_no_encoding_and_base64_is_one(self) -> None:
        for encoding, status in (("binary", 0), ("8bit", 0), ("base64", 415)):
            line = f"Content-Transfer-Encoding: {encoding}"
            message = invite(multipart(part(SDP, "application/sdp", line)), MIXED)
            assert refused_body(message) == status

    def test_one_that_is_cut_off(self) -> None:
        body = multipart(part(SDP, "application/sdp")).partition(b"\r\n--b1--")[0]
        assert session_description(invite(body, MIXED)) == SDP
        assert [each.octets for each in parts(invite(b"--b1\r\nX: y", MIXED))] == [b""]

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("multipart/mixed", multipart(part(SDP, "application/sdp"))),
            ("multipart/mixed;boundary=", multipart(part(SDP, "application/sdp"))),
            ("multipart/mixed;boundary=\xe4", multipart(part(SDP, "application/sdp"))),
            ('multipart/mixed;boundary="b1', multipart(part(SDP, "application/sdp"))),
            ("multipart/mixed;boundary=" + "b" * 71, b""),
            (MIXED, b"no boundary at all"),
            (MIXED, b"--b1--\r\n"),
            (MIXED, multipart(*[part(b"", "a/b")] * 40)),
        ],
    )
    def test_one_that_is_none(self, kind: str, body: bytes) -> None:
        message = invite(body or b"x", kind)
        with pytest.raises(PeerError, match="400"):
            refused_body(message)
        assert session_description(message) == b""

    def test_too_deep(self) -> None:
        body = part(SDP, "application/sdp")
        for number in range(5):
            kind = f"multipart/mixed;boundary=b{number}"
            body = part(multipart(body, boundary=f"b{number}"), kind)
        with pytest.raises(PeerError, match="too deep"):
            parts(invite(multipart(body), MIXED))

    @given(st.binary(max_size=300), st.sampled_from([b"--b1", b"--b1--", b"\r\n", b"\n\n", b": "]))
    def test_any_octets(self, data: bytes, piece: bytes) -> None:
        message = invite(b"--b1\r\n" + data.replace(b"\0", piece), MIXED)
        with suppress(PeerError):
            assert sum(len(each.octets) for each in parts(message)) <= len(message.body)
