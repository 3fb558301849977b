"""The transaction layer (RFC 3261 §17): matches messages to transactions and runs the tables."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import cast

from pbx.errors import PeerError
from pbx.sip import client_transaction, server_transaction
from pbx.sip.client_transaction import (
    Attempt,
    ClientAction,
    ClientInput,
    ClientKey,
    ClientRow,
    ClientState,
    ClientTransaction,
)
from pbx.sip.events import (
    AcceptedEnded,
    AckTimedOut,
    Cancelled,
    Event,
    RequestReceived,
    ResponseReceived,
    TransactionTimedOut,
    TransportFailed,
)
from pbx.sip.failover import PATIENCE_S, fails_here, leads_on
from pbx.sip.flow import DEFAULT_PORT, DEFAULT_TLS_PORT, Address, Flow
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.open_requests import OpenRequests
from pbx.sip.server_transaction import (
    ServerAction,
    ServerInput,
    ServerKey,
    ServerState,
    ServerTransaction,
    stateless_tag,
)
from pbx.sip.timers import T2, TRANSACTION_LIMIT_S, Timer, TimerQueue, timer_duration
from pbx.sip.trace import DropReason, Trace

Transaction = ClientTransaction | ServerTransaction

_UNSURE = frozenset({ServerState.TRYING, ServerState.PROCEEDING, ServerState.COMPLETED})
"""Where the last response may not have arrived; a 2xx is repeated by the transaction user."""

NEWS = frozenset({"NOTIFY", "MESSAGE"})
"""Requests that only tell something: whoever misses one learns it another time."""


class TransactionLayer:
    """All transactions that are alive, their timers, and what they have to send and to say.

    Args:
        tokens: makes To tags.
        trace: told what is sent and what is dropped.
        failed: told of an address that was of no use, for a request that has others to go to.
    """

    def __init__(
        self,
        tokens: Callable[[], str],
        trace: Trace,
        failed: Callable[[Flow, Event, float], None] = lambda flow, event, now: None,
    ) -> None:
        self._tokens = tokens
        self._trace = trace
        self._failed = failed
        self.open_requests = OpenRequests()
        self.timers = TimerQueue()
        self.events: deque[Event] = deque()
        self._outgoing: list[tuple[bytes, Flow]] = []
        # INVITEs that have had no response yet, and when they came
        self._untried: list[tuple[ServerTransaction, float]] = []
        self._clients: dict[ClientKey, ClientTransaction] = {}
        # By key; all but CANCELs also by key without the method, which is how a CANCEL finds them
        self._servers: dict[ServerKey, ServerTransaction] = {}
        # Requests outside dialogs, by what §8.2.2.2 compares
        self._initial: dict[tuple[str, ...], ServerTransaction] = {}
        self._by_remote: dict[tuple[str, str, int], dict[Transaction, None]] = {}

    def __len__(self) -> int:
        return sum(len(transactions) for transactions in self._by_remote.values())

    @property
    def pending_requests(self) -> int:
        """How many requests of ours, CANCELs too, have no final response yet, news left out."""
        open_requests = (one for one in self._clients.values() if one.method not in NEWS)
        return sum(transaction.pending for transaction in open_requests)

    # ---------------------------------------------------------------------------- what both share

    def send(self, data: bytes, flow: Flow) -> None:
        """Queue octets for the transport."""
        self._outgoing.append((data, flow))
        self._trace.message_sent(data, flow)

    def send_untraced(self, data: bytes, flow: Flow) -> None:
        """Queue octets that are no SIP message."""
        self._outgoing.append((data, flow))

    def to_send(self) -> list[tuple[bytes, Flow]]:
        """Return what is to be sent, in order, and forget it.

        "The server transaction MUST generate a 100 (Trying) response unless it knows that the TU
        will generate a provisional or final response within 200 ms" (§17.2.1): it knows where that
        response is among what is to be sent.
        """
        untried, self._untried = self._untried, []
        for transaction, now in untried:
            if transaction.response is None and not transaction.completed:
                self._answer(transaction, 100, None, now)
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def handle_timer(self, now: float) -> None:
        """Let every timer fire whose time has come."""
        for key in self.timers.pop_due(now):
            self._fire(*cast(tuple[Transaction, Timer], key), now)

    def flow_failed(self, flow: Flow, why: str, now: float) -> None:
        """Tell the transactions on a path that it is gone (§17.1.4, §17.2.4)."""
        remote = (flow.transport, flow.remote.host, flow.remote.port)
        for transaction in list(self._by_remote.get(remote, ())):
            if isinstance(transaction, ClientTransaction):
                # 0 asked for a connection; the one that it got is what failed
                if transaction.flow.connection in (0, flow.connection):
                    self._step_client(transaction, ClientInput.TRANSPORT_ERROR, now, why=why)
            elif (
                transaction.reply_flow.connection == flow.connection
                and not self._answer_by_new_connection(transaction)
            ):
                self._step_server(transaction, ServerInput.TRANSPORT_ERROR, now, why=why)

    def _answer_by_new_connection(self, transaction: ServerTransaction) -> bool:
        """Go on to where a request's sender listens, now that its connection is gone; once.

        "If that connection is no longer open, the server SHOULD open a connection to the IP address
        in the "received" parameter, if present, using the port in the "sent-by" value" (§18.2.2).
        The last response goes there at once: if nobody listens, that is known before a call has
        rung in vain.
        """
        old = transaction.reply_flow
        if not old.connection or not old.is_stream:
            return False
        usual = DEFAULT_TLS_PORT if old.transport == "tls" else DEFAULT_PORT
        port = transaction.request.via.port or usual
        new = Flow(old.transport, old.local, Address(old.remote.host, port))
        self._unindex(transaction, old)
        self._index(transaction, new)
        transaction.reply_flow = new
        if transaction.data and transaction.state in _UNSURE:
            self.send(transaction.data, new)
        return True

    def _fire(self, transaction: Transaction, timer: Timer, now: float) -> None:
        if isinstance(transaction, ClientTransaction):
            self._step_client(transaction, timer, now)
        else:
            self._step_server(transaction, timer, now)

    def _start(self, transaction: Transaction, timer: Timer, now: float) -> None:
        """Set a timer; one of no length at all fires at once (§17.1.1.2 and others)."""
        duration_s = timer_duration(
            timer, reliable=transaction.flow.reliable, last_s=transaction.interval_s
        )
        if duration_s is None:
            return
        if timer in (Timer.A, Timer.E, Timer.G):
            transaction.interval_s = duration_s
        elif timer is Timer.B and isinstance(transaction, ClientTransaction) and transaction.others:
            duration_s = PATIENCE_S
        if duration_s:
            self.timers.set((transaction, timer), now + duration_s)
        else:
            self._fire(transaction, timer, now)

    def _index(self, transaction: Transaction, flow: Flow) -> None:
        remote = (flow.transport, flow.remote.host, flow.remote.port)
        self._by_remote.setdefault(remote, {})[transaction] = None

    def _forget(self, transaction: Transaction, flow: Flow) -> None:
        """Take a terminated transaction out of timers and index."""
        for timer in transaction.timers:
            self.timers.cancel((transaction, timer))
        self._unindex(transaction, flow)

    def _unindex(self, transaction: Transaction, flow: Flow) -> None:
        remote = (flow.transport, flow.remote.host, flow.remote.port)
        transactions = self._by_remote[remote]
        del transactions[transaction]
        if not transactions:
            del self._by_remote[remote]

    # ------------------------------------------------------------------------ client transactions

    def send_request(
        self,
        request: Request,
        flow: Flow,
        now: float,
        cancels: ClientTransaction | None = None,
        others: Iterable[Attempt] = (),
    ) -> ClientTransaction:
        """Begin a client transaction (§17.1.1, §17.1.2); the request has its Via already.

        Args:
            request: what is sent.
            flow: the path.
            now: seconds.
            cancels: for a CANCEL, the INVITE's transaction.
            others: where to go on to if nobody is there (RFC 3263 §4.3).
        """
        transaction = ClientTransaction(request, flow, _client_key(request), cancels, [*others])
        self._begin_client(transaction, now)
        return transaction

    def begin(
        self, transaction: ClientTransaction, attempts: Iterable[Attempt], now: float
    ) -> None:
        """Begin a transaction that has waited for its addresses."""
        transaction.others = [*attempts]
        self._take_next(transaction, now)

    def _take_next(self, transaction: ClientTransaction, now: float) -> None:
        attempt = transaction.others.pop(0)
        transaction.request, transaction.flow = attempt.request, attempt.flow
        transaction.way = attempt.way
        transaction.key = _client_key(attempt.request)
        transaction.interval_s = 0.0
        self._begin_client(transaction, now)

    def _begin_client(self, transaction: ClientTransaction, now: float) -> None:
        transaction.data = transaction.request.encode()
        self._clients[transaction.key] = transaction
        self._index(transaction, transaction.flow)
        self._run_client(transaction, transaction.start, now)

    def _go_on(
        self, transaction: ClientTransaction, now: float, *, silent: bool
    ) -> ClientTransaction:
        """Leave an address that is of no use: the transaction begins again at the next one.

        To whom it belongs it stays the same. Returns what is left of the attempt that ends here:
        it may have to acknowledge a response again and, where the address was `silent` only, to
        cancel what comes late.
        """
        rest = replace(transaction, others=[], left_by=transaction)
        if silent and rest.method == "INVITE":
            rest.state, rest.cancel_wanted = ClientState.CALLING, True
        if rest.state is not ClientState.TERMINATED:
            self._index(rest, rest.flow)
            self._clients[rest.key] = rest
        if rest.state is ClientState.CALLING:
            self._start(rest, Timer.B, now)
        self._take_next(transaction, now)
        return rest

    def cancel(self, transaction: ClientTransaction, now: float, reason: str | None) -> None:
        """Give an INVITE up (§9.1)."""
        transaction.cancel_reason = transaction.cancel_reason or reason
        self._step_client(transaction, ClientInput.CANCEL, now)

    def receive_response(self, response: Response, flow: Flow, now: float) -> None:
        """Match a response by its top Via's branch and its CSeq's method (§17.1.3)."""
        try:
            vias = response.all("Via")
        except PeerError:
            self._trace.dropped(DropReason.MALFORMED_RESPONSE, flow, response)
            return
        # "If more than one Via header field value is present in a response, the UAC SHOULD discard
        # the message." (§8.1.3.3)
        if len(vias) > 1:
            self._trace.dropped(DropReason.MANY_VIAS, flow, response)
            return
        via = response.via
        transaction = self._clients.get(((via.branch or "").lower(), response.cseq.method))
        if transaction is None:
            self._trace.dropped(DropReason.STRAY_RESPONSE, flow, response)
            return
        # "If the value of the "sent-by" parameter in that header field value does not correspond
        # to a value that the client transport is configured to insert into requests, the response
        # MUST be silently discarded." (§18.1.2)
        ours = transaction.request.via
        if via.port != ours.port or via.host.lower() != ours.host.lower():
            self._trace.dropped(DropReason.FOREIGN_VIA, flow, response)
            return
        if response.status < 200:
            what = ClientInput.PROVISIONAL
        elif response.status < 300:
            what = ClientInput.SUCCESS
        else:
            what = ClientInput.FAILURE
        if not self._step_client(transaction, what, now, response, flow):
            self._trace.dropped(DropReason.ABSORBED_RESPONSE, flow, response)

    def _step_client(
        self,
        transaction: ClientTransaction,
        what: ClientInput | Timer,
        now: float,
        response: Response | None = None,
        flow: Flow | None = None,
        why: str = "",
    ) -> bool:
        """Look the cell up and do what it says; False where that is nothing."""
        row = transaction.table[transaction.state, what]
        if row is client_transaction.IGNORE:
            return False
        self._run_client(transaction, row, now, response, flow, why)
        return True

    def _run_client(
        self,
        transaction: ClientTransaction,
        row: ClientRow,
        now: float,
        response: Response | None = None,
        flow: Flow | None = None,
        why: str = "",
    ) -> None:
        transaction.state = row.state or transaction.state
        moving = silent = False
        for action in row.actions:
            match action:
                case ClientAction.SEND_REQUEST:
                    self.send(transaction.data, transaction.flow)
                case ClientAction.SEND_ACK:
                    ack = transaction.failure_ack(cast(Response, response))
                    self.send(ack.encode(), transaction.flow)
                case ClientAction.REMEMBER_CANCEL:
                    transaction.cancel_wanted = True
                case ClientAction.SEND_CANCEL:
                    self._send_cancel(transaction, now)
                case ClientAction.SEND_REMEMBERED_CANCEL:
                    if transaction.cancel_wanted:
                        self._send_cancel(transaction, now)
                case ClientAction.SLOW_DOWN:
                    transaction.interval_s = T2
                case ClientAction.PASS_UP:
                    came_on = flow or transaction.flow
                    event = ResponseReceived(transaction, cast(Response, response), came_on)
                    moving = self._report(transaction, event, now)
                case ClientAction.INFORM_TIMEOUT:
                    silent = True
                    moving = self._report(transaction, TransactionTimedOut(transaction), now)
                case _:  # INFORM_TRANSPORT
                    moving = self._report(transaction, TransportFailed(transaction, why), now)
        for timer in row.stop:
            self.timers.cancel((transaction, timer))
        if moving or transaction.state is ClientState.TERMINATED:
            self._forget(transaction, transaction.flow)
            self._clients.pop(transaction.key, None)
        left = self._go_on(transaction, now, silent=silent) if moving else transaction
        for timer in row.start:
            self._start(left, timer, now)

    def _report(self, transaction: ClientTransaction, event: Event, now: float) -> bool:
        """Tell the transaction user; True where it has to hear nothing, for there is another way.

        What becomes of a CANCEL tells nothing: the INVITE's own final response is waited for.
        """
        if transaction.left_by is not None:
            self._report_late(transaction.left_by, event, now)
            return False
        if isinstance(event, ResponseReceived):
            # Whoever answers is there; to try him by another transport would change nothing.
            status, way = event.response.status, transaction.way
            left = [one for one in transaction.others if not _same(one, transaction)]
            transaction.unused = left
            transaction.others = [one for one in left if leads_on(status, same_way=one.way == way)]
        if transaction.others and not transaction.given_up and fails_here(event):
            self._failed(transaction.flow, event, now)
            return True
        if transaction.cancels is None:
            self.events.append(event)
        return False

    def _report_late(self, goes_on: ClientTransaction, event: Event, now: float) -> None:
        """Pass a 2xx on that comes from an address which had been given up.

        It is as good as any other; what goes on elsewhere ends, and says nothing more.
        """
        if not isinstance(event, ResponseReceived) or goes_on.method != "INVITE":
            return
        if 200 <= event.response.status < 300:
            self.events.append(replace(event, transaction=goes_on))
            goes_on.left_by = goes_on
            if goes_on.pending:
                self.cancel(goes_on, now, None)

    def _send_cancel(self, transaction: ClientTransaction, now: float) -> None:
        if transaction.cancel_sent:
            return
        transaction.cancel_sent = True
        self.send_request(transaction.cancel_request(), transaction.flow, now, transaction)
        # "If there is no final response for the original request in 64*T1 seconds [...], the client
        # SHOULD then consider the original transaction cancelled" (§9.1)
        self.timers.set((transaction, Timer.CANCELLED), now + TRANSACTION_LIMIT_S)

    # ------------------------------------------------------------------------ server transactions

    def receive_request(
        self, request: Request, key: ServerKey, flow: Flow, reply_flow: Flow, now: float
    ) -> None:
        """Match a request (§17.2.3), or begin a server transaction and pass the request up.

        Args:
            request: with `received` and `rport` in its Via.
            key: its `server_key`, from before that.
            flow: the path that it came on.
            reply_flow: where responses to it go.
            now: seconds.
        """
        transaction = self._servers.get(key)
        if transaction is not None and not transaction.same_to_tag(request):
            transaction = None
        if request.method == "ACK":
            self._receive_ack(transaction, request, flow, now)
        elif transaction is None:
            self._begin_server(request, key, flow, reply_flow, now)
        elif not self._step_server(transaction, ServerInput.REQUEST, now):
            self._trace.dropped(DropReason.ABSORBED_REQUEST, flow, request)

    def _receive_ack(
        self, transaction: ServerTransaction | None, request: Request, flow: Flow, now: float
    ) -> None:
        if transaction is None:
            self.events.append(RequestReceived(None, request, flow))
            return
        self._step_server(transaction, ServerInput.ACK, now, request, flow)
        if transaction.state is not ServerState.ACCEPTED:
            self._trace.dropped(DropReason.ABSORBED_ACK, flow, request)

    def _begin_server(
        self, request: Request, key: ServerKey, flow: Flow, reply_flow: Flow, now: float
    ) -> None:
        if not self.open_requests.begin(flow):
            self._turn_away(request, flow, reply_flow)
            return
        transaction = ServerTransaction(request, flow, reply_flow, key, self._tokens())
        transaction.state = transaction.first_state
        self._index(transaction, reply_flow)
        self._servers[key] = transaction
        if request.method == "CANCEL":
            self._cancel_received(transaction, now)
            return
        self._servers[key[:-1]] = transaction
        if self._is_merged(transaction):
            self._answer(transaction, 482, transaction.tag, now)
            return
        if request.method == "INVITE":
            self._untried.append((transaction, now))
        self.events.append(RequestReceived(transaction, request, flow))

    def _turn_away(self, request: Request, flow: Flow, reply_flow: Flow) -> None:
        """Refuse a request that there is no room for, and keep nothing of it (§8.2.7)."""
        self._trace.dropped(DropReason.FLOOD, flow, request)
        response = response_to(request, 503, to_tag=stateless_tag(request, flow))
        # By then what is open now is over
        response.add("Retry-After", str(round(TRANSACTION_LIMIT_S)))
        self.send(response.encode(), reply_flow)

    def _is_merged(self, transaction: ServerTransaction) -> bool:
        """Whether the same request came by another way before (§8.2.2.2): it gets a 482.

        One that was challenged is forgotten: some devices repeat it with credentials under the same
        CSeq number, though §22.2 forbids it.
        """
        request = transaction.request
        # "If the request has no tag in the To header field, the UAS core MUST check the request
        # against ongoing transactions."
        if request.to.tag is not None:
            return False
        transaction.initial_key = (request.call_id, request.from_.tag or "", str(request.cseq))
        return self._initial.setdefault(transaction.initial_key, transaction) is not transaction

    def _cancel_received(self, transaction: ServerTransaction, now: float) -> None:
        original = self._servers.get(transaction.key[:-1])
        if original is None:
            # "If the UAS did not find a matching transaction for the CANCEL [...], it SHOULD
            # respond to the CANCEL with a 481" (§9.2)
            answer = response_to(transaction.request, 481, to_tag=transaction.stateless_tag)
            self.respond_once(transaction, answer, now)
            return
        # "the To tag of the response to the CANCEL and the To tag in the response to the original
        # request SHOULD be the same" (§9.2)
        self._answer(transaction, 200, original.tag, now)
        if original.method == "INVITE" and not original.completed:
            reasons = transaction.request.readable("Reason")
            self.events.append(Cancelled(original, reasons))

    def _answer(
        self, transaction: ServerTransaction, status: int, to_tag: str | None, now: float
    ) -> None:
        self.respond(transaction, response_to(transaction.request, status, to_tag=to_tag), now)

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Give a transaction its response; one that its state has no use for is discarded."""
        if response.status < 200:
            what = ServerInput.SEND_PROVISIONAL
        elif response.status < 300:
            what = ServerInput.SEND_SUCCESS
        else:
            what = ServerInput.SEND_FAILURE
        self._step_server(transaction, what, now, response)

    def respond_once(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Give a transaction its final response and end it: a repeated request begins a new one.

        A client that has had a provisional response repeats its INVITE no more (§17.1.1.2), so
        there the response is repeated after all.
        """
        if transaction.response is not None and transaction.method == "INVITE":
            self.respond(transaction, response, now)
        else:
            self._step_server(transaction, ServerInput.SEND_ONCE, now, response)

    def _step_server(
        self,
        transaction: ServerTransaction,
        what: ServerInput | Timer,
        now: float,
        message: Message | None = None,
        flow: Flow | None = None,
        why: str = "",
    ) -> bool:
        """Look the cell up and do what it says; False where that is nothing."""
        row = transaction.table[transaction.state, what]
        if row is server_transaction.IGNORE:
            return False
        transaction.state = row.state or transaction.state
        for action in row.actions:
            match action:
                case ServerAction.SEND:
                    transaction.response = cast(Response, message)
                    transaction.data = transaction.response.encode()
                    self.send(transaction.data, transaction.reply_flow)
                case ServerAction.SEND_AGAIN:
                    self.send(transaction.data, transaction.reply_flow)
                case ServerAction.PASS_ACK:
                    came_on = flow or transaction.flow
                    self.events.append(RequestReceived(None, cast(Request, message), came_on))
                case ServerAction.INFORM_NO_ACK:
                    self.events.append(AckTimedOut(transaction))
                case ServerAction.INFORM_ACCEPTED_ENDED:
                    self.events.append(AcceptedEnded(transaction))
                case _:  # INFORM_TRANSPORT
                    self.events.append(TransportFailed(transaction, why))
        for timer in row.stop:
            self.timers.cancel((transaction, timer))
        if transaction.state is ServerState.TERMINATED:
            self._forget_server(transaction)
        for timer in row.start:
            self._start(transaction, timer, now)
        return True

    def _forget_server(self, transaction: ServerTransaction) -> None:
        self.open_requests.end(transaction.flow)
        self._forget(transaction, transaction.reply_flow)
        for index, key in (
            (self._servers, transaction.key),
            (self._servers, transaction.key[:-1]),
            (self._initial, transaction.initial_key),
        ):
            if index.get(key) is transaction:
                del index[key]


def _client_key(request: Request) -> ClientKey:
    """§17.1.3: a branch is compared without regard to case."""
    return (request.via.branch or "").lower(), request.method


def _same(attempt: Attempt, transaction: ClientTransaction) -> bool:
    """Whether an attempt differs from what has been sent by its transport alone."""
    same_place = attempt.flow.remote == transaction.flow.remote
    return same_place and same_destination(attempt.request, transaction.request)


def same_destination(one: Request, other: Request) -> bool:
    """Whether two requests are for the same target, by the same route."""
    return one.uri == other.uri and one.all("Route") == other.all("Route")
