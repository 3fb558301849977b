"""Sound between files, rates and laws."""

import os
import resource
import subprocess
import wave
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from hw.softphone import g711
from hw.softphone.resampler import Resampler
from hw.softphone.sound import FileEnds
from hw.softphone.wav import WavSink, WavSource
from pbx.errors import StartError
from tests.interop.tones import LEVEL_DB, Recording, write_tone
from tests.media.kernels import twins_g711
from tests.media.wav_files import PCM, ULAW, chunk, form, riff


def level_db(samples: np.ndarray, frequency_hz: float) -> float:
    middle = samples[400:-400].astype(np.float64) / 32767
    return Recording(middle, 8000).level_db(frequency_hz)


def played(path: Path, count: int) -> np.ndarray:
    """So many samples of a file, as the phone takes them: a packet's at a time."""
    with closing(WavSource(path)) as source:
        return np.concatenate([source.read(160) for _ in range(count // 160)])


class TestG711:
    def test_as_the_recommendation_has_it(self) -> None:
        samples = np.arange(-32768, 32768).astype(np.int16)
        for law, encode, decode in (
            ("PCMU", twins_g711.encode_ulaw, twins_g711.decode_ulaw),
            ("PCMA", twins_g711.encode_alaw, twins_g711.decode_alaw),
        ):
            assert list(g711.encode(law, samples)) == [encode(int(s)) for s in samples]
            octets = bytes(range(256))
            assert g711.decode(law, octets).tolist() == [decode(octet) for octet in octets]


class TestRates:
    @pytest.mark.parametrize("rate_hz", [11025, 16000, 44100, 48000])
    @pytest.mark.parametrize("frequency_hz", [300.0, 1000.0, 3000.0])
    def test_a_tone_keeps_its_level(
        self, tmp_path: Path, rate_hz: int, frequency_hz: float
    ) -> None:
        write_tone(tmp_path / "tone.wav", frequency_hz, 1.0, rate_hz)
        heard = played(tmp_path / "tone.wav", 8000)
        assert abs(level_db(heard, frequency_hz) - LEVEL_DB) < 0.1

    def test_what_telephony_cannot_carry_makes_no_other_tone(self, tmp_path: Path) -> None:
        write_tone(tmp_path / "tone.wav", 5000.0, 1.0, 48000)
        heard = played(tmp_path / "tone.wav", 8000)
        assert level_db(heard, 3000.0) < LEVEL_DB - 50

    @pytest.mark.parametrize(("come", "go"), [(48000, 8000), (8000, 48000), (44100, 8000)])
    def test_pieces_make_no_difference(self, come: int, go: int) -> None:
        samples = np.random.default_rng(1).integers(-9000, 9000, come // 4).astype(np.int16)
        whole = Resampler(come, go).convert(samples)
        pieces = Resampler(come, go)
        made = np.concatenate(
            [pieces.convert(samples[at : at + 331]) for at in range(0, len(samples), 331)]
        )
        assert made.tolist() == whole.tolist()
        assert abs(len(whole) - go / 4) < go / 200


class TestFiles:
    @pytest.mark.parametrize("width", [1, 2, 3, 4])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_each_kind_of_pcm(self, tmp_path: Path, width: int, channels: int) -> None:
        t = np.arange(4000) / 8000
        sine = np.round(0.25 * np.sin(2 * np.pi * 500 * t) * 2**31).astype(np.int64)
        scaled = sine >> (32 - 8 * width)
        if width == 1:
            scaled += 128
        octets = scaled.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
        with wave.open(str(tmp_path / "in.wav"), "wb") as out:
            out.setnchannels(channels)
            out.setsampwidth(width)
            out.setframerate(8000)
            out.writeframes(np.repeat(octets[:, None, :], channels, axis=1).tobytes())
        heard = played(tmp_path / "in.wav", 4000)
        assert abs(level_db(heard, 500.0) - 20 * np.log10(0.25)) < 0.2

    @pytest.mark.parametrize("bits", [16, 24, 32])
    def test_as_sox_writes_it(self, tmp_path: Path, bits: int) -> None:
        """With more than 16 bits that is WAVE_FORMAT_EXTENSIBLE, which Python 3.11 doesn't read."""
        path = tmp_path / "sox.wav"
        tone = ["synth", "0.5", "sine", "500", "vol", "0.25"]
        subprocess.run(
            ["sox", "-n", "-r", "8000", "-c", "1", "-b", str(bits), str(path), *tone], check=True
        )
        assert path.read_bytes()[20:22] == (b"\xfe\xff" if bits > 16 else b"\1\0")
        heard = played(path, 4000)
        assert abs(level_db(heard, 500.0) - 20 * np.log10(0.25)) < 0.2

    def test_what_stands_behind_the_sound_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "in.wav"
        sound = chunk(b"data", b"\1\2" * 80)
        path.write_bytes(riff(form(PCM, 8000), sound, chunk(b"LIST", b"\3\4" * 80)))
        assert played(path, 160).tolist() == [0x0201] * 80 + [0] * 80

    @pytest.mark.parametrize(
        ("head", "word"),
        [
            (form(ULAW, 8000), "not PCM"),
            (form(3, 8000, bits=32), "not PCM"),
            (form(PCM, 8000, bits=12), "not PCM"),
            (form(PCM, 8000, 0), "0 tracks"),
            (form(PCM, 8000, 9), "9 tracks"),
            (form(PCM, 100), "100 samples"),
            (chunk(b"fmt ", b""), "damaged"),
            (b"", "no sound in it"),
        ],
    )
    def test_other_forms(self, tmp_path: Path, head: bytes, word: str) -> None:
        path = tmp_path / "in.wav"
        path.write_bytes(riff(head, chunk(b"data", bytes(160))))
        with pytest.raises(StartError, match=word):
            WavSource(path)

    def test_silence_follows_the_end(self, tmp_path: Path) -> None:
        write_tone(tmp_path / "tone.wav", 500.0, 0.1, 8000)
        heard = played(tmp_path / "tone.wav", 1600)
        assert np.abs(heard[:800]).max() > 0
        assert np.abs(heard[800:]).max() == 0

    def test_what_is_heard_is_kept(self, tmp_path: Path) -> None:
        sine = np.round(8000 * np.sin(2 * np.pi * 500 * np.arange(8000) / 8000)).astype(np.int16)
        sink = WavSink(tmp_path / "out.wav")
        for at in range(0, 8000, 160):
            sink.write(sine[at : at + 160])
        sink.close()
        with wave.open(str(tmp_path / "out.wav")) as kept:
            assert (kept.getnchannels(), kept.getsampwidth(), kept.getframerate()) == (1, 2, 8000)
            assert np.frombuffer(kept.readframes(9000), "<i2").tolist() == sine.tolist()

    def test_what_cannot_be_played(self, tmp_path: Path) -> None:
        (tmp_path / "text.wav").write_text("no sound at all")
        for name, word in (("none.wav", "There is no file"), ("text.wav", "no WAV file")):
            with pytest.raises(StartError, match=word) as caught:
                WavSource(tmp_path / name)
            assert caught.value.exit_code == os.EX_NOINPUT

    def test_where_nothing_can_be_recorded(self, tmp_path: Path) -> None:
        write_tone(tmp_path / "tone.wav", 500.0, 0.1, 8000)
        with pytest.raises(StartError, match="cannot be written"):
            FileEnds(tmp_path / "tone.wav", tmp_path / "no" / "out.wav", lambda _: None)

    def test_a_full_disk_refuses_a_recording(self) -> None:
        with pytest.raises(StartError, match="/dev/full"):
            FileEnds(None, Path("/dev/full"), lambda _: None)

    def test_a_disk_that_fills_ends_the_recording_and_not_the_call(self, tmp_path: Path) -> None:
        told: list[str] = []
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ends = FileEnds(None, tmp_path / "out.wav", told.append)
        # What is longer than that can't be written (SIGXFSZ is ignored by Python).
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            for _ in range(5):
                ends.write(np.ones(160, np.int16))
            ends.close()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        (sentence,) = told
        assert "out.wav cannot be written" in sentence
