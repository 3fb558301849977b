"""What goes to and fro on a line while the doctor watches it."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pbx.errors import PeerError
from pbx.sip.flow import Flow
from pbx.sip.message import Message, Request, Response, parse_message
from pbx.sip.trace import DropReason

MOST = 1000
"""Messages that are kept; the oldest give way."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message.

    Args:
        message: the message.
        flow: the path that it took.
        ours: it went out; else it came.
    """

    message: Message
    flow: Flow
    ours: bool


class Evidence:
    """Keeps the messages that concern a line: a `Watcher` of the endpoint's `Trace`.

    Args:
        concerns: whether a message is worth keeping.
    """

    def __init__(self, concerns: Callable[[Message, Flow], bool]) -> None:
        self._concerns = concerns
        self._seen: deque[Seen] = deque(maxlen=MOST)
        self.dropped: list[tuple[DropReason, Flow, Message]] = []

    # ---------------------------------------------------------------- `Watcher`

    def heard(self, message: Message, flow: Flow) -> None:
        """Take a message that came."""
        if self._concerns(message, flow):
            self._seen.append(Seen(message, flow, ours=False))

    def said(self, data: bytes, flow: Flow) -> None:
        """Take a message on its way out."""
        try:
            message = parse_message(data, stream=flow.is_stream)
        except PeerError:
            # A broken request gets its own header fields back, faults and all
            return
        if self._concerns(message, flow):
            self._seen.append(Seen(message, flow, ours=True))

    def unheard(self, reason: DropReason, flow: Flow, message: Message) -> None:
        """Take note that a message went no further."""
        if len(self.dropped) < MOST and self._concerns(message, flow):
            self.dropped.append((reason, flow, message))

    # ---------------------------------------------------------------- what there is

    def sent(self, method: str, call_id: str = "") -> list[Seen]:
        """Return our requests, retransmissions too; of one Call-ID where it is given."""
        return list(self._requests(method, call_id, ours=True))

    def received(self, method: str, call_id: str = "") -> list[Seen]:
        """Return the peers' requests, likewise."""
        return list(self._requests(method, call_id, ours=False))

    def _requests(self, method: str, call_id: str, *, ours: bool) -> Iterator[Seen]:
        for one in self._seen:
            request = one.message
            if not isinstance(request, Request) or one.ours != ours:
                continue
            if request.method == method and call_id in ("", request.call_id):
                yield one

    def answers(self, method: str, call_id: str = "") -> list[tuple[Response, Flow]]:
        """Return the responses to our requests, in the order in which they came."""
        return list(self._responses(method, call_id, ours=False))

    def our_answers(self, method: str, call_id: str = "") -> list[tuple[Response, Flow]]:
        """Return our responses to the peers' requests."""
        return list(self._responses(method, call_id, ours=True))

    def _responses(
        self, method: str, call_id: str, *, ours: bool
    ) -> Iterator[tuple[Response, Flow]]:
        for one in self._seen:
            response = one.message
            if not isinstance(response, Response) or one.ours != ours:
                continue
            if response.cseq.method == method and call_id in ("", response.call_id):
                yield response, one.flow
