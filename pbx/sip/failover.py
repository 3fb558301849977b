"""Going on to the next address of a request's destination (RFC 3263 §4.3, RFC 3261 §18.1.1)."""

from pbx.errors import PeerError
from pbx.sip.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.flow import Flow
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.message import Response
from pbx.sip.timers import T1

PATIENCE_S = 12 * T1
"""How long an INVITE without any answer waits where another address is left.

RFC 3263 §4.3 has it wait for Timer B, 32 seconds, and by then the caller has hung up. So the TU
gives this attempt up, as it may at any time (§9.1), and begins another one.
"""

SHUNNED_S = 60.0
"""How long an address that failed comes last."""

LONGEST_SHUNNED_S = 600.0
"""The longest time for that, whatever a Retry-After says."""

_MOST_SHUNNED = 256
"""Addresses that are remembered; one more, and the oldest is tried again."""


def fails_here(event: Event) -> bool:
    """Whether an event says that this address is of no use, rather than the request refused.

    "failure occurs if the transaction layer reports a 503 error response or a transport failure
    of some sort [...]. Failure also occurs if the transaction layer times out without ever having
    received any response" (RFC 3263 §4.3). 430: this flow of the phone's is gone (RFC 5626 §11.5).
    """
    if isinstance(event, ResponseReceived):
        return event.response.status in (430, 503)
    return isinstance(event, TransactionTimedOut | TransportFailed)


def leads_on(status: int, *, same_way: bool) -> bool:
    """Whether, after a response, another address is still to be tried.

    RFC 5626 §7: after "a final response from a branch other than a 408 (Request Timeout) or a 430
    (Flow Failed) response, the proxy MUST NOT forward the same request to another target
    representing the same AOR and instance-id". A 408 may come after a long time of ringing. The
    next address of the same way is for a 503 (RFC 3263 §4.3).

    Args:
        same_way: the address is one of the way that the response came from, not of another flow.
    """
    return status < 200 or status == (503 if same_way else 430)


class Shunned:
    """The addresses that have failed lately."""

    def __init__(self) -> None:
        self._until: dict[Flow, float] = {}

    def failed(self, flow: Flow, event: Event, now: float) -> None:
        """Note that a path was of no use."""
        asked_s = retry_after_s(event.response) if isinstance(event, ResponseReceived) else None
        for_s = SHUNNED_S if asked_s is None else min(asked_s, LONGEST_SHUNNED_S)
        if len(self._until) >= _MOST_SHUNNED:
            del self._until[next(iter(self._until))]
        self._until[flow] = now + for_s

    def knows(self, flow: Flow, now: float) -> bool:
        """Whether a path failed a short time ago."""
        until = self._until.get(flow)
        if until is not None and until <= now:
            del self._until[flow]
            return False
        return until is not None

    def last(self, flows: list[Flow], now: float) -> list[Flow]:
        """Return `flows` in their order, but those last that failed a short time ago."""
        return sorted(flows, key=lambda flow: self.knows(flow, now))


def retry_after_s(response: Response) -> float | None:
    """Return for how long the server wants to be left alone, seconds (RFC 3261 §20.33, §21.5.4).

    None where it doesn't say.
    """
    text = (response.get("Retry-After") or "").partition("(")[0].partition(";")[0].strip()
    try:
        return parse_delta_seconds(text)
    except PeerError:
        return None
