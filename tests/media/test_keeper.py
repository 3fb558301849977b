"""The keeper: another engine where one was killed, and none where it should end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.waiting import until
from tests.media.engine_process import REPOSITORY

PROGRAM = """
import os, signal, sys
from pbx.media.engine import keeper

keeper.QUICK_S = float(sys.argv[1])

def engine():
    for number in keeper.SIGNALS:  # who started the tests may have had one of them ignored
        signal.signal(number, lambda *_: sys.exit(3))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, keeper.SIGNALS)
    print(os.getpid(), flush=True)
    if sys.argv[2] == "ends":
        return 5
    while True:
        signal.pause()

sys.exit(keeper.keep(engine))
"""


class Kept:
    """A keeper of engines that only say who they are."""

    def __init__(self, quick_s: float, mode: str, *, before: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*before, sys.executable, "-c", PROGRAM, str(quick_s), mode],
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            start_new_session=True,
        )

    def engine(self) -> int:
        """Return the process id of the next engine, as soon as there is one."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@contextmanager
def kept(quick_s: float = 0.0, mode: str = "stays") -> Iterator[Kept]:
    one = Kept(quick_s, mode)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.wait(10)
        assert one.process.stdout is not None
        one.process.stdout.close()


def is_gone(process: int) -> bool:
    """Return whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_another_one_each_time_that_one_is_killed() -> None:
    with kept() as one:
        engines = []
        for _ in range(3):
            engines.append(one.engine())
            os.kill(engines[-1], signal.SIGKILL)
        assert len({*engines, one.engine(), one.process.pid}) == 5
        assert all(map(is_gone, engines))
        assert one.process.poll() is None


def test_one_that_dies_at_once_is_not_replaced() -> None:
    """What it died of may be in what the next would inherit."""
    with kept(quick_s=60.0) as one:
        os.kill(one.engine(), signal.SIGSEGV)
        assert one.process.wait(10) == 128 + signal.SIGSEGV


def test_one_that_ends_is_not_replaced() -> None:
    with kept(mode="ends") as one:
        assert one.process.wait(10) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_asks_the_keeper_to_end_reaches_the_engine(number: signal.Signals) -> None:
    with kept() as one:
        engine = one.engine()
        one.process.send_signal(number)
        assert one.process.wait(10) != 0
        assert is_gone(engine)


def test_an_engine_does_not_outlive_its_keeper() -> None:
    with kept() as one:
        engine = one.engine()
        one.process.kill()
        one.process.wait(10)
        until("the engine has ended", lambda: is_gone(engine))


def test_none_comes_for_an_exchange_that_has_gone() -> None:
    """The next exchange starts one of its own, which needs the ports."""
    words = [sys.executable, "-c", PROGRAM, "0", "stays"]
    # The shell is the exchange; it goes as soon as its pipe is closed.
    shell = subprocess.Popen(
        ["sh", "-c", '"$@" & echo $!; read word', "sh", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    keeper, engine = int(shell.stdout.readline()), int(shell.stdout.readline())
    try:
        shell.stdin.close()
        shell.wait(10)
        os.kill(engine, signal.SIGKILL)
        until("the keeper has ended", lambda: is_gone(keeper))
        assert shell.stdout.readline() == ""
    finally:
        shell.stdout.close()
        if not is_gone(keeper):
            os.kill(keeper, signal.SIGKILL)
