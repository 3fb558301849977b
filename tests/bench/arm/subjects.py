"""What is measured: each kernel of sound with the arguments of one 20 ms frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from pbx.media.engine import tone_plans
from pbx.media.engine.kernels import detect, g711, levels, mix, resample, tones
from tests.bench.arm.emulate import Argument

PARTIES = 8
FRAME = 160


@dataclass(frozen=True, slots=True)
class Subject:
    """One kernel.

    Args:
        name: in the table, and of the function in reference.c.
        kernel: what `native.kernel` has made.
        arguments: makes the arguments of a call, always the same ones.
        in_c: makes the reference's arguments out of the kernel's; None where there is no reference.
    """

    name: str
    kernel: Any
    arguments: Callable[[], list[Argument]]
    in_c: Callable[[list[Argument]], list[Argument]] | None = list

    def types(self) -> tuple[Any, ...]:
        """Return numba's types of the arguments."""
        type_of: Any = numba.typeof
        return tuple(
            numba.int64 if isinstance(argument, int) else type_of(argument)
            for argument in self.arguments()
        )


def _noise(*shape: int, peak: int = 3000) -> np.ndarray:
    return np.random.default_rng(20).integers(-peak, peak, shape).astype(np.int16)


def _octets() -> np.ndarray:
    return np.random.default_rng(20).integers(0, 256, FRAME).astype(np.uint8)


def _room() -> list[Argument]:
    members = np.arange(PARTIES, dtype=np.int64)
    total = np.zeros(FRAME, np.int32)
    return [_noise(PARTIES, FRAME), members, PARTIES, FRAME, total]


def _minus() -> list[Argument]:
    total = _noise(PARTIES, FRAME).sum(0, dtype=np.int32)
    return [np.zeros(1, np.int64), total, _noise(FRAME), FRAME, np.zeros(FRAME, np.int16)]


def _resampler(name: str, samples: int, made: int, taps: np.ndarray) -> Subject:
    def arguments() -> list[Argument]:
        window = _noise(resample.WINDOW)
        return [window, _noise(samples, peak=12000), samples, np.zeros(made, np.int16)]

    def in_c(given: list[Argument]) -> list[Argument]:
        return [*given, taps.copy()]

    return Subject(name, getattr(resample, name), arguments, in_c)


def _tone() -> list[Argument]:
    words = tone_plans.program(tone_plans.tone("US", "dial"), 8000)
    return [np.zeros(tones.WIDTH, np.int64), words, FRAME, np.zeros(FRAME, np.int16)]


def _dialled() -> np.ndarray:
    angles = 2 * np.pi * np.arange(FRAME) / 8000
    return np.round(6000 * (np.sin(770 * angles) + np.sin(1336 * angles))).astype(np.int16)


def _line() -> list[Argument]:
    row = np.zeros(detect.LINE_WIDTH, np.int64)
    row[detect.LINE_TURNS] = 2100 * 2**32 // 8000
    return [row, _noise(FRAME), FRAME]


def _pcm_to_octets() -> list[Argument]:
    return [_noise(FRAME, peak=32767), FRAME, np.zeros(FRAME, np.uint8)]


def _octets_to_pcm() -> list[Argument]:
    return [_octets(), FRAME, np.zeros(FRAME, np.int16)]


def subjects() -> Sequence[Subject]:
    """Return all of them, in the order of the table."""
    two, three, six = resample._TAPS_8_16, resample._TAPS_16_48, resample._TAPS_8_48
    return (
        Subject("decode_ulaw", g711.decode_ulaw, _octets_to_pcm),
        Subject("decode_alaw", g711.decode_alaw, _octets_to_pcm),
        Subject("encode_ulaw", g711.encode_ulaw, _pcm_to_octets),
        Subject("encode_alaw", g711.encode_alaw, _pcm_to_octets),
        Subject("scale", mix.scale, lambda: [_noise(FRAME, peak=32767), FRAME, 5793]),
        Subject("add_parties", mix.add_parties, _room),
        Subject("mix_minus", mix.mix_minus, _minus),
        Subject("energy", levels.energy, lambda: [_noise(FRAME), FRAME]),
        _resampler("up_8_16", 160, 320, resample._phases(two, 2)),
        _resampler("down_16_8", 320, 160, resample._decimating(two, 2)),
        _resampler("up_16_48", 320, 960, resample._phases(three, 3)),
        _resampler("down_48_16", 960, 320, resample._decimating(three, 3)),
        _resampler("up_8_48", 160, 960, resample._phases(six, 6)),
        _resampler("down_48_8", 960, 160, resample._decimating(six, 6)),
        Subject(
            "add_sine",
            tones._add_sine,
            lambda: [12345678, 187904819, 9000, _noise(FRAME)],
            lambda given: [*given, FRAME],
        ),
        Subject("play_tone", tones.play_tone, _tone, None),
        Subject(
            "watch_level",
            levels.watch_level,
            lambda: [np.zeros(levels.WIDTH, np.int64), _noise(FRAME), FRAME, False],
            None,
        ),
        Subject(
            "detect_dtmf",
            detect.detect_dtmf,
            lambda: [np.zeros(detect.WIDTH, np.int64), _dialled(), FRAME],
            None,
        ),
        Subject("watch_line", detect.watch_line, _line, None),
    )
