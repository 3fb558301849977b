"""What the sound is worth that a phone hears, by nothing but the sound and when it came.

The phone is the best that there is: of all fixed delays it has the one with the highest score. Each
piece of 20 ms that was said is looked for in what it plays. Found, it tells how long it took from
mouth to ear, and is wrong by as much of it as isn't there; not found, it was lost, or made up, and is
wrong as a whole. The share that is wrong and the mean delay go into the E-model (ITU-T G.107) as
packet loss and one-way delay, with the constants of G.711 with concealment (G.113) for everybody:
whoever sends silence in place of what was lost is taken for one who conceals. A second score takes
such silence for what it is: its share has the constants without concealment.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pbx.media import codecs
from pbx.media.emodel import impairment, rating, score
from tests.bench.networks.hearing import Playout
from tests.bench.networks.voice import HERTZ, LEVEL, PEAK, PIECE, RATE, Wave, band, noise_of
from tests.media.kernels.sound import rest_level, rms, tone_level

PIECE_S = PIECE / RATE

_LONGEST_MS = 600
"""From mouth to ear: what is later is not looked for."""

_ALIKE = 0.5
"""Correlation from which on a piece is taken for found: of others it is below that."""

_SURE = 0.8
"""So much alike is nothing by chance, wherever it is."""

_ALL = 0.9
"""Where so much of a piece is there, the rest is the codecs' doing."""

_NEAR_MS = 10
"""Around where those are that one is sure of, the others are looked for."""

_DELAYS_MS = range(0, 301, 5)
"""Of the phone."""

_BPL_UNCONCEALED = 4.3
"""Of G.711 without concealment (G.113 appendix I)."""

_FIRST_S, _LAST_S = 1.0, 0.5
"""Of the talk, they are not judged: nobody has begun to hear, or all has been said."""

