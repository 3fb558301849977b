"""UAS behaviour common to all requests (RFC 3261 §8.2), and which body is a session description."""

from collections.abc import Collection

from pbx.errors import PeerError
from pbx.sip.headers import STAR
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.uri import OtherUri, SipUri

KNOWN_METHODS = frozenset(
    {
        "INVITE",
        "ACK",
        "CANCEL",
        "BYE",
        "OPTIONS",
        "REGISTER",
        "PRACK",
        "UPDATE",
        "INFO",
        "MESSAGE",
        "SUBSCRIBE",
        "NOTIFY",
        "REFER",
        "PUBLISH",
    }
)
"""What gets a 405 where it isn't served; anything else is no method at all: 501."""

SDP_TYPE = "application/sdp"
"""The only kind of body that is read."""


def inspect(
    request: Request, allow: Collection[str], supported: Collection[str], tag: str
) -> Response | None:
    """Return the refusal that §8.2 asks for, in its order; None where the request may go on.

    It is for requests outside dialogs.

    Args:
        allow: the methods that are served outside dialogs.
        supported: option tags that a Require header may name.
        tag: the refusal's To tag.
    """
    try:
        return (
            _method(request, allow, tag)
            or _request_uri(request, tag)
            or _extensions(request, supported, tag)
            or _content(request, tag)
            or _invite(request, tag)
        )
    except PeerError as error:
        return response_to(request, error.status, error.reason, to_tag=tag)


def inspect_in_dialog(request: Request, allow: Collection[str]) -> Response | None:
    """As `inspect`, for a request within a dialog (§12.2.2): no option may be required there."""
    try:
        return _method(request, allow, "") or _extensions(request, (), "") or _content(request, "")
    except PeerError as error:
        return response_to(request, error.status, error.reason, to_tag=None)


def session_description(message: Message) -> bytes:
    """Return the SDP that a message carries; empty where it has none, or another kind of body.

    §20.15: Content-Type must stand where there is a body; where it's missing all the same, it can
    only be SDP.
    """
    return message.body if _is_session(message) else b""


def _is_session(message: Message) -> bool:
    kind = (message.get("Content-Type") or SDP_TYPE).partition(";")[0].strip().lower()
    encoding = (message.get("Content-Encoding") or "identity").strip().lower()
    # §20.11: a body of this type is a session where no disposition says otherwise
    disposition = (message.get("Content-Disposition") or "session").partition(";")[0].strip()
    return (kind, encoding, disposition.lower()) == (SDP_TYPE, "identity", "session")


def _method(request: Request, allow: Collection[str], tag: str) -> Response | None:
    if request.method in allow:
        return None
    known = request.method in KNOWN_METHODS
    status, reason = (405, "Method Not Allowed") if known else (501, "Not Implemented")
    response = response_to(request, status, reason, to_tag=tag)
    # §8.2.1: "The UAS MUST also add an Allow header field to the 405"
    response.add("Allow", ", ".join(allow))
    return response


def _request_uri(request: Request, tag: str) -> Response | None:
    uri = request.request_uri
    # §26.2.2, RFC 5630 §3.1: a sips call has to be secure on every hop up to the other telephone,
    # which an exchange whose phones come by UDP, too, would have to promise for each of them
    if isinstance(uri, OtherUri) or (isinstance(uri, SipUri) and uri.scheme == "sips"):
        return response_to(request, 416, "Unsupported URI Scheme", to_tag=tag)
    return None


def _extensions(request: Request, supported: Collection[str], tag: str) -> Response | None:
    unknown = [option for option in request.all("Require") if option.lower() not in supported]
    if not unknown:
        return None
    response = response_to(request, 420, "Bad Extension", to_tag=tag)
    response.add("Unsupported", ", ".join(unknown))
    return response


def _content(request: Request, tag: str) -> Response | None:
    if not request.body or request.method != "INVITE":
        return None
    if request.get("Content-Type") is not None and _is_session(request):
        return None
    if "handling=optional" in (request.get("Content-Disposition") or "").replace(" ", "").lower():
        return None
    response = response_to(request, 415, "Unsupported Media Type", to_tag=tag)
    # §8.2.3: what would have been read
    response.add("Accept", SDP_TYPE)
    response.add("Accept-Encoding", "identity")
    return response


def _invite(request: Request, tag: str) -> Response | None:
    if request.method != "INVITE":
        return None
    if request.max_forwards == 0:
        # We would send it on: a B2BUA takes part in loop protection as a proxy does (§16.3)
        return response_to(request, 483, "Too Many Hops", to_tag=tag)
    contacts = request.contacts
    # §8.1.1.8: "The Contact header field MUST be present and contain exactly one SIP URI"
    if contacts is STAR or len(contacts) != 1:
        return response_to(request, 400, "Exactly One Contact Needed", to_tag=tag)
    return None
