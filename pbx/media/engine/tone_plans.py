"""What a tone sounds like in a country (`pbx.media.tones`), and the programs that `kernels.tones` plays."""

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pbx.media.engine.kernels import tones
from pbx.media.tones import GENERAL, written_tones

TONES = ("dial", "ringback", "busy", "congestion", "waiting", "information", "music")

TONE_LEVEL = -10.0
"""dBm0, E.180 §2's nominal level."""

DTMF_LEVEL = -4.0
"""dBm0 of both frequencies together; the higher one is 2 dB above the lower."""

FULL_SCALE_SINE = 3.14
"""dBm0 of a sine that fills 16 bits (G.711 Table 5: the digital milliwatt has a peak of 22 820)."""

DTMF_LOW = (697, 770, 852, 941)
DTMF_HIGH = (1209, 1336, 1477, 1633)
DTMF_DIGITS = "0123456789*#ABCD"
"""In the order of RFC 4733's event codes 0 to 15."""

_KEYPAD = "123A456B789C*0#D"

Program = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sine:
    """One frequency of a step.

    Args:
        hertz: its frequency.
        decibels: its level, as against the other sines of the tone.
    """

    hertz: float
    decibels: float = 0.0

    @property
    def power(self) -> float:
        """The level as a ratio of powers."""
        return float(10 ** (self.decibels / 10))


@dataclass(frozen=True, slots=True)
class Step:
    """Some sines, or silence, for a while.

    Args:
        sines: at most `kernels.tones.SINES`.
        milliseconds: 0 for ever.
    """

    sines: tuple[Sine, ...]
    milliseconds: int = 0

    @property
    def power(self) -> float:
        """The power of all sines together, 1 for one at 0 dB."""
        return sum(sine.power for sine in self.sines)


_FREQUENCY = re.compile(r"(\d{1,5})(?:\*(\d{1,4}))?(?:@(-\d{1,3}))?", re.ASCII)
_DURATION = re.compile(r"0*[1-9]\d{0,7}", re.ASCII)


def _parse_sines(text: str) -> tuple[Sine, ...]:
    sines: list[Sine] = []
    for part in text.split("+"):
        match = _FREQUENCY.fullmatch(part)
        if match is None:
            raise ValueError(
                f"{text!r} is not a sum of frequencies like 350+440, 400*25 or 425@-10"
            )
        carrier, swing, weaker = (int(number or 0) for number in match.groups())
        if carrier == 0:
            continue
        sines.append(Sine(carrier, weaker))
        if swing:
            # A loudness that swings from nothing to twice as much is two more sines beside it.
            side = weaker + 20 * math.log10(0.5)
            sines += [Sine(carrier - swing, side), Sine(carrier + swing, side)]
    if len(sines) > tones.SINES:
        raise ValueError(f"{text!r} has more than {tones.SINES} frequencies")
    return tuple(sines)


def parse_tone(text: str) -> tuple[Step, ...]:
    """Return the steps of a tone in the notation of `tones.toml`.

    Raises:
        ValueError: it isn't one.
    """
    steps = []
    for word in text.split():
        frequencies, slash, duration = word.partition("/")
        if slash and not _DURATION.fullmatch(duration):
            raise ValueError(f"{word!r} doesn't end in a number of milliseconds")
        steps.append(Step(_parse_sines(frequencies), int(duration or 0)))
    if not steps or any(step.milliseconds == 0 for step in steps[:-1]):
        raise ValueError(f"{text!r}: only the last step may last for ever")
    return tuple(steps)


@functools.cache
def plans() -> Mapping[str, Mapping[str, tuple[Step, ...]]]:
    """Return the tones of each country (ISO 3166-1 alpha-2, and `GENERAL`)."""
    return {
        country: {tone: parse_tone(steps) for tone, steps in plan.items()}
        for country, plan in written_tones().items()
    }


def tone(country: str, name: str) -> tuple[Step, ...]:
    """Return a tone as it sounds in a country, or in general where that isn't known.

    Args:
        country: ISO 3166-1 alpha-2, in capitals.
        name: one of `TONES`.

    Raises:
        KeyError: no tone has that name.
    """
    general = plans()[GENERAL]
    return plans().get(country, general).get(name) or general[name]


def dtmf(digits: str, *, on_ms: int = 100, off_ms: int = 100) -> tuple[Step, ...]:
    """Return the steps that dial `digits` (Q.23).

    Args:
        digits: of `DTMF_DIGITS`.
        on_ms, off_ms: length of each digit and of the pause after it.

    Raises:
        ValueError: something else is among the digits, or a length isn't positive.
    """
    if not digits or not set(digits) <= set(DTMF_DIGITS) or min(on_ms, off_ms) <= 0:
        raise ValueError(f"{digits!r} can't be dialled for {on_ms} ms with {off_ms} ms between")
    steps = []
    for digit in digits:
        row, column = divmod(_KEYPAD.index(digit), 4)
        sines = Sine(DTMF_LOW[row], -2.0), Sine(DTMF_HIGH[column])
        steps += [Step(sines, on_ms), Step((), off_ms)]
    return tuple(steps)


def program(
    steps: Sequence[Step], rate: int, *, level: float = TONE_LEVEL, repeats: bool = True
) -> Program:
    """Return steps as `kernels.tones.play_tone` takes them.

    Args:
        steps: of `tone` or `dtmf`.
        rate: samples in a second.
        level: dBm0 of the loudest step, all its sines together.
        repeats: begins again after the last step.

    Raises:
        ValueError: that loud the sines wouldn't fit into 16 bits.
    """
    words = np.zeros((len(steps), tones.STEP_WIDTH), np.int64)
    loudest = max(step.power for step in steps)
    peak = 32767 * 10 ** ((level - FULL_SCALE_SINE) / 20) / math.sqrt(loudest or 1.0)
    for number, (step, row) in enumerate(zip(steps, words, strict=True)):
        row[tones.SAMPLES] = step.milliseconds * rate // 1000
        row[tones.NEXT] = number + 1
        for place, sine in enumerate(step.sines):
            row[tones.TURNS + place] = round(sine.hertz * 2**32 / rate)
            row[tones.PEAKS + place] = round(peak * math.sqrt(sine.power))
        if row[tones.PEAKS :].sum() > 32767:
            raise ValueError(f"a tone at {level} dBm0 is too loud for 16 bits")
    words[-1, tones.NEXT] = 0 if repeats else -1
    return words
