"""Session timers: a call whose other side has vanished ends by itself (RFC 4028)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbx.errors import PeerError
from pbx.sip.events import RequestReceived
from pbx.sip.failover import retry_after_s
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.usage_events import UsageEvent
from pbx.sip.usage_part import UsagePart

if TYPE_CHECKING:
    from pbx.sip.invite_usage import Usage

OPTION = "timer"
"""The option tag (§13.1)."""

_METHODS = frozenset({"INVITE", "UPDATE"})
"""The session refresh requests (§3)."""

_REFRESH, _EXPIRY = "session refresh", "session expiry"
_LONGEST_S = 86400
"""A peer's Min-SE beyond that is not followed: a session that long doesn't expire."""

_LEAST_WAIT_S = 0.1
"""Before a refresh is tried again: §14.1 of RFC 3261 may have it at once."""

_LONGEST_WAIT = 1 / 8
"""Of the interval, between two tries at the most: a sixth of it is left at the least when the first
one is refused (`_start`), and a session is not to end for a Retry-After."""


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """What we want of session timers.

    Args:
        session_s: the interval that we ask for, whole seconds; 0: none, but a peer's is kept.
        min_se_s: the shortest one that we take (§5); the RFC's own least is 90.
    """

    session_s: int = 1800
    min_se_s: int = 90


@dataclass(frozen=True, slots=True)
class SessionInterval:
    """What both sides have agreed on.

    Args:
        seconds: the session ends so long after its last refresh.
        ours: we do the refreshing.
    """

    seconds: int
    ours: bool


def inspect_session(request: Request, policy: SessionPolicy, tag: str | None) -> Response | None:
    """Return the refusal of a session refresh request: its interval is too small (§9: 422).

    Args:
        tag: the refusal's To tag.
    """
    if request.method not in _METHODS:
        return None
    try:
        asked, _ = _session_expires(request)
        _min_se(request)
    except PeerError as error:
        return response_to(request, error.status, error.reason, to_tag=tag)
    # Who doesn't know the timer couldn't do anything with a 422: a proxy has put it in
    if asked is None or asked >= policy.min_se_s or not _supports(request):
        return None
    response = response_to(request, 422, to_tag=tag)
    response.add("Min-SE", str(policy.min_se_s))
    return response


class SessionTimer(UsagePart):
    """Agrees on an interval with each INVITE and UPDATE, refreshes, and ends what has expired.

    Args:
        usage: whose session it is.
        policy: what we want.
    """

    option = OPTION

    def __init__(self, usage: "Usage", policy: SessionPolicy) -> None:
        self._usage = usage
        self._policy = policy
        self._min_se_s = policy.min_se_s
        self._raised = False
        # How long the next refresh has waited after one that was refused
        self._waited_s = 0.0
        self.interval: SessionInterval | None = None
        """What is in force; None for no expiry."""

    def resume(self, interval: SessionInterval, now: float) -> None:
        """Go on after a restart: when the last refresh was nobody knows, so one is due."""
        self._start(interval, now)
        if interval.ours:
            self._usage.set_timer(_REFRESH, now + 1.0)

    # ---------------------------------------------------------------- we as UAC (§7)

    def dress(self, request: Request) -> None:
        """Put Session-Expires and Min-SE into a request of ours (§7.1, §7.4)."""
        if request.method not in _METHODS:
            return
        now = self.interval
        if now is not None:
            # §7.4: who refreshes goes on to
            wanted = f"{now.seconds};refresher={'uac' if now.ours else 'uas'}"
        elif request.method == "INVITE" and self._policy.session_s:
            wanted = str(max(self._policy.session_s, self._min_se_s))
        else:
            return
        request.set("Session-Expires", wanted)
        if self._raised or self._min_se_s != 90:
            # §5: without the header 90 seconds are assumed
            request.set("Min-SE", str(self._min_se_s))

    def raise_interval(self, response: Response) -> bool:
        """Take over a 422's Min-SE (§7.3); False where asking again makes no sense."""
        try:
            least = _min_se(response)
        except PeerError:
            return False
        if least is None or not self._min_se_s < least <= _LONGEST_S:
            return False
        self._min_se_s, self._raised = least, True
        if self.interval is not None:
            longer = max(self.interval.seconds, least)
            self.interval = SessionInterval(longer, self.interval.ours)
        return True

    def accepted(self, request: Request, response: Response, now: float) -> None:
        """Take the interval of the 2xx to a request of ours (§7.2)."""
        if request.method not in _METHODS:
            return
        try:
            seconds, refresher = _session_expires(response)
        except PeerError:
            seconds, refresher = None, ""
        if not seconds:
            # Nothing expires: the peer doesn't know the timer
            self._stop()
            return
        # Whatever the peer says, it doesn't make us refresh without end
        seconds = max(seconds, self._policy.min_se_s)
        self._start(SessionInterval(seconds, refresher != "uas"), now)

    def failed(self, status: int, response: Response | None, now: float) -> None:
        """Try again: a refresh of ours was refused, which is no reason to end the call (§10).

        Soon for the first time, since it may only have met another change (RFC 3261 §14.1); who
        goes on refusing is left alone for longer and longer, and for as long as it asks for (§20.33).
        """
        if self.interval is None or not self.interval.ours:
            return
        if status == 422 and response is not None:
            self.raise_interval(response)
        self._waited_s = max(self._glare_wait_s, 2 * self._waited_s)
        asked_s = (retry_after_s(response) if response is not None else None) or 0.0
        wait_s = min(max(self._waited_s, asked_s), self.interval.seconds * _LONGEST_WAIT)
        self._usage.set_timer(_REFRESH, now + wait_s)

    @property
    def _glare_wait_s(self) -> float:
        return max(self._usage.glare_wait_s, _LEAST_WAIT_S)

    # ---------------------------------------------------------------- we as UAS (§9)

    def inspect(self, event: RequestReceived) -> Response | None:
        """Refuse an interval that is too small."""
        return inspect_session(event.request, self._policy, None)

    def dress_answer(self, request: Request, response: Response, now: float) -> None:
        """Put the interval into our 2xx to a session refresh request, which starts it (§9)."""
        if request.method not in _METHODS:
            return
        try:
            asked, refresher = _session_expires(request)
            least = _min_se(request) or 0
        except PeerError:
            # It was refused before, where it could be
            return
        supports, before = _supports(request), self.interval
        if asked is None:
            asked = 0 if before is None else before.seconds
            if supports:
                asked = max(asked or self._policy.session_s, least)
            elif before is None or not before.ours:
                asked = 0
        if not asked:
            self._stop()
            return
        seconds = max(asked, self._policy.min_se_s)
        # Table 2: the UAC's word counts; without one the choice is ours, and so is the duty where
        # the UAC doesn't know the timer
        ours = not supports or refresher != "uac"
        response.set("Session-Expires", f"{seconds};refresher={'uas' if ours else 'uac'}")
        if supports:
            response.set("Require", OPTION)
        self._start(SessionInterval(seconds, ours), now)

    # ---------------------------------------------------------------- the clock (§10)

    def timer_fired(self, name: str, now: float) -> list[UsageEvent] | None:
        """Refresh, or give the session up."""
        if name == _EXPIRY:
            return self._usage.expired(now)
        if name != _REFRESH:
            return None
        if not self._usage.refresh(now):
            self._usage.set_timer(_REFRESH, now + self._glare_wait_s)
        return []

    def ended(self, now: float) -> None:
        """Stop the clock."""
        self._stop()

    def _start(self, interval: SessionInterval, now: float) -> None:
        self._stop()
        self.interval, self._waited_s = interval, 0.0
        # A little before the end: 32 seconds, or a third of a short interval
        self._usage.set_timer(_EXPIRY, now + interval.seconds - min(32.0, interval.seconds / 3))
        if interval.ours:
            # §7.4: when half the interval has gone by
            self._usage.set_timer(_REFRESH, now + interval.seconds / 2)

    def _stop(self) -> None:
        self.interval = None
        self._usage.cancel_timer(_EXPIRY)
        self._usage.cancel_timer(_REFRESH)


def _supports(message: Message) -> bool:
    options = [*message.readable("Supported"), *message.readable("Require")]
    return any(option.lower() == OPTION for option in options)


def _session_expires(message: Message) -> tuple[int | None, str]:
    """Seconds, None for no such header, and refresher in lower case (§4).

    Raises:
        PeerError: 400 where it can't be read.
    """
    value = message.get("Session-Expires")
    if value is None:
        return None, ""
    seconds, *params = value.split(";")
    refresher = ""
    for param in params:
        name, _, given = param.partition("=")
        if name.strip().lower() == "refresher":
            refresher = given.strip().lower()
    return parse_delta_seconds(seconds), refresher


def _min_se(message: Message) -> int | None:
    value = message.get("Min-SE")
    return None if value is None else parse_delta_seconds(value.partition(";")[0])
