"""What a recording's name tells, and which names are ours."""

from datetime import date, datetime
from pathlib import Path

import pytest

from pbx.call.recording import Recording
from pbx.config.data_folder import DataFolder
from pbx.recorded.name import RecordingName, read_day, read_name

BEGUN = datetime(2026, 11, 23, 4, 0, 39)  # noqa: DTZ001 - names are in local time


def new(folder: Path, caller: str, called: str, call: str) -> str:
    return DataFolder(folder).new_recording(BEGUN, caller, called, call)


def test_what_is_put_in_comes_out(tmp_path: Path) -> None:
    told = RecordingName(BEGUN, "+4930123", "*43#", "9f3c00d1a2b4e5f6")
    for ending in ("", "_2", "_3"):
        name = new(tmp_path, told.caller, told.called, told.call)
        assert name == f"20261123/040039_+4930123_*43#_9f3c00d1a2b4e5f6{ending}.wav"
        assert read_name(name) == told
        (tmp_path / "record" / name).touch()
        part = Recording(1, "", name, stereo=True).following(2).following(3)
        assert part.file.endswith(f"{ending}-part3.wav")
        assert read_name(part.file) == told


def test_whatever_a_phone_calls_itself(tmp_path: Path) -> None:
    name = new(tmp_path, "../../etc/passwd\n", "_a b_" + "9" * 80, "")
    told = read_name(name)
    assert told is not None
    assert told.caller == "------etc-passwd-"
    assert told.called == "-a-b-" + "9" * 35


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a.wav",
        "20261123/a.wav",
        "20261123/040039_1_2_3.wav.bak",
        "20261123/040039_1_2_3.WAV",
        "20261323/040039_1_2_3.wav",
        "20261123/240039_1_2_3.wav",
        "20261123/040039_1_2.wav",
        "20261123/../040039_1_2_3.wav",
        "/20261123/040039_1_2_3.wav",
        "20261123/040039_1_2_3.wav\n",
        "２０２６１１２３/040039_1_2_3.wav",
    ],
)
def test_what_is_not_ours(name: str) -> None:
    assert read_name(name) is None


def test_days() -> None:
    assert read_day("20261123") == date(2026, 11, 23)
    for name in ("2026-11-23", "20261131", "music", "202611230", ""):
        assert read_day(name) is None
