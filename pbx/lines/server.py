"""Where a line's server is: its addresses in order, and the one that is stuck to (RFC 3263)."""

from collections.abc import Callable
from dataclasses import replace

from pbx.config.line import Line
from pbx.errors import PeerError
from pbx.lines.state import Trouble
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import Address, Flow
from pbx.sip.next_hop import host_of, port_of, transport_of
from pbx.sip.numeric_host import numeric
from pbx.sip.uri import SipUri, parse_uri

LocalFor = Callable[[str, str], Address | None]
"""Our own address and listening port, by a transport towards a numeric host; None where there is no
way there."""

_NOWHERE = Address("", 0)
ANY = ("0.0.0.0", "::")
"""A path with one of these as our own address asks for the peer's addresses of that kind."""


class Server:
    """The addresses of a line's server, or of the outbound proxy before it.

    Args:
        line: whose server it is.
        endpoint: knows what DNS has said.
        local_for: see `LocalFor`.
    """

    def __init__(self, line: Line, endpoint: Endpoint, local_for: LocalFor) -> None:
        self._endpoint = endpoint
        self._local_for = local_for
        self._configured = hop_of(line.proxy or line.server, line.transport)
        self._hop = self._configured
        self.proxy = self._configured if line.proxy else None
        """The outbound proxy; None where there is none."""
        self._places: list[Flow] = []
        self._turn = 0
        self.trouble: Trouble | None = None
        """Why `locate` has found nothing."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self._hop.host if self._hop else ""

    @property
    def flow(self) -> Flow | None:
        """The path to the address in use; None as long as none is known."""
        return self._places[0] if self._places else None

    @property
    def others(self) -> tuple[Flow, ...]:
        """The paths to its other addresses, the best first."""
        return tuple(self._places[1:])

    @property
    def hosts(self) -> set[str]:
        """All of its addresses that are known, as texts."""
        return {place.remote.host for place in self._places}

    def locate(self, now: float) -> bool | None:
        """Find its addresses, as DNS has them now.

        What has worked stays first as long as DNS knows it: "Registration refreshes SHOULD be sent
        to the same network address as the original registration" (RFC 3261 §10.2.4). Where DNS
        knows nothing any more, or doesn't answer, the known addresses stay.

        Returns:
            Whether there is an address to go to; None while DNS is being asked: call it again then.
        """
        found = self._find(now)
        if found is None:
            return None
        reached = [path for one in found if (path := self._from_here(one)) is not None]
        if reached:
            here = self.flow
            if here is not None:
                reached.sort(key=lambda path: not _same_place(path, here))
                if _same_place(reached[0], here) and reached[0].local == here.local:
                    reached[0] = here
            self._places = reached
            self.trouble = None
            return True
        if found:
            self._places = []
            self.trouble = Trouble("no-way", {"server": found[0].remote.host})
            return False
        self.trouble = Trouble("name", {"server": self.name})
        # With another address of ours the old paths are of no use.
        kept = [path for one in self._places if (path := self._from_here(one)) is not None]
        self._places = kept
        return bool(kept)

    def _find(self, now: float) -> list[Flow] | None:
        """The paths to its addresses, with the wildcard as our own; None while DNS is asked."""
        hop = self._hop
        if hop is None:
            return []
        address = numeric(host_of(hop))
        if address is not None:
            transport = transport_of(hop, base_path(ANY[0]))
            remote = Address(str(address), port_of(hop, transport))
            return [Flow(transport, _NOWHERE, remote)]
        for local in ANY:
            paths = self._endpoint.paths(replace(base_path(local), named=hop), now, tls=True)
            if paths is None:
                return None
            if found := [path for path in paths if path.remote != _NOWHERE]:
                return found
        return []

    def _from_here(self, path: Flow) -> Flow | None:
        local = self._local_for(path.transport, path.remote.host)
        return None if local is None else replace(path, local=local)

    def still_here(self) -> bool:
        """Whether our own address towards the one in use is still what it was."""
        here = self.flow
        return here is not None and self._local_for(here.transport, here.remote.host) == here.local

    def go_on(self) -> bool:
        """Leave the address in use for the next one; False where all have had their turn.

        The first one comes last from then on.
        """
        first, *rest = self._places
        self._places = [*rest, first]
        self._turn += 1
        return self._turn < len(self._places)

    def begin(self) -> None:
        """Give every address its turn again."""
        self._turn = 0

    def stick(self, flow: Flow) -> None:
        """Take note of the path that has worked: of its connection, too."""
        self._places = [flow, *(one for one in self._places if not _same_place(one, flow))]

    def disconnected(self, flow: Flow) -> bool:
        """Take note that a path has failed; True where it was the one in use.

        Args:
            flow: it; with connection 0 whoever is at its address: there is no connection to be had,
                or a datagram has been refused.
        """
        here = self.flow
        if here is None or not (flow.connection == here.connection and _same_place(flow, here)):
            return False
        self._places[0] = replace(here, connection=0)
        return True

    def redirect(self, uri: SipUri) -> None:
        """Go where the server has sent us (RFC 3261 §8.1.3.4), until `return_home`."""
        self._hop, self._places = uri, []

    def return_home(self) -> None:
        """Go where the line's options say again."""
        if self._hop != self._configured:
            self._hop, self._places = self._configured, []


def hop_of(text: str, transport: str) -> SipUri | None:
    """Return the URI of ``host[:port]`` by a transport; None where it is none.

    An IPv6 address without port needs no brackets.
    """
    if ":" in text and numeric(text) is not None:
        text = f"[{text}]"
    try:
        uri = parse_uri(f"sip:{text}")
    except PeerError:
        return None
    if not isinstance(uri, SipUri) or uri.user is not None:
        return None
    return uri.with_params(transport=transport) if transport else uri


def base_path(local: str) -> Flow:
    """Return a path to nowhere yet; one of `ANY` as our own address says what is looked for."""
    return Flow("udp", Address(local, 0), _NOWHERE)


def _same_place(one: Flow, other: Flow) -> bool:
    return (one.transport, one.remote) == (other.transport, other.remote)
