"""The UAS side of reliable provisional responses: RSeq, repetition, PRACK (RFC 3262 §3)."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbx.errors import PeerError
from pbx.sip.dialog import dialog_id_of
from pbx.sip.events import RequestReceived
from pbx.sip.inspection import session_description
from pbx.sip.message import Request, Response
from pbx.sip.reliable import FIRST_RSEQ_LIMIT, OPTION, rack_of, requires, supports
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import T1, TRANSACTION_LIMIT_S
from pbx.sip.usage_events import EarlyAnswered, Reoffered, UsageEvent
from pbx.sip.usage_part import ServingPart

if TYPE_CHECKING:
    from pbx.sip.invite_uas import Incoming

_TIMER = "100rel"
_MOST_WAITING = 16
"""Responses that wait for the PRACK to the one before them; who is told more misses the rest."""


@dataclass(slots=True)
class _Waiting:
    """A response that is repeated until its PRACK comes."""

    response: Response
    rseq: int
    deadline: float
    interval_s: float = T1


class ReliableResponses(ServingPart):
    """Sends an INVITE's provisional responses reliably, one after the other.

    Args:
        usage: whose INVITE it is.
        invite: as received.
        first: a random number for the first RSeq.
        wanted: whether we do so for a caller that only knows it; one that requires it has it.
    """

    methods = ("PRACK",)

    def __init__(self, usage: "Incoming", invite: Request, first: int, *, wanted: bool) -> None:
        self._usage = usage
        self._cseq = invite.cseq.number
        # An INVITE without an offer has ours in the first reliable response (§5)
        self._late = not session_description(invite)
        self.required = requires(invite)
        self.possible = supports(invite) and (wanted or self.required)
        self._rseq = first % FIRST_RSEQ_LIMIT
        self._waiting: _Waiting | None = None
        self._queue: deque[Response] = deque()
        self.told: dict[str, bytes] = {}
        """The session descriptions that were sent reliably, by our tag."""
        self.agreed: set[str] = set()
        """Our tags in the dialogs where offer and answer are complete."""

    def takes(self, response: Response) -> bool:
        """Whether a provisional response is to be sent by `send`.

        §3: those of a caller that requires it, all others not being sent at all. Of one that only
        supports it, those with a session description, which has to arrive.
        """
        if self._late and not response.body and (response.to.tag or "") not in self.told:
            # §5: the first one would have to carry our offer, which nobody has yet
            return False
        return self.possible and (self.required or bool(response.body))

    @property
    def holds_answer(self) -> bool:
        """Whether the 2xx must wait (§3): a session description has not been acknowledged yet."""
        waiting = self._waiting
        described = waiting is not None and bool(waiting.response.body)
        return described or any(response.body for response in self._queue)

    def send(self, response: Response, now: float) -> None:
        """Send a provisional response, or keep it until the one before it is acknowledged (§3)."""
        if self._waiting is None:
            self._send(response, now)
        elif len(self._queue) < _MOST_WAITING:
            self._queue.append(response)

    def _send(self, response: Response, now: float) -> None:
        # §3: numbers count within the INVITE, whatever the To tag, and go up by one
        self._rseq += 1
        response.set("Require", OPTION)
        response.set("RSeq", str(self._rseq))
        if response.body:
            self.told[response.to.tag or ""] = response.body
        self._waiting = _Waiting(response, self._rseq, now + TRANSACTION_LIMIT_S)
        self._usage.send_provisional(response, now)
        self._usage.set_timer(_TIMER, now + T1)

    def request(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        """Take a PRACK: 481 where it acknowledges nothing that waits for it."""
        usage, transaction = self._usage, event.transaction
        assert transaction is not None
        try:
            acknowledged = rack_of(event.request)
        except PeerError as error:
            return usage.answer_request(transaction, error.status, error.reason, now)
        waiting = self._waiting
        named = (acknowledged.rseq, acknowledged.cseq, acknowledged.method)
        if (
            waiting is None
            or named != (waiting.rseq, self._cseq, "INVITE")
            or event.request.to.tag != waiting.response.to.tag
        ):
            return usage.answer_request(transaction, 481, "Call/Transaction Does Not Exist", now)
        body, told = session_description(event.request), waiting.response.body
        if self._late and told and not body:
            # §5: the PRACK to a response with an offer has to carry the answer
            return usage.answer_request(transaction, 400, "An Answer Is Due", now)
        self._waiting = None
        usage.cancel_timer(_TIMER)
        if told:
            self.agreed.add(waiting.response.to.tag or "")
        events = self._described(event, transaction, body, told, now)
        if self._queue and not usage.confirmed:
            self._send(self._queue.popleft(), now)
        usage.change_over(now)
        return events

    def _described(
        self,
        event: RequestReceived,
        transaction: ServerTransaction,
        body: bytes,
        told: bytes,
        now: float,
    ) -> list[UsageEvent]:
        """Take what a PRACK says of the session (§5): nothing, an answer, or another offer."""
        usage = self._usage
        if body and self._late and told:
            usage.answer_request(transaction, 200, "OK", now)
            usage.settle(dialog_id_of(event.request), told, body)
            return [EarlyAnswered(body)]
        if body and usage.unsettled(event.request):
            # There is no answer yet to the offer before it
            return usage.answer_request(transaction, 488, "Not Acceptable Here", now)
        if body:
            usage.await_answer(transaction)
            return [Reoffered(body)]
        return usage.answer_request(transaction, 200, "OK", now)

    def timer_fired(self, name: str, now: float) -> list[UsageEvent] | None:
        """Repeat the response at doubling intervals, for 64*T1 in all (§3)."""
        if name != _TIMER:
            return None
        waiting = self._waiting
        if waiting is None:
            return []
        if now >= waiting.deadline:
            self.stop()
            return self._usage.not_acknowledged(now)
        self._usage.repeat_provisional(waiting.response, now)
        waiting.interval_s *= 2
        self._usage.set_timer(_TIMER, min(now + waiting.interval_s, waiting.deadline))
        return []

    def stop(self) -> None:
        """Repeat nothing any more: a final response has been sent."""
        self._queue.clear()
        self._usage.cancel_timer(_TIMER)

    def ended(self, now: float) -> None:
        """Repeat nothing any more."""
        self.stop()
