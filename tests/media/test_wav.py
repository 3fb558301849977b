"""A recording's file that can be played whenever it is cut off."""

import os
import resource
import subprocess
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pbx.media.engine import file_row
from pbx.media.engine.kernels.writing import append
from pbx.media.engine.wav import LONGEST, longest, make_wav, wav_header
from tests.media.kernels.sound import Sound

HEADER = file_row.HEADER


def played(path: Path, tracks: int = 2) -> bytes:
    """What Python's own reader makes of a file."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, tracks, 2)
        return bytes(file.readframes(file.getnframes()))


def block(seed: int, count: int = 1600) -> Sound:
    noise = np.random.default_rng(seed).integers(-9000, 9000, 2 * count)
    return noise.astype(np.int16)


class WavFile:
    """A file with two tracks that blocks are written to, as the engine's writer does."""

    def __init__(self, path: Path) -> None:
        header = wav_header(8000, 2)
        self.fd = make_wav(path, header)
        self._header = np.frombuffer(header, np.uint8).copy()
        self._words = np.zeros(file_row.WIDTH, np.int64)
        self._words[file_row.FD] = self.fd
        self._words[file_row.TRACKS] = 2
        self._words[file_row.MOST] = longest(2)

    def append(self, sound: Sound) -> int:
        """Write a block; returns the error number."""
        kept, error = append(self._words, self._header, sound, len(sound) // 2)
        self._words[file_row.TAKEN] += kept
        return int(error)

    def skip(self, samples: int) -> None:
        """Pretend that so much has been written."""
        self._words[file_row.TAKEN] += samples


@contextmanager
def wav_file(path: Path) -> Iterator[WavFile]:
    file = WavFile(path)
    try:
        yield file
    finally:
        os.close(file.fd)


@contextmanager
def full_disk(octets: int) -> Iterator[None]:
    """Let no file grow beyond so much; what fits of a write is written, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestCutAtAnyMoment:
    @pytest.mark.parametrize("more", [0, 1, 2, 3, 4, 1000, 6399])
    def test_within_a_block(self, tmp_path: Path, more: int) -> None:
        """Wherever the writing of a block ends, the file is whole and has all whole samples."""
        target = tmp_path / "call.wav"
        blocks = [block(n) for n in range(3)]
        with wav_file(target) as file:
            for number, one in enumerate(blocks):
                cut = HEADER + number * one.nbytes + more
                with full_disk(cut):
                    assert file.append(one) == 27
                assert target.stat().st_size == cut
                sound = b"".join(done.tobytes() for done in blocks[:number])
                kept = more // 4
                assert played(target) == sound + one[: 2 * kept].tobytes()
                # There is room again: what comes takes the place of half a sample.
                assert file.append(one[2 * kept :]) == 0
                assert played(target) == sound + one.tobytes()

    def test_header_that_promises_more(self, tmp_path: Path) -> None:
        """The power went, and the file system had written the header first."""
        target = tmp_path / "call.wav"
        with wav_file(target) as file:
            assert file.append(block(1)) == 0
            assert file.append(block(2)) == 0
        data = target.read_bytes()
        for length in (HEADER, HEADER + 3, HEADER + 4000, len(data) - 4):
            target.write_bytes(data[:length])
            sound = played(target)
            assert sound == data[HEADER:length][: len(sound)]
            assert len(sound) >= (length - HEADER) // 4 * 4

    def test_sox_plays_it(self, tmp_path: Path) -> None:
        target = tmp_path / "call.wav"
        with wav_file(target) as file:
            file.append(block(1))
            file.append(block(2))
            for cut in (0, 5, 2000):
                copy = tmp_path / "copy.wav"
                copy.write_bytes(target.read_bytes()[: -cut or None])
                raw = subprocess.run(
                    ["sox", copy, "-t", "raw", "-"], capture_output=True, check=True, timeout=30
                ).stdout
                both = block(1).tobytes() + block(2).tobytes()
                assert raw == both[: (12800 - cut) // 4 * 4]


class TestFile:
    def test_blocks(self, tmp_path: Path) -> None:
        target = tmp_path / "call.wav"
        with wav_file(target) as file:
            assert played(target) == b""
            for n in range(3):
                assert file.append(block(n, 800)) == 0
                assert len(played(target)) == (n + 1) * 3200
        assert target.stat().st_mode & 0o777 == 0o640

    def test_one_track(self, tmp_path: Path) -> None:
        target = tmp_path / "call.wav"
        os.close(make_wav(target, wav_header(8000, 1)))
        assert played(target, 1) == b""

    def test_never_over_another_file(self, tmp_path: Path) -> None:
        target = tmp_path / "call.wav"
        target.write_text("mine")
        with pytest.raises(FileExistsError):
            make_wav(target, wav_header(8000, 2))
        assert target.read_text() == "mine"

    def test_none_is_left_open_on_a_full_disk(self, tmp_path: Path) -> None:
        fds = Path("/proc/self/fd")
        before = len(list(fds.iterdir()))
        with full_disk(20), pytest.raises(OSError, match="File too large"):
            make_wav(tmp_path / "call.wav", wav_header(8000, 2))
        assert len(list(fds.iterdir())) == before

    def test_a_disk_that_has_gone(self, tmp_path: Path) -> None:
        with wav_file(tmp_path / "call.wav") as file:
            read_only = os.open(tmp_path / "call.wav", os.O_RDONLY)
            os.dup2(read_only, file.fd)
            os.close(read_only)
            assert file.append(block(1)) == 9
        assert played(tmp_path / "call.wav") == b""

    def test_longer_than_a_header_can_say(self, tmp_path: Path) -> None:
        target = tmp_path / "call.wav"
        with wav_file(target) as file:
            file.skip(2**31)
            assert file.append(block(1)) == 0
        with target.open("rb") as data:
            header = data.read(HEADER)
            data.seek(HEADER + 4 * 2**31)
            assert data.read() == block(1).tobytes()
        target.unlink()
        riff, sound = (int.from_bytes(header[at : at + 4], "little") for at in (4, 40))
        assert riff == sound + 36
        assert sound % 4 == 0
        assert LONGEST - 4 < sound <= LONGEST
