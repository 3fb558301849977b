"""Milliwatt: a tone of known level, to measure the way by."""

from pbx.call.cause import CallTag, by_server
from pbx.call.services.service import Service

TONE = "1004"
"""Hz. Not 1000, an eighth of 8000 Hz: its samples would be the same eight for ever (ITU-T O.6)."""

LEVEL_DBM0 = 0.0


class Milliwatt(Service):
    """Plays the digital milliwatt."""

    def begin(self, now: float) -> None:
        """Play it without end."""
        self.sound.play(tone=TONE, level_db=LEVEL_DBM0, times=0)

    def played(self, player: int, failure: str, now: float) -> None:
        """It has no end of its own: the engine can't play it."""
        self.over = by_server(CallTag.LIMIT)
