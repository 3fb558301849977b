"""The board, by the files that different kernels have."""

from pathlib import Path

import pytest

from hw.board import Board, throttled, too_many_usb_sound

THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
HEAT = "sys/class/thermal/thermal_zone0/temp"


@pytest.fixture(autouse=True)
def _no_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_model(tmp_path: Path) -> None:
    assert Board(tmp_path).model == ""
    put(tmp_path, "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    assert Board(tmp_path).model == "Raspberry Pi 4 Model B Rev 1.4"


def test_a_machine_that_has_nothing_suffers_from_nothing(tmp_path: Path) -> None:
    board = Board(tmp_path)
    assert board.temperature_c is None
    assert board.news() == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0\n", set()),
        ("0x0", set()),
        ("50005", {"under-voltage", "slowed down by the firmware"}),
        ("0x50000", {"under-voltage", "slowed down by the firmware"}),
        ("1", {"under-voltage"}),
        ("80008", {"too hot"}),
        ("", set()),
        ("VCHI initialization failed", set()),
    ],
)
def test_what_the_firmware_says(text: str, found: set[str]) -> None:
    assert throttled(text) == found


def test_told_once_per_change(tmp_path: Path) -> None:
    board = Board(tmp_path)
    put(tmp_path, THROTTLED, "0\n")
    assert board.news() == []
    put(tmp_path, THROTTLED, "50001\n")
    assert board.news() == ["slowed down by the firmware", "under-voltage"]
    assert board.news() == []
    put(tmp_path, THROTTLED, "0\n")
    assert board.news() == []
    put(tmp_path, THROTTLED, "1\n")
    assert board.news() == ["under-voltage"]


def test_by_the_firmwares_command(tmp_path: Path) -> None:
    put(tmp_path, "bin/vcgencmd", '#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x1\n')
    (tmp_path / "bin/vcgencmd").chmod(0o755)
    assert Board(tmp_path).news() == ["under-voltage"]


@pytest.mark.parametrize(("alarm", "found"), [("1\n", ["under-voltage"]), ("0\n", [])])
def test_by_debians_kernel(tmp_path: Path, alarm: str, found: list[str]) -> None:
    put(tmp_path, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    assert Board(tmp_path).news() == found


def test_heat_that_goes_up_and_down_a_little_is_told_once(tmp_path: Path) -> None:
    board = Board(tmp_path)
    told = []
    for millidegrees in ("79900", "80100", "79000", "80500", "74000", "81000"):
        put(tmp_path, HEAT, millidegrees + "\n")
        told.append(board.news())
    assert told == [[], ["too hot"], [], [], [], ["too hot"]]
    assert board.temperature_c == 81.0


@pytest.mark.parametrize(
    ("model", "adapters", "too_many"),
    [
        ("Raspberry Pi 4 Model B Rev 1.4", 2, True),
        ("Raspberry Pi 400 Rev 1.0", 2, True),
        ("Raspberry Pi 4 Model B Rev 1.4", 1, False),
        ("Raspberry Pi 5 Model B Rev 1.0", 2, False),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", 3, False),
        ("Raspberry Pi Compute Module 4 Rev 1.0", 2, False),
        ("", 2, False),
    ],
)
def test_usb_sound_adapters(model: str, adapters: int, too_many: bool) -> None:
    assert too_many_usb_sound(model, adapters) is too_many
