"""Two endpoints joined by a wire of function calls, on a fake clock."""

import itertools
from collections.abc import Callable

import pytest

from pbx.sip.capabilities import Capabilities
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, RequestReceived, ResponseReceived
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Message, Request, Response, parse_message, response_to
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.trace import DropReason

Loss = Callable[[bytes], bool]


class Clock:
    """Time that only moves when a test says so; every agent's timers fire in their order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.agents: list[Agent] = []

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            due = [(when, agent) for agent in self.agents if (when := agent.endpoint.next_timer())]
            when, agent = min(due, key=lambda pair: pair[0], default=(end + 1, None))
            if agent is None or when > end:
                break
            self.now = max(self.now, when)
            agent.endpoint.handle_timer(self.now)
            agent.flush()
        self.now = end


class Agent:
    """An endpoint, everything that it sent and told, and the wire to its peer."""

    def __init__(self, clock: Clock, name: str, address: Address, transport: str) -> None:
        self.clock = clock
        self.name = name
        self.address = address
        self.transport = transport
        numbers = itertools.count(1)
        self.endpoint = Endpoint(
            lambda: f"{name}{next(numbers):0{16 - len(name)}d}",
            user_agent=f"{name}/1",
            serves=Capabilities(("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS")),
        )
        self.peer: Agent | None = None
        self.loses: Loss = lambda data: False
        """What of this agent's messages the network loses; they count as sent all the same."""
        self.sent: list[tuple[float, bytes, Flow]] = []
        self.events: list[Event] = []
        clock.agents.append(self)

    @property
    def flow(self) -> Flow:
        """This agent's path to its peer."""
        assert self.peer is not None
        connection = 1 if self.transport != "udp" else 0
        return Flow(self.transport, self.address, self.peer.address, connection)

    def flush(self) -> None:
        """Put what the endpoint wants to send on the wire, and take its events."""
        while messages := self.endpoint.to_send():
            for data, flow in messages:
                self.sent.append((self.clock.now, data, flow))
                if self.peer is not None and not self.loses(data):
                    self.peer.receive(data)
        while event := self.endpoint.next_event():
            self.events.append(event)

    def receive(self, data: bytes | str, flow: Flow | None = None) -> None:
        octets = data.replace("\n", "\r\n").encode() if isinstance(data, str) else data
        self.endpoint.receive(octets, flow or self.flow, self.clock.now)
        self.flush()

    # ---------------------------------------------------------------------- what a test asks for

    def request(self, method: str = "INVITE", **changes: str) -> Request:
        peer = self.peer.address if self.peer else self.address
        headers = {
            "From": f"<sip:{self.name}@{self.address}>;tag=from-{self.name}",
            "To": f"<sip:peer@{peer}>",
            "Call-ID": f"call-of-{self.name}",
            "CSeq": f"1 {method}",
            "Contact": f"<sip:{self.name}@{self.address}>",
        }
        headers.update({name.replace("_", "-"): value for name, value in changes.items()})
        return Request(method, f"sip:peer@{peer}", headers.items())

    def call(self, method: str = "INVITE", **changes: str) -> ClientTransaction:
        request = self.request(method, **changes)
        transaction = self.endpoint.send_request(request, self.flow, self.clock.now)
        self.flush()
        return transaction

    def answer(
        self, transaction: ServerTransaction, status: int, tag: str | None = None
    ) -> Response:
        response = response_to(
            transaction.request, status, to_tag=None if status == 100 else tag or transaction.tag
        )
        self.endpoint.respond(transaction, response, self.clock.now)
        self.flush()
        return response

    def hear_and_answer_once(self, text: str, status: int) -> ServerTransaction:
        """Receive a request, and answer it once before anything else is sent."""
        octets = text.replace("\n", "\r\n").encode()
        self.endpoint.receive(octets, self.flow, self.clock.now)
        event = self.endpoint.next_event()
        assert isinstance(event, RequestReceived)
        assert event.transaction is not None
        self.answer_once(event.transaction, status)
        return event.transaction

    def answer_once(self, transaction: ServerTransaction, status: int) -> None:
        response = response_to(transaction.request, status, to_tag=transaction.stateless_tag)
        self.endpoint.respond_once(transaction, response, self.clock.now)
        self.flush()

    def cancel(self, transaction: ClientTransaction, reason: str | None = None) -> None:
        self.endpoint.cancel(transaction, self.clock.now, reason)
        self.flush()

    def fail(self, why: str = "gone", flow: Flow | None = None) -> None:
        self.endpoint.flow_failed(flow or self.flow, why, self.clock.now)
        self.flush()

    # -------------------------------------------------------------------------- what a test looks at

    def take(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def invited(self) -> ServerTransaction:
        """The transaction of the request that came; nothing else came."""
        (event,) = self.take()
        assert isinstance(event, RequestReceived)
        assert event.transaction is not None
        return event.transaction

    def statuses(self) -> list[int]:
        """Statuses of the responses that were told; nothing else was."""
        events = self.take()
        assert all(isinstance(event, ResponseReceived) for event in events)
        return [event.response.status for event in events if isinstance(event, ResponseReceived)]

    def messages(self, what: str = "") -> list[Message]:
        """What was sent, by method or status; all by default."""
        return [parse_message(data) for _, data, _ in self.sent if is_message(data, what)]

    def request_sent(self, method: str) -> Request:
        """The last request of this method that was sent."""
        message = self.messages(method)[-1]
        assert isinstance(message, Request)
        return message

    def response_sent(self, status: int) -> Response:
        """The last response of this status that was sent."""
        message = self.messages(str(status))[-1]
        assert isinstance(message, Response)
        return message

    def times(self, what: str) -> list[float]:
        """When this was sent, seconds after the first time."""
        times = [when for when, data, _ in self.sent if is_message(data, what)]
        return [when - times[0] for when in times]

    def drops(self) -> dict[DropReason, int]:
        return dict(self.endpoint.trace.drops)

    @property
    def alive(self) -> int:
        return self.endpoint.transaction_count


def is_message(data: bytes, what: str) -> bool:
    line = data.partition(b"\r\n")[0].decode()
    return line.startswith((f"{what} ", f"SIP/2.0 {what} ")) or not what


def lose(*whats: str, times: int = 1_000_000) -> Loss:
    """Lose the first so many of these messages."""
    left = [times]

    def loses(data: bytes) -> bool:
        if left[0] and any(is_message(data, what) for what in whats):
            left[0] -= 1
            return True
        return False

    return loses


def pair(clock: Clock, transport: str = "udp", host: str = "192.0.2.") -> tuple[Agent, Agent]:
    """Two agents, each the other's peer."""
    alice = Agent(clock, "alice", Address(f"{host}1", 5060), transport)
    bob = Agent(clock, "bob", Address(f"{host}2", 5060), transport)
    alice.peer, bob.peer = bob, alice
    return alice, bob


def alone(clock: Clock, transport: str = "udp") -> Agent:
    """An agent whose messages nobody hears; the test speaks for the peer."""
    alice, bob = pair(clock, transport)
    alice.loses = lambda data: True
    clock.agents.remove(bob)
    return alice


def assert_sent(agent: Agent, what: str, times: int) -> None:
    assert len(agent.messages(what)) == times, [data for _, data, _ in agent.sent]


@pytest.fixture
def clock() -> Clock:
    return Clock()
