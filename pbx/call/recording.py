"""A recording of a call: a file for each part that the call has between transfers."""

import re
from dataclasses import dataclass, replace

BY_ADMINISTRATOR = ""
BY_OPTION = "option"
"""A user's or a line's."""

BY_CODE = "code"
"""A user has pressed the keys for it."""

RECORDED_PTIME_MS = 20
"""What is asked for of the packets of a recorded call's parties; any length is understood."""

_PART = re.compile(r"(?P<stem>.*?)(?:-part(?P<number>[0-9]+))?\.wav")


@dataclass(frozen=True, slots=True)
class Recording:
    """What is being recorded.

    Args:
        name: the engine's name of it.
        folder: where all recordings are.
        file: within it, as the call's record names it: ``YYYYMMDD/name.wav``.
        stereo: a track for each party.
        by: who wants it: see `BY_OPTION` and its like.
    """

    name: int
    folder: str
    file: str
    stereo: bool
    by: str = BY_ADMINISTRATOR

    @property
    def path(self) -> str:
        """The file's path."""
        return f"{self.folder}/{self.file}"

    def following(self, name: int) -> "Recording":
        """Return the recording of the call that this one's goes on in: ``name-part2.wav``.

        Args:
            name: the engine's.
        """
        match = _PART.fullmatch(self.file)
        stem, number = (match["stem"], match["number"]) if match else (self.file, None)
        file = f"{stem}-part{int(number or 1) + 1}.wav"
        return replace(self, name=name, file=file)
