"""Provider profiles: every file is a line once it is filled in, and says nothing unfounded."""

import re

import msgspec
import pytest

from pbx.config.line import Line
from pbx.config.line_faults import line_faults
from pbx.errors import CommandError
from pbx.lines.profile import Profile, fill, profile_of, profiles, read

ISSUE_6 = (
    "china-mobile",
    "china-telecom",
    "china-unicom",
    "deutsche-telekom",
    "twilio",
    "telnyx",
    "voip-ms",
    "sipgate",
    "fritzbox",
    "asterisk",
    "minisipserver",
    "generic-line",
    "generic-trunk",
)

ANSWERS = {
    "server": "sip.example.net",
    "domain": "ims.example.net",
    "proxy": "192.0.2.20:5060",
    "user": "100000",
    "auth_name": "private",
    "password": "se{c}ret",
    "trunk": "office",
    "peers": "192.0.2.0/28, 192.0.2.99",
    "country": "44",
}
NUMBERS = ("+8675512345678", "+493012345678", "+14155550100", "2145550100")


def answers(profile: Profile) -> dict[str, str]:
    """Something for everything that is asked."""
    given = {ask.key: ANSWERS[ask.key] for ask in profile.asks if ask.key in ANSWERS}
    for ask in profile.asks:
        if ask.key == "number":
            given["number"] = next(one for one in NUMBERS if re.fullmatch(ask.pattern, one))
    return given


def needed(profile: Profile) -> dict[str, str]:
    """Something for that which may not be left out."""
    must = {ask.key for ask in profile.asks if not ask.optional and not ask.default}
    return {key: value for key, value in answers(profile).items() if key in must}


def assert_valid(line: Line) -> None:
    assert [one.sentence for one in line_faults(line, (), ())] == []
    assert "{" not in repr(
        msgspec.structs.asdict(msgspec.structs.replace(line, password=""))
    ).strip("{")


class TestFiles:
    @pytest.mark.parametrize("name", ISSUE_6)
    def test_every_provider_of_the_issue_has_one(self, name: str) -> None:
        assert profile_of(name).name == name

    @pytest.mark.parametrize("profile", profiles().values(), ids=profiles())
    def test_filled_in_it_is_a_line(self, profile: Profile) -> None:
        for given in (answers(profile), needed(profile)):
            line = fill(profile, "out", given)
            assert (line.name, line.profile, line.kind) == ("out", profile.name, profile.kind)
            assert_valid(line)

    @pytest.mark.parametrize("profile", profiles().values(), ids=profiles())
    def test_its_words_are_in_both_languages(self, profile: Profile) -> None:
        said = [profile.title, *(ask.label for ask in profile.asks)]
        said += [*(fact.says for fact in profile.facts), *profile.notes]
        for text in said:
            assert text.en.isascii()
            assert re.search("[\u4e00-\u9fff]", text.zh) or text.zh == text.en

    @pytest.mark.parametrize("profile", profiles().values(), ids=profiles())
    def test_passwords_are_secret(self, profile: Profile) -> None:
        assert all(ask.secret == (ask.key == "password") for ask in profile.asks)

    @pytest.mark.parametrize("profile", profiles().values(), ids=profiles())
    def test_every_fact_rests_on_something(self, profile: Profile) -> None:
        assert all(len(fact.rests_on) > 10 for fact in profile.facts)

    def test_they_are_in_the_names_order(self) -> None:
        assert list(profiles()) == sorted(profiles())


