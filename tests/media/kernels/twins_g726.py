"""G.726 at 32 kbit/s once more, sample by sample in plain numbers, as the Recommendation draws its blocks.

Samples are linear, of 14 bits (Annex A), in the high bits of the 16 that we use.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_LEVELS = (-124, 80, 178, 246, 300, 349, 400)
"""QUAN: from where on each magnitude of a code is sent."""

_DQLN = (-2048, 4, 135, 213, 273, 323, 373, 425)
_WI = (-12, 18, 41, 64, 112, 198, 355, 1122)
_FI = (0, 0, 0, 1, 1, 1, 3, 7)


def _limit(value: int, most: int) -> int:
    return min(max(value, -most), most)


def _wrapped(value: int) -> int:
    """Return what 16 bits in two's complement make of a number."""
    return (value + 32768) % 65536 - 32768


@dataclass(frozen=True)
class Float:
    """A sample as the predictors see it: sign, exponent, and six bits of mantissa."""

    negative: bool = False
    exponent: int = 0
    mantissa: int = 32

    @classmethod
    def of(cls, magnitude: int, negative: bool) -> "Float":
        exponent = magnitude.bit_length()
        return cls(negative, exponent, (magnitude << 6) >> exponent if magnitude else 32)

    def times(self, coefficient: int) -> int:
        """FMULT: by a coefficient of 16 bits."""
        factor = Float.of(abs(coefficient >> 2) & 8191, coefficient < 0)
        exponent = self.exponent + factor.exponent
        mantissa = (self.mantissa * factor.mantissa + 48) >> 4
        shifted = mantissa << 7
        size = shifted >> (26 - exponent) if exponent <= 26 else shifted << (exponent - 26) & 32767
        return -size if self.negative != factor.negative else size


def _silence(count: int) -> list[Float]:
    return [Float()] * count


