"""External lines on a fake clock, and the carriers that they meet; nothing here opens a socket."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from pbx.config.line import Line
from pbx.lines.doctor import Doctor
from pbx.lines.lines import Lines
from pbx.lines.state import LinePath, LineState
from pbx.sip import digest
from pbx.sip.capabilities import EXCHANGE
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import DEFAULT_PORT, DEFAULT_TLS_PORT, Address, Flow
from pbx.sip.locate import Answer, Kind, Question, Record
from pbx.sip.message import Request, Response, parse_message, response_to
from pbx.sip.numeric_host import numeric
from pbx.store.snapshot import Snapshot

HOME = "192.0.2.1"
"""Our own address; `Machine.moves` to another one."""

LINE = Line(
    name="telco",
    kind="external-line",
    server="198.51.100.1",
    user="100",
    password="secret",
    keep_alive="none",
)
TRUNK = Line(name="peer", kind="sip-trunk", server="198.51.100.2")

Does = Callable[["Carrier", Request], Response | None]
"""What a carrier answers; None for nothing."""


class Carrier:
    """A server at one address, which keeps what it is asked.

    Args:
        machine: whose lines ask it.
        address: where it is.
        does: what it answers.
    """

    def __init__(self, machine: "Machine", address: Address, does: Does) -> None:
        self.machine = machine
        self.address = address
        self.does = does
        self.asked: list[Request] = []
        self.pings: list[float] = []
        self.flow: Flow | None = None
        self.answers_from: Address | None = None
        """Where its answers come from; None for where it is asked."""

    def deliver(self, data: bytes, flow: Flow) -> None:
        if not data.strip():
            self.pings.append(self.machine.now)
            return
        request = parse_message(data)
        assert isinstance(request, Request)
        if flow.reliable and not flow.connection:
            flow = replace(flow, connection=next(self.machine.connections))
        self.flow = flow
        self.asked.append(request)
        response = self.does(self, request)
        if response is not None:
            back = flow if self.answers_from is None else replace(flow, remote=self.answers_from)
            self.machine.incoming.append((response.encode(), back))

    def take(self, method: str = "REGISTER") -> Request:
        """The one request that came since the last time."""
        (request,) = self.all()
        assert request.method == method
        return request

    def all(self) -> list[Request]:
        """What came since the last time, retransmissions left out."""
        asked, self.asked = self.asked, []
        once = {request.via.branch: request for request in asked}
        return list(once.values())


class Machine:
    """An exchange's lines, its clock and network."""

    def __init__(self, *lines: Line, home: str = HOME) -> None:
        self.now = 1000.0
        self.homes = [home, "2001:db8::1"]
        self.connections = itertools.count(1)
        numbers = itertools.count(1)
        self.tokens = lambda: f"{next(numbers):016x}"
        self.snapshot = Snapshot.of(1, (), lines)
        self.endpoint = Endpoint(self.tokens, user_agent="office", serves=EXCHANGE, names=True)
        self.lines = Lines(self.endpoint, self.tokens, lambda: self.snapshot, self.local_for)
        self.doctor: Doctor | None = None
        self.carriers: dict[Address, Carrier] = {}
        self.names: dict[Question, tuple[Record, ...]] = {}
        """What DNS knows."""
        self.dns_ttl_s = 5.0
        self.dns_answers = True
        self.unanswered: list[Question] = []
        self.unreachable: set[Address] = set()
        self.why_unreachable = "Connection refused"
        self.incoming: list[tuple[bytes, Flow]] = []

    def local_for(self, transport: str, host: str) -> Address | None:
        port = DEFAULT_TLS_PORT if transport == "tls" else DEFAULT_PORT
        ip = numeric(host)
        assert ip is not None
        for home in self.homes:
            if (own := numeric(home)) is not None and own.version == ip.version:
                return Address(home, port)
        return None

    def carrier(self, does: Does, host: str = "198.51.100.1", port: int = 5060) -> Carrier:
        """A carrier at an address."""
        address = Address(host, port)
        self.carriers[address] = Carrier(self, address, does)
        return self.carriers[address]

    def knows(self, name: str, *addresses: str, kind: Kind = Kind.A) -> None:
        """Let DNS know the addresses of a name."""
        self.names[Question(kind, name)] = addresses

    # ---------------------------------------------------------------- what happens

    def begin(self) -> None:
        """Start."""
        self.lines.configured(self.now)
        self.pump()

    def configure(self, *lines: Line) -> None:
        """Change the configuration, as the administrator does."""
        self.snapshot = Snapshot.of(self.snapshot.version + 1, (), lines)
        self.begin()

    def moves(self, *homes: str) -> None:
        """Get other addresses."""
        self.homes = [*homes]
        self.lines.addresses_changed(self.now)
        self.pump()

    def stop(self) -> None:
        self.lines.stop(self.now)
        self.pump()

    def closes(self, flow: Flow, why: str = "closed") -> None:
        """Let a connection end."""
        self.endpoint.flow_failed(flow, why, self.now)
        self.lines.disconnected(flow, self.now)
        self.pump()

    def pump(self) -> None:
        while self._pump_once():
            pass

    def _pump_once(self) -> bool:
        busy = False
        while (event := self.endpoint.next_event()) is not None:
            busy = True
            for owner in self._parts():
                if owner.owns(event):
                    owner.handle(event, self.now)
                    break
        self.unanswered += self.endpoint.questions()
        if self.dns_answers:
            while self.unanswered:
                busy = True
                question = self.unanswered.pop(0)
                answer = Answer(self.names.get(question, ()), self.dns_ttl_s)
                self.endpoint.resolved(question, answer, self.now)
                for part in self._parts():
                    part.resolved(self.now)
        for data, flow in self.endpoint.to_send():
            busy = True
            if flow.remote in self.unreachable:
                self.endpoint.flow_failed(flow, self.why_unreachable, self.now)
                self.lines.disconnected(flow, self.now)
            elif flow.remote in self.carriers:
                self.carriers[flow.remote].deliver(data, flow)
        incoming, self.incoming = self.incoming, []
        for data, flow in incoming:
            self.endpoint.receive(data, flow, self.now)
        return busy or bool(incoming)

    def advance(self, seconds: float) -> None:
        """Let time pass; every timer fires at its own."""
        end = self.now + seconds
        while True:
            due = [
                when
                for part in (self.endpoint, *self._parts())
                if (when := part.next_timer()) is not None and when <= end
            ]
            if not due:
                break
            self.now = max(self.now, min(due))
            self.endpoint.handle_timer(self.now)
            for part in self._parts():
                part.handle_timer(self.now)
            self.pump()
        self.now = end

    def _parts(self) -> list[Lines | Doctor]:
        return [self.lines, *([self.doctor] if self.doctor else [])]

    def hears(self, name: str, host: str) -> bool:
        """Whether datagrams from an address are taken for a line's."""
        return self.lines.speaks_for(name, Flow("udp", Address(HOME, 5060), Address(host, 5060)))

    def state(self, name: str = LINE.name) -> LineState:
        return self.lines.state(name)

    @property
    def slug(self) -> str:
        """What is wrong with the external line; empty for nothing."""
        trouble = self.state().trouble
        return trouble.slug if trouble is not None else ""


