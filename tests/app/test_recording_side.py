"""What the exchange knows of its owner's recordings: an announcement that can't be played."""

from pathlib import Path

import numpy as np
import pytest

from pbx.recording_side import RecordingHealth
from tests.media.kernels.sound import sine
from tests.media.wav_files import PCM, form, riff, wav

GOOD = wav(sine(500, 800, 8000, peak=8000), 8000)


def failure(announcement: str) -> tuple[str, str] | None:
    return RecordingHealth(lambda: 0.0, announcement).announcement_failure


@pytest.mark.parametrize("announcement", ["", "tone"])
def test_no_file(announcement: str) -> None:
    assert failure(announcement) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"ID3", riff(form(PCM, 8000)), wav(np.zeros(0, np.int16), 8000), GOOD[:20]],
    ids=["empty", "MP3", "no sound", "no samples", "cut off"],
)
def test_what_is_no_wav_file_until_it_is_mended(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "announcement.wav"
    health = RecordingHealth(lambda: 0.0, str(path))
    assert health.announcement_failure == (str(path), "No such file or directory")
    path.write_bytes(data)
    assert health.announcement_failure == (str(path), "")
    path.write_bytes(GOOD)
    assert health.announcement_failure is None


def test_a_folder(tmp_path: Path) -> None:
    assert failure(str(tmp_path)) == (str(tmp_path), "")
