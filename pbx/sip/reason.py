"""The Reason header (RFC 3326), and ITU-T Q.850 causes beside SIP statuses (RFC 3398)."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from pbx.errors import PeerError
from pbx.sip.grammar import TOKEN_RE, parse_digits, quote, unquote
from pbx.sip.headers import parse_params, split_list

Q850_TEXTS: dict[int, str] = {
    1: "Unallocated number",
    2: "No route to network",
    3: "No route to destination",
    8: "Preemption",
    16: "Normal call clearing",
    17: "User busy",
    18: "No user responding",
    19: "No answer from user",
    20: "Subscriber absent",
    21: "Call rejected",
    22: "Number changed",
    23: "Redirection to new destination",
    25: "Exchange routing error",
    26: "Non-selected user clearing",
    27: "Destination out of order",
    28: "Invalid number format",
    29: "Facility rejected",
    31: "Normal, unspecified",
    34: "No circuit available",
    38: "Network out of order",
    41: "Temporary failure",
    42: "Switching equipment congestion",
    47: "Resource unavailable, unspecified",
    55: "Incoming calls barred",
    57: "Bearer capability not authorized",
    58: "Bearer capability not presently available",
    63: "Service or option not available",
    65: "Bearer capability not implemented",
    70: "Only restricted digital information available",
    79: "Service or option not implemented",
    87: "User not member of CUG",
    88: "Incompatible destination",
    102: "Recovery on timer expiry",
    111: "Protocol error, unspecified",
    127: "Interworking, unspecified",
}
"""The causes that RFC 3398 names, in Q.850's words."""

TIMER_EXPIRED = 102
"""Recovery on timer expiry."""

# RFC 3398 §7.2.4.1, "The following mapping", class by class of Q.850.
_STATUS_OF_Q850: dict[int, int] = {
    1: 404,
    2: 404,
    3: 404,
    # 16, normal call clearing, "will usually result in a BYE or CANCEL": a call that must get a
    # final response after all has found nobody, and may be tried again.
    16: 480,
    17: 486,
    18: 408,
    19: 480,
    20: 480,
    21: 403,
    22: 410,
    23: 410,
    26: 404,
    27: 502,
    28: 484,
    29: 501,
    31: 480,
    34: 503,
    38: 503,
    41: 503,
    42: 503,
    47: 503,
    55: 403,
    57: 403,
    58: 503,
    65: 488,
    70: 488,
    79: 501,
    87: 403,
    88: 503,
    102: 504,
    111: 500,
    127: 500,
}

_PHRASES: dict[int, str] = {
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    410: "Gone",
    480: "Temporarily Unavailable",
    484: "Address Incomplete",
    486: "Busy Here",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
}

# RFC 3398 §8.2.6.1: the table of responses received and the cause value in the REL.
_Q850_OF_STATUS: dict[int, int] = {
    400: 41,
    401: 21,
    402: 21,
    403: 21,
    404: 1,
    405: 63,
    406: 79,
    407: 21,
    408: 102,
    410: 22,
    413: 127,
    414: 127,
    415: 79,
    416: 127,
    420: 127,
    421: 127,
    423: 127,
    480: 18,
    481: 41,
    482: 25,
    483: 25,
    484: 28,
    485: 1,
    486: 17,
    # 487 has "no mapping": it answers our own CANCEL, and that was a normal clearing.
    487: 16,
    # 488 and 606 go "by Warning header": the cause that §7.2.4.1 maps to 488 in turn.
    488: 65,
    500: 41,
    501: 79,
    502: 38,
    503: 41,
    504: 102,
    505: 127,
    513: 127,
    600: 17,
    603: 21,
    604: 1,
    606: 65,
    # RFC 8197 and RFC 8688, younger than RFC 3398: the callee doesn't want this caller.
    607: 21,
    608: 21,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One value of a Reason header (RFC 3326 §2).

    Args:
        protocol: ``Q.850``, ``SIP`` or another token, as it came.
        cause: None where the value has none that is a number.
        text: unquoted; empty for none.
    """

    protocol: str
    cause: int | None = None
    text: str = ""

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        text = f";text={quote(self.text)}" if self.text else ""
        return f"{self.protocol}{cause}{text}"


def parse_reasons(values: Iterable[str]) -> list[Reason]:
    """Read the Reason headers of a message; what can't be read is left out.

    A reason only informs (RFC 3326 §1), so a bad one must not cost the call.
    """
    return [reason for value in values for reason in _parse_header(value)]


def _parse_header(value: str) -> list[Reason]:
    found = []
    with suppress(PeerError):
        for text in split_list(value):
            with suppress(PeerError):
                found.append(_parse_reason(text))
    return found


def _parse_reason(text: str) -> Reason:
    protocol, semicolon, rest = text.strip().partition(";")
    protocol = protocol.strip()
    if not TOKEN_RE.fullmatch(protocol):
        raise PeerError(400, "Bad Reason")
    params = {name.lower(): value or "" for name, value in parse_params(semicolon + rest)}
    cause = parse_digits(unquote(params.get("cause", "")), 999)
    return Reason(protocol, cause, unquote(params.get("text", "")))


def released_cause(values: Iterable[str]) -> int | None:
    """Return the Q.850 cause that a message's Reason headers give; None for none.

    A Q.850 cause is preferred; a SIP cause counts, mapped, where it is the only one.
    """
    reasons = parse_reasons(values)
    for reason in reasons:
        # Q.850 §2.2.5: a cause value has seven bits
        if reason.protocol.upper() == "Q.850" and reason.cause and reason.cause <= 127:
            return reason.cause
    for reason in reasons:
        if reason.protocol.upper() == "SIP" and reason.cause and 200 <= reason.cause <= 699:
            return q850_of_status(reason.cause)
    return None


def build_reason(q850: int) -> str:
    """Return the Reason header value that tells a peer a Q.850 cause."""
    return str(Reason("Q.850", q850, Q850_TEXTS.get(q850, "")))


def q850_of_status(status: int) -> int:
    """Return the Q.850 cause of a final SIP status (RFC 3398 §8.2.6.1)."""
    if status < 300:
        return 16
    if status < 400:
        # a redirection that nobody followed; RFC 3398 §8.2.6.1 leaves 3xx to the gateway
        return 23
    # "Any SIP status codes not listed below [...] should be mapping to cause code 31 "Normal,
    # unspecified"."
    return _Q850_OF_STATUS.get(status, 31)


def status_of_q850(cause: int) -> tuple[int, str]:
    """Return the SIP status, with its phrase, that tells a Q.850 cause (RFC 3398 §7.2.4.1).

    "If a cause value other than those listed below is received, the default response '500 Server
    internal error' SHOULD be used."
    """
    status = _STATUS_OF_Q850.get(cause, 500)
    return status, _PHRASES[status]
