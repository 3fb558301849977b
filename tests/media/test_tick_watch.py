"""How punctual the media engine has been lately."""

import pytest

from pbx.media.tick_watch import LEAST_TICKS, RECENT_S, TickWatch


def told(*lates: int, each_s: float = 6.0) -> tuple[TickWatch, float]:
    """A watch that was told so many late ticks, each time after so long; and the time then."""
    watch, now, late = TickWatch(), 1000.0, 0
    watch.note(now, 0, 0)
    for number, one in enumerate(lates, 1):
        now += each_s
        late += one
        watch.note(now, round(50 * each_s * number), late)
    return watch, now


class TestTickWatch:
    def test_nothing_has_been_told(self) -> None:
        watch = TickWatch()
        assert watch.total == (0, 0)
        assert watch.late_percent(0.0) == 0.0

    def test_the_share_of_those_that_were_late(self) -> None:
        watch, now = told(*[3] * 20)
        assert watch.total == (6000, 60)
        assert watch.late_percent(now) == pytest.approx(1.0)

    def test_of_few_nothing_is_said(self) -> None:
        watch, now = told(5)
        assert watch.total[0] < LEAST_TICKS
        assert watch.late_percent(now) == 0.0

    def test_what_is_long_ago_is_over(self) -> None:
        watch, now = told(1000, *[0] * 200)
        assert watch.late_percent(now) == 0.0

    def test_while_nothing_is_told_it_is_over_too(self) -> None:
        """No voice runs any more, so the engine's ticks stand still."""
        watch, now = told(*[3] * 20)
        ticks, late = watch.total
        for _ in range(round(RECENT_S / 6) + 2):
            now += 6.0
            watch.note(now, ticks, late)
        assert watch.late_percent(now) == 0.0

    def test_another_engine_counts_anew(self) -> None:
        watch, now = told(*[3] * 20)
        watch.forget()
        watch.note(now + 1, 4000, 0)
        assert watch.total == (4000, 0)
        assert watch.late_percent(now + 1) == 0.0

    def test_whoever_asks_often_forgets_nothing(self) -> None:
        watch, now = told(*[3] * 400, each_s=0.5)
        assert watch.late_percent(now) == pytest.approx(12.0, abs=0.5)
