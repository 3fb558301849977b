"""Who a party of a call is, as the other party is shown it (RFC 3261 §8.1.1.3, RFC 3325)."""

from dataclasses import dataclass, replace

from pbx.sip.flow import DEFAULT_PORT, DEFAULT_TLS_PORT, Flow
from pbx.sip.grammar import quote
from pbx.sip.headers import NameAddr
from pbx.sip.identity import ANONYMOUS
from pbx.sip.uri import SipUri, TelUri


@dataclass(frozen=True, slots=True)
class Party:
    """A party of a call.

    Args:
        number: who it is.
        name: its display name; empty for none.
        hidden: the other party isn't to know who it is (RFC 3323).
        line: the external line or SIP trunk that it is reached by; empty for a local user.
        poses: it calls by a telephone company's line, with the number of a local user: for that
            nobody vouches.
        call_level: what it may call as a local user may, though it is none: the application server
            of call-backs; None where it is a local user or a line's party.
    """

    number: str
    name: str = ""
    hidden: bool = False
    line: str = ""
    poses: bool = False
    call_level: int | None = None

    @property
    def shown_number(self) -> str:
        """The user part of addresses that the other party sees."""
        return "anonymous" if self.hidden else self.number

    def address(self, flow: Flow) -> NameAddr:
        """Return what a phone on `flow` sees as From, without tag."""
        return ANONYMOUS if self.hidden else NameAddr(self.name, address_of(self.number, flow))

    def asserted(self, flow: Flow) -> tuple[tuple[str, str], ...]:
        """Return the header fields by which we vouch for who it is (RFC 3325 §9.1).

        None where it is hidden, or poses as somebody else.
        """
        if self.hidden or self.poses:
            return ()
        return (("P-Asserted-Identity", str(self.address(flow))),)

    def is_(self, other: "Party") -> bool:
        """Whether both are one party: a number outside is none of ours, though it may look so."""
        return (self.number, self.line) == (other.number, other.line)

    def hide(self) -> "Party":
        """Return the party that has asked not to be shown."""
        return replace(self, hidden=True)


def address_of(number: str, flow: Flow) -> SipUri:
    """Return the address of `number` as a phone can call it back: From and To (§8.1.1.3).

    A browser is bound to its WebSocket, whose port no other phone could use.
    """
    port = flow.local.port
    usual = DEFAULT_TLS_PORT if flow.transport == "tls" else DEFAULT_PORT
    unnamed = port == usual or flow.transport in ("ws", "wss")
    return SipUri("sip", number, None, flow.local.host, None if unnamed else port)


def forwarding_news(by: Party, to: Party, flow: Flow) -> tuple[tuple[str, str], ...]:
    """Return what a caller is told of a call that is forwarded, as miniSIPServer's users know it.

    Args:
        by: who forwards.
        to: who is rung now; one that hides isn't named.
        flow: the path to the caller.
    """
    if by.hidden or to.hidden:
        return ()
    who = f"username={quote(by.number)};contact={quote(to.number)}"
    # RFC 3261 §20.9: a URI stands before the parameters
    return (("Call-Info", f"<{address_of(to.number, flow)}>;purpose=forwarding;{who}"),)


def number_of(address: NameAddr) -> str:
    """Return the number that a peer's address names; empty where it names none."""
    uri = address.uri
    if isinstance(uri, SipUri):
        # RFC 3261 §19.1.1: a telephone-subscriber's parameters stand within the user part
        return (uri.user or "").partition(";")[0]
    return uri.number if isinstance(uri, TelUri) else ""


def contact(number: str, flow: Flow, *, secure: bool = False) -> str:
    """Return our Contact header value towards `flow` (RFC 3261 §8.1.1.8).

    Args:
        number: the user part.
        flow: the path to who is told.
        secure: the dialog is by sips, and its Contacts have to be (RFC 5630 §5.1).
    """
    local, scheme = flow.local, "sips" if secure else "sip"
    # RFC 7118 §5.2: the one value for both; what tells them apart is the scheme
    transport = "ws" if flow.transport == "wss" else flow.transport
    # RFC 5630 §5.1.1: with sips, TLS goes without saying
    named = transport != "udp" and not (secure and transport == "tls")
    params = (("transport", transport),) if named else ()
    return f"<{SipUri(scheme, number, None, local.host, local.port, params)}>"
