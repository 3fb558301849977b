"""The message relay: texts between users, kept for those who are absent (RFC 3428 §7)."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from pbx.call.leg import Target
from pbx.call.party import Party
from pbx.call.reach import by_sips
from pbx.config.settings import MessageSettings
from pbx.errors import PeerError
from pbx.registrar.bindings import Bindings
from pbx.registrar.instant_message import InstantMessage
from pbx.registrar.phones import Phones
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.crossing import Headers
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.message import Response, response_to
from pbx.sip.secure import SIPS_NOT_ALLOWED
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TimerQueue

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
"""How long a sender waits for the recipient's phone, before the text is kept: well below the 32
seconds after which the sender's own transaction gives up (RFC 3261 §17.1.2.2)."""

FIRST_RETRY_S, LONGEST_RETRY_S = 30.0, 1800.0
"""After how long phones that are registered, yet took nothing, are asked again: doubled each time."""

_LATER = frozenset({408, 430, 480, 486, 500, 503, 504, 600})
"""What a phone answers that may well take the text another time."""

_INSECURE: Headers = (("Warning", SIPS_NOT_ALLOWED),)

_BETWEEN_US = frozenset({401, 407, 420, 481, 482, 483})
"""What a phone says to us and not to the text's sender."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A text that nobody has taken yet; `asked` is its sender's request while that is open."""

    message: InstantMessage
    asked: ServerTransaction | None
    kept: bool = False


@dataclass(slots=True)
class _Attempt:
    """The text that is being offered to all of the recipient's phones now."""

    waiting: _Waiting
    open: set[ClientTransaction] = field(default_factory=set)
    refusals: list[Response | None] = field(default_factory=list)


@dataclass(slots=True)
class _Queue:
    """One recipient's texts, the oldest first; they are offered one after the other.

    Args:
        phones: those that were there when they were last asked.
        passed: how many of the texts they have refused.
        stalled: the last run ended because no phone could take any.
        pause_s: how long until they are asked again.
    """

    waiting: list[_Waiting] = field(default_factory=list)
    attempt: _Attempt | None = None
    phones: frozenset[tuple[str, str]] = frozenset()
    passed: int = 0
    stalled: bool = False
    pause_s: float = 0.0


