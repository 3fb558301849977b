"""What the exchange knows of its owner's recordings: an announcement that can't be played."""

import asyncio
import threading
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from pbx import recording_side
from pbx.media.wav_header import open_sound
from pbx.record_disk import UNRESPONSIVE
from pbx.recording_side import RecordingHealth
from tests.hw.waiting import until
from tests.media.kernels.sound import sine
from tests.media.wav_files import PCM, form, riff, wav

GOOD = wav(sine(500, 800, 8000, peak=8000), 8000)


def failure(health: RecordingHealth) -> tuple[str, str] | None:
    """What a look finds."""
    asyncio.run(health.look())
    return health.announcement_failure


@pytest.mark.parametrize("announcement", ["", "tone"])
def test_no_file(announcement: str) -> None:
    health = RecordingHealth(lambda: 0.0, announcement)
    asyncio.run(health.watch())
    assert health.announcement_failure is None


@pytest.mark.parametrize(
    "data",
    [b"", b"ID3", riff(form(PCM, 8000)), wav(np.zeros(0, np.int16), 8000), GOOD[:20]],
    ids=["empty", "MP3", "no sound", "no samples", "cut off"],
)
def test_what_is_no_wav_file_until_it_is_mended(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "announcement.wav"
    health = RecordingHealth(lambda: 0.0, str(path))
    assert failure(health) == (str(path), "No such file or directory")
    path.write_bytes(data)
    assert failure(health) == (str(path), "")
    path.write_bytes(GOOD)
    assert failure(health) is None


def test_a_folder(tmp_path: Path) -> None:
    assert failure(RecordingHealth(lambda: 0.0, str(tmp_path))) == (str(tmp_path), "")


async def test_a_disk_that_hangs_is_told_of_and_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "announcement.wav"
    path.write_bytes(GOOD)
    answers = threading.Event()

    def hanging(file: Path) -> BinaryIO:
        answers.wait()
        return open_sound(file)

    monkeypatch.setattr(recording_side, "open_sound", hanging)
    monkeypatch.setattr(recording_side, "PATIENCE_S", 0.01)
    monkeypatch.setattr(recording_side, "LOOK_S", 0.01)
    health = RecordingHealth(lambda: 0.0, str(path))
    watch = asyncio.create_task(health.watch())
    hung = str(path), UNRESPONSIVE
    await until("it is told of", lambda: health.announcement_failure == hung)
    answers.set()
    await until("it is well again", lambda: health.announcement_failure is None)
    watch.cancel()
