"""Work on a disk, which may hang: beside the event loop, and nothing to wait for at the end."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def aside(job: Callable[[], Result]) -> asyncio.Future[Result]:
    """Do something in a thread of its own.

    Unlike one of `asyncio.to_thread`, it keeps no process from ending.

    Args:
        job: what is done; cancelling what is returned doesn't end it.

    Returns:
        What it returns, or raises.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(job())
        except Exception as error:  # it is raised where the future is awaited
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    awaited = asyncio.wrap_future(future)
    threading.Thread(target=run, name="aside", daemon=True).start()
    return awaited
