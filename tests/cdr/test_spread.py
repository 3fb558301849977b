"""Work on many parts in several processes: the same results, whatever becomes of those."""

import os
from functools import partial

import pytest

from pbx.cdr.spread import spread


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


def squared(number: int) -> tuple[int, int]:
    return os.getpid(), number**2


def squared_here_only(here: int, number: int) -> int:
    """As if the system killed any other process for its memory."""
    if os.getpid() != here and number > 2:
        os._exit(9)
    return number**2


def refused(number: int) -> int:
    raise OSError(number, "refused")


def test_in_order_and_elsewhere() -> None:
    found = list(spread(squared, range(20)))
    assert [square for _, square in found] == [number**2 for number in range(20)]
    assert os.getpid() not in {pid for pid, _ in found}


@pytest.mark.parametrize("parts", [[], [3]])
def test_little_is_done_here(parts: list[int]) -> None:
    assert list(spread(squared, parts)) == [(os.getpid(), 9) for _ in parts]


def test_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert {pid for pid, _ in spread(squared, [1, 2, 3])} == {os.getpid()}


def test_processes_that_are_killed_cost_nothing() -> None:
    work = partial(squared_here_only, os.getpid())
    assert list(spread(work, range(9))) == [number**2 for number in range(9)]


def test_a_failure_is_told() -> None:
    with pytest.raises(OSError, match="refused"):
        list(spread(refused, [1, 2]))
