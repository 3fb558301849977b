"""MESSAGE within a call: a text for the other party, or only a sign of life (RFC 3428 §4).

One without a body is a phone's session keep-alive, as miniSIPServer's users know it.
"""

from collections import deque
from typing import TYPE_CHECKING

from pbx.sip.body import media_type
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.event_package import accepts
from pbx.sip.events import RequestReceived, ResponseReceived, TransportFailed
from pbx.sip.message import Response
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TRANSACTION_LIMIT_S
from pbx.sip.usage_events import TextReceived, UsageEvent
from pbx.sip.usage_part import Outcome, ServingPart

if TYPE_CHECKING:
    from pbx.sip.invite_usage import Usage

PLAIN = "text/plain"

DESCRIBING = (
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Disposition",
    "MIME-Version",
    "Subject",
    "Priority",
    "In-Reply-To",
    "Date",
)
"""What is said of a text itself; all else in a request is between its sender and us."""

_TELLING_WHY = ("Accept", "Accept-Encoding", "Accept-Language", "Retry-After")

_PASSED_ON = frozenset({400, 403, 406, 413, 415, 486, 488, 493, 500, 503, 504, 600, 603, 606})
"""Refusals that mean the same to the sender, and end nothing but its transaction (RFC 5057 §5.1)."""

_MOST_WAITING = 32
"""Texts that wait for the answer to the one before them."""

_TIMER = "text"
ANSWER_S = TRANSACTION_LIMIT_S / 2
"""How long a phone may take: the sender gives up after 64*T1 (Timer F), and is to hear before."""


class Text:
    """A text that waits for the other party's answer.

    Args:
        part: of the dialog that it came in.
        transaction: the MESSAGE's.
    """

    def __init__(self, part: "Texts", transaction: ServerTransaction) -> None:
        request = transaction.request
        self.headers = [
            (name, value) for name in DESCRIBING if (value := request.get(name)) is not None
        ]
        self.body = request.body
        self.until = 0.0
        """When its sender is told that nobody has answered; set when it is passed on."""
        self._part = part
        self._transaction = transaction

    @property
    def kind(self) -> str:
        """Its type, such as ``text/plain``."""
        return media_type(dict(self.headers)["Content-Type"])

    def answer(
        self, status: int, reason: str, now: float, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Tell its sender what has become of it; only the first answer counts."""
        self._part.answer(self._transaction, status, reason, now, headers)


class Texts(ServingPart):
    """Takes the peer's texts, and tells it those of the other party.

    Args:
        usage: whose dialog it is.
    """

    methods = ("MESSAGE",)

    def __init__(self, usage: "Usage") -> None:
        self._usage = usage
        self._unanswered: set[ServerTransaction] = set()
        self._sent: tuple[ClientTransaction, Text] | None = None
        self._waiting: deque[Text] = deque()

    # ---------------------------------------------------------------- the peer's

    def request(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        """Answer a sign of life; a text is for the call, which answers it."""
        assert event.transaction is not None
        if not event.request.body:
            return self._usage.answer_request(event.transaction, 200, "OK", now)
        if not event.request.get("Content-Type"):
            # RFC 3261 §20.15: a body has a type
            return self._usage.answer_request(event.transaction, 400, "Missing Content-Type", now)
        self._unanswered.add(event.transaction)
        return [TextReceived(Text(self, event.transaction))]

    def answer(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str,
        now: float,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer a MESSAGE of the peer's, once."""
        if transaction in self._unanswered:
            self._unanswered.discard(transaction)
            self._usage.answer_request(transaction, status, reason, now, *headers)

    # ---------------------------------------------------------------- the other party's

    def send(self, text: Text, now: float) -> None:
        """Send the other party's text, which the peer's answer to it then answers.

        One at a time: of two that are under way at once the second one might come first, and the
        first one be out of order (RFC 3261 §12.2.2).
        """
        if self._usage.peer_allows("MESSAGE") is False:
            self._not_known(text, now)
        elif text.kind != PLAIN and not accepts(self._usage.accepted, text.kind):
            kinds = (PLAIN, *self._usage.accepted)
            text.answer(415, "Unsupported Media Type", now, (("Accept", ", ".join(kinds)),))
        elif len(self._waiting) >= _MOST_WAITING:
            text.answer(500, "Too Many Texts Wait", now)
        else:
            text.until = now + ANSWER_S
            self._waiting.append(text)
            self._send_next(now)

    def _not_known(self, text: Text, now: float) -> None:
        others = [method for method in self._usage.allow if method != "MESSAGE"]
        text.answer(405, "Method Not Allowed", now, (("Allow", ", ".join(others)),))

    def _send_next(self, now: float) -> None:
        while self._sent is None and self._waiting:
            text = self._waiting.popleft()
            if text.until > now:
                self._send(text, now)
            else:
                text.answer(504, "Server Time-out", now)

    def _send(self, text: Text, now: float) -> None:
        usage = self._usage
        request = usage.build("MESSAGE")
        for name, value in text.headers:
            request.add(name, value)
        request.body = text.body
        self._sent = usage.send(request, now), text
        usage.set_timer(_TIMER, text.until)

    def outcome(self, event: Outcome, now: float) -> list[UsageEvent] | None:
        """Give the peer's answer back; whatever it is, it ends no call."""
        if self._sent is None or event.transaction is not self._sent[0]:
            return None
        transaction, text = self._sent
        if isinstance(event, ResponseReceived):
            if event.response.status < 200:
                return []
            self._answered(text, event.response, now)
        else:
            if isinstance(event, TransportFailed):
                self._usage.path_lost(transaction, now)
            text.answer(504, "Server Time-out", now)
        self._go_on(now)
        return []

    def _answered(self, text: Text, response: Response, now: float) -> None:
        status = response.status
        if status in (405, 501):
            self._not_known(text, now)
        elif status < 300 or status in _PASSED_ON:
            told = [(name, value) for name, value in response.headers if name in _TELLING_WHY]
            text.answer(status, response.reason, now, tuple(told))
        else:
            # It speaks of the dialog with that peer, and would end the sender's, too
            text.answer(500, "Not Delivered", now)

    def timer_fired(self, name: str, now: float) -> list[UsageEvent] | None:
        """Wait no longer for the peer's answer."""
        if name != _TIMER:
            return None
        if self._sent is not None:
            self._sent[1].answer(504, "Server Time-out", now)
            self._go_on(now)
        return []

    def _go_on(self, now: float) -> None:
        self._sent = None
        self._usage.cancel_timer(_TIMER)
        self._send_next(now)

    def ended(self, now: float) -> None:
        """Answer what nobody will any more (RFC 3261 §15.1.2)."""
        self._usage.cancel_timer(_TIMER)
        waiting = [*([self._sent[1]] if self._sent is not None else []), *self._waiting]
        self._sent = None
        self._waiting.clear()
        for text in waiting:
            text.answer(487, "Request Terminated", now)
        for transaction in list(self._unanswered):
            self.answer(transaction, 487, "Request Terminated", now)
