"""DNS for SIP (RFC 3263): questions in, answers back, never waited for."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdata
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from pbx.config.name_server import parse_name_server
from pbx.sip.locate import Answer, Kind, Naptr, Question, Record, Srv

log = logging.getLogger(__name__)

LIMIT_S = 5.0
"""How long one question may take."""

NOTHING_S = 30.0
"""How long it holds that there is no such record."""

SILENCE_S = 10.0
"""How long it holds that nobody answered."""

SYSTEM_S = 60.0
"""How long an address of the system's own (hosts file, mDNS) holds."""


class Resolver:
    """Asks name servers; every question gets an answer, be it that there is nothing.

    Args:
        servers: name servers as in the settings; empty for those of the system, asked for anew at
            each question: a box may have no network yet when it starts.
        answered: takes each answer, on the event loop.
        limit_s: how long one question may take.
    """

    def __init__(
        self,
        servers: Sequence[str],
        answered: Callable[[Question, Answer], None],
        *,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._servers = [parse_name_server(text) for text in servers]
        self._answered = answered
        self._limit_s = limit_s
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, question: Question) -> None:
        """Ask; the answer comes later, within twice the limit."""
        task = asyncio.get_running_loop().create_task(self._ask(question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what is open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, question: Question) -> None:
        answer = await self._by_dns(question)
        if not answer.records and not self._servers and question.kind in (Kind.A, Kind.AAAA):
            answer = await self._by_system(question) or answer
        log.debug("%s %s: %s", question.kind.value, question.name, answer.records or "nothing")
        self._answered(question, answer)

    async def _by_dns(self, question: Question) -> Answer:
        try:
            found = await self._resolver().resolve(
                dns.name.from_text(question.name),
                question.kind.value,
                raise_on_no_answer=False,
                lifetime=self._limit_s,
                search=False,
            )
        except dns.resolver.NXDOMAIN:
            return Answer((), NOTHING_S)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            log.info("DNS says nothing of %s: %s", question.name, error)
            return Answer((), SILENCE_S)
        if found.rrset is None:
            return Answer((), NOTHING_S)
        records = [record_of(one) for one in found.rrset]
        return Answer(tuple(one for one in records if one is not None), found.rrset.ttl)

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if not self._servers:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(host, port) for host, port in self._servers
        ]
        return resolver

    async def _by_system(self, question: Question) -> Answer | None:
        """Ask for what the system knows besides DNS: its hosts file, and mDNS (``nas.local``)."""
        family = socket.AF_INET if question.kind is Kind.A else socket.AF_INET6
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limit_s):
                found = await loop.getaddrinfo(
                    question.name, None, family=family, type=socket.SOCK_DGRAM
                )
        except (OSError, ValueError, TimeoutError):
            return None
        # A link-local address without its interface leads nowhere.
        addresses = dict.fromkeys(str(one[4][0]) for one in found if "%" not in str(one[4][0]))
        return Answer(tuple(addresses), SYSTEM_S)


def record_of(rdata: dns.rdata.Rdata) -> Record | None:
    """Read a record of dnspython's; None for one that nobody asked for."""
    match rdata:
        case NAPTR():
            flags, service = rdata.flags.decode("latin-1"), rdata.service.decode("latin-1")
            where = _text(rdata.replacement)
            return Naptr(rdata.order, rdata.preference, flags, service, where)
        case SRV():
            return Srv(rdata.priority, rdata.weight, rdata.port, _text(rdata.target))
        case A() | AAAA():
            return str(rdata.address)
    return None


def _text(name: dns.name.Name) -> str:
    """A name without the dot at its end; the root, which says «none», is empty."""
    return "" if name == dns.name.root else name.to_text(omit_final_dot=True)
