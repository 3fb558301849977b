"""Header field names: their spelling, compact forms, and which hold lists (RFC 3261 §7.3)."""

from typing import Final

# RFC 3261 §7.3.3 and the IANA registry "Header Fields"
_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

# Several values in one line, parted by commas (RFC 3261 §7.3.1). Not in here: Authorization and
# its kin, whose commas part parameters, and single values with commas of their own (Date).
LIST_HEADERS: Final = frozenset(
    (
        "Accept",
        "Accept-Contact",
        "Accept-Encoding",
        "Accept-Language",
        "Alert-Info",
        "Allow",
        "Allow-Events",
        "Call-Info",
        "Contact",
        "Content-Encoding",
        "Content-Language",
        "Diversion",
        "Error-Info",
        "History-Info",
        "In-Reply-To",
        "P-Asserted-Identity",
        "P-Associated-URI",
        "P-Preferred-Identity",
        "Path",
        "Proxy-Require",
        "Reason",
        "Record-Route",
        "Recv-Info",
        "Reject-Contact",
        "Request-Disposition",
        "Require",
        "Route",
        "Security-Client",
        "Security-Server",
        "Security-Verify",
        "Service-Route",
        "Supported",
        "Unsupported",
        "Via",
        "Warning",
    )
)

_SINGLE = (
    "Authentication-Info",
    "Authorization",
    "Call-ID",
    "Content-Disposition",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Date",
    "Event",
    "Expires",
    "From",
    "Max-Forwards",
    "MIME-Version",
    "Min-Expires",
    "Min-SE",
    "Organization",
    "P-Access-Network-Info",
    "P-Charging-Vector",
    "P-Early-Media",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "RAck",
    "Refer-Sub",
    "Refer-To",
    "Referred-By",
    "Replaces",
    "Reply-To",
    "Retry-After",
    "RSeq",
    "Server",
    "Session-Expires",
    "SIP-ETag",
    "SIP-If-Match",
    "Subject",
    "Subscription-State",
    "Target-Dialog",
    "Timestamp",
    "To",
    "User-Agent",
    "User-to-User",
    "WWW-Authenticate",
)

CANONICAL: Final = {
    spelling: name
    for name in (*LIST_HEADERS, *_SINGLE, "Identity", "Identity-Info")
    for spelling in (name, name.lower())
} | {spelling: name for short, name in _COMPACT.items() for spelling in (short, short.upper())}


def canonical_name(name: str) -> str:
    """The name as RFC 3261 spells it, compact forms expanded; an unknown one as it came."""
    return CANONICAL.get(name) or CANONICAL.get(name.lower(), name)


def is_known_name(name: str) -> bool:
    """Whether a canonical name is one that `canonical_name` can spell."""
    return name in CANONICAL
