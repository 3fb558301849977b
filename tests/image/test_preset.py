"""minisip.toml: what a person may write, and what the box says to the rest of it."""

import re
import tomllib
from pathlib import Path

import pytest

from first_boot.boot_text import TAKEN_OVER, decode
from first_boot.preset import read_preset
from first_boot.toml_source import text_values, write_toml
from first_boot.wishes import Account, Addressing, FirstUser, Reading, Wifi, Wishes
from tests.image.box import Box, sentences

DEFAULT = Path(__file__).parents[2] / "image" / "boot" / "minisip.toml"


def read(text: str) -> Reading:
    return read_preset(decode(text.encode()))


def told(text: str) -> list[str]:
    """The sentences about a minisip.toml, in English."""
    return [one.sentence("en") for one in read(text).notes]


class TestDefaultFile:
    def test_as_it_is_it_wishes_nothing(self) -> None:
        assert tomllib.loads(DEFAULT.read_text("utf-8")) == {}
        assert read(DEFAULT.read_text("utf-8")) == Reading()

    def test_every_setting_is_good(self, box: Box) -> None:
        text = re.sub(r"(?m)^# (?=\[|\w+ = )", "", DEFAULT.read_text("utf-8"))
        assert sentences(box.first_start(text)) == []
        wishes = read(text).wishes
        # what the file leaves out, nobody finds
        assert [name for name, value in vars(wishes).items() if value in (None, (), {})] == []

    def test_every_setting_of_the_exchange_is_shown(self) -> None:
        import msgspec

        from pbx.config.settings import Settings

        text = re.sub(r"(?m)^# (?=\[|\w+ = )", "", DEFAULT.read_text("utf-8"))
        shown = tomllib.loads(text)
        # where the control socket is, the units say
        known = set(Settings.__struct_fields__) - {"control_socket"}
        assert known <= set(shown)
        for table in ("sip", "tls", "calls", "services", "media", "cdr", "http"):
            default = msgspec.to_builtins(getattr(Settings(), table))
            if table == "sip":
                # Where it isn't set, it depends on the other ports.
                default["tls_port"] = Settings().tls_port
            assert {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in default.items()
            } == shown[table]


