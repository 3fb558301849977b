"""Shortening and lengthening once more, on lists of Python's integers."""


def difference(sound: list[int], period: int, count: int) -> int:
    return sum(abs(sound[n] - sound[n + period]) for n in range(count))


def magnitude(sound: list[int], begin: int, count: int) -> int:
    return sum(abs(value) for value in sound[begin : begin + count])


def most_alike(sound: list[int], count: int, periods: list[int]) -> int:
    """The first of the periods with the least difference in proportion to the sound."""
    best = periods[0]

    def measure(period: int) -> tuple[int, int]:
        whole = magnitude(sound, 0, count) + magnitude(sound, period, count)
        return difference(sound, period, count), whole

    for period in periods[1:]:
        (mine, my_whole), (its, its_whole) = measure(period), measure(best)
        if mine * its_whole < its * my_whole:
            best = period
    return best


def find_period(sound: list[int], shortest: int, longest: int, refusals: int) -> int:
    half = len(sound) // 2
    longest = min(longest, half)
    count = min(half, max(longest, 3 * shortest))
    if shortest < 1 or longest < shortest:
        return 0
    step = max(shortest // 20, 1)
    best = most_alike(sound, count, list(range(shortest, longest + 1, step)))
    if step > 1:
        near = range(max(best - step, shortest), min(best + step, longest) + 1)
        best = most_alike(sound, count, list(near))
    least = difference(sound, best, count)
    whole = magnitude(sound, 0, count) + magnitude(sound, best, count)
    limit = 4 if refusals < 10 else 2
    if least * limit <= whole or refusals >= 30 or whole <= 2 * count * 64:
        return best
    return 0


def fade(old: list[int], new: list[int]) -> list[int]:
    step = 32768 // len(old)
    return [
        (a * (32768 - n * step) + b * n * step + 16384) >> 15
        for n, (a, b) in enumerate(zip(old, new, strict=True))
    ]


def shortened(sound: list[int], shortest: int, longest: int, refusals: int) -> list[int]:
    period = find_period(sound, shortest, longest, refusals)
    if period == 0:
        return sound
    return fade(sound[:period], sound[period : 2 * period]) + sound[2 * period :]


def lengthened(
    sound: list[int], room: int, shortest: int, longest: int, refusals: int
) -> list[int]:
    period = find_period(sound, shortest, longest, refusals)
    if period == 0 or len(sound) + period > room:
        return sound
    return sound[:period] + fade(sound[period : 2 * period], sound[:period]) + sound[period:]
