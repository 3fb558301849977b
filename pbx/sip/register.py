"""REGISTER as its client has it: what is asked for, and what is granted (RFC 3261 §10.2)."""

from collections.abc import Iterable
from contextlib import suppress

from pbx.errors import PeerError
from pbx.sip.headers import NameAddr, parse_delta_seconds, parse_name_addr, split_list
from pbx.sip.message import Request, Response
from pbx.sip.uri import SipUri, equivalent

MARGIN_S = 32.0
"""How long before its end a binding is refreshed: several retransmissions may get lost (64*T1)."""


def register_request(
    registrar: str,
    address: str,
    tag: str,
    call_id: str,
    cseq: int,
    contacts: Iterable[str],
    expires_s: int,
) -> Request:
    """Build a REGISTER (§10.2).

    Args:
        registrar: the Request-URI: "The "userinfo" and "@" components of the SIP URI MUST NOT be
            present".
        address: our address-of-record, a URI.
        tag: of From.
        call_id: "A UA SHOULD use the same Call-ID for all registrations during a single boot
            cycle." (§10.2.4)
        cseq: greater by one each time.
        contacts: values of Contact; those with an ``expires`` of their own have that.
        expires_s: for how long the others are to hold; 0 takes them away (§10.2.2).
    """
    return Request(
        "REGISTER",
        registrar,
        [
            ("From", f"<{address}>;tag={tag}"),
            ("To", f"<{address}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} REGISTER"),
            *(("Contact", contact) for contact in contacts),
            ("Expires", str(expires_s)),
        ],
    )


def granted_s(response: Response, contact: str, asked_s: int) -> int:
    """Return how long our binding holds, seconds: our Contact's `expires`, else Expires (§10.2.4).

    Args:
        response: a 2xx to a REGISTER.
        contact: the Contact value that we have registered. A server that has put the address that
            it sees into it means it all the same: it is found by its user then.
        asked_s: what we asked for; what a server that says nothing has granted.
    """
    known = listed(response)
    ours = parse_name_addr(contact).uri
    mine = [one for one in known if equivalent(one.uri, ours)] or [
        one for one in known if _user(one) == getattr(ours, "user", None)
    ]
    texts = [mine[0].param("expires") if mine else None, response.get("Expires")]
    for text in texts:
        try:
            return parse_delta_seconds(text or "")
        except PeerError:
            continue
    return asked_s


def listed(response: Response) -> list[NameAddr]:
    """Return the Contacts of a registrar's answer, those left out that can't be read.

    They may be of other phones with the same account, and a registrar repeats what it was told.
    """
    found: list[NameAddr] = []
    for value in response.values("Contact"):
        with suppress(PeerError):
            for text in split_list(value):
                with suppress(PeerError):
                    found.append(parse_name_addr(text))
    return found


def _user(address: NameAddr) -> str | None:
    return address.uri.user if isinstance(address.uri, SipUri) else None


def refresh_after_s(granted: int) -> float:
    """Return after how many seconds a binding is refreshed that holds for `granted` ones."""
    return max(granted - MARGIN_S, granted / 2)


def longer_s(response: Response, asked_s: int) -> int | None:
    """Return the time that a 423 asks for (§10.2.8); None where it asks for none that is longer."""
    try:
        least_s = parse_delta_seconds(response.get("Min-Expires") or "")
    except PeerError:
        return None
    return least_s if least_s > asked_s else None
