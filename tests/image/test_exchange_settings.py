"""Settings of the exchange in minisip.toml: what it refuses itself, it starts without."""

import json
import tomllib

import pytest

from pbx.config.settings import parse_settings
from pbx.store.accounts import FirstUser, first_users
from tests.image.box import Box, sentences

SETTINGS = "/home/pi/.minisipserver/minisip.toml"
USERS = "/home/pi/.minisipserver/first-users.json"


class TestSettings:
    def test_they_arrive(self, box: Box) -> None:
        text = (
            "language = 'zh'\n[sip]\nport = 5070\nrealm = 'house \\u0022'\n[cdr]\nsides = ['LT']\n"
        )
        state = box.first_start(text.replace(" \\u0022", ""))
        assert sentences(state) == []
        settings = parse_settings(box.text(SETTINGS).encode(), "x")
        assert (settings.language, settings.sip.port, settings.sip.realm) == ("zh", 5070, "house")
        assert settings.cdr.sides == ("LT",)
        assert box.mode(SETTINGS) == 0o600
        assert box.mode("/home/pi/.minisipserver") == 0o700

    def test_without_any_there_is_no_file(self, box: Box) -> None:
        box.first_start("[box]\nhostname = 'x'\n")
        assert not box.has(SETTINGS)

    def test_only_the_bad_ones_are_left_out(self, box: Box) -> None:
        state = box.first_start(
            "[sip]\nport = 70000\nprot = 1\nmax_contacts = 3\n[media]\nfirst_port = 'x'\n[http]\nport = 0\n"
        )
        settings = tomllib.loads(box.text(SETTINGS))
        assert settings == {"sip": {"max_contacts": 3}, "http": {"port": 0}}
        told = sentences(state)
        assert len(told) == 3
        assert all(one.endswith("The exchange starts without this setting.") for one in told)
        assert any("sip.port is 70000" in one for one in told)
        assert any("there is no setting sip.prot" in one for one in told)
        assert any("media.first_port" in one for one in told)

    def test_the_reason_is_told_in_chinese_too(self, box: Box) -> None:
        state = box.first_start("[sip]\nport = 0\n")
        (only,) = state.notes
        assert only.sentence("zh") == (
            "设置文件 minisip.toml 有错误：sip.port 为 0，但必须在 1 到 65535 之间。 交换机启动时不使用此设置。"
        )

    def test_settings_of_the_package_stay(self, box: Box) -> None:
        box.put(
            SETTINGS, "control_socket = '/run/minisipserver/control.sock'\n[sip]\nport = 5065\n"
        )
        box.first_start("[sip]\nmax_contacts = 3\n")
        assert tomllib.loads(box.text(SETTINGS)) == {
            "control_socket": "/run/minisipserver/control.sock",
            "sip": {"port": 5065, "max_contacts": 3},
        }

    def test_a_setting_taken_out_goes(self, box: Box) -> None:
        box.put(SETTINGS, "control_socket = '/run/minisipserver/control.sock'\n")
        box.first_start("[sip]\nport = 5070\nmax_contacts = 3\n")
        box.write("minisip.toml", "[sip]\nmax_contacts = 3\n")
        box.start()
        assert tomllib.loads(box.text(SETTINGS)) == {
            "control_socket": "/run/minisipserver/control.sock",
            "sip": {"max_contacts": 3},
        }

    def test_a_hand_edit_stays_while_the_card_says_the_same(self, box: Box) -> None:
        box.first_start("[sip]\nport = 5070\n")
        box.put(SETTINGS, "[sip]\nport = 5080\n")
        box.write("minisip.toml", "[sip]\nport = 5070\n[box]\nhostname = 'attic'\n")
        box.start()
        assert tomllib.loads(box.text(SETTINGS)) == {"sip": {"port": 5080}}

    def test_the_country_of_the_box_is_the_one_of_its_tones(self, box: Box) -> None:
        state = box.first_start("[box]\ncountry = 'de'\n[media]\nthreads = 1\n")
        assert sentences(state) == []
        media = parse_settings(box.text(SETTINGS).encode(), "x").media
        assert (media.country, media.threads) == ("DE", 1)
        # Another one later, and then nobody says any more
        box.write("minisip.toml", "[box]\ncountry = 'AT'\n")
        box.start()
        assert tomllib.loads(box.text(SETTINGS)) == {"media": {"country": "AT"}}
        box.write("minisip.toml", "[box]\nhostname = 'x'\n")
        box.start()
        assert tomllib.loads(box.text(SETTINGS)) == {}

    @pytest.mark.parametrize("country", ["", "US"])
    def test_but_not_where_the_card_says_whose_tones(self, box: Box, country: str) -> None:
        box.first_start(f"[box]\ncountry = 'DE'\n[media]\ncountry = '{country}'\n")
        assert tomllib.loads(box.text(SETTINGS)) == {"media": {"country": country}}

    def test_nor_where_the_exchange_s_file_does(self, box: Box) -> None:
        box.put(SETTINGS, "[media]\ncountry = 'US'\n")
        box.first_start("[box]\ncountry = 'DE'\n")
        assert tomllib.loads(box.text(SETTINGS)) == {"media": {"country": "US"}}

    def test_nor_after_a_hand_edit(self, box: Box) -> None:
        box.first_start("[box]\ncountry = 'DE'\n")
        box.put(SETTINGS, "[media]\ncountry = ''\n")
        for hostname in ("attic", "cellar"):
            box.write("minisip.toml", f"[box]\ncountry = 'DE'\nhostname = '{hostname}'\n")
            box.start()
            assert tomllib.loads(box.text(SETTINGS)) == {"media": {"country": ""}}

    def test_a_country_that_wi_fi_knows_alone(self, box: Box) -> None:
        """Kosovo has a code for Wi-Fi, but none of ISO's; the exchange starts without it."""
        (only,) = sentences(box.first_start("[box]\ncountry = 'XK'\n"))
        assert "media.country is 'XK', which is no country" in only
        assert not box.has(SETTINGS)

    def test_a_person_s_broken_file_is_left_alone(self, box: Box) -> None:
        box.put(SETTINGS, "[sip\n# my thoughts\n")
        (only,) = sentences(box.first_start("[sip]\nport = 5070\n"))
        assert only == f"{SETTINGS} was not touched: it is not TOML."
        assert box.text(SETTINGS) == "[sip\n# my thoughts\n"

    def test_the_database_s_password_leaves_the_card_and_stays_on_the_box(self, box: Box) -> None:
        url = "mysql://minisip:top%20secret@localhost/minisip"
        box.first_start(f"database = '{url}'\n")
        assert box.on_card("minisip.toml") == 'database = "(taken over)"\n'
        box.write("minisip.toml", 'database = "(taken over)"\n[sip]\nport = 5070\n')
        assert sentences(box.start()) == []
        assert tomllib.loads(box.text(SETTINGS)) == {"database": url, "sip": {"port": 5070}}

    def test_a_database_that_is_not_on_the_box(self, box: Box) -> None:
        (only,) = sentences(box.first_start('database = "(taken over)"\n'))
        assert "write it into the file again" in only
        assert not box.has(SETTINGS)

    def test_an_exchange_that_can_not_be_asked(self, box: Box) -> None:
        box.failing = {"runuser"}
        (only,) = sentences(box.first_start("[sip]\nport = 5070\n"))
        assert only.startswith("The exchange's settings in minisip.toml could not be checked, so")
        assert not box.has(SETTINGS)