class TestGood:
    def test_a_short_one(self) -> None:
        reading = read(
            """
            language = "zh"
            [box]
            hostname = "Front-Desk.local"
            country = "cn"
            timezone = "Asia/Shanghai"
            password = "open sesame"
            ssh_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvuCqbVUhS5WipKcgG6tmRUUuc me@pc"
            ssh_password = false
            [wifi]
            ssid = "家"
            password = "12345678"
            [network]
            address = ["192.168.1.5/24", "2001:db8::5/64"]
            gateway = "192.168.1.1"
            [[user]]
            number = "200"
            [[user]]
            number = "201"
            name = "前台"
            password = "secret-1"
            [sip]
            port = 5070
            """
        )
        assert reading.notes == ()
        assert reading.wishes == Wishes(
            hostname="Front-Desk",
            locale="zh_CN.UTF-8",
            timezone="Asia/Shanghai",
            country="CN",
            home="CN",
            accounts=(
                Account(
                    password="open sesame",
                    ssh_keys=(
                        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvuCqbVUhS5WipKcgG6tmRUUuc me@pc",
                    ),
                ),
            ),
            ssh_password=False,
            wifi=Wifi("家", "12345678"),
            wired=Addressing(("192.168.1.5/24", "2001:db8::5/64"), ("192.168.1.1",)),
            exchange={"language": "zh", "sip": {"port": 5070}},
            users=(FirstUser("200"), FirstUser("201", "前台", "secret-1")),
        )

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_whatever_the_editor_makes_of_it(self, encoding: str) -> None:
        text = '# 密码\r\n[box]\r\npassword = "open sesame"  # mine\r\n'
        reading = read_preset(decode(text.encode(encoding)))
        assert reading.notes == ()
        assert reading.blanked is not None
        blanked = '# 密码\r\n[box]\r\npassword = "(taken over)"  # mine\r\n'
        assert reading.blanked.encode() == blanked.encode(encoding)


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("colour = 1", "there is no setting colour."),
            ("[box]\nname = 'x'", "there is no setting box.name."),
            ("[[user]]\nnumber = '200'\npin = '1'", "there is no setting user[1].pin."),
            ("restore = 'backup.zip'", "restore belongs to a later version."),
            ("box = 5", "box should be a table"),
            ("user = [5]", "user[1] should be a table"),
            ("[box]\nhostname = 5", "box.hostname: 5 should be a text in quotes."),
            ("[box]\nhostname = 'my box'", "box.hostname: 'my box' is no host name"),
            ("[box]\ncountry = 'Germany'", "box.country: 'Germany' is no country"),
            ("[box]\ntimezone = '../../etc/shadow'", "'../../etc/shadow' is no time zone"),
            ("[box]\nlocale = 'C\\nLD_PRELOAD=x'", "is no locale"),
            ("[box]\npassword = 'short'", "box.password: a password has 8 to 128 characters"),
            ('[box]\npassword = "longer\\nroot:secret"', "no line breaks"),
            ('[box]\npassword_hash = "secret"', "this is no hash"),
            ('[box]\nssh_key = "AAAA"', "'AAAA' is no public SSH key"),
            ('[box]\nssh_key = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB x\\ny"', "is no public SSH key"),
            ("[box]\nssh_password = 'no'", "no should be true or false"),
            ("[wifi]\nssid = ''", "wifi.ssid: '' is no Wi-Fi name"),
            (f"[wifi]\nssid = '{'x' * 33}'", "is no Wi-Fi name"),
            ("[wifi]\nssid = 'x'\npassword = '1234567'", "a Wi-Fi password has 8 to 63"),
            ("[wifi]\nssid = 'x'\npassword = 12345678", "12345678 should be a text in quotes"),
            ("[wifi]\npassword = '12345678'", "[wifi] has a password but no ssid"),
            ("[network]\naddress = '192.168.1.5'", "is no address with its network"),
            ("[network]\naddress = '127.0.0.1/8'", "is no address with its network"),
            (
                "[network]\naddress = '192.168.1.5/24'\ngateway = '10.0.0.1'",
                "none of the box's own",
            ),
            ("[network]\ngateway = '192.168.1.1'", "network.gateway needs an address beside it"),
            ("[network]\ndns = '0.0.0.0'", "'0.0.0.0' is no IP address"),
            ("[[user]]\nnumber = 200", "user[1].number: 200 should be a text in quotes"),
            ("[[user]]\nnumber = '20a'", "'20a' is no number"),
            ("[[user]]\nname = 'x'", "user[1] has no number"),
            ("[[user]]\nnumber = '1'\n[[user]]\nnumber = '1'", "user[2] has the number 1"),
            ("[[user]]\nnumber = '1'\npassword = '12 45 78'", "the box made one up instead"),
            ("[hardware]\nled_pins = [17, 18]", "hardware.led_pins: [17, 18] should be one GPIO"),
            ("[hardware]\nled_brightness = 7", "7 should be a number from 0 to 1"),
            ("[hardware]\nbutton_pin = true", "true should be a GPIO number"),
            ("[hardware]\nbutton_pin = false", "false should be a GPIO number"),
            ("[hardware]\nbutton_pin = 0.0", "0.0 should be a GPIO number"),
            ("[hardware]\nnight = '25:00-06:00'", "should be hours such as"),
        ],
    )
    def test_one_sentence_names_it(self, text: str, sentence: str) -> None:
        (only,) = told(text)
        assert only.startswith("minisip.toml: ")
        assert sentence in only

    def test_the_rest_counts(self) -> None:
        reading = read("[box]\nhostname = 'a b'\ncountry = 'DE'\n[nonsense]\nx = 1")
        assert reading.wishes == Wishes(country="DE", home="DE")

    def test_a_bad_wifi_password_makes_no_open_network(self) -> None:
        assert read("[wifi]\nssid = 'x'\npassword = 'short'").wishes.wifi is None

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("[box]\nhostname = minisip\n", "line 2, column 12"),
            ('[box]\nhostname = "minisip\n', "line 2, column 20"),
            ("[box]\ncountry = 'DE'\ncountry = 'DE'\n", "line 3"),
            ("[box]\nx = [1,\n", "line 2"),
            ("a = " + "[" * 5000, "line 1"),
        ],
    )
    def test_broken_toml_is_told_with_its_place(self, text: str, place: str) -> None:
        reading = read(text)
        (only,) = (one.sentence("en") for one in reading.notes)
        assert only.startswith("minisip.toml, ")
        assert place in only
        assert (reading.wishes, reading.readable) == (Wishes(), False)

    @pytest.mark.parametrize("octets", [b"[box]\nx = '\xff\xfe'", b"\xff\xfe[", b"\0" * (2 << 20)])
    def test_no_text_at_all(self, box: Box, octets: bytes) -> None:
        (box.boot / "minisip.toml").write_bytes(octets)
        assert any(
            "nothing of it was taken over" in one or "not TOML" in one
            for one in sentences(box.start())
        )

    @pytest.mark.parametrize("number", ["9" * 5000, "-0x" + "f" * 5000])
    def test_a_number_without_end(self, box: Box, number: str) -> None:
        number = number.removeprefix("-")
        state = box.first_start(f"sip_port = {number}\n[box]\nhostname = 'attic'\n")
        assert sentences(state) == [
            "minisip.toml: a number in the file has thousands of digits; nothing of it was taken over."
        ]
        assert state.one_time is not None


