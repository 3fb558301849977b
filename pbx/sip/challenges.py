"""Challenges to the requests of one dialog: each is sent once more, with credentials (§22.2)."""

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pbx.sip.authorization import CHALLENGES, Authorizer
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.events import ResponseReceived
from pbx.sip.message import Request
from pbx.sip.usage_part import Outcome

if TYPE_CHECKING:
    from pbx.sip.dialog_usage import DialogUsage

_Outcome = TypeVar("_Outcome", bound=Outcome)


class Challenges:
    """Answers them, unseen by whoever has sent the request.

    Args:
        usage: whose requests they are.
    """

    def __init__(self, usage: "DialogUsage") -> None:
        self._usage = usage
        self.authorizer: Authorizer | None = None
        """Of the account that the peer's side knows us by; None for none: challenges are refusals."""
        # What was sent last of a request, and what its sender takes for it
        self._again: dict[ClientTransaction, ClientTransaction] = {}

    def dress(self, request: Request) -> None:
        """Put in the credentials that the peer's side is known to want."""
        if self.authorizer is not None:
            self.authorizer.authorize(request)

    def follow(self, event: _Outcome, now: float) -> _Outcome | None:
        """Return what became of a request, told of the transaction that its sender knows.

        Returns:
            None where the request has been sent again, and what becomes of it is still to come.
        """
        transaction = event.transaction
        if not isinstance(transaction, ClientTransaction):
            return event
        known = self._again.get(transaction, transaction)
        final = not isinstance(event, ResponseReceived) or event.response.status >= 200
        if final:
            self._again.pop(transaction, None)
        if isinstance(event, ResponseReceived) and event.response.status in CHALLENGES:
            again = self._answer(transaction, event, now)
            if again is not None:
                if not self._usage.sent_again(known, again):
                    self._again[again] = known
                return None
        return event if known is transaction else replace(event, transaction=known)

    def _answer(
        self, transaction: ClientTransaction, event: ResponseReceived, now: float
    ) -> ClientTransaction | None:
        if self.authorizer is None or transaction.given_up:
            return None
        request, number = transaction.request, 0
        dialog = self._usage.dialog_with(request.to.tag)
        if dialog is not None:
            # §12.2.1.1: other requests may have gone out in the dialog meanwhile
            dialog.local_seq += 1
            number = dialog.local_seq
        asking = str(transaction.flow.remote)
        again = self.authorizer.answer(request, event.response, number, server=asking)
        return None if again is None else self._usage.repeat(again, transaction, now)
