"""The DTMF detector with whole sounds and numbers of any size, and the watch on a line with whole lines."""

import math
from collections.abc import Sequence

HERTZ = (697, 770, 852, 941, 1209, 1336, 1477, 1633)
KEYPAD = "123A456B789C*0#D"
CODES = "0123456789*#ABCD"
PIECE = 40

Number = tuple[int, int]


def _piece(sound: Sequence[int], hertz: int) -> Number:
    angles = [2 * math.pi * hertz * n / 8000 for n in range(PIECE)]
    return (
        sum(x * round(1024 * math.cos(angle)) for x, angle in zip(sound, angles, strict=True)),
        -sum(x * round(1024 * math.sin(angle)) for x, angle in zip(sound, angles, strict=True)),
    )


def _turned(number: Number, hertz: int) -> Number:
    angle = 2 * math.pi * hertz * PIECE / 8000
    cosine, sinus = round(2**14 * math.cos(angle)), round(2**14 * math.sin(angle))
    real, imaginary = number
    return (
        math.floor((real * cosine + imaginary * sinus) / 2**14),
        math.floor((imaginary * cosine - real * sinus) / 2**14),
    )


def _window(pieces: Sequence[Number], hertz: int) -> Number:
    first, second, third = pieces
    inner = _turned(third, hertz)
    outer = _turned((inner[0] + second[0], inner[1] + second[1]), hertz)
    return outer[0] + first[0], outer[1] + first[1]


def _shifted(number: Number, places: int) -> Number:
    return number[0] >> places, number[1] >> places


def verdicts(sound: Sequence[int]) -> list[int]:
    """Return what each window of the sound holds, as code + 1; 0 none."""
    blocks = [sound[at : at + PIECE] for at in range(0, len(sound) - PIECE + 1, PIECE)]
    before: list[list[int]] = [[0] * PIECE] * 3
    blocks = [*before, *(list(block) for block in blocks)]
    pieces = [[_piece(block, hertz) for block in blocks] for hertz in HERTZ]
    found = []
    for newest in range(3, len(blocks)):
        windows = [
            _window(pieces[f][newest - 2 : newest + 1], hertz) for f, hertz in enumerate(HERTZ)
        ]
        last = [_window(pieces[f][newest - 3 : newest], hertz) for f, hertz in enumerate(HERTZ)]
        whole = sum(x * x for block in blocks[newest - 2 : newest + 1] for x in block)
        found.append(_verdict(windows, last, whole))
    return found


def _verdict(windows: list[Number], last: list[Number], whole: int) -> int:
    powers = []
    for window in windows:
        real, imaginary = _shifted(window, 8)
        powers.append((real * real + imaginary * imaginary) // 960)
    low = max(range(4), key=powers.__getitem__)
    high = max(range(4, 8), key=powers.__getitem__)
    next_low = max(powers[f] for f in range(4) if f != low)
    next_high = max(powers[f] for f in range(4, 8) if f != high)
    quiet = 60 * (32767 * 10 ** (-31.14 / 20)) ** 2
    if not (
        min(powers[low], powers[high]) >= math.floor(quiet)
        and powers[high] <= 4 * powers[low]
        and powers[low] <= 16 * powers[high]
        and 8 * next_low <= powers[low]
        and 8 * next_high <= powers[high]
    ):
        return 0
    together = 0
    for f in (low, high):
        here, before = _shifted(windows[f], 12), _shifted(last[f], 12)
        moved = (
            here[0] * before[0] + here[1] * before[1],
            here[1] * before[0] - here[0] * before[1],
        )
        real, imaginary = _turned(moved, HERTZ[f])
        if real <= 0:
            return 0
        off = math.floor(abs(imaginary) * 256 / real)
        if off > round(256 * math.tan(0.0215 * 2 * math.pi * HERTZ[f] * PIECE / 8000)):
            return 0
        together += powers[f] + math.floor(9 * powers[f] * off**2 / 2**20)
    if together < 0.75 * whole:
        return 0
    return CODES.index(KEYPAD[4 * low + high - 4]) + 1


def digits(found: Sequence[int]) -> list[tuple[int, int]]:
    """Return the digits that windows make: code, and the number of the window that proves it."""
    heard: list[tuple[int, int]] = []
    present, misses = 0, 0
    for at, code in enumerate(found):
        if present:
            misses = 0 if code == present else misses + 1
            if misses == 5:
                present = 0
        newest = found[max(at - 4, 0) : at + 1]
        if code and code != present and list(newest) == [code] * 5:
            present, misses = code, 0
            heard.append((code - 1, at))
    return heard


TONE, SILENT, OTHER = "tone", "silent", "other"


def share(sound: Sequence[int], hertz: float, rate: int) -> float:
    """Return how much of a sound's energy is at one frequency."""
    angles = [2 * math.pi * hertz * n / rate for n in range(len(sound))]
    real = sum(x * math.cos(angle) for x, angle in zip(sound, angles, strict=True))
    imaginary = sum(x * math.sin(angle) for x, angle in zip(sound, angles, strict=True))
    return 2 * (real**2 + imaginary**2) / len(sound) / sum(x * x for x in sound)


def frame(sound: Sequence[int], hertz: Sequence[float], rate: int) -> str:
    """Return what a frame is; empty where that hangs on a rounding."""
    rms = math.sqrt(sum(x * x for x in sound) / len(sound))
    level = 20 * math.log10(max(rms, 1e-3) / 32768)
    if abs(level + 50.5) < 1.5:
        return ""
    if level < -50:
        return SILENT
    shares = [share(sound, one, rate) for one in hertz]
    if abs(sum(shares) - 0.6) < 0.02 or abs(min(shares) - 0.125) < 0.01:
        return ""
    return TONE if sum(shares) > 0.6 and min(shares) > 0.125 else OTHER


def line_events(frames: Sequence[str]) -> list[tuple[int, str, tuple[int, int]]]:
    """Return what happens on a line: the frame's number, what it is, and of a burst both lengths."""
    happened: list[tuple[int, str, tuple[int, int]]] = []
    runs = _runs(frames)
    gap: list[str] = []
    told = False
    for kind, start, length in runs:
        if kind == TONE and length >= 4:
            if start + length == len(frames):
                break
            noisy = 2 * sum(one != SILENT for one in gap) > len(gap)
            happened.append((start + length, "burst", (length, 0 if noisy else len(gap))))
            gap, told = [], True
            continue
        for at in range(start, start + length):
            gap.append(frames[at])
            # A run of the tone may yet become a burst, which ends the pause
            if kind != TONE and len(gap) >= 100 and told:
                happened.append((at, "over", (0, 0)))
                told = False
    silence = 0
    for at, kind in enumerate(frames):
        if kind == SILENT:
            silence += 1
            if silence == 50:
                happened.append((at, "quiet", (0, 0)))
        else:
            if silence >= 50:
                happened.append((at, "sound", (0, 0)))
            silence = 0
    return sorted(happened)


def _runs(frames: Sequence[str]) -> list[tuple[str, int, int]]:
    runs: list[tuple[str, int, int]] = []
    for at, kind in enumerate(frames):
        if runs and runs[-1][0] == kind:
            runs[-1] = kind, runs[-1][1], runs[-1][2] + 1
        else:
            runs.append((kind, at, 1))
    return runs
