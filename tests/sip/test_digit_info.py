"""Digits in INFO requests."""

import pytest

from pbx.errors import PeerError
from pbx.sip.digit_info import DURATION_MS, LONGEST_MS, digit_of, duration_of
from pbx.sip.message import Request


def info(body: bytes, kind: str = "application/dtmf-relay") -> Request:
    request = Request("INFO", "sip:a@b", [("Content-Type", kind)] if kind else [])
    request.body = body
    return request


class TestDigit:
    @pytest.mark.parametrize(
        ("body", "digit"),
        [
            (b"Signal=5\r\nDuration=160\r\n", "5"),
            (b"Signal= #\nDuration= 250\n", "#"),
            (b"Duration=100\r\nsignal=*", "*"),
            (b"Signal=a\r\n", "A"),
            (b"Signal=10\r\n", "*"),
            (b"Signal=11\r\n", "#"),
            (b"Signal=16\r\n", "!"),
            (b"7", "7"),
            (b"#\r\n", "#"),
            (b"d=5", None),
            (b"Signal=\r\n", None),
            (b"Signal=17\r\n", None),
            (b"Signal=x", None),
            (b"Signal=" + b"5" * 5000, None),
            (b"Signal=\xff", None),
            (b"Signal=\xd9\xa3", None),
            (b"\r\n", None),
        ],
    )
    @pytest.mark.parametrize("kind", ["application/dtmf-relay", "Application/DTMF; x=y"])
    def test_both_bodies(self, body: bytes, digit: str | None, kind: str) -> None:
        if digit is None:
            with pytest.raises(PeerError) as caught:
                digit_of(info(body, kind))
            assert caught.value.status == 400
        else:
            assert digit_of(info(body, kind)) == digit

    def test_without_a_body_it_is_a_sign_of_life(self) -> None:
        assert digit_of(info(b"", "")) == ""

    @pytest.mark.parametrize("body", [b"5", b""])
    def test_an_info_package_is_no_digit(self, body: bytes) -> None:
        request = info(body)
        request.add("Info-Package", "x")
        with pytest.raises(PeerError) as caught:
            digit_of(request)
        assert caught.value.status == 469

    @pytest.mark.parametrize("kind", ["", "application/sdp", "text/plain"])
    def test_another_body(self, kind: str) -> None:
        with pytest.raises(PeerError) as caught:
            digit_of(info(b"5", kind))
        assert caught.value.status == 415


class TestDuration:
    @pytest.mark.parametrize(
        ("body", "duration_ms"),
        [
            (b"Signal=5\r\nDuration=250\r\n", 250),
            (b"duration= 90\nsignal=5", 90),
            (b"Signal=5\r\nDuration=999999999\r\n", LONGEST_MS),
            *(
                (b"Signal=5\r\nDuration=" + none, DURATION_MS)
                for none in (b"", b"0", b"-1", b"1e3", b"x", b"9" * 5000, b"\xd9\xa3")
            ),
            (b"Signal=5", DURATION_MS),
            (b"5", DURATION_MS),
        ],
    )
    def test_as_it_is_said(self, body: bytes, duration_ms: int) -> None:
        assert duration_of(info(body)) == duration_ms
