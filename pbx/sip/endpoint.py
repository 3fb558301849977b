"""The endpoint: SIP messages in and out, events up, and the next deadline; no I/O.

After every call of `receive`, `handle_timer`, `send_request`, `respond` and the others, the owner
takes `to_send()`, `next_event()` until it is None, and sets its clock by `next_timer()`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from pbx.errors import PeerError
from pbx.sip import stun
from pbx.sip.capabilities import Capabilities
from pbx.sip.chance import chance
from pbx.sip.client_transaction import Attempt, ClientTransaction
from pbx.sip.events import Event, TransactionTimedOut
from pbx.sip.failover import Shunned
from pbx.sip.flow import DEFAULT_PORT, Address, Flow
from pbx.sip.framing import KeepAlive
from pbx.sip.headers import Via
from pbx.sip.locate import Answer, Question
from pbx.sip.locator import Locator
from pbx.sip.message import MalformedRequest, Request, Response, parse_message, response_to
from pbx.sip.next_hop import Way
from pbx.sip.numeric_host import numeric
from pbx.sip.server_transaction import MAGIC_COOKIE, ServerTransaction, server_key, stateless_tag
from pbx.sip.size_limit import by_tcp
from pbx.sip.status import REASONS
from pbx.sip.trace import DropReason, Trace
from pbx.sip.transaction_layer import NEWS, TransactionLayer, same_destination
from pbx.sip.warning import WARNED, warning

MAX_FORWARDS = "70"
"""RFC 3261 §8.1.1.6."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request whose next hop's name is being asked for; an ACK has no transaction."""

    request: Request
    flow: Flow
    ways: tuple[Way, ...] = ()
    transaction: ClientTransaction | None = None


