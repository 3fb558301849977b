"""Header fields that cross a back-to-back user agent: those from one party to the other.

All that isn't named here ends with us: it speaks of the hop between the party and us.
"""

from pbx.sip.fields import Header, Message
from pbx.sip.header_name import canonical_name

_OF_REQUESTS = (
    "Accept-Contact",  # RFC 3841: which of the other party's phones is wanted
    "Accept-Language",
    "Alert-Info",
    "Answer-Mode",  # RFC 5373
    "Call-Info",
    "Date",
    "Organization",
    "Priority",
    "Priv-Answer-Mode",
    "Reject-Contact",
    "Reply-To",
    "Request-Disposition",
    "Subject",
    "User-to-User",  # RFC 7433
)
_OF_RESPONSES = (
    "Alert-Info",
    "Answer-Mode",
    "Call-Info",
    "Error-Info",
    "Organization",
    "Reply-To",
    "Retry-After",
    "User-to-User",
    "Warning",
)

_TELLING = frozenset({"Call-Info", "Organization", "Reply-To", "Subject"})
"""What tells who somebody is (RFC 3323 §4.1)."""

_COMMANDING = frozenset({"Alert-Info", "Answer-Mode", "Call-Info", "Priv-Answer-Mode"})
"""What makes phones answer by themselves: by RFC 5373, or by ``answer-after`` and the like."""

REQUEST = frozenset(_OF_REQUESTS)
FROM_OUTSIDE = REQUEST - _COMMANDING
"""Of requests that a line brings: nobody outside listens to a room here by calling its phone."""
RESPONSE = frozenset(_OF_RESPONSES)

Headers = tuple[Header, ...]


def crossing(message: Message, names: frozenset[str], *, hidden: bool = False) -> Headers:
    """Return the header fields that the other party gets as they came.

    Args:
        message: what came.
        names: `REQUEST`, `FROM_OUTSIDE` or `RESPONSE`.
        hidden: its sender isn't to be known.
    """
    spelled = {name.lower(): name for name in names - (_TELLING if hidden else frozenset())}
    found = []
    for name, value in message.headers:
        known = spelled.get(canonical_name(name).lower())
        if known is not None and value:
            found.append((known, value))
    return tuple(found)
