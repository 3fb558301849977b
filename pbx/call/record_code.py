"""Keys that a party presses in a call to have it recorded, or to be heard no more in a conference room."""

GAP_S = 3.0
"""How long after one key of the code the next one may come."""


class CodeWatch:
    """Finds the code among the keys of one call's parties, who all press their own.

    Args:
        code: the keys; empty finds nothing.
    """

    def __init__(self, code: str) -> None:
        self._code = code
        self._pressed: dict[object, tuple[str, float]] = {}

    def completes(self, party: object, digit: str, now: float) -> bool:
        """Take a key; return whether it was the last one of the code.

        Args:
            party: who has pressed it.
            digit: as in `events.Dialled`.
            now: the time.
        """
        if not self._code:
            return False
        before, when = self._pressed.get(party, ("", now))
        if now - when > GAP_S:
            before = ""
        pressed = (before + digit)[-len(self._code) :]
        if pressed == self._code:
            self._pressed.pop(party, None)
            return True
        self._pressed[party] = pressed, now
        return False
