"""What the lines do for calls: `pbx.call.outside.Outside`, by what is registered and alive."""

from collections.abc import Callable

from pbx.call.leg import Target
from pbx.call.manner import Manner
from pbx.call.outside import Guest, Room
from pbx.call.party import Party
from pbx.lines.guests import called_number, caller_of, line_of
from pbx.lines.lines import Lines
from pbx.lines.manner import LineManner, hiding_prefix
from pbx.lines.request_uri import request_uri
from pbx.routing.origin import Way
from pbx.sip import next_hop
from pbx.sip.flow import Flow
from pbx.sip.message import Request
from pbx.store.snapshot import Snapshot


class LinesOutside:
    """Sends calls by the lines, and knows the calls that come in by them.

    Args:
        lines: the lines.
        snapshot: the configuration in force.
    """

    def __init__(self, lines: Lines, snapshot: Callable[[], Snapshot]) -> None:
        self._lines = lines
        self._snapshot = snapshot

    def target(self, way: Way, number: str, *, hidden: bool, now: float) -> Target | None:
        """See `Outside`."""
        line, path = self._snapshot().lines.get(way.line), self._lines.path(way.line, now)
        if line is None or path is None:
            return None
        called = hiding_prefix(line, hidden=hidden) + way.called
        uri = request_uri(line, called)
        others = tuple(
            next_hop.Way(uri, flow, path.route, same_server=True) for flow in path.others
        )
        authorizer = self._lines.authorizer(line.name)
        public = self._lines.public(line.name)
        manner = LineManner(line, called, way.caller, public, authorizer, path.flow)
        return Target(number, uri, path.flow, path.route, ways=others, manner=manner)

    def trouble(self, line: str) -> str:
        """See `Outside`."""
        if line not in self._snapshot().lines:
            return "there is no such line"
        if self._lines.usable(line):
            return ""
        state = self._lines.state(line)
        return state.trouble.english(line) if state.trouble is not None else state.phase.value

    def room(self, line: str) -> Room:
        """See `Outside`."""
        options = self._snapshot().lines.get(line)
        return Room(0, 0) if options is None else Room(options.most_outgoing, options.most)

    def guest(self, request: Request, flow: Flow, now: float) -> Guest | None:
        """See `Outside`."""
        snapshot = self._snapshot()
        lines = [line for line in snapshot.lines.values() if line.enabled]
        line = line_of(request, flow, lines, snapshot.users, self._lines.speaks_for, self._server)
        if line is None:
            return None
        self._lines.called(line.name, now)
        number, name, hidden = caller_of(request, line)
        dialed = called_number(request, line)
        authorizer = self._lines.authorizer(line.name)
        server = self._server(line.name)
        public = self._lines.public(line.name)
        manner = LineManner(line, number, dialed, public, authorizer, server, calls_us=True)
        party = Party(number, name, hidden, line.name)
        return Guest(party, dialed, manner, line.most_incoming, line.most)

    def _server(self, line: str) -> Flow | None:
        path = self._lines.path(line, 0.0)
        return path.flow if path is not None else None

    def speaks_for(self, line: str, flow: Flow) -> bool:
        """See `Outside`."""
        return self._lines.speaks_for(line, flow)

    def line_at(self, host: str, source: str) -> str:
        """See `Outside`."""
        return self._lines.line_at(host, source)

    def manner(self, line: str) -> Manner | None:
        """See `Outside`."""
        options = self._snapshot().lines.get(line)
        if options is None:
            return None
        public, authorizer = self._lines.public(line), self._lines.authorizer(line)
        return LineManner(options, "", "", public, authorizer, self._server(line))

    def unanswered(self, line: str, now: float) -> None:
        """See `Outside`."""
        self._lines.unanswered(line, now)
