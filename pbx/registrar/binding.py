"""A binding: one contact of a user, and the way to it (RFC 3261 §10, RFC 3327, RFC 5626)."""

from dataclasses import dataclass

import msgspec

from pbx.call.leg import Target
from pbx.sip.flow import Flow
from pbx.sip.next_hop import first_hop, path_to
from pbx.sip.secure import is_sips, with_scheme
from pbx.sip.uri import SipUri, parse_uri


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of a user.

    Args:
        number: the user.
        uri: the contact's URI, as registered.
        flow: the path that the REGISTER came by.
        call_id, cseq: of the REGISTER, to tell old ones from new.
        expires: when it ends, on the clock of `now`.
        path: Route values that reach the contact (RFC 3327).
        user_agent: what the phone calls itself.
        q: the contact's preference, 0 to 1, as text; empty for none.
        instance: the phone's own name (RFC 5626 §4.1), empty for none.
        reg_id: which of its flows this is (RFC 5626 §4.2); 0 where it asks for none.
        behind_nat: only its packets' source reaches it.
        features: further Contact parameters, as the phone gave them (RFC 3840 §6).
    """

    number: str
    uri: str
    flow: Flow
    call_id: str
    cseq: int
    expires: float
    path: tuple[str, ...] = ()
    user_agent: str = ""
    q: str = ""
    instance: str = ""
    reg_id: int = 0
    behind_nat: bool = False
    features: str = ""

    @property
    def target(self) -> Target:
        """Where a request for this contact goes: by its Path (RFC 3327 §5.4), or to its URI.

        RFC 5630 §5.1.1.1: a sips Contact stands for the same one by sip, too, which is what it is
        called by unless the call itself is by sips.
        """
        contact = parse_uri(self.uri)
        secure = is_sips(contact)
        if isinstance(contact, SipUri):
            # §19.1.1: header components are not allowed in a Request-URI
            contact = msgspec.structs.replace(contact, headers=())
        uri, nat = str(contact), self.behind_nat and not self.path
        flow = self.flow
        kept = self.reg_id and not self.path and (flow.connection or not flow.reliable)
        if not kept:
            # RFC 5626 §7: a flow that the phone keeps is the way to it, whatever its URI says
            flow = path_to(first_hop(uri, self.path), flow, nat=nat)
        if secure:
            uri = with_scheme(uri, secure=False)
        return Target(self.number, uri, flow, self.path, self.behind_nat, sips=secure)
