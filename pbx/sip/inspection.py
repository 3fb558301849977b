"""UAS behaviour common to all requests (RFC 3261 §8.2)."""

import re
from collections.abc import Collection

from pbx.errors import PeerError
from pbx.sip.body import refused_body
from pbx.sip.body import session_description as session_description
from pbx.sip.capabilities import SDP_TYPE, Capabilities
from pbx.sip.headers import STAR
from pbx.sip.message import Request, Response, response_to
from pbx.sip.server_transaction import speaks_rfc2543
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


_SENT_ON = frozenset({"INVITE", "MESSAGE"})
"""Methods that we are between their sender and another phone for, as a proxy is (§16.3 step 5)."""

_WITH_SESSION = frozenset({"INVITE", "UPDATE"})
"""Methods whose body can only be a session description."""


def inspect_method(request: Request, serves: Capabilities, tag: str | None) -> Response | None:
    """Return the refusal of a method that isn't served at all (§8.2.1).

    Args:
        serves: what is served.
        tag: the refusal's To tag, where the request has none.
    """
    return _method(request, serves.allow, tag)


def inspect(request: Request, serves: Capabilities, tag: str) -> Response | None:
    """Return the refusal that §8.2 asks for, in its order; None where the request may go on.

    It is for requests outside dialogs. A method that is served within dialogs alone is no
    matter of §8.2: who passes the request on answers it 481.

    Args:
        serves: what is served.
        tag: the refusal's To tag.
    """
    try:
        return (
            inspect_method(request, serves, tag)
            or _request_uri(request, tag)
            or _extensions(request, serves.options, tag, _passing(request, serves))
            or _content(request, serves, tag)
            or _acceptable(request, tag)
            or _contact(request, tag)
            or _registered(request, tag)
        )
    except PeerError as error:
        return response_to(request, error.status, error.reason, to_tag=tag)


def inspect_in_dialog(request: Request, serves: Capabilities) -> Response | None:
    """As `inspect`, for a request within a dialog (§12.2.2)."""
    try:
        return (
            _method(request, serves.within, None)
            or _extensions(request, serves.options_within, None)
            or _content(request, serves, None)
            or _acceptable(request, None)
        )
    except PeerError as error:
        return response_to(request, error.status, error.reason, to_tag=None)


def _method(request: Request, allow: Collection[str], tag: str | None) -> Response | None:
    if request.method in allow:
        return None
    known = request.method in KNOWN_METHODS
    status, reason = (405, "Method Not Allowed") if known else (501, "Not Implemented")
    response = response_to(request, status, reason, to_tag=tag)
    # §8.2.1: "The UAS MUST also add an Allow header field to the 405"
    response.add("Allow", ", ".join(allow))
    return response


def _request_uri(request: Request, tag: str) -> Response | None:
    if isinstance(request.request_uri, OtherUri):
        return response_to(request, 416, "Unsupported URI Scheme", to_tag=tag)
    return None


def _extensions(
    request: Request,
    supported: Collection[str],
    tag: str | None,
    passing: Collection[str] = (),
) -> Response | None:
    unknown = [option for option in request.all("Require") if option.lower() not in supported]
    if not unknown and passing:
        unknown = [one for one in request.all("Proxy-Require") if one.lower() not in passing]
    if not unknown:
        return None
    response = response_to(request, 420, "Bad Extension", to_tag=tag)
    response.add("Unsupported", ", ".join(unknown))
    return response


def _passing(request: Request, serves: Capabilities) -> Collection[str]:
    """What Proxy-Require may name (§16.3 step 5); nothing where it is no matter of ours."""
    sent_on = request.method in _SENT_ON
    return (*serves.options, *serves.proxy_options) if sent_on else ()


def _content(request: Request, serves: Capabilities, tag: str | None) -> Response | None:
    status = refused_body(request) if request.method in _WITH_SESSION else 0
    if not status:
        return None
    response = response_to(request, status, to_tag=tag)
    if status == 415:
        # §8.2.3: what would have been read
        response.add("Accept", ", ".join(serves.bodies))
        response.add("Accept-Encoding", "identity")
    return response


def _acceptable(request: Request, tag: str | None) -> Response | None:
    """§21.4.7: a 406 to who doesn't take the session description that a 2xx will carry.

    §20.1: without an Accept "the server SHOULD assume a default value of application/sdp"; an empty
    one "means that no formats are acceptable".
    """
    if request.method != "INVITE" or request.get("Accept") is None:
        return None
    for value in request.all("Accept"):
        # media-range [ ;q=... ], where a q of 0 is a refusal
        media, *params = value.replace(" ", "").lower().split(";")
        refused = any(re.fullmatch(r"q=0(\.0*)?", param) for param in params)
        if media in (SDP_TYPE, "application/*", "*/*") and not refused:
            return None
    return response_to(request, 406, to_tag=tag)


def _contact(request: Request, tag: str) -> Response | None:
    if request.method != "INVITE":
        return None
    contacts = request.contacts
    if not contacts and speaks_rfc2543(request):
        # RFC 4475 §3.4.1: such a caller is called back by its From
        return None
    # §8.1.1.8: "The Contact header field MUST be present and contain exactly one SIP or SIPS URI"
    if contacts is STAR or len(contacts) != 1:
        return response_to(request, 400, "Exactly One Contact Needed", to_tag=tag)
    return None


def _registered(request: Request, tag: str) -> Response | None:
    # §10.2: "This address-of-record MUST be a SIP URI or SIPS URI."
    if request.method == "REGISTER" and not isinstance(request.to.uri, SipUri):
        return response_to(request, 400, "Address-of-Record Is No SIP URI", to_tag=tag)
    return None
