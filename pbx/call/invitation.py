"""The INVITE that we send to one phone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pbx.call.leg import Target
from pbx.call.party import Party, address_of, contact
from pbx.sip.capabilities import SDP_TYPE
from pbx.sip.crossing import Headers
from pbx.sip.flow import Flow
from pbx.sip.message import Request
from pbx.sip.reliable import OPTION
from pbx.sip.secure import is_sips
from pbx.sip.uri import parse_uri


@dataclass(frozen=True, slots=True)
class Asking:
    """What each phone that a call rings is told beside the offer.

    Args:
        caller: who calls.
        headers: what the caller has said besides.
        hops: how many the INVITE may still take (RFC 3261 §8.1.1.6).
        diversions: values of Diversion (RFC 5806), the latest first.
        history: values of History-Info (RFC 7044), the first one first.
        secure: the call is by sips, and stays so wherever it is forwarded (RFC 5630 §5.3).
        forwarder: the local user whose phone has sent the call on; empty for none.
    """

    caller: Party
    headers: Headers = ()
    hops: int = 70
    diversions: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    secure: bool = False
    forwarder: str = ""


def invitation(asking: Asking, target: Target, offer: bytes, *, tag: str, call_id: str) -> Request:
    """Return the INVITE for one phone, whole but for Via and Allow (RFC 3261 §13.2.1).

    Args:
        asking: what the call says.
        target: the phone.
        offer: the SDP; empty for none.
        tag: our From tag.
        call_id: fresh.
    """
    caller, flow, manner = asking.caller, target.flow, target.manner
    sender = caller.address(flow) if manner is None else manner.sender(caller, flow)
    request = Request(
        "INVITE",
        target.uri,
        [
            *(("Route", route) for route in target.route),
            ("Max-Forwards", str(asking.hops)),
            ("From", str(sender.with_params(tag=tag))),
            ("To", f"<{address_of(target.number, flow)}>" if manner is None else manner.to),
            ("Call-ID", call_id),
            ("CSeq", "1 INVITE"),
            ("Contact", our_contact(asking, target)(flow)),
            *(caller.asserted(flow) if manner is None else manner.asserted(caller)),
            *asking.headers,
        ],
    )
    if manner is None or manner.diversion:
        request.extend(("Diversion", value) for value in asking.diversions)
        request.extend(("History-Info", value) for value in asking.history)
    if manner is not None and manner.prack == "required":
        # RFC 3262 §4: a callee that can't do it is to refuse the call
        request.add("Require", OPTION)
    if offer:
        request.add("Content-Type", SDP_TYPE)
        request.body = offer
    return request


def our_contact(asking: Asking, target: Target) -> Callable[[Flow], str]:
    """Return what builds our Contact in a call to `target`."""
    secure = is_sips(parse_uri(target.uri))
    if target.manner is None:
        return partial(contact, asking.caller.shown_number, secure=secure)
    return partial(target.manner.contact, secure=secure)
