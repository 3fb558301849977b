"""REFER: who a party is to call instead, and how it is told of what becomes of it.

RFC 3515 with its implicit subscription, RFC 3892 (Referred-By), RFC 4488 (Refer-Sub).
"""

from dataclasses import dataclass

from pbx.errors import PeerError
from pbx.sip.headers import NameAddr, parse_name_addr
from pbx.sip.message import REASONS, Request
from pbx.sip.replaces import Replaces, parse_replaces
from pbx.sip.uri import SipUri, TelUri

SIPFRAG_TYPE = "message/sipfrag"
"""What a NOTIFY of a REFER carries (RFC 3420)."""

REFER_PACKAGE = "refer"
"""The event package that a REFER alone subscribes to (RFC 3515 §3)."""

SUBSCRIPTION_S = 180
"""How long the implicit subscription lasts without news: longer than any phone rings."""


@dataclass(frozen=True, slots=True)
class ReferRequest:
    """What a REFER asks for.

    Args:
        target: who is to be called.
        number: its user part.
        replaces: the dialog that the new call takes the place of: an attended transfer.
        referred_by: the value of Referred-By; empty for none.
        told: the party wants to hear what becomes of it.
        event_id: of its subscription; empty for the first one in its dialog.
    """

    target: NameAddr
    number: str
    replaces: Replaces | None
    referred_by: str
    told: bool
    event_id: str = ""


def parse_refer(request: Request, *, first: bool) -> ReferRequest:
    """Read a REFER.

    Args:
        request: the REFER.
        first: it is the first one in its dialog.

    Raises:
        PeerError: the answer to give: 400 without exactly one Refer-To that can be read
            (RFC 3515 §2.4.2), 416 for a scheme that can't be called, 403 for a method that isn't
            INVITE.
    """
    values = request.all("Refer-To")
    if len(values) != 1:
        raise PeerError(400, "Exactly One Refer-To Needed")
    target = parse_name_addr(values[0])
    uri = target.uri
    if isinstance(uri, TelUri):
        return _asked(request, target, uri.number, None, first=first)
    if not isinstance(uri, SipUri):
        raise PeerError(416, "Unsupported URI Scheme")
    if (uri.param("method") or "INVITE").upper() != "INVITE":
        raise PeerError(403, "Only INVITE Can Be Referred To")
    named = [value for name, value in uri.headers if name.lower() == "replaces"]
    if len(named) > 1:
        raise PeerError(400, "Repeated Replaces")
    replaces = parse_replaces(named[0]) if named else None
    # RFC 3261 §19.1.1: a telephone-subscriber's parameters stand within the user part
    number = (uri.user or "").partition(";")[0]
    return _asked(request, target, number, replaces, first=first)


def _asked(
    request: Request, target: NameAddr, number: str, replaces: Replaces | None, *, first: bool
) -> ReferRequest:
    if not number.isprintable():
        # What an escape hides (a line break, an octet that is no UTF-8) must reach no record
        raise PeerError(400, "Bad Refer-To")
    referred_by = request.get("Referred-By") or ""
    if referred_by:
        parse_name_addr(referred_by)
    # RFC 4488 §4: false asks for no subscription
    told = (request.get("Refer-Sub") or "true").partition(";")[0].strip().lower() != "false"
    # RFC 3515 §2.4.6: the id tells the second REFER of a dialog from its first one
    event_id = "" if first else str(request.cseq.number)
    return ReferRequest(target, number, replaces, referred_by, told, event_id)


def sipfrag(status: int, reason: str = "") -> bytes:
    """Return the body of a NOTIFY: the status line that the new call has got (RFC 3515 §2.4.5)."""
    phrase = reason if reason.isascii() and reason.isprintable() else ""
    return f"SIP/2.0 {status} {phrase or REASONS.get(status, 'Unknown')}\r\n".encode()
