"""A line's link to its server: it looks for it, asks it, and knows whether calls can go there."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable

from pbx.config.line import Line
from pbx.lines.back_off import back_off_s
from pbx.lines.link_table import IGNORE, TABLE, LinkAction, LinkInput
from pbx.lines.public_address import PublicAddress
from pbx.lines.server import Server
from pbx.lines.state import LinePath, Phase, Trouble
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.failover import fails_here, retry_after_s
from pbx.sip.flow import Flow
from pbx.sip.message import Request, Response
from pbx.sip.timers import TimerQueue

log = logging.getLogger(__name__)

MOST_HEARD = 100
"""Addresses of one server's answers that are remembered: a datagram may come from any."""

BRIEF_S = 10.0
"""A connection that ends sooner after its answer was closed for it: whoever asks at once each time a
server has done so asks without a pause."""

FAREWELL_S = 4.0
"""How long signing off may take."""


class Link(ABC):
    """What an external line and a trunk have in common; `link_table` says what it does when.

    Args:
        line: the line.
        endpoint: sends and matches for us.
        tokens: fresh random strings.
        timers: the lines'; a key of ours is a pair of this object and a name.
        server: where it goes.
    """

    def __init__(
        self,
        line: Line,
        endpoint: Endpoint,
        tokens: Callable[[], str],
        timers: TimerQueue,
        server: Server,
    ) -> None:
        self.line = line
        self.phase = Phase.OFF
        self.trouble: Trouble | None = None
        self.since = 0.0
        self.rtt_s: float | None = None
        self.next_try: float | None = None
        self.heard_from: set[str] = set()
        """The addresses that have answered us."""
        self.public = PublicAddress()
        self.server = server
        self._endpoint = endpoint
        self._tokens = tokens
        self._timers = timers
        self._transaction: ClientTransaction | None = None
        self._sent_at = 0.0
        # Attempts that were left for another address: their answer is still as good as any
        self._earlier: set[ClientTransaction] = set()
        self._again: Request | None = None
        self._failures = 0
        self._retry_after_s = 0.0
        self._was_up = False
        self._doubt = False
        # When the server has said yes last, and how often in a row it has hung up right behind that
        self._held_at = 0.0
        self._brief = 0

    # ---------------------------------------------------------------- what a kind of line adds

    @property
    @abstractmethod
    def usable(self) -> bool:
        """Whether calls can go out as far as anybody knows."""

    @property
    @abstractmethod
    def leaves_something(self) -> bool:
        """Whether the server holds something of ours that it has to be told to drop."""

    @property
    @abstractmethod
    def patience_s(self) -> float | None:
        """How long the address in use may be silent before another one is asked; None: for ever."""

    @abstractmethod
    def _question(self, flow: Flow) -> Request:
        """What is asked."""

    def _farewell(self, flow: Flow) -> Request:
        """What is said at the end, where the server holds something."""
        return self._question(flow)

    @abstractmethod
    def _answered(
        self, transaction: ClientTransaction, response: Response, flow: Flow, now: float
    ) -> None:
        """Take a final response that is no failure of the address: it leads to an input."""

    def _repeats(self, transaction: ClientTransaction) -> bool:
        """Whether a request whose connection has ended is to be sent once more, by another one."""
        return False

    @abstractmethod
    def _hold_s(self) -> float:
        """After how long it is asked again, now that the server has said yes."""

    @abstractmethod
    def _released(self) -> None:
        """The server holds nothing of ours any more, or isn't to be counted on."""

    @abstractmethod
    def path(self) -> LinePath | None:
        """Where a request goes now; None where no address is known."""

    @property
    def public_address(self) -> str:
        """Our address as the server sees it, where a router translates it; else empty."""
        flow = self.server.flow
        seen = None if flow is None else self.public.seen(flow)
        return "" if flow is None or seen is None or seen.host == flow.local.host else str(seen)

    # ---------------------------------------------------------------- in

    def start(self, now: float) -> None:
        """Use it from now on; or once more, with other options."""
        self._step(LinkInput.START, now)

    def leave(self, now: float) -> None:
        """Use it no more."""
        self._step(LinkInput.LEAVE if self.leaves_something else LinkInput.STOP, now)

    def moved(self, now: float) -> None:
        """Take note that our addresses may have changed."""
        if self.phase is Phase.DOWN or not self.server.still_here():
            self._step(LinkInput.MOVED, now)

    def disconnected(self, flow: Flow, now: float) -> None:
        """Take note that a path has failed: a connection has ended, or nobody listens."""
        self.public.lost(flow)
        if not self.server.disconnected(flow):
            return
        if self.phase is Phase.UP and flow.connection:
            self._brief = self._brief + 1 if now < self._held_at + BRIEF_S else 0
            if self._brief > 1:
                # It stands by its yes all the same; only the next question waits
                closed = Trouble("unreachable", {"server": str(flow), "why": "closed"})
                wait_s = back_off_s(closed, self._brief - 2, self._tokens)
                self._due_in(min(wait_s, self._hold_s()), now)
                return
        self._step(LinkInput.LOST, now)

    def doubted(self, now: float) -> None:
        """Take note that a call has found nobody there: ask at once, and send no call meanwhile."""
        if self.phase is Phase.UP:
            self._doubt, self.since = True, now
            self._step(LinkInput.LOST, now)

    def told(self, event: ResponseReceived, now: float) -> None:
        """Take note of what an answer of the server's says of our address, whatever it answers."""
        self.public.learn(event.response, _path_of(event))

    def resolved(self, now: float) -> None:
        """Take note that DNS has answered."""
        if self.phase is Phase.LOCATING:
            self._locate(now)

    def owns(self, event: Event) -> bool:
        """Whether an event is of one of our requests."""
        transaction = event.transaction
        return transaction is not None and (
            transaction is self._transaction or transaction in self._earlier
        )

    def receive(self, event: Event, now: float) -> None:
        """Take an event that is our own."""
        assert isinstance(event, ResponseReceived | TransactionTimedOut | TransportFailed)
        transaction = event.transaction
        assert isinstance(transaction, ClientTransaction)
        current = transaction is self._transaction
        if isinstance(event, ResponseReceived):
            self.public.learn(event.response, _path_of(event))
            if len(self.heard_from) < MOST_HEARD:
                self.heard_from.add(event.flow.remote.host)
            if event.response.status < 200:
                # Somebody is there, and works on it.
                self._timers.cancel((self, "patience"))
                return
        if not current:
            self._earlier.discard(transaction)
            if not isinstance(event, ResponseReceived) or event.response.status >= 300:
                return
            if self.phase not in (Phase.ASKING, Phase.DOWN):
                return
        else:
            self._transaction = None
            self._timers.cancel((self, "patience"))
        if not isinstance(event, ResponseReceived):
            if isinstance(event, TransportFailed) and self._repeats(transaction):
                self._step(LinkInput.AGAIN, now)
            else:
                self._of_no_use(_why(event, transaction), now)
            return
        if current:
            self.rtt_s = now - self._sent_at
        self._retry_after_s = retry_after_s(event.response) or 0.0
        if fails_here(event):
            self._of_no_use(refusal(event.response, transaction), now)
        else:
            self._answered(transaction, event.response, _path_of(event), now)

    def fired(self, name: str, now: float) -> None:
        """Take a timer's firing."""
        if name == "patience":
            assert self._transaction is not None
            trouble = Trouble("silent", {"server": str(self._transaction.flow)})
            self._earlier.add(self._transaction)
            self._transaction = None
            self._of_no_use(trouble, now)
        else:
            self._step(LinkInput.DUE, now)

    # ---------------------------------------------------------------- the machine

    def _step(self, what: LinkInput, now: float) -> None:
        row = TABLE[self.phase, what]
        if row is IGNORE:
            return
        usable = self.usable
        self.phase = row.phase or self.phase
        if self.phase is not Phase.ASKING:
            self._timers.cancel((self, "patience"))
        for action in row.actions:
            self._do(action, now)
        if self.usable is not usable:
            self.since = now

    def _do(self, action: LinkAction, now: float) -> None:
        match action:
            case LinkAction.HOLD:
                self._drop()
                if self.trouble is not None or not self._was_up:
                    log.info("line %s: %s", self.line.name, self.server.flow)
                self.trouble, self._failures, self._was_up, self._doubt = None, 0, True, False
                self.server.begin()
                self._held_at = now
                self._due_in(self._hold_s(), now)
            case LinkAction.LET_GO:
                self._was_up = False
                self._released()
            case LinkAction.BACK_OFF:
                assert self.trouble is not None
                wait_s = self._wait_s(self.trouble)
                self._failures += 1
                said = self.trouble.english(self.line.name)
                log.warning("%s Tried again in %d s.", said, round(wait_s))
                self.server.return_home()
                self._due_in(wait_s, now)
            case LinkAction.FORGIVE:
                self._failures, self.trouble, self._doubt = 0, None, False
                self._drop()
            case LinkAction.LOCATE:
                self._due_in(None, now)
                self.server.begin()
                self._locate(now)
            case LinkAction.SEND:
                self._send(now)
            case LinkAction.SEND_FAREWELL:
                self._say_farewell(now)
            case _:  # END
                self._drop()
                self._due_in(None, now)

    def _wait_s(self, trouble: Trouble) -> float:
        return back_off_s(trouble, self._failures, self._tokens, self._retry_after_s)

    def _drop(self) -> None:
        """Whatever is under way isn't waited for any more."""
        self._transaction, self._again = None, None
        self._earlier.clear()

    def _due_in(self, wait_s: float | None, now: float) -> None:
        if wait_s is None:
            self.next_try = None
            self._timers.cancel((self, "due"))
        else:
            self.next_try = now + wait_s
            self._timers.set((self, "due"), self.next_try)

    def _locate(self, now: float) -> None:
        found = self.server.locate(now)
        if found:
            self._step(LinkInput.FOUND, now)
        elif found is not None:
            self.trouble = self.server.trouble
            self._step(LinkInput.MISSING, now)

    def _send(self, now: float) -> None:
        flow = self.server.flow
        assert flow is not None
        request, self._again = self._again or self._question(flow), None
        self._sent(request, flow, now)
        if self.patience_s is not None:
            self._timers.set((self, "patience"), now + self.patience_s)

    def _sent(self, request: Request, flow: Flow, now: float) -> None:
        self._transaction = self._endpoint.send_request(request, flow, now)
        self._sent_at = now

    def _say_farewell(self, now: float) -> None:
        flow = self.server.flow
        request, again = self._again, self._again is not None
        self._drop()
        if flow is None:
            self._step(LinkInput.FAILED, now)
            return
        self._sent(request or self._farewell(flow), flow, now)
        if not again:
            self._due_in(FAREWELL_S, now)

    def _of_no_use(self, trouble: Trouble, now: float) -> None:
        """The address in use has failed: go on to the next one, or wait."""
        self.trouble = trouble
        more = self.phase is Phase.ASKING and self.server.go_on()
        self._step(LinkInput.ELSEWHERE if more else LinkInput.FAILED, now)

    def _refused(self, trouble: Trouble, now: float) -> None:
        """The server has said no; another address of it would say the same."""
        self.trouble = trouble
        self._step(LinkInput.FAILED, now)


def _path_of(event: ResponseReceived) -> Flow:
    """The path that the request has taken: with its connection, where it has one.

    A datagram's answer may come from elsewhere.
    """
    transaction = event.transaction
    return event.flow if transaction is None or transaction.flow.is_stream else transaction.flow


_SLUGS = {401: "password", 407: "password", 403: "forbidden", 404: "unknown-account"}


def refusal(response: Response, transaction: ClientTransaction) -> Trouble:
    """Return what a final response that isn't a yes means."""
    later = response.status >= 500 or response.status == 408
    slug = _SLUGS.get(response.status) or ("unavailable" if later else "refused")
    values = {
        "server": str(transaction.flow),
        "status": str(response.status),
        "reason": response.reason,
    }
    return Trouble(slug, values)


def _why(event: TransactionTimedOut | TransportFailed, transaction: ClientTransaction) -> Trouble:
    server = str(transaction.flow)
    if isinstance(event, TransportFailed):
        slug = "no-tls" if event.no_tls else "unreachable"
        return Trouble(slug, {"server": server, "why": event.no_tls or event.why})
    return Trouble("silent", {"server": server})
