"""Header extensions of RTP: which number stands for which of them (`a=extmap`, RFC 8285 §5)."""

import re
from dataclasses import dataclass

from pbx.sdp.description import Direction, Line, Media, SessionDescription

_EXTMAP = re.compile(
    r"([0-9]{1,5})(?:/(sendrecv|sendonly|recvonly|inactive))?[ \t]+(\S+)(?:[ \t]+(.*))?"
)

_NUMBERS = range(1, 15)
"""§4.2: what fits into an element's header of one octet. Numbers above stand for nothing here."""


@dataclass(frozen=True, slots=True)
class Extension:
    """An ``a=extmap`` attribute.

    Args:
        number: the local identifier, 1 to 14.
        uri: which extension it stands for.
        direction: what the party that says so does with it.
        attributes: the extension's own, as ``vad=on``.
    """

    number: int
    uri: str
    direction: Direction = Direction.SENDRECV
    attributes: tuple[str, ...] = ()

    @property
    def line(self) -> Line:
        """The attribute."""
        sends_and_receives = self.direction is Direction.SENDRECV
        direction = "" if sends_and_receives else f"/{self.direction.value}"
        words = (f"extmap:{self.number}{direction}", self.uri, *self.attributes)
        return Line("a", " ".join(words))


def extensions(description: SessionDescription, media: Media) -> dict[str, Extension]:
    """Return the extensions of a media by their URIs; the session's are those of all its media.

    What can't be read is left out, and so is a number that is said to be two things (§5: it must not
    be used more than once). Of several numbers for one URI the media's own first one counts.
    """
    meanings: dict[int, set[Extension]] = {}
    for value in (*media.attributes("extmap"), *description.attributes("extmap")):
        one = _read(value)
        if one is not None:
            meanings.setdefault(one.number, set()).add(one)
    found: dict[str, Extension] = {}
    for meant in meanings.values():
        if len(meant) == 1:
            (one,) = meant
            found.setdefault(one.uri, one)
    return found


def _read(value: str) -> Extension | None:
    parts = _EXTMAP.fullmatch(value)
    if parts is None or int(parts[1]) not in _NUMBERS:
        return None
    direction = Direction(parts[2]) if parts[2] else Direction.SENDRECV
    return Extension(int(parts[1]), parts[3], direction, tuple((parts[4] or "").split()))
