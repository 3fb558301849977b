"""Whether the machine's clock has been set while we ran."""

import pytest

from pbx.ops.clock_watch import DAY_S, SETTLED_S, ClockWatch


class Clocks:
    """A clock that can be set, and one that can't."""

    def __init__(self) -> None:
        self.wall = self.steady = 1000.0
        self.watch = ClockWatch(lambda: self.wall, lambda: self.steady)

    def run(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def set(self, days: float) -> int:
        """Set the clock, and return what is noticed."""
        self.wall += days * DAY_S
        self.watch.look()
        return self.watch.moved_days


@pytest.mark.parametrize("days", [0.04, -0.9, 0.9])
def test_a_clock_that_is_put_right_a_little(days: float) -> None:
    clocks = Clocks()
    assert clocks.set(days) == 0
    clocks.run(40 * DAY_S)
    assert clocks.set(0) == 0


@pytest.mark.parametrize("days", [3, -3])
def test_one_that_is_set_by_days_is_not_trusted_for_a_week(days: float) -> None:
    clocks = Clocks()
    assert clocks.set(days) == 3
    clocks.run(SETTLED_S - 1)
    assert clocks.set(0) == 3
    clocks.run(1)
    assert clocks.set(0) == 0


def test_the_week_begins_anew_when_it_is_put_right() -> None:
    clocks = Clocks()
    clocks.set(3650)
    clocks.run(6 * DAY_S)
    assert clocks.set(-3650) == 3650
    clocks.run(6 * DAY_S)
    assert clocks.set(0) == 3650
