"""Work on many parts in several processes: the same results, whatever becomes of those."""

import asyncio
import errno
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from pbx.cdr.spread import Stopped, Workers, here, spread


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})


def squared(number: int, stopped: Stopped) -> tuple[int, int]:
    return os.getpid(), number**2


def squared_here_only(here: int, number: int, stopped: Stopped) -> int:
    """As if the system killed any other process for its memory."""
    if os.getpid() != here and number > 2:
        os._exit(9)
    return number**2


def refused(number: int, stopped: Stopped) -> int:
    raise OSError(number, "refused")


def until_stopped(begun: Path, number: int, stopped: Stopped) -> int:
    begun.with_name(str(number)).touch()
    while not stopped():
        time.sleep(0.01)
    return number


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


@pytest.mark.parametrize("room_for", [0, 1])
def test_no_room_for_processes(room_for: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the system has no memory for another one: one process does it all."""
    forked: list[int] = []
    fork = os.fork

    def limited() -> int:
        if len(forked) == room_for:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        forked.append(fork())
        return forked[-1]

    monkeypatch.setattr(os, "fork", limited)
    found = list(spread(squared, [1, 2, 3]))
    assert found == [(os.getpid(), number**2) for number in (1, 2, 3)]
    for pid in forked:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_failure_is_told() -> None:
    with pytest.raises(OSError, match="refused"):
        list(spread(refused, [1, 2]))


def test_what_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    """At once, and the workers do other work; even where none of it has looked at a result."""
    given_up = threading.Event()
    found: list[int] = []
    with Workers() as workers:
        work = partial(until_stopped, tmp_path / "begun")

        def search() -> None:
            found.extend(workers.spread(work, range(20), given_up.is_set))

        thread = threading.Thread(target=search)
        thread.start()
        while {path.name for path in tmp_path.iterdir()} != {"0", "1"}:
            time.sleep(0.01)
        given_up.set()
        thread.join()
        others = list(workers.spread(squared, [7, 8, 9]))
    assert found == []
    assert [square for _, square in others] == [49, 64, 81]
    assert os.getpid() not in {pid for pid, _ in others}
    # Some may have been on their way.
    assert not (tmp_path / "19").exists()


def test_two_searches_at_once_are_given_up_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    found: list[int] = []
    with Workers() as workers:

        def other() -> None:
            found.extend(workers.spread(partial(until_let_go, tmp_path), range(2)))

        thread = threading.Thread(target=other)
        thread.start()
        one = partial(until_stopped, tmp_path / "begun")
        both = [tmp_path / "0", tmp_path / "1"]
        assert list(workers.spread(one, range(2), lambda: all(map(Path.exists, both)))) == []
        (tmp_path / "go").touch()
        thread.join()
    assert found == [0, 1]


def until_let_go(folder: Path, number: int, stopped: Stopped) -> int:
    while not (folder / "go").exists():
        time.sleep(0.01)
    return -1 if stopped() else number


def test_who_leaves_early_keeps_no_worker(tmp_path: Path) -> None:
    with Workers() as workers:
        results = workers.spread(partial(until_stopped_but_the_first, tmp_path / "x"), range(5))
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]
        assert len(list(workers.spread(squared, range(3)))) == 3


def until_stopped_but_the_first(begun: Path, number: int, stopped: Stopped) -> int:
    return until_stopped(begun, number, stopped) if number else 0


def test_here_it_can_be_given_up_too() -> None:
    done: list[int] = []

    def work(number: int, stopped: Stopped) -> None:
        done.append(number)

    assert len(list(here(work, range(5), lambda: len(done) == 2))) == 2


WAITING = """
import time
from pbx.cdr.spread import Workers
with Workers():
    print("begun", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_workers_end_with_who_made_them(how: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WAITING, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begun\n"
    process.send_signal(how)
    # They hold its end of the pipe.
    assert await process.stdout.read() == b""
    await process.wait()
