"""REFER and Replaces (RFC 3515, RFC 3891, RFC 3892, RFC 4488)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sip.message import Request
from pbx.sip.refer import ReferRequest, parse_refer, sipfrag
from pbx.sip.replaces import Replaces, parse_replaces, replaces_of


def refer(*headers: tuple[str, str], first: bool = True) -> ReferRequest:
    request = Request("REFER", "sip:pbx", [("CSeq", "7 REFER"), *headers])
    return parse_refer(request, first=first)


class TestReferTo:
    @pytest.mark.parametrize(
        ("value", "number"),
        [
            ("<sip:102@pbx>", "102"),
            ("sip:102@pbx", "102"),
            ('"Bob" <sip:102@pbx;method=INVITE>', "102"),
            ("<tel:+49-30-1>", "+49301"),
            ("<sip:+49301;phone-context=x@pbx;user=phone>", "+49301"),
            ("<sip:*6*1@pbx>", "*6*1"),
            ("<sip:pbx>", ""),
        ],
    )
    def test_who_is_to_be_called(self, value: str, number: str) -> None:
        asked = refer(("r", value))
        assert (asked.number, asked.replaces) == (number, None)

    @pytest.mark.parametrize(
        ("values", "status"),
        [
            ([], 400),
            (["<sip:102@pbx>", "<sip:103@pbx>"], 400),
            (["<sip:102"], 400),
            (["<http://pbx/>"], 416),
            (["<sip:102@pbx;method=BYE>"], 403),
            (["<sip:102@pbx?Replaces=a>"], 400),
            (["<sip:102@pbx?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=b>"], 400),
        ],
    )
    def test_what_is_refused(self, values: list[str], status: int) -> None:
        with pytest.raises(PeerError) as error:
            refer(*(("Refer-To", value) for value in values))
        assert error.value.status == status

    def test_attended(self) -> None:
        asked = refer(
            (
                "Refer-To",
                "<sip:102@pbx?Replaces=c%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>",
            )
        )
        assert asked.replaces == Replaces("c@h", "1", "2")

    def test_who_has_referred(self) -> None:
        asked = refer(("Refer-To", "<sip:102@pbx>"), ("b", "<sip:100@pbx>"))
        assert asked.referred_by == "<sip:100@pbx>"
        with pytest.raises(PeerError):
            refer(("Refer-To", "<sip:102@pbx>"), ("Referred-By", "<sip:"))

    @pytest.mark.parametrize(("value", "told"), [("false", False), ("true", True), ("x", True)])
    def test_no_subscription(self, value: str, told: bool) -> None:
        assert refer(("Refer-To", "<sip:102@pbx>"), ("Refer-Sub", value)).told is told

    def test_the_second_one_has_an_id(self) -> None:
        assert refer(("Refer-To", "<sip:102@pbx>")).event_id == ""
        assert refer(("Refer-To", "<sip:102@pbx>"), first=False).event_id == "7"

    @given(st.text(max_size=80))
    def test_anything(self, text: str) -> None:
        with suppress(PeerError):
            assert refer(("Refer-To", text), ("Referred-By", text)).referred_by == text


class TestReplaces:
    def test_rfc_3891_s_example(self) -> None:
        found = parse_replaces("425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only")
        assert found == Replaces("425928@bobster.example.org", "7743", "6472", early_only=True)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a",
            "a;to-tag=1",
            "a;from-tag=1",
            ";to-tag=1;from-tag=2",
            "a b;to-tag=1;from-tag=2",
            "a;to-tag=1;to-tag=2;from-tag=3",
            "a;to-tag;from-tag=1",
        ],
    )
    def test_what_is_refused(self, text: str) -> None:
        with pytest.raises(PeerError) as error:
            parse_replaces(text)
        assert error.value.status == 400

    def test_of_a_request(self) -> None:
        one = ("Replaces", "a;from-tag=2;to-tag=1")
        assert replaces_of(Request("INVITE", "sip:a@b")) is None
        assert replaces_of(Request("INVITE", "sip:a@b", [one])) == Replaces("a", "1", "2")
        with pytest.raises(PeerError):
            replaces_of(Request("INVITE", "sip:a@b", [one, one]))


class TestSipfrag:
    def test_status_line(self) -> None:
        assert sipfrag(200, "Fine") == b"SIP/2.0 200 Fine\r\n"
        assert sipfrag(100) == b"SIP/2.0 100 Trying\r\n"

    def test_no_line_of_another_s_making(self) -> None:
        assert sipfrag(486, "a\r\nb") == b"SIP/2.0 486 Busy Here\r\n"
