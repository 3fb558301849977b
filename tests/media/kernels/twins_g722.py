"""G.722 once more, sample by sample in plain numbers, as the Recommendation draws its blocks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

_Q6 = (
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
)  # fmt: skip
_POSITIVE: tuple[int, ...] = (0, *range(61, 31, -1))
_NEGATIVE: tuple[int, ...] = (0, 63, 62, *range(31, 3, -1))
_QQ6 = (
    136, 432, 728, 1040, 1360, 1688, 2032, 2400, 2776, 3168, 3576, 4008, 4464, 4944, 5456, 6000,
    6576, 7192, 7856, 8576, 9360, 10232, 11192, 12280, 13512, 14984, 16704, 19008, 21904, 24808,
)  # fmt: skip
_QQ4 = (0, 1200, 2584, 4240, 6288, 8968, 12896, 20456)
_WL = (-60, -30, 58, 172, 334, 538, 1198, 3042)
_ILB = (
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
)  # fmt: skip
_QMF = (3, -11, -11, 53, 12, -156, 32, 362, -210, -805, 951, 3876)
_H = (*_QMF, *reversed(_QMF))


def clamp(value: int, least: int = -32768, most: int = 32767) -> int:
    return min(max(value, least), most)


@dataclass
class Band:
    """One ADPCM band."""

    step: int
    log_step: int = 0
    predicted: int = 0
    from_zeros: int = 0
    poles: list[int] = field(default_factory=lambda: [0, 0])
    zeros: list[int] = field(default_factory=lambda: [0] * 6)
    differences: list[int] = field(default_factory=lambda: [0] * 6)
    signals: list[int] = field(default_factory=lambda: [0, 0])
    partials: list[int] = field(default_factory=lambda: [0, 0])

    def scale(self, weight: int, most: int, exponent: int) -> None:
        self.log_step = clamp((self.log_step * 127 >> 7) + weight, 0, most)
        mantissa = _ILB[self.log_step >> 6 & 31] * 2**10
        self.step = 4 * (mantissa >> (10 + exponent - (self.log_step >> 11)))

    def update(self, difference: int) -> None:
        signal = clamp(self.predicted + difference)
        partial = clamp(self.from_zeros + difference)
        same = [(partial < 0) == (older < 0) for older in self.partials]
        slope = clamp(4 * self.poles[0])
        slope = min(-slope, 32767) if same[0] else slope
        second = (128 if same[1] else -128) + (slope >> 7) + (self.poles[1] * 32512 >> 15)
        second = clamp(second, -12288, 12288)
        first = (192 if same[0] else -192) + (self.poles[0] * 32640 >> 15)
        first = clamp(first, -(15360 - second), 15360 - second)
        self.poles = [first, second]
        self.signals = [signal, self.signals[0]]
        self.partials = [partial, self.partials[0]]
        move = 128 if difference else 0
        for index, older in enumerate(self.differences):
            alike = (older < 0) == (difference < 0)
            self.zeros[index] = clamp(
                (self.zeros[index] * 32640 >> 15) + (move if alike else -move)
            )
        self.differences = [difference, *self.differences[:5]]
        pairs = zip(self.zeros, self.differences, strict=True)
        self.from_zeros = clamp(sum(zero * clamp(2 * one) >> 15 for zero, one in pairs))
        heard = zip(self.poles, self.signals, strict=True)
        self.predicted = clamp(
            clamp(sum(pole * clamp(2 * one) >> 15 for pole, one in heard)) + self.from_zeros
        )

    def take_low(self, code: int) -> int:
        """Take a 6-bit code; returns what is heard."""
        rank = _POSITIVE.index(code) if code in _POSITIVE[1:] else -1
        if rank < 0:
            # The four codes that are never sent sound like the negative zero.
            rank = _NEGATIVE.index(code) if code in _NEGATIVE[1:] else 1
            fine = -_QQ6[rank - 1]
        else:
            fine = _QQ6[rank - 1]
        heard = clamp(self.predicted + (self.step * fine >> 15), -16384, 16383)
        coarse = code >> 2
        level = (15 - coarse if coarse > 7 else 8 - coarse) if coarse else 0
        size = _QQ4[level]
        difference = self.step * (size if coarse > 7 else -size) >> 15
        self.scale(_WL[level], 18432, 8)
        self.update(difference)
        return heard

    def take_high(self, code: int) -> int:
        """Take a 2-bit code; returns what is heard."""
        far = code in (0, 2)
        size = 7408 if far else 1616
        difference = self.step * (size if code > 1 else -size) >> 15
        heard = clamp(self.predicted + difference, -16384, 16383)
        self.scale(798 if far else -214, 22528, 10)
        self.update(difference)
        return heard

    def code_low(self, sample: int) -> int:
        difference = clamp(sample - self.predicted)
        size = difference if difference >= 0 else ~difference
        rank = 1
        while rank < 30 and size >= _Q6[rank] * self.step >> 12:
            rank += 1
        return (_NEGATIVE if difference < 0 else _POSITIVE)[rank]

    def code_high(self, sample: int) -> int:
        difference = clamp(sample - self.predicted)
        size = difference if difference >= 0 else ~difference
        far = size >= 564 * self.step >> 12
        return (0 if far else 1) if difference < 0 else (2 if far else 3)


@dataclass
class G722Twin:
    """An encoder or a decoder."""

    low: Band = field(default_factory=lambda: Band(32))
    high: Band = field(default_factory=lambda: Band(8))
    past: list[int] = field(default_factory=lambda: [0] * 24)

    def encode(self, pcm: Sequence[int]) -> bytes:
        octets = bytearray()
        for at in range(0, len(pcm) - 1, 2):
            self.past = [*self.past[2:], pcm[at], pcm[at + 1]]
            even = sum(tap * one for tap, one in zip(_H[0::2], self.past[0::2], strict=True))
            odd = sum(tap * one for tap, one in zip(_H[1::2], self.past[1::2], strict=True))
            low = self.low.code_low(even + odd >> 14)
            high = self.high.code_high(odd - even >> 14)
            self.low.take_low(low)
            self.high.take_high(high)
            octets.append(high << 6 | low)
        return bytes(octets)

    def decode(self, data: bytes) -> list[int]:
        pcm = []
        for octet in data:
            low = self.low.take_low(octet & 63)
            high = self.high.take_high(octet >> 6)
            self.past = [*self.past[2:], low - high, low + high]
            first = sum(tap * one for tap, one in zip(_H[1::2], self.past[0::2], strict=True))
            second = sum(tap * one for tap, one in zip(_H[0::2], self.past[1::2], strict=True))
            pcm += [clamp(first >> 11), clamp(second >> 11)]
        return pcm
