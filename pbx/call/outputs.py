"""What call control wants done outside itself, and what it tells (`Exchange.next_output`)."""

from dataclasses import dataclass

from pbx.call.facts import CallFacts
from pbx.call.journal import CallState
from pbx.media import protocol


@dataclass(frozen=True, slots=True)
class MediaCommands:
    """For the media engine."""

    commands: list[protocol.Command]


@dataclass(frozen=True, slots=True)
class CallChanged:
    """A call began, rings, was answered, or changed its session: for journal and console.

    Args:
        state: what an answered call needs to go on after a crash; else None.
    """

    facts: CallFacts
    state: CallState | None = None


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over; its facts are complete, but for the quality of its sound.

    Args:
        ports: of the caller's and the called party's sound, which the media engine is about to count
            for the last time; 0 for none.
    """

    facts: CallFacts
    ports: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Discard:
    """A file that the media engine has written is no longer wanted."""

    path: str


Output = MediaCommands | CallChanged | CallEnded | Discard
