"""Lines: what a person may write, and every fault told with its field."""

from collections.abc import Mapping
from typing import Any

import pytest

from pbx.config import fields
from pbx.config.line import Line, host_part
from pbx.config.line_faults import line_faults
from pbx.errors import CommandError

GOOD: Mapping[str, Any] = {
    "name": "ims",
    "kind": "external-line",
    "server": "ims.example",
    "user": "+861012345678",
}


def told(**values: Any) -> list[tuple[str, str]]:
    """Code and sentence of all that is wrong with a line of these values."""
    line = fields.build(Line, {**GOOD, **values})
    return [(error.code, error.sentence) for error in line_faults(line, ["office"], ["101"])]


class TestGood:
    def test_only_what_must_be(self) -> None:
        assert told() == []

    def test_a_trunk_needs_no_account(self) -> None:
        assert told(kind="sip-trunk", user="", server="[2001:db8::1]:5080") == []

    def test_all_of_it(self) -> None:
        assert (
            told(
                server="sip.example.com.:5070",
                domain="192.0.2.1",
                proxy="[::1]:5060",
                transport="tls",
                peers=("192.0.2.0/24", "2001:db8::/32", "peer.example"),
                contact_address="learned",
                sdp_address="2001:db8::7",
                auth_name="user@ims.example",
                password="geheim ü",
                number_format="local",
                caller_format="+e164",
                country="86",
                area="10",
                uri_parameters="user=phone;x=y",
                hide="prefix:*31*",
                did_from=("header:X-DID", "p-called-party-id"),
                codecs=("PCMA", "telephone-event"),
                owner="101",
                time_condition="office",
                destination="*6*1",
            )
            == []
        )

    def test_texts_are_read_as_what_their_field_is(self) -> None:
        line = fields.build(
            Line,
            {
                **GOOD,
                "enabled": "No",
                "update": "on",
                "expires_s": "3600",
                "keep_alive_s": "12.5",
                "peers": "192.0.2.1, peer.example,",
                "codecs": "",
                "most": "0",
                "country": "86",
            },
        )
        assert (line.enabled, line.update, line.expires_s, line.keep_alive_s) == (
            False,
            True,
            3600,
            12.5,
        )
        assert (line.peers, line.codecs, line.most) == (("192.0.2.1", "peer.example"), (), 0)
        assert line.country == "86"


