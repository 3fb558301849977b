"""Every way for a call to end, and what becomes of it: T7 of miniSIPServer.

The rows are what the program itself makes of each way, so they can't say anything else. README.md has
the same table for people, and `tests/posts/test_t7_release.py` produces each row by a real call.
"""

from dataclasses import dataclass

from pbx.call.cause import (
    ADDRESS_INCOMPLETE,
    LINES_FULL,
    NO_SECURE_WAY,
    OVER_OWN_LIMIT,
    PRECONDITION_FAILURE,
    ROOM_FULL,
    SECURE_ONLY,
    TOO_MANY_HOPS,
    WRONG_PASSWORD,
    CallTag,
    Cause,
    by_hang_up,
    by_response,
    by_server,
    forgotten,
    not_replaced,
    unusable,
)


@dataclass(frozen=True, slots=True)
class Ending:
    """A way for a call to end.

    Args:
        name: of the way.
        cause: what the exchange makes of it.
        said: how the party that ends it says so: the status line of its refusal, ``CANCEL`` or
            ``BYE``; empty where it is the exchange that ends it.
        reasons: the values of the party's Reason headers.
        talked: the call had been answered.
        particular: callTag and cause mean this way alone, and have words of their own.
    """

    name: str
    cause: Cause
    said: str = ""
    reasons: tuple[str, ...] = ()
    talked: bool = False
    particular: bool = False

    @property
    def status(self) -> int:
        """The final response that the caller gets; 0 for none, as where the call was answered."""
        return 0 if self.talked else self.cause.status

    @property
    def gets(self) -> str:
        """What the caller gets in the end: that response, ``BYE``, or nothing."""
        if not self.talked:
            return str(self.status or "")
        own = self.said and self.cause.tag.released_by == "caller"
        return "" if own or self.cause.tag is CallTag.RESTART else "BYE"


def _refused(name: str, line: str, *reasons: str) -> Ending:
    """The called party answers the INVITE with this status line."""
    status, _, phrase = line.partition(" ")
    return Ending(name, by_response(int(status), phrase, [*reasons]), line, reasons)


def _cancelled(name: str, *reasons: str) -> Ending:
    cause = by_hang_up(CallTag.CALLER_CANCELLED, [*reasons])
    return Ending(name, cause, "CANCEL", reasons)


def _hung_up(name: str, tag: CallTag, *reasons: str) -> Ending:
    return Ending(name, by_hang_up(tag, [*reasons]), "BYE", reasons, talked=True)


def _decided(name: str, tag: CallTag, *, talked: bool = False, particular: bool = False) -> Ending:
    """The exchange ends the call, or nobody does."""
    return Ending(name, by_server(tag), talked=talked, particular=particular)


