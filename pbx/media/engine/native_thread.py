"""What a thread does before it enters a kernel and stays there."""

import contextlib
import signal
from pathlib import Path


def settle(name: str) -> None:
    """Make the calling thread one that a kernel will have for good.

    Args:
        name: by which `top -H` and /proc show it; 15 octets.
    """
    # A signal in there would interrupt the kernel's waiting and be seen by nobody: Python's handlers
    # run in the main thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    with contextlib.suppress(OSError):
        Path("/proc/thread-self/comm").write_text(name, "ascii")