class Endpoint:
    """Transport rules (RFC 3261 §18), transactions (§17) and what is common to all UAs (§8).

    Args:
        tokens: each call returns a fresh random string, for branches and tags.
        user_agent: our name and version, for User-Agent and Server.
        serves: what we can do.
        trace: counts what happens; a new one by default.
        streams: our transport can make connections; else all requests go by UDP.
        names: our owner answers `questions`; else a host name in a URI is of no use to us.
    """

    def __init__(
        self,
        tokens: Callable[[], str],
        *,
        user_agent: str,
        serves: Capabilities,
        trace: Trace | None = None,
        streams: bool = True,
        names: bool = False,
    ) -> None:
        self._tokens = tokens
        self.user_agent = user_agent
        self.serves = serves
        self.trace = trace or Trace()
        self._streams = streams
        self._names = names
        self._shunned = Shunned()
        self._locator = Locator(lambda highest: chance(tokens(), highest))
        self._waiting: list[_Waiting] = []
        self._layer = TransactionLayer(tokens, self.trace, self._shunned.failed)
        self.barred: Callable[[str, Flow], bool] = lambda host, flow: False
        """Whether a name that a peer has given us, who sends by a path, must not lead to the address
        `host`. The path leads nowhere where the name is our owner's own."""

    def make_room_for(self, known: Callable[[Flow], bool]) -> None:
        """Let what comes by such paths have room however many strangers send; see `OpenRequests`."""
        self._layer.open_requests.known = known

    def introduce(self, transaction: ServerTransaction) -> None:
        """Let who has sent a request be known, for a while: it has shown a password."""
        self._layer.open_requests.introduce(transaction.flow)

    # ------------------------------------------------------------------------------- octets in

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram, or a message that a `StreamFramer` has cut out; never raises.

        Args:
            data: the octets, whatever they are.
            flow: where they came from.
            now: seconds, as for every `now` of this class.
        """
        if not flow.reliable and stun.is_stun(data):
            self._stun_received(data, flow)
            return
        if _is_keep_alive(data):
            self.trace.dropped(DropReason.KEEP_ALIVE, flow)
            return
        try:
            message = parse_message(data, stream=flow.is_stream)
        except MalformedRequest as error:
            self._answer_malformed(error, flow)
            return
        except PeerError as error:
            response = data[:4].upper() == b"SIP/"
            kind = DropReason.MALFORMED_RESPONSE if response else DropReason.GARBAGE
            self.trace.dropped(kind, flow, str(error))
            return
        self.trace.message_received(message, flow)
        if isinstance(message, Response):
            self._layer.receive_response(message, flow, now)
            return
        key = server_key(message)
        reply_flow = _stamp_via(message, flow)
        self._layer.receive_request(message, key, flow, reply_flow, now)

    def _stun_received(self, data: bytes, flow: Flow) -> None:
        """Answer a phone's keep-alive (RFC 5626 §4.4.2, §8), which tells it its own address."""
        answer = stun.answer(data, flow.remote)
        if answer is None:
            self.trace.dropped(DropReason.STUN, flow)
        else:
            self.trace.stun_answered(flow)
            self._layer.send_untraced(answer, flow)

    def reject(self, error: PeerError, flow: Flow) -> None:
        """Note that a connection's framing is broken; the caller closes it (§18.3)."""
        self.trace.dropped(DropReason.BAD_STREAM, flow, str(error))

    def _answer_malformed(self, error: MalformedRequest, flow: Flow) -> None:
        """Answer as a stateless UAS (§8.2.7), so that broken requests leave nothing behind."""
        request = error.request
        if request.method == "ACK":
            self.trace.dropped(DropReason.MALFORMED_ACK, flow, str(error))
            return
        try:
            reply_flow = _stamp_via(request, flow)
        except PeerError:
            # A Via that can't be read names no other way back than the one it came.
            reply_flow = flow
        response = response_to(
            request, error.status, error.reason, to_tag=stateless_tag(request, flow)
        )
        response.add("Server", self.user_agent)
        self.trace.malformed_answered(error.status)
        self._layer.send(response.encode(), reply_flow)

    def flow_failed(self, flow: Flow, why: str, now: float) -> None:
        """Take note that a path is gone: its transactions end with `TransportFailed`.

        Those that need the path no more, such as an INVITE's after a 2xx, go on.

        Args:
            flow: the path; with connection 0 a connection that could not be made, or UDP.
            why: for people.
            now: seconds.
        """
        self._layer.flow_failed(flow, why, now)

    # ------------------------------------------------------------------------------ what to send

    def send_request(
        self, request: Request, flow: Flow, now: float, *, ways: Iterable[Way] = ()
    ) -> ClientTransaction:
        """Send a request in a new client transaction (§8.1.1, §17.1).

        Puts in Via, and where they are missing Max-Forwards, User-Agent and, in an INVITE, Allow.
        A request must not be sent twice; what comes again after a challenge is a new one.

        What is too large for a datagram goes over TCP, and by UDP after all where nobody takes
        that (§18.1.1). On a path with a name the request waits until `resolved` has told where
        that is, and goes on to the next address where one is of no use (RFC 3263 §4.3); at last
        to other `ways`.
        """
        ways, paths = tuple(ways), self.paths(flow, now)
        if paths is None:
            waiting = ClientTransaction(request, flow, ("", request.method))
            self._waiting.append(_Waiting(request, flow, ways, waiting))
            return waiting
        best = self._shunned.last(paths, now)
        first, *others = self._attempts(request, best, ways, now)
        return self._layer.send_request(first.request, first.flow, now, others=others)

    def send_again(
        self, request: Request, before: ClientTransaction, now: float
    ) -> ClientTransaction:
        """Send what a request has become by its answer, a challenge or the like: to who has answered.

        The addresses that are left then come next (RFC 3263 §4.3), as far as they are for the same
        Request-URI and Route: credentials are for that one only.

        Args:
            request: as for `send_request`.
            before: what has been answered.
            now: seconds.
        """
        left = [one.flow for one in before.unused if same_destination(one.request, before.request)]
        attempts = self._attempts(request, [before.flow, *left], (), now)
        # What is too large for a datagram has two paths to each of them already
        first, *others = {one.flow: one for one in attempts}.values()
        return self._layer.send_request(first.request, first.flow, now, others=others)

    def paths(self, flow: Flow, now: float, *, tls: bool = False) -> list[Flow] | None:
        """Return the paths that lead where `flow` is to lead; None while DNS is being asked.

        Where DNS knows nothing, or nothing but what is `barred`, that is the path itself, without
        its name. `tls`: see `locate`.
        """
        if not self._streams:
            flow = replace(flow, transport="udp")
        if flow.named is not None and not self._names:
            flow = replace(flow, named=None)
        found = self._locator.find(flow, now, tls=tls)
        if found is None or flow.named is None:
            return found
        open_to_it = [one for one in found if not self.barred(one.remote.host, flow)]
        return open_to_it or [replace(flow, named=None)]

    def _attempts(
        self, request: Request, paths: list[Flow], ways: tuple[Way, ...], now: float
    ) -> list[Attempt]:
        attempts: list[Attempt] = []
        wanted = [(request, path, 0) for path in paths]
        for number, way in enumerate(ways, 1):
            other = Request(request.method, way.uri, list(request.headers), request.body)
            other.remove("Route")
            for route in reversed(way.route):
                other.prepend("Route", route)
            # Where a name isn't known yet, the last resort may well be where the phone came from.
            last = self.paths(way.flow, now) or [replace(way.flow, named=None)]
            wanted += [(other, path, 0 if way.same_server else number) for path in last]
        for each, path, number in wanted:
            attempt = self._attempt(each, path, number)
            stream = by_tcp(len(attempt.request.encode()), path)
            if stream and self._streams and not self._shunned.knows(stream, now):
                attempts.append(self._attempt(each, stream, number))
            attempts.append(attempt)
        return attempts

    def _attempt(self, request: Request, flow: Flow, way: int) -> Attempt:
        """The request for one address, with a branch of its own."""
        own = Request(request.method, request.uri, list(request.headers), request.body)
        self._complete(own, flow)
        return Attempt(own, flow, way)

    def keep_alive(self, flow: Flow) -> None:
        """Send what holds a NAT's way open (RFC 5626 §3.5.1); by UDP nobody answers it."""
        self._layer.send_untraced(KeepAlive.PING.value, flow)

    def send_ack(self, request: Request, flow: Flow, now: float) -> None:
        """Send the ACK to a 2xx (§13.2.2.4): no transaction, a branch of its own.

        The same ACK may be sent again, when the 2xx comes again.
        """
        paths = self.paths(flow, now)
        if paths is None:
            self._waiting.append(_Waiting(request, flow))
            return
        # Whatever its size, the INVITE's path will do: nobody would tell that another one failed.
        path = self._shunned.last(paths, now)[0]
        self._complete(request, path)
        self._layer.send(request.encode(), path)

    # ------------------------------------------------------------------------------ names

    def questions(self) -> list[Question]:
        """Return what DNS is to be asked, once; each wants its `resolved`."""
        return self._locator.questions()

    def resolved(self, question: Question, answer: Answer, now: float) -> None:
        """Take what DNS has answered; requests that waited for it go out, or ask on."""
        self._locator.resolved(question, answer, now)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            paths = self.paths(one.flow, now)
            if paths is None:
                self._waiting.append(one)
            elif one.transaction is None:
                self.send_ack(one.request, one.flow, now)
            else:
                best = self._shunned.last(paths, now)
                attempts = self._attempts(one.request, best, one.ways, now)
                self._layer.begin(one.transaction, attempts, now)

    def _complete(self, request: Request, flow: Flow) -> None:
        local = flow.local
        via = Via(
            flow.transport.upper(),
            local.host,
            local.port,
            # "This parameter MUST have no value" (RFC 3581 §3)
            (("branch", MAGIC_COOKIE + self._tokens()), ("rport", "")),
        )
        request.remove("Via")
        request.prepend("Via", str(via))
        if request.get("Max-Forwards") is None:
            request.add("Max-Forwards", MAX_FORWARDS)
        if request.get("User-Agent") is None:
            request.add("User-Agent", self.user_agent)
        if request.method == "INVITE" and request.get("Allow") is None:
            # "An Allow header field [...] SHOULD be present in the INVITE." (§13.2.1)
            request.add("Allow", ", ".join(self.serves.within))

    def cancel(self, transaction: ClientTransaction, now: float, reason: str | None = None) -> None:
        """Give an INVITE up (§9.1).

        The CANCEL waits for a provisional response. Its own responses don't show; the INVITE ends
        with a final response (487, or a 2xx that crossed it) or, 64*T1 later, by time-out. Once a
        final response is there, nothing happens.

        Args:
            transaction: the INVITE's.
            now: seconds.
            reason: a Reason header field value (RFC 3326) for the CANCEL.
        """
        for one in self._waiting:
            if one.transaction is transaction:
                # It hasn't left yet, and never will.
                self._waiting.remove(one)
                self._layer.events.append(TransactionTimedOut(transaction))
                return
        self._layer.cancel(transaction, now, reason)

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a response; one that comes after a final response is discarded (§17.2.1).

        Only a repeated 2xx to an INVITE goes out again: its retransmission is the UAS core's duty
        (§13.3.1.4, RFC 6026 §7.1).
        """
        self._complete_response(transaction, response)
        self._layer.respond(transaction, response, now)

    def respond_once(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a final response and forget its request (§8.2.7, §26.3.2.4).

        For what is answered to whoever asks, challenges before all: a repeated request is a new one
        and gets an answer of its own, and nothing is sent a second time to whom a forged request
        claims to come from. The answer's tag is `ServerTransaction.stateless_tag`; an ACK to it
        is nobody's.
        """
        self._complete_response(transaction, response)
        self._layer.respond_once(transaction, response, now)

    def _complete_response(self, transaction: ServerTransaction, response: Response) -> None:
        if response.get("Server") is None:
            response.add("Server", self.user_agent)
        if response.status == 405 and response.get("Allow") is None:
            # "The response MUST include an Allow header field" (§21.4.6)
            response.add("Allow", ", ".join(self.serves.allow))
        if response.status in WARNED and response.get("Warning") is None:
            # "Such a response SHOULD include a Warning header field value explaining why the offer
            # was rejected." (§13.3.1.3)
            usual, host = REASONS[response.status], transaction.flow.local.host
            response.add("Warning", warning(response.reason, usual, host))

    def retransmit(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Repeat a 2xx to an INVITE (§13.3.1.4), until 64*T1 after the first one."""
        self._layer.respond(transaction, response, now)

    # ------------------------------------------------------------------------------ what comes out

    def next_event(self) -> Event | None:
        """Return the oldest event that hasn't been taken yet."""
        return self._layer.events.popleft() if self._layer.events else None

    def to_send(self) -> list[tuple[bytes, Flow]]:
        """Return messages for the transport, in order; they are not kept."""
        return self._layer.to_send()

    def next_timer(self) -> float | None:
        """Return when `handle_timer` is due, or None."""
        return self._layer.timers.next_timer()

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._layer.handle_timer(now)

    @property
    def transaction_count(self) -> int:
        """How many transactions are alive."""
        return len(self._layer)

    @property
    def pending_requests(self) -> int:
        """How many requests of ours have no final response yet: what to wait for at the end.

        Nobody waits for what only tells something: `NEWS`.
        """
        unsent = sum(one.request.method not in NEWS for one in self._waiting)
        return self._layer.pending_requests + unsent


def _is_keep_alive(data: bytes) -> bool:
    """Recognise what phones send to hold a NAT binding open."""
    return data[:1] in b"\r\n\x00 \t" and not data.strip(b"\r\n\x00 \t")


def _stamp_via(request: Request, flow: Flow) -> Flow:
    """Write into the top Via where the request came from; return where responses go.

    RFC 3261 §18.2.1, §18.2.2, RFC 3581 §4. A `maddr` is ignored: it would make us send to whomever
    the sender names.
    """
    via = request.via
    remote = flow.remote
    if via.rport is not None:
        # "it MUST set the value of the parameter to the source port of the request [...] the server
        # MUST insert a "received" parameter" (RFC 3581 §4)
        request.replace_top_via(via.with_params(received=remote.host, rport=str(remote.port)))
        return flow
    if via.host.lower() != remote.host:
        # "the server MUST add a "received" parameter" (§18.2.1)
        request.replace_top_via(via.with_params(received=remote.host))
        # A private address that isn't the packet's source: the peer is behind a NAT, and what is
        # sent to its own port wouldn't get through. With a name in its place that can't be told.
        if numeric(via.host) is not None:
            return flow
    port = via.port or DEFAULT_PORT
    if flow.reliable or port == remote.port:
        return flow
    # "using the port indicated in the "sent-by" value" (§18.2.2): Cisco 7940 and 7960 send from one
    # port and listen on another
    return Flow(flow.transport, flow.local, Address(remote.host, port))