class TestHardware:
    def test_lamp_and_button(self, box: Box) -> None:
        box.put("/home/pi/.minisipserver/hardware.toml", "shutdown_command = 'x'\nbutton_pin = 5\n")
        box.first_start(
            "[hardware]\nled_pins = [17, 27, 22]\nbutton_pin = 0\nnight = '22:00-06:00'\n"
        )
        assert tomllib.loads(box.text("/home/pi/.minisipserver/hardware.toml")) == {
            "shutdown_command": "x",
            "button_pin": 0,
            "led_pins": [17, 27, 22],
            "night": "22:00-06:00",
        }


class TestFirstUsers:
    TEXT = (
        "[[user]]\nnumber = '200'\nname = '前台'\npassword = 'secret-1'\n[[user]]\nnumber = '201'\n"
    )

    def test_they_wait_for_the_exchange(self, box: Box) -> None:
        box.first_start(self.TEXT)
        assert json.loads(box.text(USERS)) == [
            {"number": "200", "name": "前台", "password": "secret-1"},
            {"number": "201", "name": ""},
        ]
        assert box.mode(USERS) == 0o600
        assert "secret-1" not in box.on_card("minisip.toml")

    def test_the_exchange_makes_them(self, box: Box) -> None:
        box.first_start(self.TEXT)
        first, second = first_users(box.root / USERS.lstrip("/"))
        assert first == FirstUser("200", "前台", "secret-1")
        assert (second.number, len(second.password)) == ("201", 12)

    def test_later_ones_are_told_to_come_another_way(self, box: Box) -> None:
        box.first_start(self.TEXT)
        (box.root / USERS.lstrip("/")).unlink()
        text = box.on_card("minisip.toml") + "[[user]]\nnumber = '202'\npassword = 'secret-2'\n"
        box.write("minisip.toml", text)
        told = sentences(box.start())
        assert told == [
            "minisip.toml: the users 202 were not taken over, because users are made at the "
            "first start only; use 'minisip user' on the box."
        ]
        assert not box.has(USERS)
        assert "secret-2" not in box.on_card("minisip.toml")

    def test_an_edit_of_something_else_is_none_of_theirs(self, box: Box) -> None:
        box.first_start(self.TEXT)
        box.write("minisip.toml", "[box]\nhostname = 'attic'\n" + box.on_card("minisip.toml"))
        assert sentences(box.start()) == []
