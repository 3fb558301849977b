"""The client transactions of RFC 3261 §17.1, with RFC 6026, as tables.

Each machine is a dictionary `(state, input) -> Row`. Every cell is there, so that a hole is seen:
`IGNORE` is a decision. The transaction layer looks rows up and carries out their actions; no rule
of a figure stands anywhere else.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from pbx.sip.flow import Flow
from pbx.sip.message import Request, Response
from pbx.sip.timers import Timer


class ClientState(Enum):
    """States of figures 5 and 6, and Accepted of RFC 6026 §7.2."""

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()

    # Enum's own hash is a Python function; members are singletons, so identity serves.
    __hash__ = object.__hash__


class ClientInput(Enum):
    """What happens to a client transaction, besides its timers."""

    PROVISIONAL = auto()
    """A 1xx response."""
    SUCCESS = auto()
    """A 2xx response."""
    FAILURE = auto()
    """A 3xx to 6xx response."""
    CANCEL = auto()
    """The transaction user gives up (§9.1)."""
    TRANSPORT_ERROR = auto()

    __hash__ = object.__hash__


class ClientAction(Enum):
    """What the transaction layer does for a row, in the row's order."""

    SEND_REQUEST = auto()
    SEND_ACK = auto()
    """The ACK of §17.1.1.3, for 3xx to 6xx."""
    PASS_UP = auto()
    """Give the response to the transaction user."""
    REMEMBER_CANCEL = auto()
    """§9.1: no CANCEL before a provisional response."""
    SEND_CANCEL = auto()
    SEND_REMEMBERED_CANCEL = auto()
    """SEND_CANCEL where REMEMBER_CANCEL went before."""
    SLOW_DOWN = auto()
    """Timer E goes on with T2, no longer doubling (§17.1.2.2)."""
    INFORM_TIMEOUT = auto()
    INFORM_TRANSPORT = auto()

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One edge of a figure.

    Args:
        state: the next state; None stays.
        actions: in order.
        start: timers to set.
        stop: timers to cancel; entering Terminated cancels all by itself.
    """

    state: ClientState | None
    actions: tuple[ClientAction, ...] = ()
    start: tuple[Timer, ...] = ()
    stop: tuple[Timer, ...] = ()


ClientTable = dict[tuple[ClientState, ClientInput | Timer], ClientRow]

IGNORE = ClientRow(None)
"""Nothing happens: no edge of the figure leaves this state with this input."""

_C, _T, _P = ClientState.CALLING, ClientState.TRYING, ClientState.PROCEEDING
_CO, _AC, _TE = ClientState.COMPLETED, ClientState.ACCEPTED, ClientState.TERMINATED
_1XX, _2XX, _300_699 = ClientInput.PROVISIONAL, ClientInput.SUCCESS, ClientInput.FAILURE
_CANCEL, _ERROR = ClientInput.CANCEL, ClientInput.TRANSPORT_ERROR
_A = ClientAction

# RFC 3261 figure 5, replaced by RFC 6026 figure 3: INVITE client transaction
INVITE_START = ClientRow(_C, (_A.SEND_REQUEST,), start=(Timer.A, Timer.B))
INVITE_TABLE: ClientTable = {
    # Calling: the request is repeated until something comes
    (_C, Timer.A): ClientRow(_C, (_A.SEND_REQUEST,), start=(Timer.A,)),
    (_C, Timer.B): ClientRow(_TE, (_A.INFORM_TIMEOUT,)),
    (_C, Timer.D): IGNORE,
    (_C, Timer.M): IGNORE,
    (_C, Timer.CANCELLED): IGNORE,
    (_C, _1XX): ClientRow(_P, (_A.PASS_UP, _A.SEND_REMEMBERED_CANCEL), stop=(Timer.A, Timer.B)),
    (_C, _2XX): ClientRow(_AC, (_A.PASS_UP,), start=(Timer.M,), stop=(Timer.A, Timer.B)),
    (_C, _300_699): ClientRow(
        _CO, (_A.SEND_ACK, _A.PASS_UP), start=(Timer.D,), stop=(Timer.A, Timer.B)
    ),
    (_C, _CANCEL): ClientRow(_C, (_A.REMEMBER_CANCEL,)),
    (_C, _ERROR): ClientRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Proceeding: it rings, for as long as it likes; only a CANCEL sets a limit (§9.1)
    (_P, Timer.A): IGNORE,
    (_P, Timer.B): IGNORE,
    (_P, Timer.D): IGNORE,
    (_P, Timer.M): IGNORE,
    (_P, Timer.CANCELLED): ClientRow(_TE, (_A.INFORM_TIMEOUT,)),
    (_P, _1XX): ClientRow(_P, (_A.PASS_UP,)),
    (_P, _2XX): ClientRow(_AC, (_A.PASS_UP,), start=(Timer.M,), stop=(Timer.CANCELLED,)),
    (_P, _300_699): ClientRow(
        _CO, (_A.SEND_ACK, _A.PASS_UP), start=(Timer.D,), stop=(Timer.CANCELLED,)
    ),
    (_P, _CANCEL): ClientRow(_P, (_A.SEND_CANCEL,)),
    (_P, _ERROR): ClientRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Completed: each repeated 3xx-6xx is acknowledged again, none is passed up
    (_CO, Timer.A): IGNORE,
    (_CO, Timer.B): IGNORE,
    (_CO, Timer.D): ClientRow(_TE),
    (_CO, Timer.M): IGNORE,
    (_CO, Timer.CANCELLED): IGNORE,
    (_CO, _1XX): IGNORE,
    (_CO, _2XX): IGNORE,
    (_CO, _300_699): ClientRow(_CO, (_A.SEND_ACK,)),
    (_CO, _CANCEL): IGNORE,
    (_CO, _ERROR): ClientRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Accepted (RFC 6026): every 2xx goes up, which acknowledges it; the transaction sends nothing
    # any more, so a lost path doesn't concern it
    (_AC, Timer.A): IGNORE,
    (_AC, Timer.B): IGNORE,
    (_AC, Timer.D): IGNORE,
    (_AC, Timer.M): ClientRow(_TE),
    (_AC, Timer.CANCELLED): IGNORE,
    (_AC, _1XX): IGNORE,
    (_AC, _2XX): ClientRow(_AC, (_A.PASS_UP,)),
    (_AC, _300_699): IGNORE,
    (_AC, _CANCEL): IGNORE,
    (_AC, _ERROR): IGNORE,
    # Terminated
    (_TE, Timer.A): IGNORE,
    (_TE, Timer.B): IGNORE,
    (_TE, Timer.D): IGNORE,
    (_TE, Timer.M): IGNORE,
    (_TE, Timer.CANCELLED): IGNORE,
    (_TE, _1XX): IGNORE,
    (_TE, _2XX): IGNORE,
    (_TE, _300_699): IGNORE,
    (_TE, _CANCEL): IGNORE,
    (_TE, _ERROR): IGNORE,
}

# RFC 3261 figure 6: non-INVITE client transaction. A CANCEL of it isn't sent (§9.1).
NON_INVITE_START = ClientRow(_T, (_A.SEND_REQUEST,), start=(Timer.E, Timer.F))
NON_INVITE_TABLE: ClientTable = {
    # Trying
    (_T, Timer.E): ClientRow(_T, (_A.SEND_REQUEST,), start=(Timer.E,)),
    (_T, Timer.F): ClientRow(_TE, (_A.INFORM_TIMEOUT,)),
    (_T, Timer.K): IGNORE,
    (_T, _1XX): ClientRow(_P, (_A.PASS_UP,)),
    (_T, _2XX): ClientRow(_CO, (_A.PASS_UP,), start=(Timer.K,), stop=(Timer.E, Timer.F)),
    (_T, _300_699): ClientRow(_CO, (_A.PASS_UP,), start=(Timer.K,), stop=(Timer.E, Timer.F)),
    (_T, _CANCEL): IGNORE,
    (_T, _ERROR): ClientRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Proceeding
    (_P, Timer.E): ClientRow(_P, (_A.SEND_REQUEST, _A.SLOW_DOWN), start=(Timer.E,)),
    (_P, Timer.F): ClientRow(_TE, (_A.INFORM_TIMEOUT,)),
    (_P, Timer.K): IGNORE,
    (_P, _1XX): ClientRow(_P, (_A.PASS_UP,)),
    (_P, _2XX): ClientRow(_CO, (_A.PASS_UP,), start=(Timer.K,), stop=(Timer.E, Timer.F)),
    (_P, _300_699): ClientRow(_CO, (_A.PASS_UP,), start=(Timer.K,), stop=(Timer.E, Timer.F)),
    (_P, _CANCEL): IGNORE,
    (_P, _ERROR): ClientRow(_TE, (_A.INFORM_TRANSPORT,)),
    # Completed: the final response is repeated by the peer for a while; nothing more to say
    (_CO, Timer.E): IGNORE,
    (_CO, Timer.F): IGNORE,
    (_CO, Timer.K): ClientRow(_TE),
    (_CO, _1XX): IGNORE,
    (_CO, _2XX): IGNORE,
    (_CO, _300_699): IGNORE,
    (_CO, _CANCEL): IGNORE,
    (_CO, _ERROR): IGNORE,
    # Terminated
    (_TE, Timer.E): IGNORE,
    (_TE, Timer.F): IGNORE,
    (_TE, Timer.K): IGNORE,
    (_TE, _1XX): IGNORE,
    (_TE, _2XX): IGNORE,
    (_TE, _300_699): IGNORE,
    (_TE, _CANCEL): IGNORE,
    (_TE, _ERROR): IGNORE,
}

INVITE_TIMERS = (Timer.A, Timer.B, Timer.D, Timer.M, Timer.CANCELLED)
NON_INVITE_TIMERS = (Timer.E, Timer.F, Timer.K)

ClientKey = tuple[str, str]
"""Branch, in lower case, and method of CSeq (§17.1.3)."""


_PENDING = frozenset({ClientState.CALLING, ClientState.TRYING, ClientState.PROCEEDING})


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request for one of its destination's addresses (RFC 3263 §4.3).

    Args:
        request: whole, with a Via and so a branch of its own.
        flow: the path to that address.
        way: which of the peer's ways it belongs to; 0 is the first one, with all its addresses.
    """

    request: Request
    flow: Flow
    way: int = 0


