"""What the lamp shows: each pattern as steps of light, and how bright it is at a given time.

Meaning is carried by count and rhythm, so that one lamp of one colour is enough; colour only adds.
Nothing here flashes more than twice in a second (photosensitive people; WCAG 2.2 §2.3.1 allows
three).
"""

from dataclasses import dataclass

from hw.state import State

Colour = tuple[float, float, float]

WHITE: Colour = (1.0, 1.0, 1.0)
GREEN: Colour = (0.0, 1.0, 0.0)
AMBER: Colour = (1.0, 0.5, 0.0)
RED: Colour = (1.0, 0.0, 0.0)
BLUE: Colour = (0.0, 0.0, 1.0)

DIM = 0.35
"""Of full brightness: a lamp that is always on must not light the room."""

FRAME_S = 0.05
"""How often the brightness is set anew while it glides."""

LEAST_REST_S = 0.005
"""An edge may come so late; a rest shorter than clocks resolve would keep the program busy."""

WINK_S = 0.15
BLINK_S = 0.25
SPACING_S = 0.6
"""From the start of a flash to the start of the next of the same group."""

UNPLUG_S = 5.0
"""How long the lamp is lit when the machine may be unplugged, before it goes out."""


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a pattern: the light goes evenly from one level (0 to 1) to another."""

    duration_s: float
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the lamp does over time.

    Args:
        steps: one after the other.
        colour: of a lamp that has colours: red, green, blue, each 0 to 1.
        repeats: begins again after the last step; else its last level stays.
        at_night: shown also while the lamp is to be dark: a person has just asked for it.
    """

    steps: tuple[Step, ...]
    colour: Colour = WHITE
    repeats: bool = True
    at_night: bool = False

    @property
    def period_s(self) -> float:
        """How long it takes once."""
        return sum(step.duration_s for step in self.steps)

    def level(self, at_s: float) -> float:
        """Return how bright it is, 0 to 1, `at_s` seconds after it began."""
        step, into_s = self._place(at_s)
        return step.first + (step.last - step.first) * into_s / step.duration_s

    def rest_s(self, at_s: float) -> float | None:
        """Return how long the level of `at_s` stays right; None: for ever."""
        if self.ended(at_s):
            return None
        if len(self.steps) == 1 and self.repeats and self.steps[0].first == self.steps[0].last:
            return None
        step, into_s = self._place(at_s)
        left_s = max(step.duration_s - into_s, LEAST_REST_S)
        return left_s if step.first == step.last else min(left_s, FRAME_S)

    def ended(self, at_s: float) -> bool:
        """Whether it is over: `at_s` seconds after it began, and it doesn't repeat."""
        return not self.repeats and at_s >= self.period_s

    def _place(self, at_s: float) -> tuple[Step, float]:
        """Return the step that `at_s` lies in, and how far into it."""
        left_s = at_s % self.period_s if self.repeats else at_s
        for step in self.steps:
            if left_s < step.duration_s:
                return step, left_s
            left_s -= step.duration_s
        # Past the end, or within a rounding error of the period.
        return self.steps[-1], self.steps[-1].duration_s


def _still(level: float, duration_s: float) -> Step:
    return Step(duration_s, level, level)


def _flashes(count: int, light_s: float, period_s: float, ground: float = 0.0) -> tuple[Step, ...]:
    """Return `count` flashes and then the ground level for the rest of `period_s`."""
    steps: list[Step] = []
    for _ in range(count):
        steps += (_still(1.0, light_s), _still(ground, SPACING_S - light_s))
    return (*steps, _still(ground, period_s - count * SPACING_S))


def _breath(period_s: float) -> tuple[Step, ...]:
    return (Step(period_s / 2, 0.0, 1.0), Step(period_s / 2, 1.0, 0.0))


PATTERNS: dict[State, Pattern] = {
    State.BOOTING: Pattern(_breath(2.0), WHITE),
    State.READY: Pattern(_flashes(1, WINK_S, 10.0, ground=DIM), GREEN),
    State.RINGING: Pattern(_flashes(2, WINK_S, 2.0), GREEN),
    State.TALKING: Pattern(_breath(4.0), GREEN),
    State.NO_NETWORK: Pattern(_flashes(2, BLINK_S, 3.0), AMBER),
    State.ATTENTION: Pattern(_flashes(4, BLINK_S, 6.0), AMBER),
    State.FAILED: Pattern(
        (
            _still(1.0, 0.8),
            _still(0.0, 0.4),
            _still(1.0, 0.8),
            _still(0.0, 0.4),
            _still(1.0, BLINK_S),
            _still(0.0, 5.0 - 2.4 - BLINK_S),
        ),
        RED,
    ),
    State.STOPPING: Pattern((_still(1.0, 0.5), _still(0.0, 0.5)), BLUE, at_night=True),
    State.UNPLUG: Pattern(
        (_still(1.0, UNPLUG_S), _still(0.0, 1.0)), WHITE, repeats=False, at_night=True
    ),
}
"""A pattern for every state."""

DARK = Pattern((_still(0.0, 1.0),))

PRESSED = Pattern((_still(1.0, 1.0),), WHITE, at_night=True)
"""The button's echo."""


def number_pattern(number: int) -> Pattern:
    """Return a pattern that shows a whole number once, digit by digit.

    A digit is as many flashes; nought is one long one. Between digits it is dark for longer.
    """
    steps = [_still(0.0, 1.0)]
    for digit in map(int, str(number)):
        if digit:
            steps += _flashes(digit, BLINK_S, digit * SPACING_S + 1.4)
        else:
            steps += (_still(1.0, 1.2), _still(0.0, 1.75))
    return Pattern(tuple(steps), WHITE, repeats=False, at_night=True)
