"""Waiting for what a program does: by looking often until a deadline, never by sleeping."""

import asyncio
from collections.abc import Callable

LOOK_EVERY_S = 0.01


async def until(what: str, holds: Callable[[], bool], within_s: float = 30.0) -> None:
    """Return as soon as `holds` says yes; the test fails where it doesn't `within_s` seconds."""
    try:
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"in vain: {what}") from None
