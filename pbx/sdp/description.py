"""Session descriptions (RFC 8866): parsed without loss, changed as values, written again.

A description is a tuple of session lines and a tuple of media; a line that we don't know stays
where it stood. Only `PeerError` comes out of `parse_sdp`, and what it has let through never fails
later: every accessor returns a value or None.
"""

import enum
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from pbx.errors import PeerError

MAX_MEDIA = 16
"""Media of one description; each one costs a pair of ports, so a peer may not ask for hundreds."""

MAX_PORT = 65535

_LINE = re.compile(r"[A-Za-z]=[^\0\r]*")
_NUMBER = re.compile(r"[0-9]{1,9}")
_HOST_NAME = re.compile(r"[A-Za-z0-9_.:%-]{1,255}")


class Line(NamedTuple):
    """One line: ``a=sendonly`` has the type ``a`` and the value ``sendonly``."""

    type: str
    value: str


class Direction(enum.Enum):
    """Which way media flows, seen by the party whose description it stands in (RFC 8866 §6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @staticmethod
    def of(*, sends: bool, receives: bool) -> "Direction":
        """Return the direction of a party that `sends` and `receives`."""
        if sends:
            return Direction.SENDRECV if receives else Direction.SENDONLY
        return Direction.RECVONLY if receives else Direction.INACTIVE

    @property
    def sends(self) -> bool:
        """True where the party sends."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """True where the party wants to receive."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> "Direction":
        """The same flow, seen by the other party."""
        return Direction.of(sends=self.receives, receives=self.sends)


_DIRECTIONS = frozenset(direction.value for direction in Direction)


@dataclass(frozen=True, slots=True)
class Connection:
    """A ``c=`` line (RFC 8866 §5.7), without a multicast TTL or count.

    Args:
        family: ``IP4`` or ``IP6``.
        address: as written: numeric, or a host name.
    """

    family: str
    address: str

    @staticmethod
    def to(address: str) -> "Connection":
        """Return the connection of a numeric address."""
        return Connection("IP6" if ":" in address else "IP4", address)

    @property
    def numeric(self) -> str | None:
        """The address in canonical numeric form; None for a host name."""
        return _numeric(self.address)

    @property
    def null(self) -> bool:
        """True for 0.0.0.0 and ::, how RFC 2543 §B.5 puts a party on hold."""
        return self.numeric in ("0.0.0.0", "::")

    def __str__(self) -> str:
        return f"IN {self.family} {self.address}"


@dataclass(frozen=True, slots=True)
class Origin:
    """An ``o=`` line (RFC 8866 §5.2)."""

    username: str
    session_id: str
    version: str
    connection: Connection

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {self.connection}"


@dataclass(frozen=True, slots=True)
class Rtcp:
    """An ``a=rtcp:`` attribute (RFC 3605); `connection` is None where it names no address."""

    port: int
    connection: Connection | None


