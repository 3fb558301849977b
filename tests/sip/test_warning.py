"""The Warning header field: RFC 3261 §20.43."""

import pytest

from pbx.sip.warning import warning

USUAL = "Not Acceptable Here"


class TestRfc3261Section20_43:
    @pytest.mark.parametrize(
        ("reason", "host", "value"),
        [
            (USUAL, "192.0.2.1", '305 192.0.2.1 "Incompatible media format"'),
            (USUAL, "2001:db8::1", '305 [2001:db8::1] "Incompatible media format"'),
            ("Multicast media is not served", "h", '330 h "Multicast media is not served"'),
            ("Media Loop", "h", '399 h "Media Loop"'),
            ('a "b"', "h", r'399 h "a \"b\""'),
        ],
    )
    def test_value(self, reason: str, host: str, value: str) -> None:
        assert warning(reason, USUAL, host) == value