class TestCarriers:
    def test_china_telecom_authenticates_with_the_full_address(self) -> None:
        given = {"number": "+8612345678", "domain": "gd.ctcims.cn", "proxy": "192.0.2.9"}
        line = fill(profile_of("china-telecom"), "ctc", {**given, "password": "x"})
        assert line.credentials_name == "+8612345678@gd.ctcims.cn"
        assert (line.account_domain, line.proxy) == ("gd.ctcims.cn", "192.0.2.9")

    def test_china_mobile_is_called_with_user_phone_and_plus(self) -> None:
        for name in ("china-mobile", "china-mobile-trunk"):
            profile = profile_of(name)
            line = fill(profile, "cm", needed(profile))
            assert (line.form, line.number_format, line.country) == ("phone", "+e164", "86")

    def test_deutsche_telekom_needs_no_password(self) -> None:
        line = fill(profile_of("deutsche-telekom"), "dt", {"number": "+493012345678"})
        assert (line.credentials_name, line.password) == ("anonymous@t-online.de", "")
        assert line.server == "tel.t-online.de"

    def test_twilio_is_reached_at_the_trunk_and_calls_from_its_networks(self) -> None:
        line = fill(profile_of("twilio"), "tw", {"trunk": "office"})
        assert line.server == "office.pstn.twilio.com"
        assert line.peers == ("54.172.60.0/30", "54.244.51.0/30")
        assert not line.registers

    def test_sipgate_trunking_shows_the_number_in_ppi_and_the_account_in_from(self) -> None:
        profile = profile_of("sipgate-trunk")
        line = fill(profile, "sg", {"user": "u1", "password": "x", "number": "+49301"})
        assert (line.identity, line.caller_number, line.from_user) == ("ppi", "+49301", "")

    def test_the_fritzbox_says_in_p_called_party_id_who_is_called(self) -> None:
        profile = profile_of("fritzbox")
        line = fill(profile, "fb", needed(profile))
        assert line.did_from[0] == "p-called-party-id"
        assert (line.server, line.form) == ("fritz.box", "sip")


class TestFill:
    def test_an_answer_keeps_its_braces(self) -> None:
        given = {"server": "192.0.2.1", "user": "{password}", "password": "{user}"}
        line = fill(profile_of("generic-line"), "g", given)
        assert (line.user, line.password) == ("{password}", "{user}")

    def test_several_networks_become_several(self) -> None:
        given = {"server": "192.0.2.1", "peers": " 192.0.2.2,192.0.2.3  198.51.100.0/24 "}
        line = fill(profile_of("generic-trunk"), "g", given)
        assert line.peers == ("192.0.2.2", "192.0.2.3", "198.51.100.0/24")

    @pytest.mark.parametrize(
        ("given", "code", "named"),
        [
            ({}, "profile-answer-missing", "number"),
            ({"number": "13901088888"}, "profile-answer-bad", "number"),
            ({"number": "+8675512345678\r\nX: y"}, "profile-answer-bad", "number"),
            ({"number": "+8675512345678", "colour": "red"}, "profile-answer-unknown", "colour"),
            (
                {"number": "+8675512345678", "domain": "a.b", "auth_name": "x" * 129},
                "profile-answer-bad",
                "auth_name",
            ),
        ],
    )
    def test_a_wrong_answer_is_named(self, given: dict[str, str], code: str, named: str) -> None:
        with pytest.raises(CommandError) as refused:
            fill(profile_of("china-mobile"), "cm", given)
        assert refused.value.code == code
        assert f"'{named}'" in refused.value.sentence

    def test_an_unknown_provider(self) -> None:
        with pytest.raises(CommandError, match="There is no provider profile 'nobody'") as refused:
            profile_of("nobody")
        assert refused.value.code == "profile-unknown"


GOOD = """
title = { en = "X", zh = "某" }
[line]
kind = "external-line"
server = "{host}"
[[asks]]
key = "host"
label = { en = "Host", zh = "主机" }
"""


class TestRead:
    def test_a_good_file(self) -> None:
        assert read("x", GOOD.encode()).name == "x"

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            (GOOD.replace("server =", "color ="), "sets color, which no line has"),
            (GOOD.replace("{host}", "{port}"), "server needs port, which is not asked"),
            (GOOD.replace('server = "', 'prack = "off"\nserver = "'), "prack rests on no fact"),
            (GOOD + GOOD[GOOD.index("[[asks]]") :], "asks for the same thing twice"),
            (GOOD + 'default = "{late}"\n', "default of host needs late"),
            (
                GOOD
                + '[[facts]]\nfields = ["colour"]\nrests_on = "a page"\nsays = { en = "a", zh = "b" }\n',
                "a fact names colour",
            ),
        ],
    )
    def test_what_is_wrong_with_a_file_is_said(self, text: str, fault: str) -> None:
        with pytest.raises(ValueError, match=fault):
            read("x", text.encode())