@dataclass(frozen=True, slots=True)
class RtpMap:
    """An ``a=rtpmap:`` attribute (RFC 8866 §6.6); `parameters` is ``2`` for two audio sources."""

    format: str
    encoding: str
    clock_hz: int
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """An ``m=`` line and the lines below it (RFC 8866 §5.14).

    Args:
        kind: ``audio``, ``video``, ``image`` ...
        port: 0 where the media is refused or ended (RFC 3264 §6, §8.2).
        port_count: how many consecutive ports; 1 where the line names none.
        protocol: ``RTP/AVP``, ``UDP/TLS/RTP/SAVPF``, ``udptl`` ...
        formats: RTP payload types for the RTP protocols.
        lines: without the ``m=`` line itself.
    """

    kind: str
    port: int
    port_count: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[Line, ...] = ()

    def attribute(self, name: str) -> str | None:
        """Return the first ``a=name:value``; "" for one without a value, None for none."""
        return next(iter(self.attributes(name)), None)

    def attributes(self, name: str) -> list[str]:
        """Return the values of every attribute `name`, in order."""
        return _attributes(self.lines, name)

    @property
    def connection(self) -> Connection | None:
        """Its own ``c=`` line, if there is one."""
        return _first_connection(self.lines)

    @property
    def direction(self) -> Direction | None:
        """Its own direction attribute, if there is one."""
        return _first_direction(self.lines)

    @property
    def rtcp(self) -> Rtcp | None:
        """Where RTCP is wanted (RFC 3605); None also for an attribute that can't be read."""
        try:
            return _parse_rtcp(self.attribute("rtcp") or "")
        except PeerError:
            return None

    @property
    def rtcp_mux(self) -> bool:
        """True where RTCP may share the RTP port (RFC 5761 §5.1.1)."""
        return self.attribute("rtcp-mux") is not None

    @property
    def voip_metrics(self) -> bool:
        """True where reports with VoIP metrics are wanted (RFC 3611 §5.1)."""
        return any("voip-metrics" in value.split() for value in self.attributes("rtcp-xr"))

    @property
    def ptime_ms(self) -> int | None:
        """Milliseconds of media in a packet, as they are wanted (RFC 8866 §6.4)."""
        return self._number("ptime")

    @property
    def max_ptime_ms(self) -> int | None:
        """Milliseconds of media in a packet at the most (RFC 8866 §6.5)."""
        return self._number("maxptime")

    def _number(self, name: str) -> int | None:
        value = self.attribute(name) or ""
        return int(value) if _NUMBER.fullmatch(value) else None

    @property
    def rtpmaps(self) -> list[RtpMap]:
        """Every ``a=rtpmap:`` that can be read, in order."""
        maps = (_parse_rtpmap(value) for value in self.attributes("rtpmap"))
        return [rtpmap for rtpmap in maps if rtpmap is not None]

    def without(self, unwanted: Callable[[Line], bool]) -> "Media":
        """Return the media without the lines that are `unwanted`."""
        return replace(self, lines=tuple(line for line in self.lines if not unwanted(line)))

    def with_direction(self, direction: Direction) -> "Media":
        """Return the media with this as its only direction attribute."""
        kept = self.without(_is_direction)
        return replace(kept, lines=(*kept.lines, Line("a", direction.value)))

    def __str__(self) -> str:
        port = str(self.port) if self.port_count == 1 else f"{self.port}/{self.port_count}"
        return " ".join(("m=" + self.kind, port, self.protocol, *self.formats))


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description.

    Args:
        lines: the session's lines, from ``v=`` to the first ``m=``.
        media: in the order of the offer; its index names a media in both directions.
    """

    lines: tuple[Line, ...]
    media: tuple[Media, ...]

    @property
    def origin(self) -> Origin:
        """The ``o=`` line."""
        return _parse_origin(next(line.value for line in self.lines if line.type == "o"))

    @property
    def session_connection(self) -> Connection | None:
        """The session's own ``c=`` line, if there is one."""
        return _first_connection(self.lines)

    def attributes(self, name: str) -> list[str]:
        """Return the values of every session attribute `name`, in order."""
        return _attributes(self.lines, name)

    def connection(self, media: Media) -> Connection | None:
        """Return where `media` is wanted: its own ``c=``, else the session's (RFC 8866 §5.7)."""
        return media.connection or self.session_connection

    def direction(self, media: Media) -> Direction:
        """Return the direction of `media`; the session's is the default of all its media."""
        # RFC 8866 §6.7: 'If none of the attributes "sendonly", "recvonly", "inactive", and
        # "sendrecv" is present, "sendrecv" SHOULD be assumed as the default'.
        return media.direction or _first_direction(self.lines) or Direction.SENDRECV

    def encode(self) -> bytes:
        """Return the description as it goes into a message body."""
        rows = [f"{line.type}={line.value}" for line in self.lines]
        for media in self.media:
            rows.append(str(media))
            rows += [f"{line.type}={line.value}" for line in media.lines]
        return "".join(row + "\r\n" for row in rows).encode("utf-8", "surrogateescape")


_REMEMBERED = 8192
"""Octets of a description that is remembered; longer ones would fill the memory."""


def parse_sdp(data: bytes) -> SessionDescription:
    """Return the description in a message body.

    ``s=`` and ``t=`` may be missing, lines may end in LF alone, and blank lines are skipped: phones
    do all of this, and none of it leaves the meaning open. The last ones are remembered: in the
    set-up of a call each description is asked for several times.

    Raises:
        PeerError: 400 where RFC 8866 §9 is broken, 488 for what can be read but not served
            (another network than the Internet, too many media).
    """
    return _read_short(data) if len(data) <= _REMEMBERED else _read(data)


@lru_cache(maxsize=64)
def _read_short(data: bytes) -> SessionDescription:
    return _read(data)


