"""Keeps an engine running: has everything loaded, and forks another one when the engine is killed.

Loading numba and the kernels takes most of a second on a PC and several on a Pi, for which no call
would have sound. The keeper has done it already and shares that memory with the engine; it holds no
socket, so the ports of an engine are free as soon as it is gone.
"""

import ctypes
import logging
import os
import signal
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What asks the engine to end; it comes to the keeper, which passes it on."""

QUICK_S = 2.0
"""An engine that is killed sooner dies of something that the next one would inherit."""

_PR_SET_PDEATHSIG = 1


def keep(run: Callable[[], int]) -> int:
    """Run an engine in a process of its own, and another one each time that a signal has killed it.

    Must be called while this process has one thread only. The engine begins with `SIGNALS`
    blocked.

    Args:
        run: an engine's whole life; returns its exit code.

    Returns:
        The exit code of the last engine: of one that ended by itself or was asked to, that died
        quickly, or whose exchange has gone and will start one of its own.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [*SIGNALS, signal.SIGCHLD])
    exchange = os.getppid()
    while True:
        began = time.monotonic()
        keeper = os.getpid()
        engine = os.fork()
        if engine == 0:
            die_with(keeper)
            return run()
        code, asked = _outlast(engine)
        quick = time.monotonic() - began < QUICK_S
        if code >= 0 or asked or quick or os.getppid() != exchange:
            # As a shell says it.
            return code if code >= 0 else 128 - code
        _log.error("engine %d was killed by signal %d; another one comes", engine, -code)


def die_with(keeper: int) -> None:
    """Have the kernel end this process with its keeper (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != keeper:
        os._exit(1)


def _outlast(engine: int) -> tuple[int, bool]:
    """Wait for the engine's end; returns its exit code, or less a signal, and if it was asked to."""
    asked = False
    while True:
        number = signal.sigwait([*SIGNALS, signal.SIGCHLD])
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(engine, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status), asked
        else:
            asked = True
            os.kill(engine, number)
