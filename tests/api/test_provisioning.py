"""The document that sets up Linphone, and who may have it."""

import xml.etree.ElementTree as ElementTree

import pytest

from pbx.api.provisioning import (
    SipAccount,
    Tokens,
    host_of,
    linphone_xml,
    uri_host,
)

XMLNS = "{http://www.linphone.org/xsds/lpconfig.xsd}"


def entries(document: bytes) -> dict[str, str | None]:
    root = ElementTree.fromstring(document)
    assert root.tag == f"{XMLNS}config"
    return {
        f"{section.get('name')}/{entry.get('name')}": entry.text
        for section in root
        for entry in section
    }


def account(name: str = "", port: int = 5060) -> SipAccount:
    return SipAccount("100", name, "p<&>\"'w", "mini & sip", port)


class TestDocument:
    def test_what_the_phone_needs(self) -> None:
        found = entries(linphone_xml(account(), "192.0.2.1"))
        assert found["proxy_0/reg_proxy"] == "<sip:192.0.2.1;transport=udp>"
        assert found["proxy_0/reg_identity"] == "<sip:100@192.0.2.1>"
        assert found["proxy_0/reg_sendregister"] == "1"
        assert found["auth_info_0/username"] == "100"
        assert found["auth_info_0/passwd"] == "p<&>\"'w"
        assert found["auth_info_0/realm"] == "mini & sip"
        assert found["auth_info_0/domain"] == "192.0.2.1"
        assert found["sip/default_proxy"] == "0"

    def test_another_port(self) -> None:
        found = entries(linphone_xml(account(port=5070), "[2001:db8::1]"))
        assert found["proxy_0/reg_proxy"] == "<sip:[2001:db8::1]:5070;transport=udp>"
        assert found["proxy_0/reg_identity"] == "<sip:100@[2001:db8::1]:5070>"

    @pytest.mark.parametrize(
        ("name", "shown"),
        [("前台", '"前台"'), ('A "B" <&>', '"A \\"B\\" <&>"'), ("\\", '"\\\\"')],
    )
    def test_display_name(self, name: str, shown: str) -> None:
        found = entries(linphone_xml(account(name), "192.0.2.1"))
        assert found["proxy_0/reg_identity"] == f"{shown} <sip:100@192.0.2.1>"


class TestTokens:
    def test_random_and_steady(self) -> None:
        one, other = Tokens(), Tokens()
        assert one.of("100", "x") == one.of("100", "x")
        assert len({one.of("100", "x"), one.of("101", "x"), other.of("100", "x")}) == 3
        assert len(one.of("100", "x")) == 32

    def test_another_password_is_not_told_by_the_old_one(self) -> None:
        tokens = Tokens()
        old = tokens.of("100", "x")
        assert tokens.number(tokens.of("100", "y")) == "100"
        assert tokens.number(old) is None

    def test_found_again(self) -> None:
        tokens = Tokens()
        names = {number: tokens.of(number, "x") for number in ("100", "101")}
        assert [tokens.number(names[number]) for number in names] == ["100", "101"]

    @pytest.mark.parametrize("guess", ["", "100", "0" * 32, "é\udcff"])
    def test_a_guess(self, guess: str) -> None:
        tokens = Tokens()
        tokens.of("100", "x")
        assert tokens.number(guess) is None


class TestRfc9110Section7_2:
    """Host: the phone says where it reaches us."""

    @pytest.mark.parametrize(
        ("header", "host"),
        [
            ("192.0.2.1:8080", "192.0.2.1"),
            ("pbx.example", "pbx.example"),
            ("minisip.local:80", "minisip.local"),
            ("[2001:DB8::1]:8080", "[2001:db8::1]"),
            ("[::1]", "[::1]"),
            ("", "203.0.113.9"),
            ("a b", "203.0.113.9"),
            ("x>;evil=1", "203.0.113.9"),
            ("[::1::2]", "203.0.113.9"),
            ("host:port", "203.0.113.9"),
            ("192.0.2.1:8080\n", "203.0.113.9"),
        ],
    )
    def test_host(self, header: str, host: str) -> None:
        assert host_of(header, "::ffff:203.0.113.9") == host


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("pbx.local", "pbx.local"),
    ],
)
def test_uri_host(address: str, host: str) -> None:
    assert uri_host(address) == host
