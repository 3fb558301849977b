"""Whether the machine's clock has been set while we ran."""

import pytest

from pbx.ops.clock_watch import DAY_S, SETTLED_S, STARTING_S, ClockWatch


class Clocks:
    """A clock that can be set, and one that can't; of a machine that has run for a while."""

    def __init__(self, since_boot_s: float = 40 * DAY_S) -> None:
        self.wall = self.steady = since_boot_s
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


class TestAfterTheMachinesStart:
    """A machine without a battery: its clock goes on from where it stood (30 s: the exchange's start)."""

    @pytest.mark.parametrize("days", [2.6, 9, 14])
    def test_being_off_is_made_up_for(self, days: float) -> None:
        clocks = Clocks(30)
        clocks.run(600)
        assert clocks.set(days) == 0
        clocks.run(40 * DAY_S)
        assert clocks.set(0) == 0

    @pytest.mark.parametrize("days", [14.1, 4000, -3])
    def test_any_other_date_is_not_trusted(self, days: float) -> None:
        clocks = Clocks(30)
        assert clocks.set(days) == round(abs(days))
        clocks.run(SETTLED_S - 1)
        assert clocks.set(0) == round(abs(days))

    def test_only_once(self) -> None:
        clocks = Clocks(30)
        assert clocks.set(3) == 0
        assert clocks.set(3) == 3

    def test_one_that_was_wrong_first_is_put_right(self) -> None:
        """A time server in the year 2038, and then another one."""
        clocks = Clocks(30)
        assert clocks.set(4000) == 4000
        assert clocks.set(-4000) == 4000
        # What has been set forth once already isn't the time that the machine was off
        assert clocks.set(3) == 3

    def test_only_soon(self) -> None:
        clocks = Clocks(30)
        clocks.run(STARTING_S)
        assert clocks.set(3) == 3

    def test_every_monday(self) -> None:
        """Off from Friday evening to Monday morning, week after week: the date is always trusted."""
        for _ in range(3):
            clocks = Clocks(30)
            clocks.run(90)
            assert clocks.set(2.5) == 0
            clocks.run(4.5 * DAY_S)
            assert clocks.set(0) == 0