@dataclass
class G726Twin:
    """An encoder or a decoder.

    Args:
        first_low: the first sample of an octet is in its low bits (RFC 3551 §4.5.4); else in its
            high ones (ITU-T I.366.2).
    """

    first_low: bool
    poles: list[int] = field(default_factory=lambda: [0, 0])
    zeros: list[int] = field(default_factory=lambda: [0] * 6)
    differences: list[Float] = field(default_factory=lambda: _silence(6))
    signals: list[Float] = field(default_factory=lambda: _silence(2))
    signs: list[bool] = field(default_factory=lambda: [False, False])
    fast: int = 544
    slow: int = 34816
    short_mean: int = 0
    long_mean: int = 0
    speed: int = 0
    tone: bool = False

    def encode(self, pcm: Sequence[int]) -> bytes:
        codes = [self._code(sample >> 2) for sample in pcm]
        pairs = zip(codes[0::2], codes[1::2], strict=False)
        return bytes(b << 4 | a if self.first_low else a << 4 | b for a, b in pairs)

    def decode(self, data: bytes) -> list[int]:
        return [4 * min(max(self._take(code), -8192), 8191) for code in self._codes(data)]

    def _codes(self, data: bytes) -> Iterable[int]:
        for octet in data:
            low, high = octet & 15, octet >> 4
            yield from (low, high) if self.first_low else (high, low)

    def _code(self, sample: int) -> int:
        """Return the code of a sample of 14 bits, having taken it as the decoder will."""
        _, estimate = self._predict()
        difference = sample - estimate
        magnitude = abs(difference)
        exponent = max(magnitude.bit_length() - 1, 0)
        logarithm = (exponent << 7) + ((magnitude << 7 >> exponent) & 127)
        normal = logarithm - (self._scale() >> 2)
        rank = sum(normal >= level for level in _LEVELS)
        # There is but one code of no magnitude.
        code = 15 - rank if difference < 0 or rank == 0 else rank
        self._take(code)
        return code

    def _predict(self) -> tuple[int, int]:
        """FMULT, ACCUM: returns what the zeros make of it, and all."""
        pairs = zip(self.differences, self.zeros, strict=True)
        partial = sum(one.times(zero) for one, zero in pairs)
        heard = zip(self.signals, self.poles, strict=True)
        whole = partial + sum(one.times(pole) for one, pole in heard)
        return _wrapped(partial) >> 1, _wrapped(whole) >> 1

    def _scale(self) -> int:
        """LIMA, MIX: the scale factor, in logarithms."""
        share = 64 if self.speed >= 256 else self.speed >> 2
        behind = self.fast - (self.slow >> 6)
        product = abs(behind) * share >> 6
        return (self.slow >> 6) + (product if behind >= 0 else -product)

    def _take(self, code: int) -> int:
        """Take a code; returns the signal that it stands for."""
        partial, estimate = self._predict()
        scale = self._scale()
        negative = code > 7
        rank = 15 - code if negative else code
        logarithm = _DQLN[rank] + (scale >> 2)
        magnitude = 0
        if logarithm >= 0:
            magnitude = (128 + (logarithm & 127)) << 7 >> (14 - (logarithm >> 7 & 15))
        change = -magnitude if negative else magnitude
        signal = _wrapped(estimate + change)
        jump = self._jumps(magnitude)
        self._adapt_scale(scale, rank)
        self._adapt_predictor(negative, magnitude, change + partial)
        self.differences = [Float.of(magnitude, negative), *self.differences[:5]]
        self.signals = [Float.of(abs(signal) & 32767, signal < 0), self.signals[0]]
        tone = self.poles[1] < -11776
        self._adapt_speed(scale, rank, tone)
        self.tone = tone
        if jump:
            # TRIGA, TRIGB: from one tone of a modem to another.
            self.poles, self.zeros = [0, 0], [0] * 6
            self.speed, self.tone = 256, False
        return signal

    def _jumps(self, magnitude: int) -> bool:
        """TRANS"""
        whole, part = self.slow >> 15, self.slow >> 10 & 31
        threshold = 31 << 10 if whole > 9 else (32 + part) << whole
        return self.tone and magnitude > (threshold + (threshold >> 1)) >> 1

    def _adapt_scale(self, scale: int, rank: int) -> None:
        """FUNCTW, FILTD, LIMB, FILTE"""
        self.fast = min(max(scale + ((32 * _WI[rank] - scale) >> 5), 544), 5120)
        self.slow += self.fast + (-self.slow >> 6)

    def _adapt_speed(self, scale: int, rank: int, tone: bool) -> None:
        """FUNCTF, FILTA, FILTB, SUBTC, FILTC"""
        self.short_mean += ((_FI[rank] << 9) - self.short_mean) >> 5
        self.long_mean += ((_FI[rank] << 11) - self.long_mean) >> 7
        apart = abs(4 * self.short_mean - self.long_mean)
        quickly = scale < 1536 or apart >= self.long_mean >> 3 or tone
        self.speed += ((512 if quickly else 0) - self.speed) >> 4

    def _adapt_predictor(self, negative: bool, magnitude: int, partial: int) -> None:
        """ADDC, XOR, UPB, UPA2, LIMC, UPA1, LIMD"""
        for index, older in enumerate(self.differences):
            step = (-128 if older.negative != negative else 128) if magnitude else 0
            self.zeros[index] = _wrapped(self.zeros[index] + step - (self.zeros[index] >> 8))
        first, second = self.poles
        sign = partial < 0
        turned = [sign != older for older in self.signs]
        up_first = up_second = 0
        if partial:
            slope = _limit(first, 8191) << 2
            up_second = ((-16384 if turned[1] else 16384) + (slope if turned[0] else -slope)) >> 7
            up_first = -192 if turned[0] else 192
        second = _limit(second + up_second - (second >> 7), 12288)
        first = _limit(first + up_first - (first >> 8), 15360 - second)
        self.poles = [first, second]
        self.signs = [sign, self.signs[0]]
