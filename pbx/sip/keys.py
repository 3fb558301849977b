"""Keys that are told of beside the sound: INFO within a call's dialog (RFC 6086, RFC 2976)."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.dialog import Dialog
from pbx.sip.digit_info import (
    DIGIT_TYPES,
    DURATION_MS,
    INFO_REFUSED,
    digit_body,
    digit_of,
    duration_of,
)
from pbx.sip.events import RequestReceived, ResponseReceived, TransportFailed
from pbx.sip.usage_events import DigitReceived, UsageEvent
from pbx.sip.usage_part import Outcome, ServingPart

if TYPE_CHECKING:
    from pbx.sip.invite_usage import Usage

_MOST_WAITING = 32
"""Digits that wait for the INFO of the one before them; who is asked for more gets no more."""


@dataclass(frozen=True, slots=True)
class _Key:
    """One that waits for its INFO.

    Args:
        digit, duration_ms: as given to `Keys.send`.
        dialog: in which the peer was heard when it was pressed; None where there was none yet.
    """

    digit: str
    duration_ms: int
    dialog: Dialog | None


class Keys(ServingPart):
    """Takes the peer's keys, and tells it of the other party's.

    Args:
        usage: whose dialog it is.
    """

    methods = ("INFO",)

    def __init__(self, usage: "Usage") -> None:
        self._usage = usage
        self._refused = False
        # What waits for its answer, and in which dialog
        self._sent: ClientTransaction | None = None
        self._told: Dialog | None = None
        self._waiting: deque[_Key] = deque()

    @property
    def taken(self) -> bool | None:
        """Whether the peer takes INFO; None where it hasn't said."""
        return False if self._refused else self._usage.peer_allows("INFO")

    def send(self, digit: str, now: float, duration_ms: int = DURATION_MS) -> None:
        """Tell the peer of a key; nothing comes of it where it doesn't take INFO.

        In an early dialog, too: what is heard before the answer may ask for keys. Ours carry no
        info package, so a Recv-Info isn't waited for (RFC 6086 §4.1, legacy usage).

        One at a time: a lost INFO that is sent again after the next one would be out of order
        (RFC 3261 §12.2.2), and the peer refuse it.

        Args:
            digit: one of `digit_info.DIGITS`.
            now: the time.
            duration_ms: how long it was held down.
        """
        if self.taken is not False and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(_Key(digit, duration_ms, self._usage.heard_dialog))
            self.go_on(now)

    def go_on(self, now: float) -> None:
        """Send the next key, unless something has to come first: an answer, an ACK, a dialog.

        Args:
            now: the time.
        """
        usage, dialog = self._usage, self._usage.heard_dialog
        if dialog is None or (self._sent is not None and self._told is dialog):
            return
        while self._waiting:
            key = self._waiting.popleft()
            # What was meant for one callee's early media is of no use to another one who answers
            if key.dialog in (None, dialog):
                request = usage.build("INFO", digit_body(key.digit, key.duration_ms), dialog)
                request.set("Content-Type", DIGIT_TYPES[0])
                self._sent, self._told = usage.send_in(dialog, request, now), dialog
                return

    def request(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        """Answer an INFO; its key is for the call."""
        assert event.transaction is not None
        try:
            digit = digit_of(event.request)
        except PeerError as error:
            # RFC 6086 §4.2.2: the packages that we take; RFC 3261 §8.2.3: what would have been read
            told = ("Recv-Info", "") if error.status == 469 else ("Accept", ", ".join(DIGIT_TYPES))
            return self._usage.answer_request(
                event.transaction, error.status, error.reason, now, told
            )
        self._usage.answer_request(event.transaction, 200, "OK", now)
        return [DigitReceived(digit, duration_of(event.request))] if digit else []

    def outcome(self, event: Outcome, now: float) -> list[UsageEvent] | None:
        """Go on with the next key; whatever became of this one, it ends no call."""
        if self._sent is None or event.transaction is not self._sent:
            return None
        if isinstance(event, ResponseReceived):
            if event.response.status < 200:
                return []
            if event.response.status in INFO_REFUSED:
                self._refused = True
                self._waiting.clear()
        elif isinstance(event, TransportFailed):
            self._usage.path_lost(self._sent, now)
        self._sent = None
        self.go_on(now)
        return []

    def ended(self, now: float) -> None:
        """Forget what waits."""
        self._waiting.clear()