def tells(status: int, *headers: tuple[str, str], reason: str | None = None) -> Does:
    """A carrier that says this to everything."""

    def does(carrier: Carrier, request: Request) -> Response:
        response = response_to(request, status, reason, to_tag="theirs")
        response.extend(headers)
        return response

    return does


def silent(carrier: Carrier, request: Request) -> None:
    """A carrier that says nothing."""


def granted(request: Request, *headers: tuple[str, str], expires_s: int | None = None) -> Response:
    """A registrar's 200: each Contact for as long as it was asked for, or so long."""
    response = response_to(request, 200, to_tag="theirs")
    asked = str(expires_s) if expires_s is not None else request.get("Expires") or ""
    for contact in request.contacts if isinstance(request.contacts, list) else ():
        until = contact.param("expires") or asked
        if until != "0":
            response.add("Contact", str(contact.with_params(expires=until)))
    response.extend(headers)
    return response


def registrar(*headers: tuple[str, str], expires_s: int | None = None) -> Does:
    """A carrier that takes everybody."""

    def does(carrier: Carrier, request: Request) -> Response:
        return granted(request, *headers, expires_s=expires_s)

    return does


def strict(
    user: str = "100",
    password: str = "secret",
    realm: str = "telco.example",
    *,
    algorithm: str = "MD5",
    status: int = 401,
) -> Does:
    """A carrier that takes nobody without a password, with a fresh nonce each time."""
    nonces = itertools.count(1)
    asking, answering = {
        401: ("WWW-Authenticate", "Authorization"),
        407: ("Proxy-Authenticate", "Proxy-Authorization"),
    }[status]
    fresh: set[str] = set()

    def does(carrier: Carrier, request: Request) -> Response:
        given = digest.find_credentials(request.values(answering), realm)
        if given is not None and given.nonce in fresh:
            fresh.discard(given.nonce)
            right = digest.response(
                digest.ha1(user, realm, password, algorithm),
                request.method,
                given.uri,
                given.nonce,
                given.nc,
                given.cnonce,
                given.qop,
                algorithm,
            )
            if given.uri == request.uri and (given.username, given.response) == (user, right):
                return granted(request)
        nonce = f"nonce{next(nonces)}"
        fresh.add(nonce)
        response = response_to(request, status, to_tag="theirs")
        response.add(asking, digest.challenge(realm, nonce, algorithm))
        return response

    return does


def line(**options: Any) -> Line:
    return msgspec.structs.replace(LINE, **options)


def begun(does: Does, **options: Any) -> tuple[Machine, Carrier]:
    """A machine with one line, and its carrier, which does this."""
    machine = Machine(line(**options))
    carrier = machine.carrier(does)
    machine.begin()
    return machine, carrier


def path(machine: Machine) -> LinePath:
    found = machine.lines.path("telco", machine.now)
    assert found is not None
    return found


def in_turn(*does: Does) -> Does:
    """A carrier that does something else each time; the last one for ever."""
    left = [*does]

    def next_one(carrier: Carrier, request: Request) -> Response | None:
        one = left.pop(0) if len(left) > 1 else left[0]
        return one(carrier, request)

    return next_one


def carrier_flow(carrier: Carrier) -> Flow:
    assert carrier.flow is not None
    return carrier.flow


def path_or_none(machine: Machine) -> LinePath | None:
    return machine.lines.path("telco", machine.now)
