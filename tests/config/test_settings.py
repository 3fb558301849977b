"""The settings file: every fault is told with the setting's path."""

import os
from pathlib import Path

import pytest

from pbx.config.callback import CallBackSettings
from pbx.config.emergency_numbers import countries
from pbx.config.recording import RecordingSettings
from pbx.config.settings import ServiceSettings, Settings, parse_settings, read_settings
from pbx.errors import StartError
from pbx.locale import choose


@pytest.fixture(autouse=True)
def _in_english() -> None:
    choose("en")


def fault(text: str) -> str:
    """What is wrong with a settings file of this text."""
    with pytest.raises(StartError) as caught:
        parse_settings(text.encode(), "minisip.toml")
    assert caught.value.exit_code == os.EX_CONFIG
    prefix = "The settings file minisip.toml is wrong: "
    assert caught.value.sentence.startswith(prefix)
    return caught.value.sentence.removeprefix(prefix)


class TestTlsPort:
    """A file from before there was TLS, which uses TLS's port for something else, stays right."""

    @pytest.mark.parametrize(
        ("text", "port", "yields_to"),
        [
            ("", 5061, ""),
            ("[sip]\ntls_port = 0", 0, ""),
            ("[sip]\ntls_port = 0\nport = 5061", 0, ""),
            ("[sip]\nport = 5061\ntls_port = 5071", 5071, ""),
            ("[sip]\nport = 5061", 0, "sip.port"),
            ("[sip]\nwss_port = 5061", 0, "sip.wss_port"),
            ("[http]\nport = 5061", 0, "http.port"),
            ("[media]\nfirst_port = 5062\nlast_port = 5161", 5061, ""),
            (
                "[media]\nfirst_port = 5000\nlast_port = 5061\n[sip]\nport = 6060",
                0,
                "media.first_port",
            ),
        ],
    )
    def test_it_yields(self, text: str, port: int, yields_to: str) -> None:
        settings = parse_settings(text.encode(), "x")
        assert (settings.tls_port, settings.tls_yields_to) == (port, yields_to)


