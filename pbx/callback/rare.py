"""A warning that a flood can't make a flood of lines of."""

import logging

SILENCE_S = 60.0
"""For so long after a line the same is only counted."""


class Rare:
    """Warns at most once in `SILENCE_S`, with how often it was left out.

    Args:
        text: of the warning, with places for who is to blame, and for how often.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._last: float | None = None
        self._since = 0

    def tell(self, log: logging.Logger, who: str, now: float) -> None:
        """Warn of something that has happened at `now`."""
        self._since += 1
        if self._last is not None and now - self._last < SILENCE_S:
            return
        log.warning(self._text, who, self._since)
        self._last, self._since = now, 0