ENDINGS = (
    _cancelled("caller cancels"),
    _cancelled("caller cancels, Q.850", "Q.850;cause=102"),
    _hung_up("caller hangs up", CallTag.CALLER_HUNG_UP),
    _hung_up("caller hangs up, Q.850", CallTag.CALLER_HUNG_UP, "Q.850;cause=31"),
    _hung_up("caller hangs up, SIP", CallTag.CALLER_HUNG_UP, "SIP;cause=486"),
    _hung_up("caller hangs up, both", CallTag.CALLER_HUNG_UP, "SIP;cause=486", "Q.850;cause=38"),
    _hung_up("caller hangs up, broken", CallTag.CALLER_HUNG_UP, "Q.850;cause=gone"),
    _hung_up("caller hangs up, media engine killed before", CallTag.CALLER_HUNG_UP),
    Ending("caller has forgotten", forgotten(CallTag.CALLER_HUNG_UP), talked=True),
    Ending("busy tone on the caller's line", by_hang_up(CallTag.CALLER_HUNG_UP, []), talked=True),
    Ending("caller transfers", by_hang_up(CallTag.CALLER_TRANSFERRED, []), talked=True),
    # The called party's refusals, without a reason
    _refused("400", "400 Bad Request"),
    _refused("401", "401 Unauthorized"),
    _refused("403", "403 Forbidden"),
    _refused("404", "404 Not Found"),
    _refused("405", "405 Method Not Allowed"),
    _refused("407", "407 Proxy Authentication Required"),
    _refused("408", "408 Request Timeout"),
    _refused("410", "410 Gone"),
    _refused("415", "415 Unsupported Media Type"),
    _refused("420", "420 Bad Extension"),
    _refused("480", "480 Temporarily Unavailable"),
    _refused("481", "481 Call/Transaction Does Not Exist"),
    _refused("482", "482 Loop Detected"),
    _refused("483", "483 Too Many Hops"),
    _refused("484", "484 Address Incomplete"),
    _refused("486", "486 Busy Here"),
    _refused("488", "488 Not Acceptable Here"),
    _refused("499", "499 Never Heard Of"),
    _refused("500", "500 Server Internal Error"),
    _refused("501", "501 Not Implemented"),
    _refused("502", "502 Bad Gateway"),
    _refused("503", "503 Service Unavailable"),
    _refused("504", "504 Server Time-out"),
    _refused("513", "513 Message Too Large"),
    _refused("600", "600 Busy Everywhere"),
    _refused("603", "603 Decline"),
    _refused("604", "604 Does Not Exist Anywhere"),
    _refused("606", "606 Not Acceptable"),
    _refused("607", "607 Unwanted"),
    _refused("300", "300 Multiple Choices"),
    _refused("302", "302 Moved Temporarily"),
    # ... and with one
    _refused("486, Q.850", "486 Busy Here", "Q.850;cause=34"),
    _refused("486, Q.850 with a text", "486 Busy Here", 'Q.850;cause=34;text="No, really"'),
    _refused("486, Q.850 otherwise written", "486 Busy Here", 'q.850 ; CAUSE="34"'),
    _refused("486, SIP", "486 Busy Here", "SIP;cause=480"),
    _refused("486, several", "486 Busy Here", "SIP;cause=480, Q.850;cause=34"),
    _refused("486, several headers", "486 Busy Here", "SIP;cause=480", "Q.850;cause=38"),
    _refused("486, one of several broken", "486 Busy Here", ";cause=1, Q.850;cause=34"),
    _refused("486, two of Q.850", "486 Busy Here", "Q.850;cause=19, Q.850;cause=34"),
    _refused("486, no number", "486 Busy Here", "Q.850;cause=circuits"),
    _refused("486, no cause", "486 Busy Here", 'Q.850;text="No circuit"'),
    _refused("486, cause 0", "486 Busy Here", "Q.850;cause=0"),
    _refused("486, cause 200", "486 Busy Here", "Q.850;cause=200"),
    _refused("486, SIP cause 34", "486 Busy Here", "SIP;cause=34"),
    _refused("486, another protocol", "486 Busy Here", "X.25;cause=34"),
    _refused("486, garbage", "486 Busy Here", '=;"'),
    _refused("486, cause unknown to RFC 3398", "486 Busy Here", "Q.850;cause=99"),
    _refused("403, Q.850", "403 Forbidden", "Q.850;cause=17"),
    _refused("404, SIP", "404 Not Found", "SIP;cause=603"),
    _refused("480, Q.850", "480 Temporarily Unavailable", "Q.850;cause=20"),
    _refused("500, Q.850", "500 Server Internal Error", "Q.850;cause=1"),
    _refused("503, Q.850", "503 Service Unavailable", "Q.850;cause=42"),
    _refused("600, Q.850", "600 Busy Everywhere", "Q.850;cause=34"),
    _refused("603, Q.850", "603 Decline", "Q.850;cause=17"),
    _refused("606, SIP", "606 Not Acceptable", "SIP;cause=486"),
    _refused("302, Q.850", "302 Moved Temporarily", "Q.850;cause=22"),
    _refused("503 of the only line", "503 Service Unavailable"),
    _refused("486 of a line, Q.850", "486 Busy Here", "Q.850;cause=34"),
    _refused("430", "430 Flow Failed"),
    _hung_up("callee hangs up", CallTag.CALLEE_HUNG_UP),
    _hung_up("callee hangs up, Q.850", CallTag.CALLEE_HUNG_UP, "Q.850;cause=31"),
    _hung_up("callee hangs up, SIP", CallTag.CALLEE_HUNG_UP, "SIP;cause=486"),
    _hung_up("callee hangs up, both", CallTag.CALLEE_HUNG_UP, "SIP;cause=486, Q.850;cause=38"),
    _hung_up("callee hangs up, broken", CallTag.CALLEE_HUNG_UP, "Q.850;cause=-1"),
    Ending("callee has forgotten", forgotten(CallTag.CALLEE_HUNG_UP), talked=True),
    _decided("callee doesn't answer SIP", CallTag.CALLEE_UNREACHABLE),
    _decided("line doesn't answer SIP", CallTag.CALLEE_UNREACHABLE),
    Ending("callee transfers", by_hang_up(CallTag.CALLEE_TRANSFERRED, []), talked=True),
    # The exchange's own
    _decided("unknown number", CallTag.NO_ROUTE),
    Ending("incomplete number", ADDRESS_INCOMPLETE, particular=True),
    _decided("no right", CallTag.NO_RIGHT, particular=True),
    Ending("wrong password of a room", WRONG_PASSWORD, particular=True),
    _decided("no port for sound", CallTag.LIMIT, particular=True),
    Ending("room is full", ROOM_FULL, particular=True),
    _decided("nobody answers", CallTag.NO_ANSWER),
    _decided("longest duration", CallTag.MAX_DURATION, talked=True),
    _decided("no media", CallTag.MEDIA_TIMEOUT, talked=True),
    _decided("session timer", CallTag.SESSION_EXPIRED, talked=True),
    _decided("exchange killed while it rings", CallTag.RESTART),
    _decided("exchange killed, back too late", CallTag.RESTART, talked=True),
    _decided("administrator", CallTag.ADMINISTRATOR, talked=True),
    _decided("administrator while it rings", CallTag.ADMINISTRATOR),
    _decided("application server", CallTag.APPLICATION_SERVER, talked=True),
    _decided("no phone registered", CallTag.NOT_REGISTERED),
    Ending("no phone registered by sips", NO_SECURE_WAY),
    Ending("no such call to replace", not_replaced(481)),
    _decided("answer can't be used", CallTag.REQUEST_UNUSABLE),
    Ending("offer can't be used", unusable(400, "Bad Offer")),
    Ending("by sips only", SECURE_ONLY, particular=True),
    Ending("too many hops", TOO_MANY_HOPS, particular=True),
    Ending("preconditions", PRECONDITION_FAILURE),
    _decided("exchange stopped", CallTag.SERVER_STOPPED, talked=True),
    _decided("exchange stopped while it rings", CallTag.SERVER_STOPPED),
    _decided("no line", CallTag.NO_LINE),
    _decided("line that it comes by is full", CallTag.LINE_FULL),
    Ending("all lines are full", LINES_FULL, particular=True),
    _decided("loop", CallTag.LOOP),
    _decided("emergency call", CallTag.PREEMPTED, talked=True),
    Ending("caller has too many calls", OVER_OWN_LIMIT, particular=True),
    _decided("called user has too many calls", CallTag.USER_FULL, particular=True),
    _decided("callee's port is closed", CallTag.TRANSPORT_FAILED),
    _decided("line's port is closed", CallTag.TRANSPORT_FAILED),
    _decided("no ACK", CallTag.TRANSACTION_TIMED_OUT, talked=True),
    _decided("no PRACK", CallTag.TRANSACTION_TIMED_OUT),
)
"""Where two mean the same callTag and cause, the ways differ."""

PARTICULAR = frozenset((one.cause.tag, one.cause.q850) for one in ENDINGS if one.particular)
"""callTags and causes that have words of their own."""
