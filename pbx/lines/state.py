"""How a line is, and where its calls go: what everybody else asks of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from pbx.locale import english, say
from pbx.sip.flow import Flow


class Phase(Enum):
    """What a line is at."""

    OFF = "off"
    """It isn't to be used, or it has signed off."""
    LOCATING = "locating"
    """DNS is being asked where the server is."""
    ASKING = "asking"
    """A REGISTER, or a trunk's OPTIONS, waits for its answer."""
    UP = "up"
    """Registered, or the trunk has answered."""
    DOWN = "down"
    """Neither; it is tried again after a while."""
    LEAVING = "leaving"
    """It signs off."""

    # Enum's own hash is a Python function; members are singletons, so identity serves.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a line can't be used.

    Args:
        slug: which kind of trouble; `pbx.locale` has its sentence under ``problem-line-SLUG`` and
            what to do under ``remedy-line-SLUG``.
        values: what is put into the sentence, beside the line's name as ``line``.
    """

    slug: str
    values: Mapping[str, str] = field(default_factory=dict)

    def sentence(self, line: str) -> str:
        """Return it in words, in the language spoken."""
        return say(f"problem-line-{self.slug}", line=line, **self.values)

    def english(self, line: str) -> str:
        """Return it in English words, for the log."""
        return english(f"problem-line-{self.slug}", line=line, **self.values)


@dataclass(frozen=True, slots=True)
class LineState:
    """An external line or SIP trunk at one moment; times are of the exchange's clock, seconds.

    Args:
        name: the line's.
        phase: what it is at.
        registers: it is an external line, whose `usable` means that it is registered.
        usable: calls can go out by it as far as anybody knows.
        trouble: why not; None where nothing is wrong, or not yet known to be.
        server: the server in use, as ``udp 192.0.2.1:5060``; empty where it isn't known.
        rtt_s: round-trip time to it, seconds: from a request to its answer; None for not measured.
        since: when `usable` became what it is.
        expires: when the registration ends unless it is refreshed; None for none.
        next_try: when the server is asked again; None for never.
        last_incoming: when a call came by it last; None for never since the start.
        identities: addresses that the carrier says are ours (P-Associated-URI), the first one first.
        public: our address as the server sees it, ``203.0.113.7:40000``, where a router translates
            addresses; else empty.
    """

    name: str
    phase: Phase
    registers: bool
    usable: bool
    trouble: Trouble | None = None
    server: str = ""
    rtt_s: float | None = None
    since: float = 0.0
    expires: float | None = None
    next_try: float | None = None
    last_incoming: float | None = None
    identities: tuple[str, ...] = ()
    public: str = ""


@dataclass(frozen=True, slots=True)
class LinePath:
    """Where a request of a line goes now.

    Args:
        flow: the path to the server: for an external line the one that took its REGISTER.
        route: values of the Route header field of requests outside dialogs, topmost first: the
            outbound proxy, then the service route (RFC 3608).
        others: paths to further addresses of the server, for where `flow` is of no use.
    """

    flow: Flow
    route: tuple[str, ...] = ()
    others: tuple[Flow, ...] = ()