class TestFaults:
    @pytest.mark.parametrize(
        ("values", "code", "part"),
        [
            ({"name": "users"}, "line-name", "'users'"),
            ({"name": "two words"}, "line-name", "'two words'"),
            ({"name": ""}, "line-name", "''"),
            ({"name": "x" * 33}, "line-name", "xxx"),
            ({"kind": "line"}, "field-choice", "external-line, sip-trunk"),
            ({"server": ""}, "field-missing", "server"),
            ({"server": "2001:db8::1"}, "field-server", "server is '2001:db8::1'"),
            ({"server": "host:0"}, "field-server", "server"),
            ({"server": "host:65536"}, "field-server", "server"),
            ({"server": "[::g]"}, "field-server", "server"),
            ({"server": "[192.0.2.1]"}, "field-server", "server"),
            ({"server": "a..b"}, "field-server", "server"),
            ({"server": "sip:ims.example"}, "field-server", "server"),
            ({"proxy": "pröxy"}, "field-server", "proxy"),
            ({"domain": "host:5060"}, "field-host", "domain"),
            ({"from_domain": "-x"}, "field-host", "from_domain"),
            ({"transport": "sctp"}, "field-choice", "udp, tcp, tls."),
            ({"peers": ("192.0.2.0/33",)}, "field-peer", "192.0.2.0/33"),
            ({"user": ""}, "field-missing", "user"),
            ({"user": "a@b"}, "field-account", "user is 'a@b'"),
            ({"contact_user": "a b"}, "field-account", "contact_user"),
            ({"from_user": "<x>"}, "field-account", "from_user"),
            ({"password": "a\nb"}, "field-text", "password has more than 128"),
            ({"auth_name": "x" * 129}, "field-text", "auth_name"),
            ({"description": "\x1b"}, "field-text", "description"),
            ({"expires_s": 29}, "field-range", "expires_s is 29, but must be from 30 to 604800."),
            ({"keep_alive_s": 0}, "field-range", "keep_alive_s"),
            ({"keep_alive": "ping"}, "field-choice", "keep_alive"),
            ({"number_format": "+e164"}, "line-needs", "number_format = +e164"),
            ({"caller_format": "local", "country": "86"}, "line-needs", "area"),
            ({"number_format": "e.164"}, "field-choice", "dialled, +e164"),
            ({"country": "0086"}, "line-country", "0086"),
            ({"area": "x"}, "field-digits", "area"),
            ({"trunk_prefix": "123456789"}, "field-digits", "trunk_prefix"),
            ({"caller_number": "+49-30"}, "field-digits", "caller_number"),
            ({"destination": "anna"}, "field-digits", "destination"),
            ({"identity": "paid"}, "field-choice", "identity"),
            ({"hide": "prefix:"}, "field-choice", "prefix:DIGITS"),
            ({"did_from": ()}, "field-missing", "did_from"),
            ({"caller_from": ("header:",)}, "field-choice", "header:NAME"),
            ({"caller_from": ("header:a b",)}, "field-choice", "caller_from"),
            ({"did_from": ("via",)}, "field-choice", "did_from is 'via'"),
            ({"uri_form": "sips"}, "field-choice", "uri_form"),
            ({"uri_parameters": "user=phone;;x"}, "line-parameters", "user=phone;;x"),
            ({"uri_parameters": "x=a b"}, "line-parameters", "x=a b"),
            ({"prack": "on"}, "field-choice", "off, supported, required"),
            ({"session_timer": "on"}, "field-choice", "session_timer"),
            ({"session_s": 0}, "field-range", "session_s"),
            ({"session_s": 100, "min_se_s": 200}, "field-order", "min_se_s"),
            ({"precondition": "met"}, "field-choice", "precondition"),
            ({"dtmf": "rfc2833"}, "field-choice", "dtmf"),
            ({"ptime_ms": 25}, "field-choice", "ptime_ms is '25'"),
            ({"codecs": ("PCMA/8000",)}, "line-codec", "PCMA/8000"),
            ({"codecs": ("pcma", "PCMX")}, "line-codec", "there is no 'PCMX'; there are: PCMU"),
            ({"most": -2}, "field-range", "most"),
            ({"most_incoming": 10_001}, "field-range", "most_incoming"),
            ({"no_answer_s": float("nan")}, "field-range", "no_answer_s"),
            ({"max_duration_s": float("inf")}, "field-range", "max_duration_s"),
            ({"time_condition": "night"}, "no-such-time-condition", "'night'"),
            ({"owner": "102"}, "no-such-user", "'102'"),
        ],
    )
    def test_each_is_told(self, values: dict[str, Any], code: str, part: str) -> None:
        found = told(**values)
        assert found[0][0] == code
        assert part in found[0][1]
        assert found[0][1].isprintable()

    @pytest.mark.parametrize(
        ("values", "code", "sentence"),
        [
            ({"servr": "x"}, "field-unknown", "There is no servr; there are: "),
            ({"server": 5}, "field-type", "server has the wrong kind of value"),
            ({"enabled": "maybe"}, "field-yes-no", "enabled is 'maybe', but must be yes or no."),
            ({"most": "many"}, "field-whole", "most is 'many', but must be a whole number."),
            ({"most": "1.5"}, "field-whole", "most is '1.5'"),
            ({"keep_alive_s": "1,5"}, "field-number", "keep_alive_s is '1,5'"),
            ({"peers": [5]}, "field-type", "peers[0] has the wrong kind of value"),
        ],
    )
    def test_values_of_the_wrong_kind(
        self, values: dict[str, Any], code: str, sentence: str
    ) -> None:
        with pytest.raises(CommandError) as caught:
            fields.build(Line, {**GOOD, **values})
        assert caught.value.code == code
        assert caught.value.sentence.startswith(sentence)

    def test_one_that_is_missing(self) -> None:
        with pytest.raises(CommandError, match=r"^server is missing\.$") as caught:
            fields.build(Line, {"name": "x", "kind": "sip-trunk"})
        assert caught.value.code == "field-missing"

    def test_no_sentence_has_the_password(self) -> None:
        for values in ({"password": "geheim12\n"}, {"password": ["geheim12"]}):
            try:
                text = str(told(**values))
            except CommandError as error:
                text = error.sentence
            assert "password" in text
            assert "geheim12" not in text


class TestLine:
    @pytest.mark.parametrize(
        ("server", "host"),
        [
            ("ims.example", "ims.example"),
            ("ims.example:5060", "ims.example"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:5060", "[2001:db8::1]"),
            ("2001:db8::1", "2001:db8::1"),
        ],
    )
    def test_the_host_of_its_server(self, server: str, host: str) -> None:
        assert host_part(server) == host

    def test_what_is_left_open_goes_by_its_kind(self) -> None:
        line = Line(name="ims", kind="external-line", server="ims.example:5060", user="u")
        trunk = Line(name="peer", kind="sip-trunk", server="192.0.2.1")
        assert (line.registers, line.form, line.kept_alive) == (True, "phone", "crlf")
        assert (trunk.registers, trunk.form, trunk.kept_alive) == (False, "sip", "options")
        assert (line.account_domain, line.credentials_name, line.own_user) == (
            "ims.example",
            "u",
            "u",
        )
        assert trunk.own_user == "peer"

    def test_what_is_said_counts(self) -> None:
        line = Line(
            name="ims",
            kind="external-line",
            server="proxy.example",
            domain="ims.example",
            user="u",
            auth_name="u@ims.example",
            password="geheim12",
            contact_user="c",
            uri_form="tel",
            keep_alive="none",
        )
        assert (line.form, line.kept_alive) == ("tel", "none")
        assert (line.account_domain, line.credentials_name, line.own_user) == (
            "ims.example",
            "u@ims.example",
            "c",
        )
        assert "geheim12" not in repr(line)
