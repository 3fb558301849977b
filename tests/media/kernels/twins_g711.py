"""G.711 as the tables of the recommendation put it: decision values and quantized values."""

from bisect import bisect_right


def _ulaw_values() -> tuple[list[int], list[int]]:
    """Table 2a: the decision values x1 to x127 and the values y0 to y127, in 14 bits."""
    decisions, values = [], []
    start = 0
    for segment in range(8):
        step = 2 << segment
        for number in range(16):
            if segment == 0 and number == 0:
                values.append(0)
                start = 1
                continue
            decisions.append(start)
            values.append(start + step // 2)
            start += step
    return decisions, values


def _alaw_values() -> tuple[list[int], list[int]]:
    """Table 1a, doubled, so that the values are whole numbers of 13 bits."""
    decisions, values = [], []
    start = 0
    for segment in range(8):
        step = 2 << max(segment - 1, 0)
        for _ in range(16):
            decisions.append(start)
            values.append(start + step // 2)
            start += step
    return decisions[1:], values


ULAW_DECISIONS, ULAW_VALUES = _ulaw_values()
ALAW_DECISIONS, ALAW_VALUES = _alaw_values()


def decode_ulaw(code: int) -> int:
    """Return the 16-bit sample of a code."""
    value = ULAW_VALUES[~code & 0x7F] * 4
    return value if code & 0x80 else -value


def decode_alaw(code: int) -> int:
    """Return the 16-bit sample of a code."""
    value = ALAW_VALUES[(code ^ 0x55) & 0x7F] * 8
    return value if code & 0x80 else -value


def encode_ulaw(sample: int) -> int:
    """Return the code of a 16-bit sample; negative ones mirror the positive ones one higher."""
    magnitude = sample if sample >= 0 else -sample - 1
    number = bisect_right(ULAW_DECISIONS, magnitude // 4)
    return (~number & 0x7F) | (0x80 if sample >= 0 else 0)


def encode_alaw(sample: int) -> int:
    """Return the code of a 16-bit sample; negative ones mirror the positive ones one higher."""
    magnitude = sample if sample >= 0 else -sample - 1
    # Twice Table 1a's 12 bits of magnitude; its first decision value is a half.
    number = bisect_right(ALAW_DECISIONS, magnitude // 8)
    return (number | (0x80 if sample >= 0 else 0)) ^ 0x55
