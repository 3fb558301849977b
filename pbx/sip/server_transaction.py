"""The server transactions of RFC 3261 §17.2, with RFC 6026, as tables.

The same shape as `client_transaction`: `(state, input) -> Row`, every cell there.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum, auto

from pbx.sip.flow import Flow
from pbx.sip.message import Request, Response
from pbx.sip.timers import Timer


class ServerState(Enum):
    """States of figures 7 and 8, and Accepted of RFC 6026 §7.1."""

    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()

    # Enum's own hash is a Python function; members are singletons, so identity serves.
    __hash__ = object.__hash__


class ServerInput(Enum):
    """What happens to a server transaction, besides its timers."""

    REQUEST = auto()
    """The request again: a retransmission."""
    ACK = auto()
    SEND_PROVISIONAL = auto()
    """The transaction user answers 1xx."""
    SEND_SUCCESS = auto()
    """The transaction user answers 2xx, or repeats it (§13.3.1.4)."""
    SEND_FAILURE = auto()
    """The transaction user answers 3xx to 6xx."""
    SEND_ONCE = auto()
    """The transaction user gives a final answer and keeps nothing (§8.2.7)."""
    TRANSPORT_ERROR = auto()

    __hash__ = object.__hash__


class ServerAction(Enum):
    """What the transaction layer does for a row, in the row's order."""

    SEND = auto()
    """Send the given response and keep it."""
    SEND_AGAIN = auto()
    """Send the response that was kept."""
    PASS_ACK = auto()
    """Give the ACK to the transaction user."""
    INFORM_NO_ACK = auto()
    INFORM_ACCEPTED_ENDED = auto()
    INFORM_TRANSPORT = auto()

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One edge of a figure.

    Args:
        state: the next state; None stays.
        actions: in order.
        start: timers to set.
        stop: timers to cancel; entering Terminated cancels all by itself.
    """

    state: ServerState | None
    actions: tuple[ServerAction, ...] = ()
    start: tuple[Timer, ...] = ()
    stop: tuple[Timer, ...] = ()


ServerTable = dict[tuple[ServerState, ServerInput | Timer], ServerRow]

IGNORE = ServerRow(None)
"""Nothing happens: no edge of the figure leaves this state with this input."""

_T, _P, _CO = ServerState.TRYING, ServerState.PROCEEDING, ServerState.COMPLETED
_CF, _AC, _TE = ServerState.CONFIRMED, ServerState.ACCEPTED, ServerState.TERMINATED
_REQUEST, _ACK, _ERROR = ServerInput.REQUEST, ServerInput.ACK, ServerInput.TRANSPORT_ERROR
_1XX, _2XX = ServerInput.SEND_PROVISIONAL, ServerInput.SEND_SUCCESS
_300_699, _ONCE = ServerInput.SEND_FAILURE, ServerInput.SEND_ONCE
_A = ServerAction

# RFC 3261 figure 7, replaced by RFC 6026 figure 5: INVITE server transaction.
# Where the path fails before the final response the transaction ends (§17.2.4). RFC 6026 §8.6
# would have it stay; but our path is a connection that is gone or a peer that is unreachable, no
# other way is left to try, and the transaction user has nobody to answer any more.
# "UAs and proxy servers SHOULD challenge questionable requests with only a single 401
# (Unauthorized) or 407 (Proxy Authentication Required), forgoing the normal response
# retransmission algorithm" (§26.3.2.4): so does what is sent once, here and in figure 8.
INVITE_TABLE: ServerTable = {
    # Proceeding: a repeated INVITE gets the last provisional response
    (_P, Timer.G): IGNORE,
    (_P, Timer.H): IGNORE,
    (_P, Timer.I): IGNORE,
    (_P, Timer.L): IGNORE,
    (_P, _REQUEST): ServerRow(_P, (_A.SEND_AGAIN,)),
    (_P, _ACK): IGNORE,
    (_P, _1XX): ServerRow(_P, (_A.SEND,)),
    (_P, _2XX): ServerRow(_AC, (_A.SEND,), start=(Timer.L,)),
    (_P, _300_699): ServerRow(_CO, (_A.SEND,), start=(Timer.G, Timer.H)),
    (_P, _ONCE): ServerRow(_TE, (_A.SEND,)),
    (_P, _ERROR): ServerRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Completed: the failure is repeated until the ACK comes; "Any other final responses passed by
    # the TU to the server transaction MUST be discarded while in the "Completed" state."
    (_CO, Timer.G): ServerRow(_CO, (_A.SEND_AGAIN,), start=(Timer.G,)),
    (_CO, Timer.H): ServerRow(_TE, (_A.INFORM_NO_ACK,)),
    (_CO, Timer.I): IGNORE,
    (_CO, Timer.L): IGNORE,
    (_CO, _REQUEST): ServerRow(_CO, (_A.SEND_AGAIN,)),
    (_CO, _ACK): ServerRow(_CF, start=(Timer.I,), stop=(Timer.G, Timer.H)),
    (_CO, _1XX): IGNORE,
    (_CO, _2XX): IGNORE,
    (_CO, _300_699): IGNORE,
    (_CO, _ONCE): IGNORE,
    (_CO, _ERROR): ServerRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Confirmed: only there to absorb more ACKs
    (_CF, Timer.G): IGNORE,
    (_CF, Timer.H): IGNORE,
    (_CF, Timer.I): ServerRow(_TE),
    (_CF, Timer.L): IGNORE,
    (_CF, _REQUEST): IGNORE,
    (_CF, _ACK): IGNORE,
    (_CF, _1XX): IGNORE,
    (_CF, _2XX): IGNORE,
    (_CF, _300_699): IGNORE,
    (_CF, _ONCE): IGNORE,
    (_CF, _ERROR): IGNORE,
    # Accepted (RFC 6026): INVITEs are absorbed; the transaction user repeats the 2xx and gets the
    # ACK. A path lost now is no failure of the transaction: a phone may come back on another one.
    (_AC, Timer.G): IGNORE,
    (_AC, Timer.H): IGNORE,
    (_AC, Timer.I): IGNORE,
    (_AC, Timer.L): ServerRow(_TE, (_A.INFORM_ACCEPTED_ENDED,)),
    (_AC, _REQUEST): IGNORE,
    (_AC, _ACK): ServerRow(_AC, (_A.PASS_ACK,)),
    (_AC, _1XX): IGNORE,
    (_AC, _2XX): ServerRow(_AC, (_A.SEND,)),
    (_AC, _300_699): IGNORE,
    (_AC, _ONCE): IGNORE,
    (_AC, _ERROR): IGNORE,
    # Terminated
    (_TE, Timer.G): IGNORE,
    (_TE, Timer.H): IGNORE,
    (_TE, Timer.I): IGNORE,
    (_TE, Timer.L): IGNORE,
    (_TE, _REQUEST): IGNORE,
    (_TE, _ACK): IGNORE,
    (_TE, _1XX): IGNORE,
    (_TE, _2XX): IGNORE,
    (_TE, _300_699): IGNORE,
    (_TE, _ONCE): IGNORE,
    (_TE, _ERROR): IGNORE,
}

# RFC 3261 figure 8: non-INVITE server transaction
NON_INVITE_TABLE: ServerTable = {
    # Trying: "Once in the "Trying" state, any further request retransmissions are discarded."
    (_T, Timer.J): IGNORE,
    (_T, _REQUEST): IGNORE,
    (_T, _1XX): ServerRow(_P, (_A.SEND,)),
    (_T, _2XX): ServerRow(_CO, (_A.SEND,), start=(Timer.J,)),
    (_T, _300_699): ServerRow(_CO, (_A.SEND,), start=(Timer.J,)),
    (_T, _ONCE): ServerRow(_TE, (_A.SEND,)),
    (_T, _ERROR): ServerRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Proceeding
    (_P, Timer.J): IGNORE,
    (_P, _REQUEST): ServerRow(_P, (_A.SEND_AGAIN,)),
    (_P, _1XX): ServerRow(_P, (_A.SEND,)),
    (_P, _2XX): ServerRow(_CO, (_A.SEND,), start=(Timer.J,)),
    (_P, _300_699): ServerRow(_CO, (_A.SEND,), start=(Timer.J,)),
    (_P, _ONCE): ServerRow(_TE, (_A.SEND,)),
    (_P, _ERROR): ServerRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Completed: a repeated request gets the final response again
    (_CO, Timer.J): ServerRow(_TE),
    (_CO, _REQUEST): ServerRow(_CO, (_A.SEND_AGAIN,)),
    (_CO, _1XX): IGNORE,
    (_CO, _2XX): IGNORE,
    (_CO, _300_699): IGNORE,
    (_CO, _ONCE): IGNORE,
    (_CO, _ERROR): ServerRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Terminated
    (_TE, Timer.J): IGNORE,
    (_TE, _REQUEST): IGNORE,
    (_TE, _1XX): IGNORE,
    (_TE, _2XX): IGNORE,
    (_TE, _300_699): IGNORE,
    (_TE, _ONCE): IGNORE,
    (_TE, _ERROR): IGNORE,
}

INVITE_TIMERS = (Timer.G, Timer.H, Timer.I, Timer.L)
NON_INVITE_TIMERS = (Timer.J,)

MAGIC_COOKIE = "z9hG4bK"
"""Begins every branch of RFC 3261 (§8.1.1.7)."""

_COOKIE = MAGIC_COOKIE.lower()

ServerKey = tuple[str, ...]
"""Branch, sent-by and method (§17.2.3), or what RFC 2543 compares."""


def server_key(request: Request) -> ServerKey:
    """Compute what a request is matched by (§17.2.3); before `received` is put into its Via.

    With the magic cookie: branch, sent-by, method. Without: what RFC 2543 compares, with '' in the
    branch's place; the To tag is compared afterwards. An ACK's key is that of its INVITE.
    """
    via = request.via
    branch = (via.branch or "").lower()
    method = "INVITE" if request.method == "ACK" else request.method
    if branch.startswith(_COOKIE) and branch != _COOKIE:
        return (branch, via.host.lower(), str(via.port), method)
    number, from_tag = str(request.cseq.number), request.from_.tag or ""
    return ("", request.uri, from_tag, request.call_id, number, str(via), method)


def speaks_rfc2543(request: Request) -> bool:
    """Whether a request comes from an element of RFC 2543, whose branches lack the cookie."""
    return not (request.via.branch or "").lower().startswith(_COOKIE)


def stateless_tag(request: Request, flow: Flow) -> str:
    """Return a To tag that is the same for each repetition of a request (§8.2.7).

    Args:
        request: what is answered, a malformed one too.
        flow: the path that it came on.
    """
    names = ("Call-ID", "CSeq", "From")
    text = "\n".join([str(flow), *(request.get(name) or "" for name in names)])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


_UNANSWERED = frozenset({ServerState.TRYING, ServerState.PROCEEDING})


@dataclass(slots=True, eq=False)
class ServerTransaction:
    """A peer's request and our answer to it; changed by the transaction layer alone.

    Args:
        request: as received, with `received` and `rport` put into its Via.
        flow: the path that it came on.
        reply_flow: the path for responses (§18.2.2).
        key: names it among the server transactions that are alive.
        fresh_tag: a To tag that nothing else has.
    """

    request: Request
    flow: Flow
    reply_flow: Flow
    key: ServerKey
    fresh_tag: str
    state: ServerState = ServerState.TERMINATED
    response: Response | None = None
    """The last response sent."""
    data: bytes = b""
    """Its octets, for retransmission."""
    interval_s: float = 0.0
    """The last interval of Timer G."""
    initial_key: tuple[str, ...] = ()
    """For a request outside a dialog: what a merged request is found by (§8.2.2.2)."""

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.method

    @property
    def completed(self) -> bool:
        """True once no final response is wanted any more: one was sent, or the path failed."""
        return self.state not in _UNANSWERED

    @property
    def tag(self) -> str:
        """The To tag of responses: that of the last one sent, else one to take (§8.2.6.2)."""
        sent = None if self.response is None else self.response.to.tag
        return sent or self.request.to.tag or self.fresh_tag

    @property
    def stateless_tag(self) -> str:
        """The To tag of an answer that is given once (§8.2.7)."""
        return stateless_tag(self.request, self.flow)

    def same_to_tag(self, request: Request) -> bool:
        """Compare what RFC 2543 matching looks at besides the key; with a cookie, nothing."""
        if self.key[0]:
            return True
        # "the To tag of the ACK matches the To tag of the response sent by the server transaction"
        # (§17.2.3)
        expected = self.tag if request.method == "ACK" else self.request.to.tag
        return request.to.tag == expected

    @property
    def timers(self) -> tuple[Timer, ...]:
        """The timers of this machine."""
        return INVITE_TIMERS if self.request.method == "INVITE" else NON_INVITE_TIMERS

    @property
    def table(self) -> ServerTable:
        """The machine that this transaction is."""
        return INVITE_TABLE if self.request.method == "INVITE" else NON_INVITE_TABLE

    @property
    def first_state(self) -> ServerState:
        """Where the request enters the machine."""
        return ServerState.PROCEEDING if self.request.method == "INVITE" else ServerState.TRYING
