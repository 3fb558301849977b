"""The phones of a user that may be rung: none whose Contact or Path leads to a line's server.

Such a phone would be toll fraud: whoever rings it has the exchange call outside, by a line that takes
whatever comes from our address, without the dial plan's having been asked.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from pbx.call.leg import Target
from pbx.errors import PeerError
from pbx.registrar.binding import Binding
from pbx.registrar.bindings import Bindings
from pbx.registrar.instances import targets
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import Address, Flow
from pbx.sip.headers import parse_name_addr
from pbx.sip.next_hop import host_of, path_to
from pbx.sip.uri import SipUri, parse_uri

log = logging.getLogger(__name__)

_MOST_TOLD = 1000
"""Bindings whose warning is remembered, so that the log has it once."""

_LONGEST_URI = 200
"""Characters of a Contact that are shown and remembered: it is as long as its sender likes."""

_NOWHERE = Address("", 0)

LineAt = Callable[[str, str], str]
"""The line whose server is at a host, which a source must not have us go to; empty for none: see
`pbx.call.outside.Outside.line_at`."""


@dataclass(frozen=True, slots=True)
class Found:
    """The phones of a user.

    Args:
        targets: those that may be rung, one for each phone.
        astray: the Contacts of the others, and the lines at whose servers they are.
    """

    targets: tuple[Target, ...]
    astray: tuple[tuple[str, str], ...]

    @property
    def why(self) -> str:
        """In English words why some aren't rung; empty where all are."""
        return "; ".join(f"{uri} not rung: it leads to line {line}" for uri, line in self.astray)


class Phones:
    """Finds the phones of users.

    Args:
        endpoint: knows what DNS has said.
        bindings: where users are.
        line_at: see `LineAt`.
    """

    def __init__(self, endpoint: Endpoint, bindings: Bindings, line_at: LineAt) -> None:
        self._endpoint = endpoint
        self._bindings = bindings
        self._line_at = line_at
        self._told: set[tuple[str, str]] = set()
        bindings.check = self.check

    def of(self, number: str, now: float) -> Found:
        """Return the phones of a user, the preferred first."""
        good, astray = [], []
        for binding in self._bindings.of(number, now):
            if line := self._line_of(binding, now):
                astray.append((_shown(binding), line))
            else:
                good.append(binding)
        return Found(tuple(targets(good)), tuple(astray))

    def check(self, binding: Binding) -> None:
        """Check that a binding may be stored; what its names stand for is seen when it is rung.

        Raises:
            PeerError: 403 where it leads to a line's server.
        """
        if self._line_of(binding, None):
            raise PeerError(403, "Contact Leads To A Line's Server")

    def _line_of(self, binding: Binding, now: float | None) -> str:
        """The line by which a request for a binding would leave; empty for none, as is usual.

        Names are looked up at the time `now`, and not at all for None.
        """
        source = binding.flow.remote.host
        hosts = chain(_named(binding), *(self._hosts(flow, now) for flow in _paths(binding)))
        line = next((line for host in hosts if (line := self._line_at(host, source))), "")
        if line:
            self._tell(binding, line)
        return line

    def _hosts(self, flow: Flow, now: float | None) -> list[str]:
        """Where a path leads; by a name that, and its addresses as far as DNS has told."""
        if flow.named is None:
            return [flow.remote.host]
        # As if it were a name of our own: what is barred is what is looked for
        ours = replace(flow, remote=_NOWHERE, connection=0)
        found = [] if now is None else self._endpoint.paths(ours, now) or []
        return [host_of(flow.named), *(path.remote.host for path in found)]

    def _tell(self, binding: Binding, line: str) -> None:
        key = binding.number, _shown(binding)
        if key in self._told:
            return
        if len(self._told) >= _MOST_TOLD:
            self._told.clear()
        self._told.add(key)
        log.warning(
            "%s: the contact %s of %s leads to the server of line %s: calls to %s don't go there",
            *(binding.flow, _shown(binding), binding.number, line, binding.number),
        )


def _shown(binding: Binding) -> str:
    uri = binding.uri
    return uri if len(uri) <= _LONGEST_URI else f"{uri[:_LONGEST_URI]}..."


def _named(binding: Binding) -> Iterator[str]:
    """The hosts that stand in a binding's URIs: a proxy at a maddr may well go by them after all."""
    for uri in (parse_uri(binding.uri), *(parse_name_addr(hop).uri for hop in binding.path)):
        if isinstance(uri, SipUri):
            yield uri.host.strip("[]")


def _paths(binding: Binding) -> Iterator[Flow]:
    """The path of a request for a binding, and those on which proxies before us would send it on.

    A proxy at our own address is as good to a line's server as we are.
    """
    target = binding.target
    yield target.flow
    if target.route:
        later = [parse_name_addr(hop).uri for hop in target.route[1:]]
        for uri in (*later, parse_uri(target.uri)):
            yield path_to(uri, binding.flow, nat=False)
