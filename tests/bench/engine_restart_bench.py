"""How long calls are without a media engine after `kill -9` of it: until another one is ready."""

import os
import signal
import statistics
import sys
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.app.daemon import Daemon
from tests.interop.ports import Ports
from tests.interop.waiting import until

ROUNDS = 7
PAUSE_S = 2.5
"""An engine that dies sooner after its start counts as one that can't start."""


def wait_for_another(daemon: Daemon, first: int) -> None:
    """Wait until another engine than `first` is ready."""
    until("another engine", lambda: daemon.status().engine_pid not in (0, first))


def main() -> None:
    """Kill the engine of a running exchange again and again, and print the times."""
    times_ms = []
    with closing(Daemon(Ports())) as daemon:
        daemon.start()
        for _ in range(ROUNDS):
            time.sleep(PAUSE_S)
            first = daemon.status().engine_pid
            os.kill(first, signal.SIGKILL)
            began = time.monotonic()
            wait_for_another(daemon, first)
            times_ms.append(1000 * (time.monotonic() - began))
    shown = " ".join(f"{one:.0f}" for one in times_ms)
    print(f"media engine killed to the next one ready: median {statistics.median(times_ms):.0f} ms")
    print(f"all rounds, ms: {shown}; acceptance: 1000")


if __name__ == "__main__":
    main()
