"""Why a call ended: the callTag (where in the exchange, and by whom) and the Q.850 cause.

`pbx.cdr.endings` has every way for a call to end, with what becomes of it here.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

from pbx.sip.crossing import Headers
from pbx.sip.message import REASONS
from pbx.sip.reason import build_reason, q850_of_status, released_cause, status_of_q850
from pbx.sip.secure import SIPS_NOT_ALLOWED, SIPS_REQUIRED


class CallTag(IntEnum):
    """Where a call was released, and by whom: the ``callTag`` of a call record.

    Published in the manual and in pbx/cdr/README.md; a number never changes its meaning.
    """

    CALLER_CANCELLED = 101
    CALLER_HUNG_UP = 102
    CALLER_TRANSFERRED = 103
    CALLEE_REJECTED = 201
    CALLEE_HUNG_UP = 202
    CALLEE_UNREACHABLE = 203
    CALLEE_TRANSFERRED = 204
    NO_ROUTE = 301
    NO_RIGHT = 302
    LIMIT = 303
    NO_ANSWER = 304
    MAX_DURATION = 305
    MEDIA_TIMEOUT = 306
    SESSION_EXPIRED = 307
    RESTART = 308
    ADMINISTRATOR = 309
    APPLICATION_SERVER = 310
    NOT_REGISTERED = 311
    REQUEST_UNUSABLE = 312
    SERVER_STOPPED = 313
    NO_LINE = 314
    LINE_FULL = 315
    LOOP = 316
    PREEMPTED = 317
    USER_FULL = 318
    TRANSPORT_FAILED = 401
    TRANSACTION_TIMED_OUT = 402

    @property
    def released_by(self) -> str:
        """``caller``, ``callee``, ``server`` or ``network``."""
        return {1: "caller", 2: "callee", 3: "server"}.get(self // 100, "network")


# What the exchange tells a caller that has had no final response, and the Q.850 cause.
_SERVER_STATUS: dict[CallTag, tuple[int, str, int]] = {
    CallTag.CALLER_CANCELLED: (487, "Request Terminated", 16),
    CallTag.CALLER_HUNG_UP: (487, "Request Terminated", 16),
    CallTag.CALLER_TRANSFERRED: (487, "Request Terminated", 16),
    CallTag.CALLEE_TRANSFERRED: (480, "Temporarily Unavailable", 16),
    CallTag.CALLEE_HUNG_UP: (480, "Temporarily Unavailable", 16),
    CallTag.CALLEE_UNREACHABLE: (480, "Temporarily Unavailable", 18),
    CallTag.NO_ROUTE: (404, "Not Found", 1),
    CallTag.NO_RIGHT: (403, "Forbidden", 21),
    CallTag.LIMIT: (503, "Service Unavailable", 42),
    CallTag.NO_ANSWER: (480, "Temporarily Unavailable", 19),
    CallTag.MAX_DURATION: (480, "Temporarily Unavailable", 102),
    CallTag.MEDIA_TIMEOUT: (480, "Temporarily Unavailable", 41),
    CallTag.SESSION_EXPIRED: (480, "Temporarily Unavailable", 102),
    # Nobody is left who could tell the caller anything
    CallTag.RESTART: (0, "", 41),
    CallTag.ADMINISTRATOR: (480, "Temporarily Unavailable", 16),
    CallTag.APPLICATION_SERVER: (480, "Temporarily Unavailable", 16),
    CallTag.NOT_REGISTERED: (480, "Temporarily Unavailable", 20),
    CallTag.REQUEST_UNUSABLE: (488, "Not Acceptable Here", 79),
    CallTag.SERVER_STOPPED: (503, "Service Unavailable", 41),
    # As with transport failures: 503 would be said of us
    CallTag.NO_LINE: (480, "No Line Can Be Used", 38),
    CallTag.LINE_FULL: (486, "Busy Here", 17),
    CallTag.LOOP: (482, "Loop Detected", 25),
    CallTag.PREEMPTED: (480, "Temporarily Unavailable", 8),
    CallTag.USER_FULL: (486, "Busy Here", 17),
    # Not 503, which says that we ourselves are overloaded: phones go to another server then.
    CallTag.TRANSPORT_FAILED: (480, "Temporarily Unavailable", 41),
    # RFC 3262 §3: what a caller is told that acknowledges nothing
    CallTag.TRANSACTION_TIMED_OUT: (504, "Server Time-out", 102),
}

_MOST_SAID = 120
"""Characters of a peer's Reason header that are kept."""

_OF_THE_CALLED_PARTY = frozenset(
    {403, 404, 406, 408, 410, 480, 483, 484, 485, 486, 488, 500, 501, 504}
)
"""Failures that say something of the called party, so that the caller may hear them as they are.

Others are of the hop between the phone and us: a 401 or 407 asks for our password, a 405 or 420
lists what the phone lacks, a 491 is about our request.
"""

_OF_THE_WAY = frozenset({482, 483})
"""Failures that say that the way which the number takes leads round in circles. Of their Q.850 cause,
25, RFC 3398 would make a 500: our own fault, that is, and nothing that a person could mend.
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a call, or a leg of it, ended.

    Args:
        tag: where and by whom.
        q850: the cause of ITU-T Q.850, 1 to 127.
        status, reason: the SIP final response for a caller that has had none; 0 where there can't
            be one.
        heard: the SIP status that a peer really sent; 0 where none did.
    """

    tag: CallTag
    q850: int
    status: int
    reason: str
    heard: int = 0
    headers: Headers = ()
    """What the caller is told besides, as the called party has said it."""
    told: int | None = None
    """The Q.850 cause that a failure response has named itself."""
    said: str = ""
    """The Reason header of who has ended it, as it came but for what no person could read."""

    def __str__(self) -> str:
        return f"callTag={self.tag:d} cause={self.q850} ({self.status} {self.reason})"

    @property
    def header(self) -> str:
        """The Reason header value for BYE, CANCEL and failure responses (RFC 3326)."""
        return build_reason(self.q850)