@dataclass(slots=True, eq=False)
class ClientTransaction:
    """A request of ours and what becomes of it; changed by the transaction layer alone.

    Args:
        request: as sent, with its Via.
        flow: the path that it was sent on.
        key: names it among the client transactions that are alive.
        cancels: for a CANCEL, the INVITE's transaction. Its own responses don't go up.
        others: what to try where this address is of no use, the next one first.
        unused: what of that was left when somebody answered: for the request once more.
        way: which of the peer's ways this address belongs to.
        left_by: for an attempt that was given up, the transaction that has gone on without it.
    """

    request: Request
    flow: Flow
    key: ClientKey
    cancels: "ClientTransaction | None" = None
    others: list[Attempt] = field(default_factory=list)
    unused: list[Attempt] = field(default_factory=list)
    way: int = 0
    left_by: "ClientTransaction | None" = None
    state: ClientState = ClientState.TERMINATED
    data: bytes = b""
    """The request's octets, for retransmission."""
    interval_s: float = 0.0
    """The last interval of Timer A or E."""
    cancel_wanted: bool = False
    cancel_sent: bool = False
    cancel_reason: str | None = None

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.method

    @property
    def pending(self) -> bool:
        """True while the final response is still to come."""
        return self.state in _PENDING

    @property
    def given_up(self) -> bool:
        """True once the transaction user wants no answer any more (§9.1)."""
        return self.cancel_wanted or self.cancel_sent

    @property
    def table(self) -> ClientTable:
        """The machine that this transaction is."""
        return INVITE_TABLE if self.request.method == "INVITE" else NON_INVITE_TABLE

    @property
    def timers(self) -> tuple[Timer, ...]:
        """The timers of this machine."""
        return INVITE_TIMERS if self.request.method == "INVITE" else NON_INVITE_TIMERS

    @property
    def start(self) -> ClientRow:
        """The edge that enters the machine: the request comes from the transaction user."""
        return INVITE_START if self.request.method == "INVITE" else NON_INVITE_START

    def failure_ack(self, response: Response) -> Request:
        """Build the ACK to a 3xx-6xx response of an INVITE (§17.1.1.3)."""
        invite = self.request
        ack = Request("ACK", invite.uri)
        # "The ACK MUST contain a single Via header field, and this MUST be equal to the top Via
        # header field of the original request. [...] If the INVITE request whose response is being
        # acknowledged had Route header fields, those header fields MUST appear in the ACK."
        ack.add("Via", str(invite.via))
        for value in invite.all("Route"):
            ack.add("Route", value)
        ack.add("Max-Forwards", "70")
        ack.add("From", invite.get("From") or "")
        # "The To header field in the ACK MUST equal the To header field in the response"
        ack.add("To", response.get("To") or "")
        ack.add("Call-ID", invite.call_id)
        ack.add("CSeq", f"{invite.cseq.number} ACK")
        return ack

    def cancel_request(self) -> Request:
        """Build the CANCEL of this transaction's request (§9.1)."""
        original = self.request
        cancel = Request("CANCEL", original.uri)
        # "A CANCEL constructed by a client MUST have only a single Via header field value matching
        # the top Via value in the request being cancelled. [...] The
        # Request-URI, Call-ID, To, the numeric part of CSeq, and From header fields in the CANCEL
        # request MUST be identical to those in the request being cancelled, including tags. [...]
        # If the request being cancelled contains a Route header field, the CANCEL request MUST
        # include that Route header field's values."
        cancel.add("Via", str(original.via))
        for value in original.all("Route"):
            cancel.add("Route", value)
        cancel.add("Max-Forwards", "70")
        cancel.add("From", original.get("From") or "")
        cancel.add("To", original.get("To") or "")
        cancel.add("Call-ID", original.call_id)
        cancel.add("CSeq", f"{original.cseq.number} CANCEL")
        if self.cancel_reason is not None:
            # RFC 3326 §2: tells a phone that another one answered, so that it notes no missed call
            cancel.add("Reason", self.cancel_reason)
        return cancel
