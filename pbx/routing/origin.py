"""Who asks where a number leads, and the ways outside that may be the answer."""

from dataclasses import dataclass

from pbx.store.snapshot import LocalUser


@dataclass(frozen=True, slots=True)
class Origin:
    """In whose name a call is made: who calls, transfers or forwards it.

    Args:
        number: the caller's number; empty where it isn't known.
        user: the local user; None for a party outside.
        line: the external line or SIP trunk by which a party outside has called; else empty.
    """

    number: str
    user: LocalUser | None = None
    line: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a number outside.

    Args:
        line: the external line or SIP trunk.
        called: the number in the line's own format, as its Request-URI carries it.
        caller: the caller's number as the line is told it.
    """

    line: str
    called: str
    caller: str