class TestBlanking:
    TEXT = """
# password = "not this one"
database = "mysql://minisip:top%20secret@localhost/minisip" # here
wifi.ssid = 'it''s' # no: TOML has no such quote
[box]
 password = "secret one" # this one
hostname="secret-one"
[[user]]
number = '200'   # number
password = 'secret-2'
[[user]]
number = "201"
"name" = "secret-3"
'password' =   "secret-3"   # and this
[calls] # password = "x"
no_answer_s = 30
""".replace("'it''s' # no: TOML has no such quote", '"""it"s"""')

    def test_only_the_secrets_change(self) -> None:
        reading = read(self.TEXT + '[wifi.x]\ny = "secret one"\n')
        assert reading.blanked is not None
        expected = (
            (self.TEXT + '[wifi.x]\ny = "secret one"\n')
            .replace('"mysql://minisip:top%20secret@localhost/minisip"', f'"{TAKEN_OVER}"')
            .replace('password = "secret one"', f'password = "{TAKEN_OVER}"')
            .replace("'secret-2'", f'"{TAKEN_OVER}"')
            .replace("'password' =   \"secret-3\"", f"'password' =   \"{TAKEN_OVER}\"")
        )
        assert reading.blanked.text == expected

    def test_what_was_refused_stays_to_be_corrected(self) -> None:
        assert read("[wifi]\nssid = 'x'\npassword = 'short'").blanked is None
        assert read("[box]\npassword = 'short'").blanked is None

    def test_a_blanked_file_says_nothing_new(self) -> None:
        first = read(self.TEXT)
        assert first.blanked is not None
        again = read_preset(first.blanked)
        assert (again.blanked, again.notes) == (None, first.notes)

    @pytest.mark.parametrize(
        "line",
        [
            'box.password = "a\\"b # c\\\\"',
            'box = { hostname = "x", password = "secret } one" }',
            '[box]\npassword = """secret\\\n   one"""',
            "[ box . 'x' ]\n[box]\npassword = '''secret \"\"\" one'''",
            'user = [ { number = "1", password = "secret-1" }, # ]\n]',
            '[user]\nnumber = "1"\npassword = "secret-1"',
        ],
    )
    def test_however_it_is_written(self, line: str) -> None:
        reading = read(line)
        assert reading.blanked is not None
        assert "secret" not in reading.blanked.text
        assert TAKEN_OVER in reading.blanked.text
        tomllib.loads(reading.blanked.text)


class TestToml:
    def test_places_are_where_the_values_stand(self) -> None:
        text = TestBlanking.TEXT
        for path, (start, end) in text_values(text).items():
            holder: object = tomllib.loads(text)
            for part in path:
                holder = holder[part]  # type: ignore[index]
            assert tomllib.loads(f"value = {text[start:end]}")["value"] == holder

    def test_written_as_read(self) -> None:
        settings = {
            "a": 'quote " backslash \\ line\n bell \x07 delete \x7f 中',
            "b": [1, 2.5, True, "x"],
            "c d": {"e": False, "f": {"g": "h"}},
        }
        assert tomllib.loads(write_toml(settings)) == settings
