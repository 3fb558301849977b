"""Datagrams between application server and exchange: ``METHOD: name=value,name=value``.

The methods are miniSIPServer's. Of their parameters only ``caller1`` is known by name: the others are
our own definition. We read what is meant, and write one form only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from pbx.callback.errors import Unreadable

MOST_OCTETS = 2048
"""In a datagram; a longer one is none of ours."""

METHODS = ("REQUEST", "ACK", "RESPONSE", "CANCEL")

ALIASES = {
    "called1": ("callee1", "user1", "cld1"),
    "called2": ("callee2", "user2", "cld2"),
    "caller1": ("clr1",),
    "caller2": ("clr2",),
    "maxduration": ("duration", "maxtime"),
}
"""Other names that are read in a REQUEST."""

_NAMES = {other: name for name, others in ALIASES.items() for other in others}

_MESSAGE = re.compile(r"\s*([A-Za-z]{3,16})\s*(?::|\s)\s*(.*)", re.DOTALL)
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_SEPARATORS = re.compile(r"[,;&\s]+")
_VALUE = re.compile(r"[\x21-\x7e]*")


class Result(IntEnum):
    """Of ``ACK`` and ``RESPONSE``; a number never changes its meaning."""

    DONE = 0
    NOT_UNDERSTOOD = 1
    TOO_MANY = 2
    OTHER_REQUEST = 3
    NO_WAY = 4
    UNKNOWN = 5
    FIRST_FAILED = 11
    SECOND_FAILED = 12
    CANCELLED = 13


@dataclass(frozen=True, slots=True)
class Message:
    """A datagram.

    Args:
        method: of `METHODS`.
        params: by their own names, in lower case.
    """

    method: str
    params: Mapping[str, str]

    def encode(self) -> bytes:
        """Return the datagram."""
        params = ",".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.method}: {params}".encode("ascii")


def parse_message(data: bytes) -> Message:
    """Return what a datagram says.

    Method and names in either case, other names of `ALIASES`, blanks around the equals sign, quotes
    around values, and comma, semicolon, ampersand, blanks or line ends between parameters: all read.
    Of parameters of one name the first one counts; what has no equals sign is passed over.

    Raises:
        Unreadable: it is no such message.
    """
    if len(data) > MOST_OCTETS:
        raise Unreadable("too long")
    try:
        found = _MESSAGE.fullmatch(data.decode("ascii").rstrip("\x00"))
    except UnicodeDecodeError:
        raise Unreadable("not a text") from None
    method = found[1].upper() if found else ""
    if found is None or method not in METHODS:
        raise Unreadable("no known method")
    known, params = _NAMES if method == "REQUEST" else {}, dict[str, str]()
    for part in _SEPARATORS.split(_EQUALS.sub("=", found[2])):
        name, equals, value = part.partition("=")
        value = value.strip("\"'")
        if equals and name and _VALUE.fullmatch(value):
            name = name.lower()
            params.setdefault(known.get(name, name), value)
    return Message(method, params)
