"""What the endpoint did with each message: counters, and a callback for whoever watches."""

from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from pbx.sip.flow import Flow
from pbx.sip.message import Message


class Direction(Enum):
    """Which way a traced message went."""

    RECEIVED = "received"
    SENT = "sent"
    DROPPED = "dropped"


class DropReason(Enum):
    """Why a packet was ignored; the value is the reason code that is counted and shown."""

    KEEP_ALIVE = "keep-alive"
    """CRLF or zero octets that hold a NAT binding open (RFC 5626 §3.5.1, and phones' own)."""
    STUN = "stun"
    """STUN that gets no answer: an indication, or a broken one (RFC 8489 §6.3)."""
    GARBAGE = "garbage"
    """No SIP message, or one too broken to be answered."""
    BAD_STREAM = "bad-stream"
    """A connection's framing is broken; it is closed (RFC 3261 §18.3)."""
    MALFORMED_ACK = "malformed-ack"
    """An ACK with a fault: an ACK is never answered (§17)."""
    MALFORMED_RESPONSE = "malformed-response"
    MANY_VIAS = "many-vias"
    """A response with a Via below ours was meant for another element (§8.1.3.3)."""
    FOREIGN_VIA = "foreign-via"
    """A response whose top Via isn't ours (§18.1.2)."""
    STRAY_RESPONSE = "stray-response"
    """A response to no client transaction of ours (RFC 6026 §7.3: it isn't passed on)."""
    ABSORBED_REQUEST = "absorbed-request"
    """A retransmission that the server transaction has no answer to yet, or any more."""
    ABSORBED_ACK = "absorbed-ack"
    """An ACK that ended in its server transaction, as it should, or came too often."""
    ABSORBED_RESPONSE = "absorbed-response"
    """A response that its client transaction has no use for any more."""
    FLOOD = "flood"
    """A request too many, of its sender or of all: it got a 503 (§21.5.4)."""

    __hash__ = object.__hash__


TraceCallback = Callable[[Direction, Flow, str], None]


class Watcher(Protocol):
    """Looks at whole messages, as long as it is `Trace.watcher`."""

    def heard(self, message: Message, flow: Flow) -> None:
        """Take a message that came and could be read; `unheard` may follow."""

    def said(self, data: bytes, flow: Flow) -> None:
        """Take a message on its way out, as octets."""

    def unheard(self, reason: DropReason, flow: Flow, message: Message) -> None:
        """Take note that a message goes no further."""


class Trace:
    """Counts messages and drops; tells a callback about each, and a `Watcher` while there is one.

    Args:
        callback: called with direction, flow and a one-line summary; None costs nothing.
    """

    def __init__(self, callback: TraceCallback | None = None) -> None:
        self.callback = callback
        self.watcher: Watcher | None = None
        self.received = 0
        self.sent = 0
        self.drops: Counter[DropReason] = Counter()
        self.answered_malformed: Counter[int] = Counter()
        """Requests with a fault, by the status that they were answered with."""
        self.stun = 0
        """STUN keep-alives that were answered (RFC 5626 §4.4.2)."""

    def message_received(self, message: Message, flow: Flow) -> None:
        """Note a message that could be read."""
        self.received += 1
        if self.watcher is not None:
            self.watcher.heard(message, flow)
        if self.callback is not None:
            self.callback(Direction.RECEIVED, flow, summary(message))

    def message_sent(self, data: bytes, flow: Flow) -> None:
        """Note a message on its way out, retransmissions too."""
        self.sent += 1
        if self.watcher is not None:
            self.watcher.said(data, flow)
        if self.callback is not None:
            line = data.partition(b"\r\n")[0]
            self.callback(Direction.SENT, flow, line.decode("utf-8", "backslashreplace"))

    def stun_answered(self, flow: Flow) -> None:
        """Note a STUN keep-alive that is answered."""
        self.stun += 1
        if self.callback is not None:
            self.callback(Direction.RECEIVED, flow, "STUN")

    def malformed_answered(self, status: int) -> None:
        """Note a request with a fault that was answered by the endpoint itself."""
        self.answered_malformed[status] += 1

    def dropped(self, reason: DropReason, flow: Flow, what: Message | str = "") -> None:
        """Note a packet that goes no further."""
        self.drops[reason] += 1
        if self.watcher is not None and not isinstance(what, str):
            self.watcher.unheard(reason, flow, what)
        if self.callback is not None:
            text = what if isinstance(what, str) else summary(what)
            self.callback(Direction.DROPPED, flow, f"{reason.value}: {text}".rstrip(": "))


def summary(message: Message) -> str:
    """A message in one line: its start line, CSeq and Call-ID."""
    parts = [message.start_line()]
    for name in ("CSeq", "Call-ID"):
        value = message.get(name)
        if value is not None:
            parts.append(f"{name}: {value}")
    return " | ".join(parts)
