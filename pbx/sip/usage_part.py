"""The parts of a dialog usage: what one extension of RFC 3261 adds to it, in a place of its own."""

from abc import ABC, abstractmethod

from pbx.sip.events import (
    RequestReceived,
    ResponseReceived,
    TransactionTimedOut,
    TransportFailed,
)
from pbx.sip.message import Request, Response
from pbx.sip.usage_events import UsageEvent

Outcome = ResponseReceived | TransactionTimedOut | TransportFailed
"""What becomes of a request that a part has sent."""


REFRESHING = frozenset({"INVITE", "UPDATE"})
"""Methods that refresh a session, and that tell what we know."""


class UsagePart:
    """Asked by its usage before the usage itself looks at anything.

    What a part doesn't override concerns it not.
    """

    option = ""
    """The option tags that our Supported header names for it; empty for none."""

    def inspect(self, event: RequestReceived) -> Response | None:
        """Return the refusal of a request in the dialog; None where it may go on."""
        return None

    def dress(self, request: Request) -> None:
        """Put headers into a request of ours."""

    def dress_answer(self, request: Request, response: Response, now: float) -> None:
        """Put headers into our 2xx to a request of the peer's."""

    def accepted(self, request: Request, response: Response, now: float) -> None:
        """Take a 2xx to an INVITE or UPDATE of ours."""

    def outcome(self, event: Outcome, now: float) -> list[UsageEvent] | None:
        """Take what became of a request; None where this part hasn't sent it."""
        return None

    def timer_fired(self, name: str, now: float) -> list[UsageEvent] | None:
        """Do what is due; None where the timer is none of this part's."""
        return None

    def ended(self, now: float) -> None:
        """Leave nothing open: the usage is over."""


class ServingPart(UsagePart, ABC):
    """A part that also answers requests of its own methods."""

    methods: tuple[str, ...]
    """The methods whose requests it answers; only where `Capabilities` names them, too."""

    @abstractmethod
    def request(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        """Answer a request of one of `methods`; its CSeq has been found in order."""


class Parts:
    """All parts of one usage, in their order."""

    def __init__(self) -> None:
        self._parts: list[UsagePart] = []

    def __contains__(self, part: UsagePart) -> bool:
        return part in self._parts

    def add(self, part: UsagePart) -> None:
        """Have `part` asked from now on."""
        self._parts.append(part)

    def inspect(self, event: RequestReceived) -> Response | None:
        """Return what a part refuses a request with; None where it may go on."""
        refusals = (part.inspect(event) for part in self._parts)
        return next((one for one in refusals if one is not None), None)

    def dress(self, request: Request) -> None:
        """Let a request of ours say what the parts have to say."""
        if request.method in REFRESHING:
            self._tell_options(request)
        for part in self._parts:
            part.dress(request)

    def dress_answer(self, request: Request, response: Response, now: float) -> None:
        """Let a 2xx to an INVITE or UPDATE say what the parts have to say."""
        self._tell_options(response)
        for part in self._parts:
            part.dress_answer(request, response, now)

    def _tell_options(self, message: Request | Response) -> None:
        options = [part.option for part in self._parts if part.option]
        if options:
            message.set("Supported", ", ".join(options))

    def accepted(self, request: Request, response: Response, now: float) -> None:
        """Tell each of a 2xx to an INVITE or UPDATE of ours."""
        for part in self._parts:
            part.accepted(request, response, now)

    def outcome(self, event: Outcome, now: float) -> list[UsageEvent] | None:
        """Have the part that has sent a request take what became of it; None where none has."""
        told = (part.outcome(event, now) for part in self._parts)
        return next((one for one in told if one is not None), None)

    def timer_fired(self, name: str, now: float) -> list[UsageEvent] | None:
        """Have a part do what is due; None where the timer is none of theirs."""
        told = (part.timer_fired(name, now) for part in self._parts)
        return next((one for one in told if one is not None), None)

    def ended(self, now: float) -> None:
        """Leave nothing open."""
        for part in self._parts:
            part.ended(now)
