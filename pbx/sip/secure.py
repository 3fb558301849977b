"""The sips scheme (RFC 5630): a request that shall be secure on every hop to the other telephone."""

from pbx.sip.flow import Flow
from pbx.sip.headers import STAR
from pbx.sip.message import Request, Response, response_to
from pbx.sip.uri import SipUri, Uri

SIPS_NOT_ALLOWED = '380 minisipserver "SIPS Not Allowed"'
"""The Warning (§9) of a 480: somebody is there, but no way to it is secure."""

SIPS_REQUIRED = '381 minisipserver "SIPS Required"'
"""The Warning of a 480 to who asks by sip for what is by sips only."""

_SERVED = frozenset({"INVITE", "MESSAGE", "OPTIONS", "PUBLISH", "REGISTER", "SUBSCRIBE"})
"""Methods that may ask for it, outside dialogs."""

_BEGINNING = frozenset({"INVITE", "SUBSCRIBE"})
"""Those that begin a dialog: what follows in it goes to their Contact."""


def is_sips(uri: Uri) -> bool:
    """Whether a URI asks for TLS on each hop."""
    return isinstance(uri, SipUri) and uri.scheme == "sips"


def with_scheme(uri: str, *, secure: bool) -> str:
    """Return a SIP URI's text with the scheme ``sips``, or ``sip``; the rest as it was."""
    return ("sips:" if secure else "sip:") + uri.partition(":")[2]


def refuse_insecure(request: Request, flow: Flow, tag: str) -> Response | None:
    """Return the refusal of a sips request that we can't keep the promise of (§5.1.2, §5.3).

    Args:
        request: outside a dialog.
        flow: how it came: its first hops were to be secure, too.
        tag: the refusal's To tag.
    """
    if not is_sips(request.request_uri):
        return None
    if flow.is_secure and request.method in _SERVED:
        return _refuse_contact(request, tag)
    response = response_to(request, 480, to_tag=tag)
    # A UAC doesn't try again by sip of itself then (§5.1.1).
    response.add("Warning", SIPS_NOT_ALLOWED)
    return response


def _refuse_contact(request: Request, tag: str) -> Response | None:
    """§5.3: 400 where URIs contradict each other; what follows in the dialog would go by sip."""
    contacts = request.contacts
    if (
        request.method not in _BEGINNING
        or contacts is STAR
        or all(is_sips(one.uri) for one in contacts)
    ):
        return None
    return response_to(request, 400, "A sips Request Needs A sips Contact", to_tag=tag)
