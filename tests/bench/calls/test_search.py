"""The search for the highest rate."""

import pytest

from tests.bench.calls.__main__ import FIRST_RATE, MOST, highest


@pytest.mark.parametrize("limit", [FIRST_RATE, 37, 108, 316, 1000])
def test_comes_near_from_below(limit: float) -> None:
    found = highest(lambda rate: rate <= limit)
    assert 0.93 * limit <= found <= limit


def test_nothing_is_kept_up_with() -> None:
    assert highest(lambda rate: False) == 0


def test_has_an_end() -> None:
    asked: list[float] = []
    assert highest(lambda rate: not asked.append(rate)) <= MOST * 1.5  # type: ignore[func-returns-value]
    assert max(asked) <= MOST * 1.5
