"""A recording that can be played whenever it is cut off."""

import os
import struct
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from pbx.media.engine.wav import HEADER, WavFile, wav_header


def played(path: Path) -> bytes:
    """What Python's own reader makes of a file."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
        return bytes(file.readframes(file.getnframes()))


def block(seed: int, count: int = 1600) -> bytes:
    noise = np.random.default_rng(seed).integers(-9000, 9000, 2 * count)
    return noise.astype("<i2").tobytes()


class TestCutAtAnyMoment:
    def test_after_each_write_and_within(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each state that a kill -9 could leave behind is whole, and has all earlier blocks."""
        states: list[bytes] = []
        target = tmp_path / "call.wav"
        real = os.pwrite

        def in_pieces(fd: int, octets: memoryview, at: int) -> int:
            piece = octets[: max(len(octets) // 3, 1)]
            written = real(fd, piece, at)
            if at >= HEADER:
                states.append(target.read_bytes())
            return written

        blocks = [block(n) for n in range(4)]
        with WavFile(target, 8000, 2) as file:
            monkeypatch.setattr(os, "pwrite", in_pieces)
            for one in blocks:
                begun = len(states)
                file.append(one)
                for state in states[begun:]:
                    cut = tmp_path / "cut.wav"
                    cut.write_bytes(state)
                    sound = played(cut)
                    assert b"".join(blocks).startswith(sound)
                    assert len(sound) == blocks.index(one) * len(one)
        assert played(target) == b"".join(blocks)
        assert len(states) > 40

    def test_header_that_promises_more(self, tmp_path: Path) -> None:
        """The power went, and the file system had written the header first."""
        target = tmp_path / "call.wav"
        with WavFile(target, 8000, 2) as file:
            file.append(block(1))
            file.append(block(2))
        data = target.read_bytes()
        for length in (HEADER, HEADER + 3, HEADER + 4000, len(data) - 4):
            target.write_bytes(data[:length])
            sound = played(target)
            assert sound == data[HEADER:length][: len(sound)]
            assert len(sound) >= (length - HEADER) // 4 * 4

    def test_sox_plays_it(self, tmp_path: Path) -> None:
        target = tmp_path / "call.wav"
        with WavFile(target, 8000, 2) as file:
            file.append(block(1))
            file.append(block(2))
            for cut in (0, 5, 2000):
                copy = tmp_path / "copy.wav"
                copy.write_bytes(target.read_bytes()[: -cut or None])
                raw = subprocess.run(
                    ["sox", copy, "-t", "raw", "-"], capture_output=True, check=True, timeout=30
                ).stdout
                assert raw == (block(1) + block(2))[: (12800 - cut) // 4 * 4]


class TestFile:
    def test_blocks(self, tmp_path: Path) -> None:
        target = tmp_path / "call.wav"
        with WavFile(target, 8000, 2) as file:
            assert played(target) == b""
            for n in range(3):
                file.append(block(n, 800))
                assert file.seconds == pytest.approx((n + 1) * 0.1)
                assert len(played(target)) == (n + 1) * 3200
        assert target.stat().st_mode & 0o777 == 0o640

    def test_never_over_another_file(self, tmp_path: Path) -> None:
        target = tmp_path / "call.wav"
        target.write_text("mine")
        with pytest.raises(FileExistsError):
            WavFile(target, 8000, 2)
        assert target.read_text() == "mine"

    def test_half_a_sample(self, tmp_path: Path) -> None:
        with (
            WavFile(tmp_path / "call.wav", 8000, 2) as file,
            pytest.raises(ValueError, match="whole"),
        ):
            file.append(b"\1\2\3")

    def test_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was there stays, and it goes on where it was once there is room again."""
        target = tmp_path / "call.wav"
        real = os.pwrite

        def full(fd: int, octets: memoryview, at: int) -> int:
            if at > HEADER + 5000:
                raise OSError(28, "No space left on device")
            return real(fd, octets[:1000], at)

        with WavFile(target, 8000, 2) as file:
            file.append(block(1, 1000))
            with monkeypatch.context() as patch:
                patch.setattr(os, "pwrite", full)
                with pytest.raises(OSError, match="No space"):
                    file.append(block(2, 1000))
            assert played(target) == block(1, 1000)
            file.append(block(3, 1000))
        assert played(target) == block(1, 1000) + block(3, 1000)

    def test_longer_than_a_header_can_say(self) -> None:
        header = wav_header(2**33, 8000, 2)
        riff, data = struct.unpack("<I", header[4:8])[0], struct.unpack("<I", header[40:44])[0]
        assert riff == data + 36
        assert data % 4 == 0
        assert data > 0xFFFFFF00
