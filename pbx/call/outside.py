"""The telephone network, as call control sees it: lines that calls go out by and come in by."""

from dataclasses import dataclass
from typing import Protocol

from pbx.call.leg import Target
from pbx.call.manner import Manner
from pbx.call.party import Party
from pbx.routing.origin import Way
from pbx.sip.flow import Flow
from pbx.sip.message import Request


@dataclass(frozen=True, slots=True)
class Guest:
    """Who calls by a line.

    Args:
        party: the caller; `Party.line` is the line.
        dialed: the number that was called, as the line says it; empty where it says none.
        manner: how the call behaves.
        most_incoming, most: how many calls the line may have at once; -1 for no limit.
    """

    party: Party
    dialed: str
    manner: Manner
    most_incoming: int = -1
    most: int = -1


@dataclass(frozen=True, slots=True)
class Room:
    """How many calls may go out by a line at once, and be there in all; -1 for no limit."""

    most_outgoing: int = -1
    most: int = -1


class Outside(Protocol):
    """What the external lines and SIP trunks can do for a call."""

    def target(self, way: Way, number: str, *, hidden: bool, now: float) -> Target | None:
        """Return what an INVITE by a line goes to; None where no address of its server is known.

        Args:
            way: the line, and the numbers as it is told them.
            number: the called number as the caller knows it.
            hidden: the caller isn't to be shown.
            now: the time.
        """

    def trouble(self, line: str) -> str:
        """Return in English words why a line can't be used; empty where it can."""

    def room(self, line: str) -> Room:
        """Return how many calls a line has room for."""

    def guest(self, request: Request, flow: Flow, now: float) -> Guest | None:
        """Return who calls by a line; None where the request is of no line's."""

    def speaks_for(self, line: str, flow: Flow) -> bool:
        """Whether what comes by a path is to be taken for a line's."""

    def line_at(self, host: str, source: str) -> str:
        """Return the line whose server, or peer, is at a host; empty for none.

        Empty, too, for who is there himself, or is the server or a peer of a line there: a trunk's
        own address may have phones at it. Who is only in a network of its peers is nobody in
        particular.

        Args:
            host: an address or a name, without brackets.
            source: the numeric address of who wants something sent there.
        """

    def manner(self, line: str) -> Manner | None:
        """Return how a call on a line goes on after a restart; None where the line is gone."""

    def unanswered(self, line: str, now: float) -> None:
        """Take note that an INVITE by a line has had no answer at all."""


class NoLines:
    """An exchange without lines."""

    def target(self, way: Way, number: str, *, hidden: bool, now: float) -> Target | None:
        """None."""
        return None

    def trouble(self, line: str) -> str:
        """That there is none."""
        return "there is no such line"

    def room(self, line: str) -> Room:
        """For nothing."""
        return Room(0, 0)

    def guest(self, request: Request, flow: Flow, now: float) -> Guest | None:
        """Nobody."""
        return None

    def speaks_for(self, line: str, flow: Flow) -> bool:
        """Nothing does."""
        return False

    def line_at(self, host: str, source: str) -> str:
        """None."""
        return ""

    def manner(self, line: str) -> Manner | None:
        """None."""
        return None

    def unanswered(self, line: str, now: float) -> None:
        """Of no matter."""
