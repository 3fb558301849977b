"""`hardware.toml`: all optional, and a clear sentence for what is wrong."""

import re
from pathlib import Path

import pytest

from hw.settings import Night, Settings, read_settings
from pbx.errors import StartError
from pbx.locale import choose


def written(folder: Path, text: str) -> Path:
    path = folder / "hardware.toml"
    path.write_text(text)
    return path


def test_no_file(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "hardware.toml") == Settings()


def test_everything(tmp_path: Path) -> None:
    text = """
        led_pins = [5, 6, 13]
        led_brightness = 0.25
        night = "22:00-06:30"
        button_pin = 0
        shutdown_command = "sudo -n systemctl poweroff"
        language = "zh"
    """
    settings = read_settings(written(tmp_path, text))
    assert settings.led_pins == (5, 6, 13)
    assert settings.dark_hours == Night(22 * 60, 6 * 60 + 30)
    assert settings.language == "zh"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("led_pin = 17", "there is no setting led_pin"),
        ("[hardware]\nnight = ''", "there is no setting hardware"),
        ("led_pins = [23, 24]", "led_pins has 2 pins"),
        ("led_pins = [1]", r"led_pins\[0\] is 1, but must be from 2 to 27"),
        ("led_pins = 23", "led_pins has the wrong kind of value"),
        ("button_pin = 28", "button_pin is 28"),
        ("button_pin = -1", "button_pin is -1"),
        ("button_pin = 23", "the same pin twice"),
        ("led_pins = [23, 24, 23]", "the same pin twice"),
        ("led_brightness = 1.5", "led_brightness is 1.5"),
        ("led_brightness = nan", "led_brightness is nan"),
        ("night = '22-6'", "night is '22-6'"),
        ("night = '24:00-06:00'", "night is '24:00-06:00'"),
        ("shutdown_command = ' '", "shutdown_command is no command"),
        ('shutdown_command = "sh -c \'oops"', "shutdown_command is no command"),
        ("language = 'tlh'", "language is 'tlh'"),
        ("led_pins = [", "is wrong"),
    ],
)
def test_wrong(tmp_path: Path, text: str, sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(StartError) as raised:
        read_settings(path)
    assert raised.value.exit_code == 78
    assert str(path) in raised.value.sentence
    assert re.search(sentence, raised.value.sentence)


def test_wrong_in_chinese(tmp_path: Path) -> None:
    choose("zh")
    with pytest.raises(StartError) as raised:
        read_settings(written(tmp_path, "led_pins = [23, 24]"))
    assert "led_pins 有 2 个引脚" in raised.value.sentence


def test_not_readable(tmp_path: Path) -> None:
    (tmp_path / "hardware.toml").mkdir()
    with pytest.raises(StartError) as raised:
        read_settings(tmp_path / "hardware.toml")
    assert raised.value.exit_code == 78
    assert "cannot be read" in raised.value.sentence


@pytest.mark.parametrize(
    ("night", "minute", "dark"),
    [
        ("22:00-06:00", 22 * 60, True),
        ("22:00-06:00", 0, True),
        ("22:00-06:00", 6 * 60 - 1, True),
        ("22:00-06:00", 6 * 60, False),
        ("22:00-06:00", 12 * 60, False),
        ("01:00-05:00", 3 * 60, True),
        ("01:00-05:00", 0, False),
        ("01:00-05:00", 23 * 60, False),
        ("", 0, False),
        ("00:00-00:00", 0, False),
    ],
)
def test_night(night: str, minute: int, dark: bool) -> None:
    assert Settings(night=night).dark_hours.holds(minute) is dark
