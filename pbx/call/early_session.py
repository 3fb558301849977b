"""What the parties agree on before the call is answered (RFC 3262 §5, RFC 3311 §5).

A party that offers another session then is answered by the other one where that can be asked, and
else in its name: from what it has said before. Whoever hasn't been asked hears of the change by a
re-INVITE as soon as the call is answered.
"""

from pbx.call.leg import Leg


class EarlySession:
    """Remembers in whose name an answer was given, and who is to hear of what later.

    Args:
        caller: the caller's leg, its offer already learned.
    """

    def __init__(self, caller: Leg) -> None:
        self._caller = caller
        self._offered = caller.media.checkpoint()
        self._owed: dict[Leg, None] = {}
        self.changed = False
        """The caller's session is no longer what its INVITE and a phone's answer made it."""
        self.heard, self.fork = b"", ""
        """The phone's description that the caller knows, and which phone that is, as a leg's `fork`."""

    def owe(self, leg: Leg) -> None:
        """Remember that a party has to hear what the other one has now."""
        self._owed[leg] = None

    def owed(self) -> list[Leg]:
        """Return, once, who has to hear of a change."""
        owed, self._owed = list(self._owed), {}
        return owed

    def back(self) -> None:
        """Go back to the caller's INVITE: another phone than the one that it had agreed with counts
        now, in another dialog."""
        if self.changed:
            self._caller.media.restore(self._offered)
            self.changed = False
            self._owed.pop(self._caller, None)
