"""Which calls are recorded by themselves, and who may have one recorded by a code."""

import datetime
from dataclasses import dataclass
from typing import Protocol

from pbx.call.party import Party


class RecordPolicy(Protocol):
    """What users and lines have for an option `record`, as `pbx.config.recording` says."""

    def of_user(self, number: str) -> str:
        """Return a local user's; ``off`` for a number that is none's."""

    def of_line(self, name: str) -> str:
        """Return an external line's or SIP trunk's; ``off`` for one that isn't there."""

    def takes_code(self, number: str) -> bool:
        """Whether it is a local user's number who may record by a code."""

    def moment(self) -> datetime.datetime:
        """Return what the owner's clock shows, for the names of files."""


class RecordsNothing:
    """The policy as long as nobody has set another one."""

    def of_user(self, number: str) -> str:
        """``off``."""
        return "off"

    def of_line(self, name: str) -> str:
        """``off``."""
        return "off"

    def takes_code(self, number: str) -> bool:
        """Nobody may."""
        return False

    def moment(self) -> datetime.datetime:
        """The beginning of all clocks."""
        return datetime.datetime.fromtimestamp(0, datetime.UTC)


@dataclass(frozen=True, slots=True)
class Side:
    """One party of a call.

    Args:
        party: who it is.
        called: we have called it; false where it has called us.
    """

    party: Party
    called: bool


def is_recorded(policy: RecordPolicy, one: Side, other: Side) -> bool:
    """Return whether a call of these two is recorded by itself."""
    return _wants(policy, one, other) or _wants(policy, other, one)


def _wants(policy: RecordPolicy, side: Side, other: Side) -> bool:
    party = side.party
    if party.line:
        return policy.of_line(party.line) in ("all", "outgoing" if side.called else "incoming")
    choice = policy.of_user(party.number)
    return choice == "all" or (choice == "outside" and bool(other.party.line))
