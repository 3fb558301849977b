"""All external lines and SIP trunks: what the exchange asks of them and tells them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from pbx.config.line import Line, host_part
from pbx.lines.link import Link
from pbx.lines.liveness import KeepAlive, TrunkLink
from pbx.lines.peers import REFRESH_S, Peers
from pbx.lines.public_address import PublicAddress
from pbx.lines.registration import Registration
from pbx.lines.server import LocalFor, Server
from pbx.lines.state import LinePath, LineState, Phase
from pbx.sip.authorization import Authorizer
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event
from pbx.sip.flow import Flow
from pbx.sip.numeric_host import same_host
from pbx.sip.timers import TimerQueue
from pbx.store.snapshot import Snapshot

log = logging.getLogger(__name__)

_ACCOUNT = ("kind", "server", "domain", "proxy", "transport", "user", "contact_user")
"""The options that make another account, or another server, of a line."""

_ASKED = (
    *(*_ACCOUNT, "contact_address", "auth_name", "password", "expires_s"),
    *("keep_alive", "keep_alive_s", "peers"),
)
"""The options that the server hears of."""


@dataclass(slots=True, eq=False)
class _Member:
    """One line in use."""

    line: Line
    link: Link
    keep_alive: KeepAlive | None
    peers: Peers
    authorizer: Authorizer
    last_incoming: float | None = None


class Lines:
    """Registers external lines, watches over trunks, and knows where their calls go; sans-I/O.

    Args:
        endpoint: sends and matches for us.
        tokens: each call returns a fresh random string.
        snapshot: the configuration in force.
        local_for: see `LocalFor`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: Callable[[], str],
        snapshot: Callable[[], Snapshot],
        local_for: LocalFor,
    ) -> None:
        self._endpoint = endpoint
        self._tokens = tokens
        self._snapshot = snapshot
        self._local_for = local_for
        self._timers = TimerQueue()
        self._members: dict[str, _Member] = {}
        # Those that sign off, and who waits for that
        self._leaving: dict[Link, _Member | None] = {}
        # As they were told last; and whether anything has happened since
        self._told: dict[str, tuple[object, ...]] = {}
        self._touched = False
        self._stopped = False

    # ---------------------------------------------------------------- what is known

    def state(self, name: str) -> LineState:
        """Return how a line is.

        Raises:
            KeyError: there is no line of this name.
        """
        member = self._members.get(name)
        if member is None:
            line = self._snapshot().lines[name]
            return LineState(name, Phase.OFF, line.registers, usable=False)
        link = member.link
        registration = link if isinstance(link, Registration) else None
        return LineState(
            name,
            link.phase,
            member.line.registers,
            usable=link.usable,
            trouble=link.trouble,
            server=str(link.server.flow or ""),
            rtt_s=link.rtt_s,
            since=link.since,
            expires=registration.expires if registration else None,
            next_try=link.next_try,
            last_incoming=member.last_incoming,
            identities=registration.identities if registration else (),
            public=link.public_address,
        )

    def states(self) -> list[LineState]:
        """Return how all lines are, by name."""
        return [self.state(name) for name in sorted(self._snapshot().lines)]

    def path(self, name: str, now: float) -> LinePath | None:
        """Return where an INVITE of a line goes now; None where no address is known, or it is off.

        A line that isn't `usable` may have a path all the same: an emergency call tries it.
        """
        member = self._members.get(name)
        return member.link.path() if member is not None else None

    def usable(self, name: str) -> bool:
        """Whether calls can go out by a line as far as anybody knows."""
        member = self._members.get(name)
        return member is not None and member.link.usable

    def authorizer(self, name: str) -> Authorizer | None:
        """Return who answers the challenges that a line's requests meet; None where it is off."""
        member = self._members.get(name)
        return member.authorizer if member is not None else None

    def speaks_for(self, name: str, flow: Flow) -> bool:
        """Whether requests that come by a path are to be taken for a line's.

        They are where its numeric address is one of the server's, or has answered our requests, or
        is one of `peers`. A server that we talk to by TLS is known by that alone, for anybody can
        write its address on a datagram; `peers` are the owner's word.
        """
        member = self._members.get(name)
        if member is None:
            return False
        link, host = member.link, flow.remote.host
        if member.peers.have(host):
            return True
        if member.line.transport == "tls" and not flow.is_secure:
            return False
        return host in link.server.hosts or host in link.heard_from

    def line_at(self, host: str, source: str) -> str:
        """Return the line whose server or peer is at a host; empty for none.

        A line's server takes for ours whatever comes from our address: who has a call sent there
        by a Contact would call outside in our name, past every right and limit. A line that is off
        counts, too, by its name or address alone: its server may not know that.

        Args:
            host: an address or a name, without brackets.
            source: the numeric address of who wants something sent there. Nothing is said of where
                he is himself, nor of his own line's other addresses; empty for ourselves.
        """
        if not source or same_host(host, source):
            return ""
        there = [line for line in self._snapshot().lines.values() if self._is_at(line, host)]
        if any(self._is_own(line, source) for line in there):
            # Others that have the same server are reached by it all the same
            return ""
        return there[0].name if there else ""

    def _is_at(self, line: Line, host: str) -> bool:
        member = self._members.get(line.name)
        return self._is_server(line, host) or (member is not None and member.peers.have(host))

    def _is_own(self, line: Line, source: str) -> bool:
        """Whether a source is one of a line's own; a network of peers may have anybody in it."""
        member = self._members.get(line.name)
        return self._is_server(line, source) or (
            member is not None and member.peers.have(source, alone=True)
        )

    def _is_server(self, line: Line, host: str) -> bool:
        member = self._members.get(line.name)
        known = {host_part(one).strip("[]") for one in (line.server, line.proxy) if one}
        if member is not None:
            known |= member.link.server.hosts | member.link.heard_from
        return any(same_host(host, one) for one in known)

    def public(self, name: str) -> PublicAddress:
        """Return our address as a line's server sees it; nothing is known of it where it is off."""
        member = self._members.get(name)
        return member.link.public if member is not None else PublicAddress()

    @property
    def flows(self) -> list[Flow]:
        """The paths in use: their connections must not be closed."""
        flows = [member.link.server.flow for member in self._members.values()]
        return [flow for flow in flows if flow is not None]

    def take_changed(self) -> list[str]:
        """Return the lines that are not as they were the last time, round-trip times left out."""
        if not self._touched:
            return []
        seen = {state.name: _seen(state) for state in self.states()}
        told, self._told, self._touched = self._told, seen, False
        return sorted(name for name in seen | told if seen.get(name) != told.get(name))

    # ---------------------------------------------------------------- what is told

    def configured(self, now: float) -> None:
        """Take note of a new configuration: begin what is new, end what is gone."""
        wanted = {
            name: line
            for name, line in self._snapshot().lines.items()
            if line.enabled and not self._stopped
        }
        for name in [*self._members]:
            if name not in wanted:
                self._leave(name, now)
        for name, line in wanted.items():
            member = self._members.get(name)
            if member is None:
                self._begin(line, now)
            elif _differ(member.line, line, _ACCOUNT) or (
                member in self._leaving.values() and member.line != line
            ):
                self._leave(name, now)
                self._begin(line, now, member.last_incoming)
            elif _differ(member.line, line, _ASKED):
                self._renew(member, line, now)
            else:
                member.line = member.link.line = line
        self._settle(now)

    def addresses_changed(self, now: float) -> None:
        """Take note that the machine's addresses have changed: register from the new one at once."""
        for member in self._members.values():
            member.link.moved(now)
        self._settle(now)

    def resolved(self, now: float) -> None:
        """Take note that DNS has answered something."""
        for link in self._links():
            link.resolved(now)
        for member in self._members.values():
            if member.peers.named:
                member.peers.locate(now)
        self._settle(now)

    def disconnected(self, flow: Flow, now: float) -> None:
        """Take note that a connection has ended: what was registered by it is registered again."""
        for link in self._links():
            link.disconnected(flow, now)
        self._settle(now)

    def called(self, name: str, now: float) -> None:
        """Take note that a call has come by a line: the proof that it works."""
        if name in self._members:
            self._members[name].last_incoming = now

    def unanswered(self, name: str, now: float) -> None:
        """Take note that a call by a line has had no answer at all: is anybody there?"""
        if name in self._members:
            self._members[name].link.doubted(now)
            self._settle(now)

    def renew(self, name: str, now: float) -> None:
        """Have a line ask from the beginning, by a password that is asked for anew."""
        if name in self._members:
            member = self._members[name]
            self._renew(member, member.line, now)

    def stop(self, now: float) -> None:
        """Sign off everywhere; `Endpoint.pending_requests` tells when that is done."""
        self._stopped = True
        self.configured(now)

    # ---------------------------------------------------------------- events and time

    def owns(self, event: Event) -> bool:
        """Whether an event is of a REGISTER or OPTIONS of ours."""
        return self._owner(event) is not None

    def handle(self, event: Event, now: float) -> None:
        """Take an event that `owns` is true for."""
        owner = self._owner(event)
        assert owner is not None
        owner.receive(event, now)
        self._settle(now)

    def _owner(self, event: Event) -> Link | KeepAlive | None:
        if event.transaction is None:
            return None
        keeping = (member.keep_alive for member in self._members.values())
        owners: list[Link | KeepAlive] = [*self._links()]
        owners += [one for one in keeping if one is not None]
        return next((one for one in owners if one.owns(event)), None)

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""
        return self._timers.next_timer()

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        for key in self._timers.pop_due(now):
            owner, name = cast(tuple[Link | KeepAlive | _Member, str], key)
            if isinstance(owner, _Member):
                self._look_up_peers(owner, now)
            else:
                owner.fired(name, now)
        self._settle(now)

    # ---------------------------------------------------------------- beginning and ending

    def _links(self) -> list[Link]:
        return [*(member.link for member in self._members.values()), *self._leaving]

    def _begin(self, line: Line, now: float, last_incoming: float | None = None) -> None:
        """Begin, as soon as a former account of the same name has signed off: the new one may have
        its Contact."""
        member = self._members[line.name] = self._member(line)
        member.last_incoming = last_incoming
        former = [link for link in self._leaving if link.line.name == line.name]
        if former:
            self._leaving[former[-1]] = member
        else:
            self._start(member, now)

    def _member(self, line: Line) -> _Member:
        authorizer = self._authorizer_of(line)
        server = Server(line, self._endpoint, self._local_for)
        common = (line, self._endpoint, self._tokens, self._timers, server)
        link = Registration(*common, authorizer) if line.registers else TrunkLink(*common)
        return _Member(
            line, link, self._keeper(line, link), Peers(line.peers, self._endpoint), authorizer
        )

    def _authorizer_of(self, line: Line) -> Authorizer:
        return Authorizer(line.credentials_name, line.password, self._tokens)

    def _keeper(self, line: Line, link: Link) -> KeepAlive | None:
        form = line.kept_alive
        if form == "none" or (form == "options" and not line.registers):
            return None
        return KeepAlive(link, self._endpoint, self._tokens, self._timers, form)

    def _start(self, member: _Member, now: float) -> None:
        member.link.since = now
        member.link.start(now)
        if member.keep_alive is not None:
            member.keep_alive.start(now)
        self._look_up_peers(member, now)

    def _look_up_peers(self, member: _Member, now: float) -> None:
        if member.peers.named:
            member.peers.locate(now)
            self._timers.set((member, "peers"), now + REFRESH_S)

    def _leave(self, name: str, now: float) -> None:
        member = self._members.pop(name)
        if member.keep_alive is not None:
            member.keep_alive.stop()
        self._timers.cancel((member, "peers"))
        member.link.leave(now)
        if member.link.phase is not Phase.OFF:
            self._leaving[member.link] = None

    def _renew(self, member: _Member, line: Line, now: float) -> None:
        """Ask once more, with other options of the same account."""
        member.line, member.authorizer = line, self._authorizer_of(line)
        if member.keep_alive is not None:
            member.keep_alive.stop()
        member.keep_alive = self._keeper(line, member.link)
        self._timers.cancel((member, "peers"))
        member.peers = Peers(line.peers, self._endpoint)
        if isinstance(member.link, Registration):
            member.link.changed(line, member.authorizer)
        member.link.line = line
        self._start(member, now)

    def _settle(self, now: float) -> None:
        """Let those begin whose predecessor has gone."""
        self._touched = True
        for link in [one for one in self._leaving if one.phase is Phase.OFF]:
            successor = self._leaving.pop(link)
            if successor is not None and successor in self._members.values():
                self._start(successor, now)


def _differ(one: Line, other: Line, options: tuple[str, ...]) -> bool:
    return any(getattr(one, name) != getattr(other, name) for name in options)


def _seen(state: LineState) -> tuple[object, ...]:
    now = (state.phase, state.usable, state.trouble, state.server)
    return *now, state.identities, state.public
