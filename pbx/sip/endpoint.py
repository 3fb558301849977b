"""The endpoint: SIP messages in and out, events up, and the next deadline; no I/O.

After every call of `receive`, `handle_timer`, `send_request`, `respond` and the others, the owner
takes `to_send()`, `next_event()` until it is None, and sets its clock by `next_timer()`.
"""

import hashlib
import ipaddress
from collections.abc import Callable

from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.events import Event
from pbx.sip.flow import Address, Flow
from pbx.sip.headers import Via
from pbx.sip.message import MalformedRequest, Request, Response, parse_message, response_to
from pbx.sip.server_transaction import MAGIC_COOKIE, ServerTransaction, server_key
from pbx.sip.trace import DropReason, Trace
from pbx.sip.transaction_layer import TransactionLayer

DEFAULT_PORT = 5060
"""Where responses go if a Via names no port (RFC 3261 §18.2.2)."""

DEFAULT_TLS_PORT = 5061
"""The same with TLS."""

MAX_FORWARDS = "70"
"""RFC 3261 §8.1.1.6."""

_STUN_COOKIE = b"\x21\x12\xa4\x42"


class Endpoint:
    """Transport rules (RFC 3261 §18), transactions (§17) and what is common to all UAs (§8).

    Args:
        tokens: each call returns a fresh random string, for branches and tags.
        user_agent: our name and version, for User-Agent and Server.
        allow: the methods that we serve.
        trace: counts what happens; a new one by default.
    """

    def __init__(
        self,
        tokens: Callable[[], str],
        *,
        user_agent: str,
        allow: tuple[str, ...],
        trace: Trace | None = None,
    ) -> None:
        self._tokens = tokens
        self.user_agent = user_agent
        self.allow = allow
        self.trace = trace or Trace()
        self._layer = TransactionLayer(tokens, self.trace)

    # ------------------------------------------------------------------------------- octets in

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a datagram, or a message that a `StreamFramer` has cut out; never raises.

        Args:
            data: the octets, whatever they are.
            flow: where they came from.
            now: seconds, as for every `now` of this class.
        """
        reason = _not_sip(data)
        if reason is not None:
            self.trace.dropped(reason, flow)
            return
        try:
            message = parse_message(data, stream=flow.reliable)
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

    def reject(self, error: PeerError, flow: Flow) -> None:
        """Note that a connection's framing is broken; the caller closes it (§18.3)."""
        self.trace.dropped(DropReason.BAD_STREAM, flow, str(error))

    def _answer_malformed(self, error: MalformedRequest, flow: Flow) -> None:
        """Answer as a stateless UAS (§8.2.7), so that broken requests leave nothing behind."""
        request = error.request
        if request.method == "ACK":
            self.trace.dropped(DropReason.MALFORMED_ACK, flow, str(error))
            return
        reply_flow = _stamp_via(request, flow)
        response = response_to(
            request, error.status, error.reason, to_tag=_stateless_tag(request, flow)
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

    def send_request(self, request: Request, flow: Flow, now: float) -> ClientTransaction:
        """Send a request in a new client transaction (§8.1.1, §17.1).

        Puts in Via, and where they are missing Max-Forwards, User-Agent and, in an INVITE, Allow.
        A request must not be sent twice; what comes again after a challenge is a new one.
        """
        self._complete(request, flow)
        return self._layer.send_request(request, flow, now)

    def send_ack(self, request: Request, flow: Flow, now: float) -> None:
        """Send the ACK to a 2xx (§13.2.2.4): no transaction, a branch of its own.

        The same ACK may be sent again, when the 2xx comes again.
        """
        self._complete(request, flow)
        self._layer.send(request.encode(), flow)

    def _complete(self, request: Request, flow: Flow) -> None:
        local = flow.local
        via = Via(
            flow.transport.upper(),
            local.host,
            local.port,
            # "The client MUST NOT [...] assign a value to rport" (RFC 3581 §3)
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
            request.add("Allow", ", ".join(self.allow))

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
        self._layer.cancel(transaction, now, reason)

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a response; one that comes after a final response is discarded (§17.2.1).

        Only a repeated 2xx to an INVITE goes out again: its retransmission is the UAS core's duty
        (§13.3.1.4, RFC 6026 §7.1).
        """
        if response.get("Server") is None:
            response.add("Server", self.user_agent)
        if response.status == 405 and response.get("Allow") is None:
            # "The response MUST include an Allow header field" (§21.4.6)
            response.add("Allow", ", ".join(self.allow))
        self._layer.respond(transaction, response, now)

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
        """How many requests of ours have no final response yet: what to wait for at the end."""
        return self._layer.pending_requests


def _not_sip(data: bytes) -> DropReason | None:
    """Recognise what phones send to hold a NAT binding open."""
    first = data[:1]
    # RFC 7983 §7: STUN begins with 0 to 3; then its magic cookie (RFC 8489 §5)
    if first and first[0] < 4 and data[4:8] == _STUN_COOKIE:
        return DropReason.STUN
    if first in b"\r\n\x00 \t" and not data.strip(b"\r\n\x00 \t"):
        return DropReason.KEEP_ALIVE
    return None


def _stamp_via(request: Request, flow: Flow) -> Flow:
    """Write into the top Via where the request came from; return where responses go.

    RFC 3261 §18.2.1, §18.2.2, RFC 3581 §4. A `maddr` is ignored: it would make us send to whomever
    the sender names.
    """
    via = request.via
    remote = flow.remote
    if via.rport is not None:
        # "it MUST set the value of the parameter to the source port of the request [...] a server
        # MUST insert a "received" parameter" (RFC 3581 §4)
        request.replace_top_via(via.with_params(received=remote.host, rport=str(remote.port)))
        return flow
    if via.host.lower() != remote.host:
        # "it MUST add a "received" parameter" (§18.2.1)
        request.replace_top_via(via.with_params(received=remote.host))
        # A private address that isn't the packet's source: the peer is behind a NAT, and what is
        # sent to its own port wouldn't get through. With a name in its place that can't be told.
        if _is_address(via.host):
            return flow
    port = via.port or DEFAULT_PORT
    if flow.reliable or port == remote.port:
        return flow
    # "to the port indicated in the sent-by component" (§18.2.2): Cisco 7940 and 7960 send from one
    # port and listen on another
    return Flow(flow.transport, flow.local, Address(remote.host, port))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _stateless_tag(request: Request, flow: Flow) -> str:
    """A To tag that is the same for each repetition of a request (§8.2.7)."""
    names = ("Call-ID", "CSeq", "From")
    text = "\n".join([str(flow), *(request.get(name) or "" for name in names)])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