_TENTH = RATE // 10
_MOMENT = RATE // 200
_WHOLE_DB = 1.0
_PURE_DB = -25.0

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one talk was worth.

    Args:
        whole: share of tenths of a second with the tone at its level.
        pure: share of tenths in which what is beside the tone is far below it.
        wrong: share of what was said that was not heard.
        hole_ms: the longest silence in the talk.
        delay_ms: from mouth to ear.
        mos: the E-model's, as if all that is wrong were concealed.
        silence_mos: the same, but silence that was sent as sound is not concealed.
    """

    whole: float
    pure: float
    wrong: float
    hole_ms: float
    delay_ms: float
    mos: float
    silence_mos: float


def judge(heard: Playout, said: Wave, clock_ppm: float = 0.0) -> Figures:
    """Compare what was heard with what was said.

    Args:
        heard: it begins when the first packet of the talk was sent.
        said: the noise in what was said, at `RATE`.
        clock_ppm: how much the speaker's clock ran too fast.
    """
    numbers = np.arange(round(_FIRST_S / PIECE_S), len(said) // PIECE - round(_LAST_S / PIECE_S))
    # A packet is sent when all that it carries has been said.
    mouth = np.round((numbers * PIECE_S / (1 + clock_ppm * 1e-6) - PIECE_S) * RATE).astype(np.int64)
    alike, lags, there = _find(noise_of(heard.sound, RATE), said, numbers, mouth)
    harm = np.where(alike < _ALIKE, 1.0, np.where(there > _ALL, 0.0, 1 - there))
    found = alike >= _ALIKE
    if found.any():
        lags = np.where(found, lags, np.interp(numbers, numbers[found], lags[found]).round())
    places = (mouth + lags).astype(np.int64)[:, None] + np.arange(PIECE)
    after = np.zeros(_LONGEST_MS * RATE // 1000 + PIECE)
    waits_ms = np.concatenate([heard.wait_ms, after])[places]
    silent = np.concatenate([_silent(heard.sound) & heard.sent, after])[places].mean(axis=1)
    lags_ms = 1000 * lags / RATE

    def score_after(wait_ms: float) -> tuple[float, float, float, float]:
        """Return both MOS, the share of what is wrong, and the delay with such a phone."""
        late = np.mean(waits_ms > wait_ms, axis=1)
        harmed = np.where(late > 1 - _ALIKE, 1.0, np.maximum(harm, late))
        if (harmed == 1).all():
            return 1.0, 1.0, 1.0, float("nan")
        delay_ms = float(lags_ms[harmed < 1].mean()) + wait_ms
        return *_mos(harmed, silent, delay_ms), float(harmed.mean()), delay_ms

    best = max(_DELAYS_MS, key=lambda wait_ms: score_after(wait_ms)[0])
    mos, silence_mos, wrong, delay_ms = score_after(best)
    right = lags[alike > _ALIKE]
    begin = int(mouth[0] + (np.median(right) if len(right) else 0))
    talk = slice(begin, begin + len(numbers) * PIECE)
    whole, pure, hole_ms = _tone(heard.after(best), talk)
    return Figures(whole, pure, wrong, hole_ms, delay_ms, mos, silence_mos)


def _find(
    heard: Wave, said: Wave, numbers: npt.NDArray[np.int64], mouth: npt.NDArray[np.int64]
) -> tuple[Numbers, npt.NDArray[np.int64], Numbers]:
    """Look for each piece.

    Returned are, of each, how much alike the likest place is, how many samples later it is, and how
    much of the piece is there, silence and other sound being worth the same.
    """
    places = _LONGEST_MS * RATE // 1000
    padded = np.concatenate([heard, np.zeros(places + 2 * PIECE)])
    # Analytic: also half a sample later, as after other rates, it is the same sound.
    pieces = _analytic(said)[: len(said) // PIECE * PIECE].reshape(-1, PIECE)[numbers]
    likeness = np.stack(
        [
            _likeness(padded[at : at + places + PIECE], piece)
            for piece, at in zip(pieces, mouth, strict=True)
        ]
    )
    lags = likeness.argmax(axis=1)
    sure = lags[likeness.max(axis=1) > _SURE]
    if len(sure):
        near = _NEAR_MS * RATE // 1000
        likeness[:, : max(sure.min() - near, 0)] = 0
        likeness[:, sure.max() + near :] = 0
        lags = likeness.argmax(axis=1)
    there = [
        abs(np.vdot(piece, padded[at : at + PIECE])) / np.sum(piece.real**2)
        for piece, at in zip(pieces, mouth + lags, strict=True)
    ]
    return likeness[np.arange(len(lags)), lags], lags, np.array(there)


def _likeness(window: Wave, piece: npt.NDArray[np.complex128]) -> Numbers:
    """Return the correlation of a piece with what is at each place of a window."""
    places = len(window) - PIECE
    size = 1 << (len(window) - 1).bit_length()
    product = np.fft.fft(window, size) * np.conj(np.fft.fft(piece, size))
    energy = np.concatenate([[0.0], np.cumsum(window**2)])
    energies = energy[PIECE:-1] - energy[: -PIECE - 1]
    own = float(np.sum(piece.real**2))
    # Of what is next to silent nothing is alike.
    found: Numbers = np.abs(np.fft.ifft(product)[:places])
    found /= np.sqrt(np.maximum(energies, own / 100) * own)
    return found


def _analytic(sound: Wave) -> npt.NDArray[np.complex128]:
    """Return the sound with its Hilbert transform as the imaginary part."""
    spectrum = np.fft.fft(sound)
    half = len(sound) // 2
    spectrum[1:half] *= 2
    spectrum[half + 1 :] = 0
    found: npt.NDArray[np.complex128] = np.fft.ifft(spectrum)
    return found


def _mos(harmed: Numbers, silent: Numbers, delay_ms: float) -> tuple[float, float]:
    """Return `mos` and `silence_mos` of `Figures`."""
    percent = 100 * float(harmed.mean())
    silent_percent = 100 * float(np.minimum(harmed, silent).mean())
    bad = harmed > 0.5
    begins = np.count_nonzero(np.diff(np.concatenate([[0], bad]).astype(np.int8)) > 0)
    # G.107 3.5: the mean length of losses beside that of as many random ones.
    random_share = 1 - percent / 100
    burst = max(1.0, np.count_nonzero(bad) / max(int(begins), 1) * random_share)
    ie, bpl = impairment(codecs.PCMU)
    all_concealed: Any = rating(ie, bpl, percent, burst, delay_ms)
    concealed: Any = rating(ie, bpl, percent - silent_percent, burst, delay_ms)
    # Impairments add up (G.107 3.1).
    silence: Any = rating(0.0, _BPL_UNCONCEALED, 0.0, 1.0, 0.0) - rating(
        0.0, _BPL_UNCONCEALED, silent_percent, burst, 0.0
    )
    return float(score(all_concealed)), float(score(concealed - silence))


def _silent(sound: Wave) -> Flags:
    """Return where a sound is silent."""
    power = np.convolve(sound**2, np.full(_MOMENT, 1 / _MOMENT), "same")
    found: Flags = np.sqrt(np.maximum(power, 0.0)) < PEAK / np.sqrt(2) / 4
    return found


def _tone(sound: Wave, talk: slice) -> tuple[float, float, float]:
    """Return `whole`, `pure` and `hole_ms` of `Figures`."""
    low = band(sound, RATE, 0, 2 * HERTZ - 100)[talk]
    tenths = low[: len(low) // _TENTH * _TENTH].reshape(-1, _TENTH)
    audible = [rms(one) > PEAK / 20 for one in tenths]
    whole = [
        heard and abs(tone_level(one, HERTZ, RATE) - LEVEL) < _WHOLE_DB
        for heard, one in zip(audible, tenths, strict=True)
    ]
    pure = [
        heard and rest_level(one, HERTZ, RATE) < _PURE_DB
        for heard, one in zip(audible, tenths, strict=True)
    ]
    spoken = sound[talk]
    moments = spoken[: len(spoken) // _MOMENT * _MOMENT].reshape(-1, _MOMENT)
    silent = np.sqrt(np.mean(moments**2, axis=1)) < PEAK / np.sqrt(2) / 4
    return float(np.mean(whole)), float(np.mean(pure)), 1000 * _MOMENT / RATE * _longest(silent)


def _longest(flags: Flags) -> int:
    """Return the length of the longest run."""
    longest = run = 0
    for one in flags:
        run = run + 1 if one else 0
        longest = max(longest, run)
    return longest
