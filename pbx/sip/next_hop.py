"""The next hop of a request: which path leads to a URI (RFC 3261 §8.1.2, §12.2.1.1)."""

from dataclasses import dataclass, replace

from pbx.sip.flow import DEFAULT_PORT, DEFAULT_TLS_PORT, Address, Flow
from pbx.sip.headers import parse_name_addr
from pbx.sip.message import Request
from pbx.sip.numeric_host import Ip, numeric
from pbx.sip.uri import SipUri, Uri, parse_uri

_OPEN = frozenset({"udp", "tcp"})
"""Transports by which anybody is reached at an address; by others a peer has to come to us."""


@dataclass(frozen=True, slots=True)
class Way:
    """Another way to the same phone or server, for where the first one is of no use (RFC 5626 §7).

    Args:
        uri: the Request-URI.
        flow: the path.
        route: values of the Route header, topmost first.
        same_server: it is another address of the server that the first way leads to, and no other
            flow of a phone's: a 503 leads there, too (RFC 3263 §4.3).
    """

    uri: str
    flow: Flow
    route: tuple[str, ...] = ()
    same_server: bool = False


def behind_nat(request: Request, flow: Flow) -> bool:
    """Return whether a request's sender can be reached at its packets' source alone.

    Its Via proves it: an address stands in it that isn't the source, so a NAT lies between. A name
    proves nothing, unless it is one that exists nowhere (RFC 7118 §5: a browser's).

    Args:
        request: as received.
        flow: the path that it came on.
    """
    host = request.via.host
    address = numeric(host)
    if address is None:
        return host.lower().endswith(".invalid")
    return address != numeric(flow.remote.host)


def first_hop(request_uri: str, route: tuple[str, ...]) -> Uri:
    """Return the URI that decides where a request goes (§8.1.2): the first Route, or the target."""
    return parse_name_addr(route[0]).uri if route else parse_uri(request_uri)


def path_to(hop: Uri, flow: Flow, *, nat: bool) -> Flow:
    """Return the path on which a request for `hop` leaves.

    A connection to the host that `hop` names is used again (RFC 3261 §18), one that has ended is
    made anew with whom it was with, and whatever the peer can't be reached at gives way to where
    its packets come from.

    Args:
        hop: the first of the route set, or else the remote target.
        flow: the path that the peer used last.
        nat: `hop` is an address of a peer behind a NAT. Proxies are not: their URIs are meant for
            us.
    """
    if not isinstance(hop, SipUri) or (flow.connection and flow.transport not in _OPEN):
        return flow
    transport = transport_of(hop, flow)
    host = numeric(host_of(hop))
    source = numeric(flow.remote.host)
    if host is None or source is None:
        if nat or host_of(hop).lower().endswith(".invalid"):
            return replace(flow, only_way=True)
        return replace(flow, named=hop)
    if not _reachable(host, source) or (nat and host != source):
        return replace(flow, only_way=True)
    if host == source and flow.connection and transport == flow.transport:
        return flow
    remote = Address(str(host), port_of(hop, transport))
    if not flow.name or host != source:
        return Flow(transport, flow.local, remote, only_way=nat)
    # The TLS server that we had connected to: it goes on proving its name (RFC 5922 §4), and what
    # doesn't speak of TLS names a port that is for something else.
    remote = remote if _asks_for_tls(hop) else flow.remote
    return Flow(transport, flow.local, remote, name=flow.name, only_way=nat)


def host_of(hop: SipUri) -> str:
    """Return the name or address that a request for `hop` goes to (RFC 3263 §4: maddr first)."""
    return (hop.param("maddr") or hop.host).strip("[]")


def port_of(hop: SipUri, transport: str) -> int:
    """Return the port that `hop` names, or the transport's own."""
    return hop.port or (DEFAULT_TLS_PORT if transport == "tls" else DEFAULT_PORT)


def transport_of(hop: SipUri, flow: Flow) -> str:
    """Return the transport that `hop` asks for, or the one that its peer speaks by itself.

    RFC 3263 §4.1 would have UDP where the URI names none; phones that register over TCP leave it
    out all the same.
    """
    if hop.scheme == "sips":
        return "tls"
    asked = (hop.param("transport") or "").lower()
    usable = asked in _OPEN or asked == "tls"
    return asked if usable and flow.transport in _OPEN else flow.transport


def _asks_for_tls(hop: SipUri) -> bool:
    return hop.scheme == "sips" or (hop.param("transport") or "").lower() == "tls"


def _reachable(host: Ip, source: Ip) -> bool:
    """Whether what a peer names can be its address, seen from here."""
    if host.version != source.version or host.is_unspecified or host.is_multicast:
        return False
    if host.is_loopback and not source.is_loopback:
        return False
    # Behind a NAT or in a VPN of its own: its packets come from the Internet, its URI is private.
    return host.is_global or not source.is_global