class TestGood:
    def test_every_setting_is_optional(self) -> None:
        assert parse_settings(b"", "x") == Settings()

    def test_as_an_editor_on_windows_saves_it(self) -> None:
        text = "[sip]\r\nport = 6060\r\n".encode("utf-8-sig")
        assert parse_settings(text, "x").sip.port == 6060

    def test_all_of_it(self) -> None:
        text = b"""
            database = "mysql://pbx:p%40ss@[2001:db8::1]:3307/pbx"
            language = "zh"
            control_socket = "/run/minisipserver/control.sock"
            [sip]
            port = 5070
            tls_port = 5071
            ws_port = 5072
            wss_port = 5073
            ws_origins = ["https://example.org", "http://[2001:db8::1]:8080"]
            addresses = ["192.0.2.1", "2001:db8::5", "fe80::1%eth0"]
            realm = "my house"
            min_expires_s = 30
            default_expires_s = 600
            max_expires_s = 7200
            max_contacts = 3
            [calls]
            no_answer_s = 20.5
            max_duration_s = 3600
            [media]
            first_port = 30000
            last_port = 30003
            timeout_s = 0
            grace_s = 5
            convert = false
            threads = 3
            country = "CN"
            [cdr]
            sides = ["LO", "LT", "OO", "OT"]
            [services]
            echo = "*430"
            milliwatt = ""
            music = "46"
            recorder = "#47"
            conference = "*600*"
            conference_parties = 12
            record_s = 30.5
            record_silence_s = 0
            [messages]
            keep_s = 86400.5
            most = 7
            [http]
            port = 0
            [callback]
            port = 5090
            application_server = "2001:db8::9"
            caller = "+4930123"
            call_level = 3
            most = 5
            [recording]
            stereo = true
            code = "*#7"
            announce = "notes/we-record.WAV"
            keep_days = 90
            most_mb = 20000
            least_free_mb = 0
        """
        settings = parse_settings(text, "x")
        assert settings.callback == CallBackSettings(
            port=5090,
            application_server="2001:db8::9",
            caller="+4930123",
            call_level=3,
            most=5,
        )
        assert settings.recording == RecordingSettings(
            stereo=True,
            code="*#7",
            announce="notes/we-record.WAV",
            keep_days=90,
            most_mb=20_000,
            least_free_mb=0,
        )
        assert settings.recording.announcement == "notes/we-record.WAV"
        assert settings.sip.addresses == ("192.0.2.1", "2001:db8::5", "fe80::1%eth0")
        assert settings.cdr.sides == ("LO", "LT", "OO", "OT")
        assert not settings.media.convert
        assert settings.media.threads == 3
        assert settings.media.country == "CN"
        assert (settings.messages.keep_s, settings.messages.most) == (86400.5, 7)
        assert settings.services.numbers == {
            "echo": "*430",
            "music": "46",
            "recorder": "#47",
            "conference": "*600*",
        }

    @pytest.mark.parametrize(
        ("line", "setting", "number"),
        [
            ('music = "112"', "services.music", "112"),
            ('conference = "911"', "services.conference", "911"),
        ],
    )
    def test_a_service_with_an_emergency_number_is_off(
        self, line: str, setting: str, number: str
    ) -> None:
        services = parse_settings(f"[services]\n{line}".encode(), "x").services
        assert services.refused == {setting: number}
        everything = {f"services.{one}" for one in ServiceSettings().numbers}
        assert {f"services.{one}" for one in services.numbers} == everything - {setting}

    def test_no_service_at_all(self) -> None:
        names = ("echo", "milliwatt", "music", "recorder", "conference")
        text = "[services]\n" + "".join(f'{name} = ""\n' for name in names)
        assert parse_settings(text.encode(), "x").services.numbers == {}

    def test_no_records_at_all(self) -> None:
        assert parse_settings(b"[cdr]\nsides = []", "x").cdr.sides == ()


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "setting"),
        [
            ("prot = 5060", "prot"),
            ("[sip]\nprot = 5060", "sip.prot"),
            ("[telephone]\nport = 1", "telephone"),
        ],
    )
    def test_an_unknown_setting_is_named(self, text: str, setting: str) -> None:
        assert fault(text) == f"there is no setting {setting}."

    @pytest.mark.parametrize(
        ("text", "setting"),
        [
            ('[sip]\nport = "5060"', "sip.port"),
            ("sip = 5060", "sip"),
            ("[sip]\naddresses = [1]", "sip.addresses[0]"),
            ("[calls]\nno_answer_s = true", "calls.no_answer_s"),
            ("database = 3", "database"),
        ],
    )
    def test_a_wrong_type_is_named(self, text: str, setting: str) -> None:
        assert fault(text).startswith(f"{setting} has the wrong kind of value")

    @pytest.mark.parametrize(
        ("text", "setting"),
        [
            ("[sip]\nport = 0", "sip.port"),
            ("[sip]\nport = 65536", "sip.port"),
            ("[sip]\nmin_expires_s = 0", "sip.min_expires_s"),
            ("[sip]\nmin_expires_s = 3601", "sip.min_expires_s"),
            ("[sip]\nmax_expires_s = 4294967296", "sip.max_expires_s"),
            ("[sip]\nmin_expires_s = 700\ndefault_expires_s = 600", "sip.min_expires_s"),
            ("[sip]\ndefault_expires_s = 601\nmax_expires_s = 600", "sip.default_expires_s"),
            ("[sip]\nmax_contacts = 0", "sip.max_contacts"),
            ("[calls]\nno_answer_s = -1", "calls.no_answer_s"),
            ("[calls]\nno_answer_s = nan", "calls.no_answer_s"),
            ("[calls]\nmax_duration_s = inf", "calls.max_duration_s"),
            ("[media]\nfirst_port = 80", "media.first_port"),
            ("[media]\nlast_port = 65537", "media.last_port"),
            ("[media]\nfirst_port = 20001", "media.first_port"),
            ("[media]\nlast_port = 20998", "media.last_port"),
            ("[media]\nfirst_port = 30000", "media.first_port"),
            ("[media]\nlast_port = 20001", "media.last_port"),
            ("[media]\ntimeout_s = -0.5", "media.timeout_s"),
            ("[media]\ngrace_s = inf", "media.grace_s"),
            ("[media]\nthreads = -1", "media.threads"),
            ("[media]\nthreads = 65", "media.threads"),
            ('[media]\ncountry = "XX"', "media.country"),
            ('[media]\ncountry = "UK"', "media.country"),
            ('[media]\ncountry = "cn"', "media.country"),
            ('[media]\ncountry = "general"', "media.country"),
            ('[cdr]\nsides = ["LO", "XX"]', "cdr.sides[1]"),
            ('[cdr]\nsides = ["LO", "LO"]', "cdr.sides"),
            ('[services]\necho = "echo"', "services.echo"),
            ('[services]\nmusic = "*4321*4321*43"', "services.music"),
            ("[services]\nconference_parties = 1", "services.conference_parties"),
            ("[services]\nconference_parties = 101", "services.conference_parties"),
            ("[services]\nrecord_s = 0", "services.record_s"),
            ("[services]\nrecord_s = inf", "services.record_s"),
            ("[services]\nrecord_silence_s = -1", "services.record_silence_s"),
            ("[messages]\nkeep_s = -1", "messages.keep_s"),
            ("[messages]\nmost = 0", "messages.most"),
            ('[recording]\ncode = "*"', "recording.code"),
            ('[recording]\ncode = "*1x"', "recording.code"),
            ('[recording]\nannounce = "loud"', "recording.announce"),
            ("[http]\nport = -1", "http.port"),
            ("[callback]\nport = 65536", "callback.port"),
            ('[callback]\napplication_server = "localhost"', "callback.application_server"),
            ('[callback]\ncaller = "alice"', "callback.caller"),
            ("[callback]\ncall_level = -1", "callback.call_level"),
            ("[callback]\nmost = 0", "callback.most"),
            ("[recording]\nkeep_days = -1", "recording.keep_days"),
            ("[recording]\nmost_mb = 1000000001", "recording.most_mb"),
            ("[recording]\nleast_free_mb = -5", "recording.least_free_mb"),
            ("[recording]\nkeep_days = 1.5", "recording.keep_days"),
            ("[http]\nport = 65536", "http.port"),
            ("[http]\nport = 5060", "http.port"),
            ("[sip]\ntls_port = 5061\n[http]\nport = 5061", "sip.tls_port"),
            ("[sip]\nport = 5061\ntls_port = 5061", "sip.tls_port"),
            ("[sip]\ntls_port = 20500", "sip.tls_port"),
            ("[sip]\ntls_port = -1", "sip.tls_port"),
            ('[sip]\ntls_port = "5061"', "sip.tls_port"),
            ("[sip]\nws_port = 5061\ntls_port = 5061", "sip.ws_port"),
            ("[sip]\nwss_port = 5060", "sip.wss_port"),
            ("[sip]\nws_port = 65536", "sip.ws_port"),
            ("[sip]\nws_port = 20500", "sip.ws_port"),
            ("[sip]\nws_port = 7443\nwss_port = 7443", "sip.wss_port"),
            ("[sip]\nwss_port = 8080\n[http]\nport = 8080", "sip.wss_port"),
            ('[sip]\nws_origins = ["example.org"]', "sip.ws_origins[0]"),
            ('[sip]\nws_origins = ["https://a", "https://b/"]', "sip.ws_origins[1]"),
            ('[sip]\nname_servers = ["dns.example"]', "sip.name_servers[0]"),
            ('[sip]\nname_servers = ["192.0.2.53", "192.0.2.53:0"]', "sip.name_servers[1]"),
            ('[sip]\nname_servers = ["[::1]:70000"]', "sip.name_servers[0]"),
            ('[sip]\nname_servers = ["0.0.0.0"]', "sip.name_servers[0]"),
            ('[tls]\nkey = "key.pem"', "tls.certificate"),
            ('[tls]\ncertificate = "certificate.pem"', "tls.key"),
            ("[tls]\nkeys = 1", "tls.keys"),
            ("[tls]\nauthorities = 1", "tls.authorities"),
            ("[sip]\nport = 20500", "sip.port"),
            ('language = "de"', "language"),
            (f'control_socket = "/{"x" * 107}"', "control_socket"),
        ],
    )
    def test_a_wrong_value_is_named(self, text: str, setting: str) -> None:
        assert setting in fault(text)

    @pytest.mark.parametrize("country", ["", "VN", *countries()])
    def test_every_country_may_be_named(self, country: str) -> None:
        """Also one whose tones nobody has told us."""
        settings = parse_settings(f'[media]\ncountry = "{country}"'.encode(), "minisip.toml")
        assert settings.media.country == country

    def test_a_word_that_is_no_country(self) -> None:
        assert fault('[media]\ncountry = "UK"').startswith(
            "media.country is 'UK', which is no country"
        )
        choose("zh")
        with pytest.raises(StartError) as caught:
            parse_settings(b'[media]\ncountry = "UK"', "minisip.toml")
        assert "media.country 为“UK”，不是国家或地区代码" in caught.value.sentence

    def test_two_services_of_one_number(self) -> None:
        told = fault('[services]\nmusic = "*43"')
        assert told == "services.echo and services.music are the same number."

    @pytest.mark.parametrize("number", ["*6*", "*6*1"])
    def test_a_service_that_would_be_a_room(self, number: str) -> None:
        told = fault(f'[services]\necho = "{number}"')
        assert told.startswith("services.echo begins like services.conference")

    @pytest.mark.parametrize(
        "address", ["", "localhost", "192.0.2", "[::1]", "0.0.0.0", "::", "224.0.0.1", "1.2.3.4:5"]
    )
    def test_addresses(self, address: str) -> None:
        assert fault(f'[sip]\naddresses = ["192.0.2.1", "{address}"]').startswith(
            f"sip.addresses[1]: '{address}'"
        )

    def test_an_address_twice(self) -> None:
        assert "twice" in fault('[sip]\naddresses = ["192.0.2.1", "192.0.2.1"]')

    @pytest.mark.parametrize("realm", ["", 'a\\"b', "a\\\\b", "a\\nb", "x" * 65])
    def test_a_realm_that_no_header_can_carry(self, realm: str) -> None:
        assert fault(f'[sip]\nrealm = "{realm}"').startswith("sip.realm")

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite:///x",
            "mysql://host/name",
            "mysql://user@/name",
            "mysql://user@host",
            "mysql://user@host/",
            "mysql://user@host/a/b",
            "mysql://user@host:port/name",
            "mysql://user@host:70000/name",
            "mysql://user@host/name?ssl=1",
            "mysql://user@host/name#x",
            "mysql://user:geheim@[::1/name",
        ],
    )
    def test_a_database_url(self, url: str) -> None:
        told = fault(f'database = "{url}"')
        assert told.startswith("database must be empty or mysql://")
        assert "geheim" not in told

    @pytest.mark.parametrize(
        "text", ["sip.port = ", "[sip", 'x = "', "port = 1\nport = 2", "\x00", "a = 2026-13-01"]
    )
    def test_no_toml_at_all(self, text: str) -> None:
        assert fault(text)

    @pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, "[" * 5000])
    def test_a_value_without_end(self, value: str) -> None:
        assert fault(f"[sip]\nport = {value}")

    def test_no_utf8_at_all(self) -> None:
        with pytest.raises(StartError):
            parse_settings(b'language = "\xff"', "x")

    def test_in_chinese_too(self) -> None:
        choose("zh")
        with pytest.raises(StartError, match=r"sip\.port 为 0"):
            parse_settings(b"[sip]\nport = 0", "x")


class TestFile:
    def test_read(self, tmp_path: Path) -> None:
        path = tmp_path / "minisip.toml"
        path.write_text("[sip]\nport = 5070\n")
        assert read_settings(path).sip.port == 5070

    @pytest.mark.parametrize("name", ["missing.toml", ""])
    def test_cannot_be_read(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(StartError) as caught:
            read_settings(tmp_path / name)
        assert caught.value.exit_code == os.EX_CONFIG
        assert str(tmp_path / name) in caught.value.sentence
