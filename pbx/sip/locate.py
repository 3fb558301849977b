"""Locating SIP servers: from a URI with a host name to addresses, in order (RFC 3263 §4).

Pure: what DNS has said is looked up, what it hasn't been asked yet comes back as questions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from pbx.sip.flow import Address, Flow
from pbx.sip.next_hop import host_of, port_of, transport_of
from pbx.sip.numeric_host import numeric
from pbx.sip.uri import SipUri

MOST_PLACES = 8
"""Addresses of one destination that are tried; more would keep a caller waiting for ever."""


class Kind(Enum):
    """What is asked."""

    NAPTR = "NAPTR"
    SRV = "SRV"
    A = "A"
    AAAA = "AAAA"


@dataclass(frozen=True, slots=True)
class Question:
    """A question for DNS.

    Args:
        kind: the kind of record.
        name: the domain name, in lower case, without the dot at its end.
    """

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Naptr:
    """A NAPTR record (RFC 3403 §4.1), as far as SIP uses it."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
"""A record; an address is a text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS knows of a question: nothing, or its records; and for how many seconds that holds."""

    records: tuple[Record, ...]
    ttl_s: float


Place = tuple[str, Address]
"""A transport and an address."""

Known = Callable[[Question], Sequence[Record] | None]
"""What has been answered; None where nobody asked yet."""

Pick = Callable[[int], int]
"""A random number from 0 to the argument, which counts too."""

_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
"""RFC 3263 §4.1."""

_PREFIX = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
"""RFC 3263 §4.2, and §4.1 for where there is no NAPTR record."""

Some = TypeVar("Some", Naptr, Srv, str)


def locate(
    hop: SipUri, flow: Flow, known: Known, pick: Pick, *, tls: bool = False
) -> tuple[list[Question], list[Place]]:
    """Return what is still to be asked, or else the places to try, the first one first.

    Args:
        hop: the next hop.
        flow: the path that the request would have had: its own address says which kind of
            addresses can be reached.
        known: what DNS has said.
        pick: for the weights of SRV records.
        tls: it may be gone to by TLS, too, though the URI is a sip one. A server may; a phone
            that speaks TLS is reached by its own connection alone.
    """
    search = _Search(flow, known, pick, tls=tls)
    places = search.places(hop)
    return search.missing, [] if search.missing else list(dict.fromkeys(places))[:MOST_PLACES]


class _Search:
    """One look at what DNS has said so far."""

    def __init__(self, flow: Flow, known: Known, pick: Pick, *, tls: bool) -> None:
        self._flow = flow
        self._known = known
        self._pick = pick
        self._transports = ("udp", "tcp", "tls") if tls else ("udp", "tcp")
        self._addresses = Kind.AAAA if ":" in flow.local.host else Kind.A
        self.missing: list[Question] = []

    def places(self, hop: SipUri) -> list[Place]:
        """RFC 3263 §4.1, §4.2."""
        name = host_of(hop)
        fixed = hop.scheme == "sips" or hop.has_param("transport") or hop.port is not None
        # "Similarly, if no transport protocol is specified, and the TARGET is not numeric, but an
        # explicit port is provided, the client SHOULD use UDP for a SIP URI, and TCP for a SIPS
        # URI." The peer's own transport is as good.
        transport = transport_of(hop, self._flow)
        if hop.port is not None:
            return self._hosts(transport, name, hop.port)
        services = [(transport, _PREFIX[transport] + name)] if fixed else self._services(name)
        found = [place for service in services for place in self._service(*service)]
        if found or any(self._ask(Kind.SRV, where, Srv) for _, where in services):
            return found
        # "If no SRV records were found, the client performs an A or AAAA record lookup of the
        # domain name."
        return self._hosts(transport, name, port_of(hop, transport))

    def _services(self, name: str) -> list[tuple[str, str]]:
        """Transports and the names of their SRV records, the preferred first (§4.1).

        "A client resolving a SIP URI SHOULD retain records with "SIPS" as the protocol, if the
        client supports TLS." They come last all the same, whatever their order: who wants TLS
        first wants SRTP with it, which we don't have yet, and may refuse calls without it that
        another transport's server takes.
        """
        records = sorted(
            (transport == "tls", one.order, one.preference, transport, one.replacement)
            for one in self._ask(Kind.NAPTR, name, Naptr)
            # "the client discards any records whose services fields are not applicable"
            if one.flags.lower() == "s"
            and (transport := _SERVICES.get(one.service.upper(), "")) in self._transports
        )
        if records:
            return [(transport, where) for _, _, _, transport, where in records]
        # "If no NAPTR records are found, the client constructs SRV queries for those transport
        # protocols it supports, and does a query for each."
        return [(transport, _PREFIX[transport] + name) for transport in self._transports]

    def _service(self, transport: str, where: str) -> list[Place]:
        places: list[Place] = []
        for record in _in_order(self._ask(Kind.SRV, where, Srv), self._pick):
            # RFC 2782: "A Target of "." means that the service is decidedly not available"
            if record.target:
                places += self._hosts(transport, record.target, record.port)
        return places

    def _hosts(self, transport: str, name: str, port: int) -> list[Place]:
        if numeric(name) is not None:
            return [(transport, Address(name, port))]
        addresses = self._ask(self._addresses, name, str)
        return [(transport, Address(one, port)) for one in addresses]

    def _ask(self, kind: Kind, name: str, of: type[Some]) -> list[Some]:
        question = Question(kind, name.lower().rstrip("."))
        records = self._known(question)
        if records is None:
            if question not in self.missing:
                self.missing.append(question)
            return []
        return [one for one in records if isinstance(one, of)]


def _in_order(records: Sequence[Srv], pick: Pick) -> list[Srv]:
    """Order SRV records as RFC 2782 has it: by priority, and by chance and weight within one."""
    ordered: list[Srv] = []
    for priority in sorted({one.priority for one in records}):
        # "arrange all SRV RRs (that have not been ordered yet) in any order, except that all those
        # with weight 0 are placed at the beginning of the list"
        left = sorted((one for one in records if one.priority == priority), key=_weight)
        while left:
            chosen = pick(sum(one.weight for one in left))
            running = 0
            for one in left:
                running += one.weight
                if running >= chosen:
                    break
            ordered.append(one)
            left.remove(one)
    return ordered


def _weight(record: Srv) -> bool:
    return record.weight > 0
