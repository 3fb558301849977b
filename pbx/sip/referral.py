"""The REFERs that come within a dialog, and what their sender is told (RFC 3515, RFC 6665)."""

from typing import TYPE_CHECKING, Protocol

from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.events import RequestReceived, ResponseReceived, TransportFailed
from pbx.sip.message import Request
from pbx.sip.refer import (
    REFER_PACKAGE,
    SIPFRAG_TYPE,
    SUBSCRIPTION_S,
    ReferRequest,
    parse_refer,
    sipfrag,
)
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.usage_events import Referred, UsageEvent
from pbx.sip.usage_part import Outcome, ServingPart

if TYPE_CHECKING:
    from pbx.sip.dialog_usage import DialogUsage
    from pbx.sip.invite_usage import Usage


class Teller(Protocol):
    """What a referral's sender hears it from: its dialog."""

    def answer(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str,
        now: float,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer the REFER."""

    def notify(self, referral: "Referral", body: bytes, now: float, *, final: bool) -> None:
        """Send a NOTIFY (RFC 3515 §2.4.5)."""


class Referral:
    """A REFER that waits for its answer, then its implicit subscription.

    Args:
        part: answers it, and sends its NOTIFYs.
        transaction: the REFER's.
        asked: what it asks for.
    """

    def __init__(self, part: "Teller", transaction: ServerTransaction, asked: ReferRequest) -> None:
        self.asked = asked
        self._part = part
        self._transaction = transaction
        self._answered = False
        self._over = False
        self._last = 0

    def accept(self, now: float) -> None:
        """Answer that it is being tried (RFC 3515 §2.4.2)."""
        self._answered = True
        told = () if self.asked.told else (("Refer-Sub", "false"),)
        self._part.answer(self._transaction, 202, "Accepted", now, told)
        # "The creation of a subscription [...] always results in an immediate NOTIFY." (§2.4.4)
        self.tell(100, "Trying", now)

    def refuse(self, status: int, reason: str, now: float) -> None:
        """Answer that it can't be done, unless it has been answered; nothing more is told."""
        if not self._answered:
            self._answered = self._over = True
            self._part.answer(self._transaction, status, reason, now)

    def tell(self, status: int, reason: str, now: float) -> None:
        """Tell what the new call has been answered; a final response ends the subscription.

        The same status again is no news.
        """
        if self._over or status == self._last:
            return
        self._last = status
        self._over = status >= 200
        if self.asked.told:
            self._part.notify(self, sipfrag(status, reason), now, final=self._over)

    def lost(self) -> None:
        """Take note that its sender doesn't listen any more."""
        self._over = True


class Referrals(ServingPart):
    """Serves REFER in a call's dialog.

    Args:
        usage: the call's.
    """

    methods = ("REFER",)
    option = "replaces, tdialog"

    def __init__(self, usage: "Usage") -> None:
        self._usage = usage
        self._seen = 0
        self._newest: Referral | None = None
        self._notifies: dict[ClientTransaction, Referral] = {}

    def request(self, event: RequestReceived, now: float) -> list[UsageEvent]:
        """Read a REFER; the call is asked."""
        assert event.transaction is not None
        if not self._usage.confirmed:
            self.answer(event.transaction, 403, "Only In An Answered Call", now)
            return []
        try:
            asked = parse_refer(event.request, first=not self._seen)
        except PeerError as error:
            self.answer(event.transaction, error.status, error.reason, now)
            return []
        self._seen += 1
        self._newest = Referral(self, event.transaction, asked)
        return [Referred(self._newest)]

    def ended(self, now: float) -> None:
        """Answer what nobody cares for any more (RFC 3261 §15.1.2)."""
        if self._newest is not None:
            self._newest.refuse(487, "Request Terminated", now)

    def outcome(self, event: Outcome, now: float) -> list[UsageEvent] | None:
        """End a subscription whose NOTIFY isn't taken (RFC 6665 §4.2.2); the call goes on."""
        transaction = event.transaction
        if not isinstance(transaction, ClientTransaction) or transaction not in self._notifies:
            return None
        if isinstance(event, ResponseReceived) and event.response.status < 200:
            return []
        referral = self._notifies.pop(transaction)
        if isinstance(event, TransportFailed):
            self._usage.path_lost(transaction, now)
        if not isinstance(event, ResponseReceived) or event.response.status >= 300:
            referral.lost()
        return []

    def answer(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str,
        now: float,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer a REFER."""
        self._usage.answer_request(transaction, status, reason, now, *headers)

    def notify(self, referral: Referral, body: bytes, now: float, *, final: bool) -> None:
        """Send a NOTIFY (RFC 3515 §2.4.5)."""
        state = "terminated;reason=noresource" if final else f"active;expires={SUBSCRIPTION_S}"
        request = referral_notify(self._usage, referral.asked.event_id, state, body)
        self._notifies[self._usage.send(request, now)] = referral


def referral_notify(usage: "DialogUsage", event_id: str, state: str, body: bytes) -> Request:
    """Return a NOTIFY of a REFER, in the dialog that it has come in or begun (RFC 3515 §2.4.5).

    Args:
        event_id: of the subscription; empty for the first one in its dialog.
        state: the value of Subscription-State.
        body: what `sipfrag` returns.
    """
    request = usage.build("NOTIFY", body)
    request.set("Event", f"{REFER_PACKAGE};id={event_id}" if event_id else REFER_PACKAGE)
    request.set("Subscription-State", state)
    request.set("Content-Type", f"{SIPFRAG_TYPE};version=2.0")
    return request
