"""Our address as a line's server sees it, where a router translates addresses (NAT; RFC 3581)."""

from dataclasses import replace

from pbx.config.line import LEARNED, Line
from pbx.errors import PeerError
from pbx.lines.server import hop_of
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Response
from pbx.sip.numeric_host import numeric


class PublicAddress:
    """What is known of our public address towards one line's server, and what the line is told.

    A router's mapping is of one transport and one socket of ours, so what was learned by another
    one counts no more.
    """

    def __init__(self) -> None:
        self._seen: Address | None = None
        self._of: Flow | None = None

    def learn(self, response: Response, flow: Flow) -> None:
        """Take note of what a response says of where our request has come from.

        Args:
            response: an answer of the server's.
            flow: the path of our request; with its connection, where it has one.
        """
        seen = seen_by(response)
        if seen is not None:
            self._seen, self._of = seen, flow

    def recall(self, seen: Address, flow: Flow) -> None:
        """Take note of what was known before a restart; what has been learned since counts more.

        A connection of before had a mapping that went with it.
        """
        if self._seen is None and not flow.is_stream:
            self._seen, self._of = seen, flow

    def lost(self, flow: Flow) -> None:
        """Take note that a connection has ended: another one has another mapping."""
        if flow.connection and self._of is not None and flow.same_source(self._of):
            self._of = None

    def seen(self, flow: Flow) -> Address | None:
        """Return how the server sees our end of a path; None where it hasn't said.

        Args:
            flow: the path; without a connection that of a call which has lost its own, and goes on
                by the one that there is to the same address.
        """
        known = self._of
        if known is None or (known.transport, known.local) != (flow.transport, flow.local):
            return None
        if flow.is_stream and not flow.connection:
            return self._seen if flow.remote == known.remote else None
        return self._seen if flow.connection == known.connection else None

    def shown(self, line: Line, flow: Flow) -> Flow:
        """Return a path with the address of ours that the line's Contact is to have.

        Our own as long as none else is known: that of a private network says what it is to
        everybody, a wrong one leads to somebody else.

        Args:
            line: its `contact_address` decides.
            flow: the path; its address stays where the Contact is to be our own.
        """
        if not line.contact_address:
            return flow
        if line.contact_address == LEARNED:
            return replace(flow, local=self.seen(flow) or flow.local)
        fixed = hop_of(line.contact_address, "")
        if fixed is None:
            return flow
        return replace(flow, local=Address(fixed.host.strip("[]"), fixed.port or flow.local.port))

    def of_sound(self, line: Line, flow: Flow) -> str:
        """Return the address that session descriptions are to have; empty: our own.

        Args:
            line: its `sdp_address` decides.
            flow: the call's path; an address of another kind than its own is of no use there.
        """
        address = line.sdp_address
        if address == LEARNED:
            address = self._seen.host if self._seen is not None else ""
        return address if (":" in address) == (":" in flow.local.host) else ""


def seen_by(response: Response) -> Address | None:
    """Return where a server has seen our request come from (RFC 3581 §4); None: it doesn't say.

    Nothing that could not be ours is taken: neither a name nor an address that is nobody's.
    """
    try:
        via = response.via
    except PeerError:
        return None
    if not via.received and not via.rport:
        return None
    host = numeric((via.received or via.host).strip("[]"))
    port = via.rport or str(via.port or "")
    if host is None or host.is_unspecified or host.is_multicast:
        return None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535):
        return None
    return Address(str(host), int(port))
