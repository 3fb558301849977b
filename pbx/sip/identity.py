"""Who a message says it is from, and whether that is to be kept secret (RFC 3323, RFC 3325)."""

from pbx.errors import PeerError
from pbx.sip.headers import NameAddr, parse_name_addr
from pbx.sip.message import Message
from pbx.sip.uri import SipUri, TelUri

ANONYMOUS = NameAddr("Anonymous", SipUri("sip", "anonymous", None, "anonymous.invalid"))
"""The From of a caller who is not to be known (RFC 3323 §4.1.1.3)."""

_ANONYMOUS_USERS = frozenset({"anonymous", "restricted", "unavailable"})
_HIDING = frozenset({"id", "user", "header"})
"""Values of Privacy that mean that the other party isn't told who this one is."""

_SERVED = frozenset({*_HIDING, "session", "history", "none", "critical"})
"""Values that ask for nothing that a back-to-back user agent doesn't do: its own addresses stand in
place of the phone's in every header field and description."""


def privacy(message: Message) -> frozenset[str]:
    """Return the values of the Privacy header field (RFC 3323 §4.2), in lower case."""
    values = ";".join(message.all("Privacy")).replace(",", ";").split(";")
    return frozenset(value.strip().lower() for value in values if value.strip())


def is_anonymous(address: NameAddr) -> bool:
    """Return True for an address that names nobody (RFC 3323 §4.1.1.3)."""
    uri = address.uri
    if not isinstance(uri, SipUri):
        return False
    host = uri.host.lower()
    return (
        host == "invalid"
        or host.endswith(".invalid")
        or (uri.user or "").lower() in _ANONYMOUS_USERS
    )


def is_hidden(message: Message) -> bool:
    """Return True where a request or a response asks that its sender is not shown."""
    asked = privacy(message)
    return "none" not in asked and bool(asked & _HIDING)


def check_privacy(message: Message) -> None:
    """Check that what Privacy asks for can be done, where it says that it must (RFC 3323 §4.2).

    Raises:
        PeerError: 500 for a value that we don't know, beside «critical».
    """
    asked = privacy(message)
    if "critical" in asked and not asked <= _SERVED:
        raise PeerError(500, "Privacy Not Available")


def preferred(message: Message) -> NameAddr | None:
    """Return whom a phone wants to be shown as: P-Preferred-Identity (RFC 3325 §9.2).

    None where it doesn't say, or nothing that can be read: a bad one costs no call.
    """
    try:
        for value in message.all("P-Preferred-Identity"):
            address = parse_name_addr(value)
            if isinstance(address.uri, SipUri | TelUri):
                return address
    except PeerError:
        pass
    return None