ADDRESS_INCOMPLETE = Cause(CallTag.NO_ROUTE, 28, 484, "Address Incomplete")
"""More has to be dialled (RFC 3261 §21.4.22)."""

NO_SECURE_WAY = Cause(
    CallTag.NOT_REGISTERED,
    20,
    480,
    "Temporarily Unavailable",
    headers=(("Warning", SIPS_NOT_ALLOWED),),
)
"""No phone of the called user takes a sips call (RFC 5630 §5.3)."""

SECURE_ONLY = Cause(
    CallTag.REQUEST_UNUSABLE,
    20,
    480,
    "Temporarily Unavailable",
    headers=(("Warning", SIPS_REQUIRED),),
)
"""What is asked for by sip is by sips only (RFC 5630 §5.1.2)."""

WRONG_PASSWORD = Cause(CallTag.NO_RIGHT, 87, 403, "Forbidden")
"""A conference room's: it is a closed group, and who doesn't know its password isn't of it."""

ROOM_FULL = Cause(CallTag.LIMIT, 17, 486, "Busy Here")
"""A conference room with as many parties as it may have."""

LINES_FULL = Cause(CallTag.LINE_FULL, 34, 480, "All Lines Are Busy")
"""A call outside, and each line that it might go by has as many calls as it may have."""

OVER_OWN_LIMIT = Cause(CallTag.USER_FULL, 21, 403, "Too Many Calls")
"""A caller who has as many calls as the configuration allows."""

PRECONDITION_FAILURE = Cause(CallTag.REQUEST_UNUSABLE, 79, 580, "Precondition Failure")
"""A line that isn't to have its preconditions met (RFC 3312 §8)."""

TOO_MANY_HOPS = Cause(CallTag.REQUEST_UNUSABLE, 25, 483, "Too Many Hops")
"""We would send it on, and it may not go on (RFC 3261 §16.3 step 3, RFC 3398 §8.2.6.1)."""


def by_server(tag: CallTag) -> Cause:
    """Return the cause of a release that the exchange decided itself."""
    status, reason, q850 = _SERVER_STATUS[tag]
    return Cause(tag, q850, status, reason)


def unusable(status: int, reason: str) -> Cause:
    """Return the cause of the refusal of an INVITE that can't be used, with this final response."""
    return replace(by_server(CallTag.REQUEST_UNUSABLE), status=status, reason=reason)


def not_replaced(status: int) -> Cause:
    """Return the cause of the refusal of an INVITE with Replaces (RFC 3891 §3), with this status."""
    return replace(unusable(status, REASONS.get(status, "")), q850=q850_of_status(status))


def by_response(status: int, reason: str, reasons: list[str], headers: Headers = ()) -> Cause:
    """Return the cause of a failure response from the called side.

    A cause in its Reason header decides, and the caller hears the status that fits it; without
    one the status is mapped (RFC 3398 §8.2.6.1), and passed on where it speaks of the called party.
    """
    if status == 430:
        # RFC 5626 §11.5: a proxy has lost its flow to the phone; that is nothing for the caller
        return by_server(CallTag.CALLEE_UNREACHABLE)
    told = released_cause(reasons)
    q850 = q850_of_status(status) if told is None else told
    if status >= 600 or (told is None and status in _OF_THE_CALLED_PARTY):
        # §21.6: nobody else is to be tried, which no Q.850 cause can say
        answer, phrase = status, reason if reason.isprintable() else REASONS.get(status, "")
    elif status in _OF_THE_WAY and q850 == q850_of_status(status):
        answer, phrase = status, REASONS[status]
    elif told is not None:
        answer, phrase = status_of_q850(told)
    elif status < 400:
        # §21.3: it has moved; a 3xx without its Contact says nothing
        answer, phrase = 480, REASONS[480]
    else:
        answer, phrase = status_of_q850(q850)
        if answer == 503:
            # §16.7 step 6: one phone's 503 must not look as if this exchange were overloaded
            answer, phrase = 500, REASONS[500]
    # §20.33: Retry-After means something with the status that it came with alone
    kept = tuple(one for one in headers if one[0] != "Retry-After" or answer == status)
    said = _readable(reasons)
    return Cause(CallTag.CALLEE_REJECTED, q850, answer, phrase, status, kept, told, said)


def by_hang_up(tag: CallTag, reasons: list[str]) -> Cause:
    """Return the cause of a BYE or CANCEL, with the peer's Reason header where it gave one."""
    status, reason, q850 = _SERVER_STATUS[tag]
    cause = released_cause(reasons) or q850
    return Cause(tag, cause, status, reason, said=_readable(reasons))


def forgotten(tag: CallTag) -> Cause:
    """Return the cause of a call that a peer knows nothing of any more: 481 (RFC 3261 §12.2.1.2)."""
    return replace(by_hang_up(tag, []), q850=q850_of_status(481))


def _readable(reasons: list[str]) -> str:
    """A peer's Reason headers as a record keeps them."""
    text = ", ".join(reasons)[:_MOST_SAID]
    return "".join(char if char.isprintable() else "?" for char in text)