def _read(data: bytes) -> SessionDescription:
    lines = [_parse_line(row) for row in _rows(data)]
    # RFC 8866 §5.1: the version line comes first, and 'this memo defines version 0'.
    if not lines or lines[0] != Line("v", "0"):
        raise PeerError(400, "Session description does not begin with v=0")
    starts = [index for index, line in enumerate(lines) if line.type == "m"]
    if len(starts) > MAX_MEDIA:
        raise PeerError(488, "Too many media in session description")
    bounds = [*starts, len(lines)]
    session = tuple(lines[: bounds[0]])
    origins = [line.value for line in session if line.type == "o"]
    if len(origins) != 1:
        raise PeerError(400, "Session description needs one o= line")
    _parse_origin(origins[0])
    media = tuple(
        _parse_media(lines[start].value, tuple(lines[start + 1 : end]))
        for start, end in zip(starts, bounds[1:], strict=True)
    )
    for line in lines:
        if line.type == "c":
            parse_connection(line.value)
    description = SessionDescription(session, media)
    # RFC 8866 §5.7: 'A session description MUST contain either at least one "c=" line in each
    # media description or a single "c=" line at the session level.' A refused media needs none.
    if any(one.port and description.connection(one) is None for one in media):
        raise PeerError(400, "Session description has no c= line")
    return description


def parse_connection(text: str) -> Connection:
    """Return the connection in the value of a ``c=`` line (RFC 8866 §5.7).

    Raises:
        PeerError: 400 for bad syntax, 488 for another network or address type.
    """
    words = text.split()
    if len(words) != 3:
        raise PeerError(400, "Bad connection in session description")
    network, family, written = words
    address = written.partition("/")[0]
    if network != "IN" or family not in ("IP4", "IP6"):
        raise PeerError(488, "Unknown address type in session description")
    if not _HOST_NAME.fullmatch(address):
        raise PeerError(400, "Bad address in session description")
    return Connection(family, address)


@lru_cache(maxsize=1024)
def _numeric(address: str) -> str | None:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def _rows(data: bytes) -> Iterable[str]:
    for row in data.decode("utf-8", "surrogateescape").split("\n"):
        text = row.removesuffix("\r")
        if text:
            yield text


def _parse_line(row: str) -> Line:
    # RFC 8866 §9: byte-string = 1*(%x01-09/%x0B-0C/%x0E-FF), any byte except NUL, CR, or LF.
    if not _LINE.fullmatch(row):
        raise PeerError(400, "Bad line in session description")
    return Line(row[0], row[2:])


def _parse_origin(text: str) -> Origin:
    # From the right: some gateways put the user's name, spaces included, in the first field.
    words = text.rsplit(None, 5)
    if len(words) != 6:
        raise PeerError(400, "Bad origin in session description")
    username, session_id, version = words[:3]
    return Origin(username, session_id, version, parse_connection(" ".join(words[3:])))


def _parse_media(text: str, lines: tuple[Line, ...]) -> Media:
    words = text.split()
    if len(words) < 3:
        raise PeerError(400, "Bad media in session description")
    kind, ports, protocol, *formats = words
    port, _, count = ports.partition("/")
    return Media(kind, _port(port), _port(count or "1"), protocol, tuple(formats), lines)


def _port(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > MAX_PORT:
        raise PeerError(400, "Bad port in session description")
    return int(text)


def _parse_rtcp(text: str) -> Rtcp | None:
    port, _, connection = text.strip().partition(" ")
    if not _port(port):
        return None
    return Rtcp(_port(port), parse_connection(connection) if connection else None)


def _parse_rtpmap(text: str) -> RtpMap | None:
    number, _, rest = text.partition(" ")
    encoding, _, clock = rest.strip().partition("/")
    clock_hz, _, parameters = clock.partition("/")
    if not number or not encoding or not _NUMBER.fullmatch(clock_hz):
        return None
    return RtpMap(number, encoding, int(clock_hz), parameters)


def _attributes(lines: Iterable[Line], name: str) -> list[str]:
    found = (line.value.partition(":") for line in lines if line.type == "a")
    return [value for attribute, _, value in found if attribute == name]


def _first_connection(lines: Iterable[Line]) -> Connection | None:
    return next((parse_connection(line.value) for line in lines if line.type == "c"), None)


def _is_direction(line: Line) -> bool:
    return line.type == "a" and line.value in _DIRECTIONS


def _first_direction(lines: Iterable[Line]) -> Direction | None:
    return next((Direction(line.value) for line in lines if _is_direction(line)), None)
