"""Patterns on a fake clock: counts, rhythm, and never too quick for photosensitive people."""

import itertools

import pytest

from hw.patterns import DARK, LEAST_REST_S, PATTERNS, PRESSED, UNPLUG_S, Pattern, number_pattern
from hw.state import State

STEP_S = 0.005
BRIGHT = 0.6

ALL = [*PATTERNS.values(), DARK, PRESSED, *map(number_pattern, (0, 7, 107, 199, 255))]


def flashes(pattern: Pattern, length_s: float) -> list[float]:
    """When it becomes bright, as an eye sees it."""
    times = [count * STEP_S for count in range(int(length_s / STEP_S))]
    bright = [pattern.level(at) > BRIGHT for at in times]
    return [
        at
        for at, (before, now) in zip(times, itertools.pairwise((False, *bright)), strict=True)
        if now and not before
    ]


def lengths(pattern: Pattern) -> list[float]:
    """How long each flash of one period lasts."""
    found: list[float] = []
    before = False
    for count in range(int(pattern.period_s / STEP_S)):
        bright = pattern.level(count * STEP_S) > BRIGHT
        if bright:
            if not before:
                found.append(0.0)
            found[-1] += STEP_S
        before = bright
    return found


@pytest.mark.parametrize("pattern", ALL)
def test_nothing_flashes_more_than_twice_in_any_second(pattern: Pattern) -> None:
    rises = flashes(pattern, 2 * pattern.period_s + 1)
    for first, third in zip(rises, rises[2:], strict=False):
        assert third - first >= 1.0


@pytest.mark.parametrize(
    ("state", "count", "period_s"),
    [
        (State.BOOTING, 1, 2.0),
        (State.READY, 1, 10.0),
        (State.RINGING, 2, 2.0),
        (State.TALKING, 1, 4.0),
        (State.NO_NETWORK, 2, 3.0),
        (State.ATTENTION, 4, 6.0),
        (State.FAILED, 3, 5.0),
        (State.STOPPING, 1, 1.0),
    ],
)
def test_count_and_rhythm(state: State, count: int, period_s: float) -> None:
    pattern = PATTERNS[state]
    assert pattern.period_s == pytest.approx(period_s)
    assert len(lengths(pattern)) == count
    # The next period shows the same again.
    assert pattern.level(0.1) == pytest.approx(pattern.level(0.1 + 3 * period_s))


def test_every_state_has_a_pattern_and_no_two_look_the_same_without_colour() -> None:
    assert set(PATTERNS) == set(State)
    looks = [(pattern.steps, pattern.repeats) for pattern in PATTERNS.values()]
    assert len(set(looks)) == len(looks)


def test_failed_is_long_long_short() -> None:
    long, again, short = lengths(PATTERNS[State.FAILED])
    assert long == pytest.approx(again)
    assert long > 3 * short


def test_ready_is_dim_but_never_dark() -> None:
    pattern = PATTERNS[State.READY]
    levels = [pattern.level(count * STEP_S) for count in range(2000)]
    assert 0 < min(levels) < 0.5
    assert levels.count(min(levels)) > 1900


def test_breathing_has_no_jump() -> None:
    for state in (State.BOOTING, State.TALKING):
        pattern = PATTERNS[state]
        levels = [
            pattern.level(count * STEP_S) for count in range(int(2 * pattern.period_s / STEP_S))
        ]
        assert max(abs(b - a) for a, b in itertools.pairwise(levels)) < 0.02
        assert max(levels) > 0.98
        assert min(levels) < 0.02


def test_lit_for_five_seconds_and_then_dark_for_good_when_it_may_be_unplugged() -> None:
    pattern = PATTERNS[State.UNPLUG]
    assert pattern.level(0.0) == pattern.level(UNPLUG_S - 0.01) == 1.0
    assert pattern.level(UNPLUG_S) == pattern.level(3600.0) == 0.0


@pytest.mark.parametrize("pattern", ALL)
def test_the_lamp_is_woken_at_every_change_and_seldom_otherwise(pattern: Pattern) -> None:
    at_s, wakes = 0.0, 0
    while at_s < pattern.period_s and wakes <= 25 * pattern.period_s + 1:
        rest_s = pattern.rest_s(at_s)
        if rest_s is None:
            assert pattern.level(at_s) == pattern.level(at_s + 100)
            return
        # The last moments are another step's where the edge lies in between two ticks.
        looks = (at_s + (rest_s - LEAST_REST_S) * part / 20 for part in range(20))
        # 0.08: a breath of two seconds, in frames of 50 ms.
        assert all(abs(pattern.level(look) - pattern.level(at_s)) <= 0.08 for look in looks)
        assert rest_s >= LEAST_REST_S
        at_s += rest_s
        wakes += 1
    assert at_s >= pattern.period_s


@pytest.mark.parametrize("number", [0, 1, 10, 107, 200, 255])
def test_a_person_can_read_a_number(number: int) -> None:
    pattern = number_pattern(number)
    rises = flashes(pattern, pattern.period_s)
    groups: list[list[float]] = []
    for before, at in itertools.pairwise((-10.0, *rises)):
        if at - before > 1.5:
            groups.append([])
        groups[-1].append(at)
    long = {at for at, length in zip(rises, lengths(pattern), strict=True) if length > 1}
    digits = [0 if group[0] in long else len(group) for group in groups]
    assert digits == [int(digit) for digit in str(number)]


def test_a_number_is_shown_once() -> None:
    pattern = number_pattern(7)
    assert not pattern.ended(pattern.period_s - 0.1)
    assert pattern.ended(pattern.period_s)
    assert pattern.rest_s(pattern.period_s) is None
