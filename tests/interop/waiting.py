"""Waiting for what another process does: by looking often until a deadline, never by sleeping."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_LOOK_EVERY_S = 0.02


def until(
    what: str,
    look: Callable[[], Found | None],
    within_s: float = 30.0,
    *,
    why_not: Callable[[], str] | None = None,
) -> Found:
    """Return the first true value that `look` returns.

    Args:
        what: what is waited for, as the failure's sentence says it.
        look: asked again and again; a false value means not yet.
        within_s: how long the other process may take.
        why_not: called on failure: what the other process said.
    """
    end = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            more = f"\n{why_not()}" if why_not else ""
            raise AssertionError(f"not within {within_s:g} s: {what}{more}")
        time.sleep(_LOOK_EVERY_S)


def until_still(what: str, value: Callable[[], float]) -> None:
    """Wait until half a second has changed nothing."""
    seen = [(time.monotonic(), value())]

    def still() -> bool:
        now = time.monotonic(), value()
        if now[1] != seen[-1][1]:
            seen.append(now)
        return now[0] - seen[-1][0] > 0.5

    until(f"{what} no longer change", still, 10)


def throughout(
    what: str, holds: Callable[[], bool], for_s: float, *, every_s: float = _LOOK_EVERY_S
) -> None:
    """Fail as soon as `holds`, looked at so often, is false within `for_s` seconds."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        assert holds(), what
        time.sleep(every_s)
