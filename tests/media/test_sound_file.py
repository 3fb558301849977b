"""Files for players: what is read of each kind of WAV file, and what is said of what is none."""

import os
import socket
import struct
from pathlib import Path

import numpy as np
import pytest

from pbx.media.engine.sound_file import SoundFile, SoundFileError
from pbx.media.wav_header import LONGEST
from tests.media.kernels.sound import level, rest_level, sine, tone_level
from tests.media.wav_files import ALAW, PCM, ULAW, chunk, form, riff, wav

LEVEL = -15.3
"""dBov of a peak of 8000."""

KINDS = [(PCM, False), (ALAW, False), (ULAW, False), (PCM, True), (ULAW, True)]
SOME = wav(sine(500, 1600, 8000, peak=8000), 8000)


def read(path: Path) -> SoundFile:
    file = SoundFile(path)
    file.read_on(len(file.samples))
    assert file.is_whole
    return file


def failure(path: Path) -> str:
    with pytest.raises(SoundFileError) as caught:
        SoundFile(path)
    return str(caught.value)


class TestWhatCanBePlayed:
    @pytest.mark.parametrize(("code", "extensible"), KINDS)
    @pytest.mark.parametrize("tracks", [1, 2])
    @pytest.mark.parametrize(
        ("rate", "wanted"),
        [
            (8000, 8000),
            (11025, 16000),
            (16000, 16000),
            (22050, 16000),
            (44100, 16000),
            (48000, 48000),
        ],
    )
    def test_formats(
        self, tmp_path: Path, rate: int, wanted: int, tracks: int, code: int, extensible: bool
    ) -> None:
        sound = sine(1000, rate // 5, rate, peak=8000)
        path = tmp_path / "a.wav"
        path.write_bytes(wav(sound, rate, code=code, tracks=tracks, extensible=extensible))
        file = read(path)
        assert file.rate == wanted
        assert len(file.samples) == wanted // 5
        middle = file.samples[wanted // 50 : -wanted // 50]
        assert abs(tone_level(middle, 1000, wanted) - LEVEL) < 0.2
        assert rest_level(middle, 1000, wanted) < (-60 if code == PCM else -33)

    @pytest.mark.parametrize("bits", [8, 24, 32])
    @pytest.mark.parametrize("extensible", [False, True])
    def test_pcm_of_other_widths(self, tmp_path: Path, bits: int, extensible: bool) -> None:
        """What sox writes by itself has 32 bits, and more than 16 of them are extensible."""
        sound = sine(1000, 1600, 8000, peak=8000)
        wide = (sound.astype(np.int64) << 16) >> (32 - bits)
        if bits == 8:
            wide += 128
        octets = wide.astype("<i8").view(np.uint8).reshape(-1, 8)[:, : bits // 8]
        path = tmp_path / "a.wav"
        head = form(PCM, 8000, bits=bits, extensible=extensible)
        path.write_bytes(riff(head, chunk(b"data", octets.tobytes())))
        heard = read(path).samples
        assert np.abs(heard.astype(int) - sound).max() <= (255 if bits == 8 else 0)

    def test_both_tracks_are_heard(self, tmp_path: Path) -> None:
        left, right = sine(500, 1600, 8000, peak=8000), sine(900, 1600, 8000, peak=8000)
        path = tmp_path / "a.wav"
        both = np.stack([left, right], axis=1).astype("<i2").tobytes()
        path.write_bytes(riff(form(PCM, 8000, 2), chunk(b"data", both)))
        for hertz in (500, 900):
            assert abs(tone_level(read(path).samples, hertz, 8000) - LEVEL + 6) < 0.1

    def test_full_scale_in_both_tracks(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        for extreme in (-32768, 32767):
            path.write_bytes(wav(np.full(80, extreme, np.int16), 8000, tracks=2))
            assert set(read(path).samples) == {extreme}

    def test_other_chunks_are_passed_over(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        sound = chunk(b"data", b"\1\2" * 80)
        path.write_bytes(
            riff(chunk(b"LIST", b"odd"), form(PCM, 8000), chunk(b"fact", b"1234"), sound)
        )
        assert set(read(path).samples) == {0x0201}

    def test_a_recording_that_was_cut_off(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(SOME[:-1001])
        assert len(read(path).samples) == 1600 - 501


class TestWhatCannot:
    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"", "is no WAV file"),
            (b"ID3\4" + bytes(400), "is no WAV file"),
            (SOME[:11], "is no WAV file"),
            (SOME[:12], "has no sound in it"),
            (SOME[:30], "is damaged"),
            (SOME[:40], "has no sound in it"),
            (riff(chunk(b"data", bytes(160)), form(PCM, 8000)), "has no sound in it"),
            (riff(chunk(b"fmt ", bytes(4))), "is damaged"),
            (riff(*[chunk(b"junk", b"")] * 5000, form(PCM, 8000)), "has no sound in it"),
            (riff(form(PCM, 8000, bits=12), chunk(b"data", bytes(160))), "PCM or G.711"),
            (riff(form(ULAW, 8000, bits=16), chunk(b"data", bytes(160))), "PCM or G.711"),
            (riff(form(3, 8000, bits=32), chunk(b"data", bytes(160))), "PCM or G.711"),
            (riff(form(PCM, 8000, 0), chunk(b"data", bytes(160))), "PCM or G.711"),
            (riff(form(PCM, 8000, 9), chunk(b"data", bytes(160))), "PCM or G.711"),
            (riff(form(PCM, 0), chunk(b"data", bytes(160))), "0 samples in a second"),
            (riff(form(PCM, 2**30), chunk(b"data", bytes(160))), "samples in a second"),
            (wav(np.zeros(0, np.int16), 44100), "has no sound in it"),
            (riff(form(PCM, 8000), chunk(b"data", bytes(1))), "has no sound in it"),
        ],
    )
    def test_damaged(self, tmp_path: Path, data: bytes, words: str) -> None:
        path = tmp_path / "greeting.wav"
        path.write_bytes(data)
        assert words in failure(path)

    def test_every_cut_and_any_octet_is_read_or_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        dice = np.random.default_rng(1)
        good = 0
        for cut in range(120):
            data = bytearray(SOME[: cut if cut < 60 else 400])
            for at in dice.integers(0, max(len(data), 1), cut % 4):
                data[at % 48 if at < len(data) else 0] = dice.integers(256)
            path.write_bytes(data)
            try:
                file = read(path)
            except SoundFileError:
                continue
            good += 1
            assert file.samples.dtype == np.int16
            assert file.rate in (8000, 16000, 48000)
        assert good > 10

    def test_missing_folder_and_name_of_no_file(self, tmp_path: Path) -> None:
        assert failure(tmp_path / "no.wav") == "No such file or directory"
        assert failure(tmp_path) == "it is no file"
        assert "null" in failure(tmp_path / "a\0.wav")

    def test_what_would_never_end(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe.wav"
        os.mkfifo(pipe)
        assert failure(pipe) == "it is no file"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket.wav"))
            assert failure(tmp_path / "socket.wav")
        assert failure(Path("/dev/zero")) == "it is no file"

    def test_too_long(self, tmp_path: Path) -> None:
        path = tmp_path / "long.wav"
        with path.open("wb") as file:
            file.write(riff(form(ULAW, 8000)) + b"data" + struct.pack("<I", LONGEST + 1))
            file.truncate(file.tell() + LONGEST + 1)
        assert failure(path) == "it is too long"
        with path.open("wb") as file:
            file.truncate(2**42)
        assert failure(path) == "it is no WAV file"


class TestConvert:
    @pytest.mark.parametrize("rate", [4000, 11025, 22050, 44100, 96000, 192000])
    def test_what_the_lower_rate_cannot_say_is_not_heard(self, tmp_path: Path, rate: int) -> None:
        path = tmp_path / "a.wav"
        wanted = 8000 if rate == 4000 else 16000
        low = min(rate, wanted)
        kept = 0.35 * low
        path.write_bytes(wav(sine(kept, rate // 4, rate, peak=8000), rate))
        made = read(path)
        assert made.rate == wanted
        assert abs(tone_level(made.samples[800:-800], kept, wanted) - LEVEL) < 0.1
        if rate > wanted:
            path.write_bytes(wav(sine(0.6 * low, rate // 4, rate, peak=8000), rate))
            assert level(read(path).samples[800:-800]) < -80

    def test_pieces_fit_together(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(wav(sine(300, 44100, 44100, peak=8000), 44100))
        whole = read(path).samples
        assert len(whole) == 16000
        assert rest_level(whole[800:-800], 300, 16000) < -60
        file = SoundFile(path)
        pieces = 0
        while not file.is_whole:
            before = file.ready
            file.read_on(1 + pieces % 3 * 700)
            assert np.array_equal(file.samples[before : file.ready], whole[before : file.ready])
            pieces += 1
        assert pieces > 2

    def test_a_file_is_left_when_it_has_been_read_or_nobody_has_it(self, tmp_path: Path) -> None:
        def is_open() -> bool:
            ours = Path("/proc/self/fd").iterdir()
            return any(one.exists() and one.samefile(path) for one in ours)

        path = tmp_path / "a.wav"
        path.write_bytes(SOME)
        whole = read(path)
        assert not is_open()
        part = SoundFile(path)
        assert is_open()
        del part
        assert not is_open()
        assert whole.is_whole