class MessageRelay:
    """Carries texts to all phones of their recipient, sans-I/O.

    A sender hears 200 when a phone has taken the text; 202 when it is kept, which it then is over
    a restart too; and the phones' own refusal where none of them will ever take it.

    Args:
        endpoint: sends and matches for us.
        bindings: where users are.
        phones: which of their phones a text may go to.
        tokens: fresh random names.
        settings: how many texts are kept, and how long.
        epoch: when the clock of `now` was 0, in seconds since 1970.
        keep: keeps a text's octets under its id over a restart; None drops it.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        bindings: Bindings,
        phones: Phones,
        tokens: Callable[[], str],
        settings: MessageSettings,
        epoch: Callable[[], float],
        keep: Callable[[str, bytes | None], None],
    ) -> None:
        self._endpoint = endpoint
        self._bindings = bindings
        self._reachable = phones
        self._tokens = tokens
        self._settings = settings
        self._epoch = epoch
        self._keep = keep
        self._queues: dict[str, _Queue] = {}
        self._sent: dict[ClientTransaction, str] = {}
        self._timers = TimerQueue()
        self._changed: set[str] = set()

    # ---------------------------------------------------------------- what is known

    def kept(self, number: str) -> int:
        """How many texts wait for a user until a phone of theirs is there."""
        queue = self._queues.get(number)
        return sum(one.kept for one in queue.waiting) if queue is not None else 0

    def take_changed(self) -> list[str]:
        """Return the users whose `kept` has changed since the last time."""
        changed, self._changed = sorted(self._changed), set()
        return changed

    # ---------------------------------------------------------------- in

    def receive(self, asked: ServerTransaction, sender: Party, recipient: str, now: float) -> None:
        """Take a MESSAGE of a known sender for a known recipient.

        Args:
            asked: its transaction.
            sender: who sent it.
            recipient: the number of a local user.
        """
        request = asked.request
        try:
            message = InstantMessage.of(
                request,
                self._tokens(),
                sender,
                recipient,
                self._epoch() + now,
                self._settings.keep_s,
            )
        except PeerError as error:
            self._answer(asked, error.status, error.reason, now)
            return
        waiting = _Waiting(message, asked)
        phones = self._reachable.of(recipient, now).targets
        present = bool(_for(message, phones))
        if phones and not present:
            # RFC 5630 §5.3: somebody is there, but not by sips; who is away may come by it
            self._answer(asked, 480, "Temporarily Unavailable", now, _INSECURE)
            return
        queue = self._queues.setdefault(recipient, _Queue())
        if len(queue.waiting) >= self._settings.most:
            self._answer(asked, 480, "Too Many Messages Wait Already", now)
            return
        queue.waiting.append(waiting)
        if not present or queue.stalled:
            # A phone that has just been silent isn't asked again for each text.
            self._put_by(recipient, waiting, now)
            return
        self._timers.set(("patience", recipient, message.id), now + PATIENCE_S)
        if queue.attempt is None:
            self._offer(recipient, queue, now)

    def registered(self, number: str, now: float) -> None:
        """Take note that a user's phones have registered, again or for the first time."""
        queue = self._queues.get(number)
        if queue is None:
            return
        present = self._phones(number, now)
        fresh = present - queue.phones
        # Who has gone is asked again when he comes back, though he is the same
        queue.phones &= present
        if queue.attempt is None and (queue.stalled or fresh):
            queue.passed, queue.stalled = 0, False
            self._offer(number, queue, now)

    def _phones(self, number: str, now: float) -> frozenset[tuple[str, str]]:
        """Which phones are there: one that has started again is another (RFC 3261 §10.2.4)."""
        return frozenset((one.uri, one.call_id) for one in self._bindings.of(number, now))

    def restore(self, kept: Iterable[bytes], now: float) -> None:
        """Take the texts from before a restart, and offer them to phones that are there."""
        for octets in kept:
            try:
                message = msgspec.json.decode(octets, type=InstantMessage)
            except msgspec.DecodeError as error:
                log.error("a kept message can't be read: %s", error)
                continue
            queue = self._queues.setdefault(message.recipient, _Queue())
            queue.waiting.append(_Waiting(message, None, kept=True))
            self._expire_in_time(message)
        for number, queue in list(self._queues.items()):
            queue.waiting.sort(key=lambda one: one.message.sent_wall_s)
            self._changed.add(number)
            self._offer(number, queue, now)

    def forget(self, number: str, now: float) -> None:
        """Drop what waits for a user who is gone."""
        queue = self._queues.get(number)
        for waiting in list(queue.waiting) if queue is not None else ():
            if waiting.asked is not None:
                self._answer(waiting.asked, 404, "Not Found", now)
            self._drop(number, waiting)

    def owns(self, event: Event) -> bool:
        """Whether the event belongs to a MESSAGE that we have sent."""
        return (
            isinstance(event, ResponseReceived | TransactionTimedOut | TransportFailed)
            and event.transaction in self._sent
        )

    def handle(self, event: Event, now: float) -> None:
        """Take an event that `owns` is true for."""
        assert isinstance(event, ResponseReceived | TransactionTimedOut | TransportFailed)
        response = event.response if isinstance(event, ResponseReceived) else None
        if response is not None and response.status < 200:
            return
        transaction = event.transaction
        assert isinstance(transaction, ClientTransaction)
        number = self._sent.pop(transaction)
        queue = self._queues.get(number)
        attempt = queue.attempt if queue is not None else None
        if queue is None or attempt is None or transaction not in attempt.open:
            return
        attempt.open.discard(transaction)
        if response is not None and response.status < 300:
            self._taken(number, queue, attempt.waiting, response, now)
            return
        attempt.refusals.append(response)
        if not attempt.open:
            self._refused(number, queue, attempt, now)

    # ---------------------------------------------------------------- time

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""
        return self._timers.next_timer()

    def handle_timer(self, now: float) -> None:
        """Put by what no phone has taken soon enough, and drop what nobody wants any more."""
        for key in self._timers.pop_due(now):
            assert isinstance(key, tuple)
            kind, number, name = key
            queue = self._queues.get(number)
            if kind == "retry":
                self.registered(number, now)
                continue
            for waiting in list(queue.waiting) if queue is not None else ():
                if waiting.message.id != name:
                    continue
                if kind == "patience":
                    self._put_by(number, waiting, now)
                else:
                    log.info("a message for %s has waited too long and is dropped", number)
                    self._drop(number, waiting)

    def _expire_in_time(self, message: InstantMessage) -> None:
        when = message.expires_wall_s - self._epoch()
        self._timers.set(("expire", message.recipient, message.id), when)

    # ---------------------------------------------------------------- out

    def _offer(self, number: str, queue: _Queue, now: float) -> None:
        """Offer the oldest text that the present phones haven't refused."""
        queue.attempt = None
        phones = self._reachable.of(number, now).targets
        if not queue.waiting:
            self._forget_queue(number)
        while queue.passed < len(queue.waiting):
            if _for(queue.waiting[queue.passed].message, phones):
                break
            queue.passed += 1
        if queue.passed >= len(queue.waiting):
            return
        queue.phones = self._phones(number, now)
        waiting = queue.waiting[queue.passed]
        queue.attempt = attempt = _Attempt(waiting)
        for target in _for(waiting.message, phones):
            request = waiting.message.request(target, self._tokens(), self._tokens())
            transaction = self._endpoint.send_request(request, target.flow, now, ways=target.ways)
            self._sent[transaction] = number
            attempt.open.add(transaction)

    def _taken(
        self, number: str, queue: _Queue, waiting: _Waiting, response: Response, now: float
    ) -> None:
        if waiting.asked is not None:
            self._answer(waiting.asked, response.status, response.reason, now)
        message = waiting.message
        log.info("message from %s to %s delivered", message.sender, number)
        queue.pause_s = 0.0
        self._drop(number, waiting)
        self._offer(number, queue, now)

    def _refused(self, number: str, queue: _Queue, attempt: _Attempt, now: float) -> None:
        """No phone has taken the text."""
        waiting = attempt.waiting
        later = [one for one in attempt.refusals if one is None or one.status in _LATER]
        if later:
            # §7: kept for who can't be reached now; the others would fare no better
            queue.attempt, queue.stalled = None, True
            queue.pause_s = min(max(2 * queue.pause_s, FIRST_RETRY_S), LONGEST_RETRY_S)
            self._timers.set(("retry", number, ""), now + queue.pause_s)
            for each in list(queue.waiting):
                self._put_by(number, each, now)
            return
        refusal = attempt.refusals[0]
        assert refusal is not None
        if waiting.asked is not None:
            if refusal.status < 400 or refusal.status in _BETWEEN_US:
                self._answer(waiting.asked, 480, "Temporarily Unavailable", now)
            else:
                self._answer(waiting.asked, refusal.status, refusal.reason, now)
            self._drop(number, waiting)
        elif waiting in queue.waiting:
            # We have promised to keep it: perhaps another phone of the user takes it one day.
            queue.passed += 1
        self._offer(number, queue, now)

    def _put_by(self, number: str, waiting: _Waiting, now: float) -> None:
        """Keep a text for its recipient, and tell its sender so (§7: 202)."""
        asked = waiting.asked
        if waiting.kept or asked is None:
            return
        message = waiting.message
        if not message.lasting or message.expires_wall_s <= self._epoch() + now:
            self._drop(number, waiting)
            self._answer(asked, 480, "Temporarily Unavailable", now)
            return
        waiting.asked, waiting.kept = None, True
        self._timers.cancel(("patience", number, message.id))
        self._keep(message.id, msgspec.json.encode(message))
        self._changed.add(number)
        self._expire_in_time(message)
        log.info("message from %s to %s is kept until it can be delivered", message.sender, number)
        self._answer(asked, 202, "Accepted", now)

    def _drop(self, number: str, waiting: _Waiting) -> None:
        name = waiting.message.id
        for kind in ("patience", "expire"):
            self._timers.cancel((kind, number, name))
        if waiting.kept:
            waiting.kept = False
            self._keep(name, None)
            self._changed.add(number)
        queue = self._queues.get(number)
        if queue is None or waiting not in queue.waiting:
            return
        if queue.waiting.index(waiting) < queue.passed:
            queue.passed -= 1
        queue.waiting.remove(waiting)
        if not queue.waiting and queue.attempt is None:
            self._forget_queue(number)

    def _forget_queue(self, number: str) -> None:
        self._queues.pop(number, None)
        self._timers.cancel(("retry", number, ""))

    def _answer(
        self,
        asked: ServerTransaction,
        status: int,
        reason: str,
        now: float,
        headers: Headers = (),
    ) -> None:
        response = response_to(asked.request, status, reason, to_tag=self._tokens())
        response.extend(headers)
        self._endpoint.respond(asked, response, now)


def _for(message: InstantMessage, phones: Sequence[Target]) -> Sequence[Target]:
    """The phones that a text may go to."""
    return by_sips(phones) if message.secure else phones
