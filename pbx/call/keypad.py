"""What a party dials in a call, each key once: some phones tell of one twice, in two ways."""

from dataclasses import dataclass

SAME_S = 0.5
"""How far apart the two tellings of one key may come."""


@dataclass(frozen=True, slots=True)
class _Key:
    """One telling of a key."""

    digit: str
    by_info: bool
    when: float


class Keypad:
    """Tells new keys from those that were told of in the other way before.

    The ways are INFO, and the sound (telephone-events or tones). A phone sends INFO beside
    telephone-events so that any exchange understands it.
    """

    def __init__(self) -> None:
        self._events = False
        self._alone: list[_Key] = []

    def by_info(self, digit: str, now: float) -> bool:
        """Take a key told of by INFO; False where it isn't new."""
        # Whoever sends events sends them for each key; its INFO may come as late as the key is
        # held down.
        return not self._events and self._new(_Key(digit, True, now))

    def by_sound(self, digit: str, now: float, *, inband: bool) -> bool:
        """Take a key heard in the sound; False where it isn't new.

        Args:
            inband: it was a tone. Speech may sound like one, so INFO still counts.
        """
        self._events = self._events or not inband
        return self._new(_Key(digit, False, now))

    def _new(self, key: _Key) -> bool:
        self._alone = [one for one in self._alone if key.when - one.when <= SAME_S]
        for one in self._alone:
            if one.digit == key.digit and one.by_info != key.by_info:
                self._alone.remove(one)
                return False
        self._alone.append(key)
        return True
