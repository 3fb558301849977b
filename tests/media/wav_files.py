"""WAV files of every kind that players are given, made octet by octet, and read back."""

import struct
import wave
from pathlib import Path

import numpy as np

from tests.media.kernels import twins_g711
from tests.media.kernels.sound import Sound

PCM, ALAW, ULAW, EXTENSIBLE = 1, 6, 7, 0xFFFE

_SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format code in the GUID of WAVE_FORMAT_EXTENSIBLE."""


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def form(
    code: int, rate: int, tracks: int = 1, *, bits: int = 0, extensible: bool = False
) -> bytes:
    width = bits or (16 if code == PCM else 8)
    frame = tracks * width // 8
    kind = EXTENSIBLE if extensible else code
    body = struct.pack("<HHIIHH", kind, tracks, rate, rate * frame, frame, width)
    if extensible:
        body += struct.pack("<HHIH", 22, width, 0, code) + _SUBFORMAT
    return chunk(b"fmt ", body)


def encoded(sound: Sound, code: int) -> bytes:
    """Samples as they are in a file of that format."""
    if code == PCM:
        return sound.astype("<i2").tobytes()
    code_of = twins_g711.encode_alaw if code == ALAW else twins_g711.encode_ulaw
    return bytes(code_of(int(sample)) for sample in sound)


def wav(
    sound: Sound, rate: int, *, code: int = PCM, tracks: int = 1, extensible: bool = False
) -> bytes:
    """A file whose tracks all have the same sound."""
    samples = encoded(np.repeat(sound, tracks), code)
    return riff(form(code, rate, tracks, extensible=extensible), chunk(b"data", samples))


def read_wav(path: Path) -> tuple[list[Sound], int]:
    """The tracks of a recording and its rate, as any other program reads it."""
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2
        data = file.readframes(file.getnframes())
        tracks, rate = file.getnchannels(), file.getframerate()
    samples = np.frombuffer(data, "<i2").astype(np.int16)
    return [samples[track::tracks] for track in range(tracks)], rate
