"""Which calls are recorded, and how."""

import datetime
import re
from collections.abc import Iterator

import msgspec

from pbx.locale import say

USER_CHOICES: tuple[str, ...] = ("off", "all", "outside")
"""Of a local user's option ``record``: no call, each one, those with a party outside."""

LINE_CHOICES: tuple[str, ...] = ("off", "all", "incoming", "outgoing")
"""Of the same of an external line or SIP trunk."""

TONE = "tone"
"""Of `RecordingSettings.announce`: a short tone, every 15 seconds."""

# One key alone would begin a recording wherever a menu wants that key
_CODE = re.compile(r"[0-9*#A-D]{2,8}")

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z+*#]")
_LONGEST_NAME = 40

_MOST = {"keep_days": 36_500, "most_mb": 1_000_000_000, "least_free_mb": 1_000_000_000}
"""A hundred years, and a petabyte: more is a slip of the keyboard."""


class RecordingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[recording]``: how calls are recorded.

    Args:
        stereo: a track for each party: the caller left, the callee right.
        code: the keys by which a local user begins a recording of a call, and ends it; empty for none.
        announce: what both parties hear of it: empty for nothing, `TONE`, or the path of a WAV file, from
            the data folder, that is played once.
        keep_days: how many days old a recording may become; 0: as old as it likes.
        most_mb: megabytes that all recordings may have, the oldest of which go; 0: no limit.
        least_free_mb: megabytes that must be free on the disk for a recording to begin or go on.
    """

    stereo: bool = False
    code: str = "*1"
    announce: str = ""
    keep_days: int = 0
    most_mb: int = 0
    least_free_mb: int = 500

    @property
    def announcement(self) -> str:
        """The path of the WAV file that is played; empty for none."""
        return "" if self.announce == TONE else self.announce


def recording_faults(recording: RecordingSettings) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with the settings, naming it."""
    for name, most in _MOST.items():
        value = getattr(recording, name)
        if not 0 <= value <= most:
            setting = f"recording.{name}"
            yield say("setting-range", setting=setting, value=value, least=0, most=most)
    if recording.code and not _CODE.fullmatch(recording.code):
        yield say("setting-record-code", setting="recording.code", value=recording.code)
    path = recording.announcement
    if path and not (path.lower().endswith(".wav") and path.isprintable()):
        yield say("setting-record-announce", setting="recording.announce", value=path)


def recording_name(
    begun: datetime.datetime, caller: str, called: str, call: str, place: int = 1
) -> str:
    """Return the name of a recording's file: ``YYYYMMDD/HHMMSS_CALLER_CALLED_CALL.wav``.

    Args:
        begun: when it begins.
        caller, called, call: both parties' numbers and the call's own name.
        place: which one of this name it is, from 1.
    """
    # What a phone dials may have any character in it.
    who = "_".join(_NOT_IN_NAMES.sub("-", one)[:_LONGEST_NAME] for one in (caller, called, call))
    suffix = f"_{place}" if place > 1 else ""
    return f"{begun:%Y%m%d}/{begun:%H%M%S}_{who}{suffix}.wav"
