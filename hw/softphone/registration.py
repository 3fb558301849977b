"""Registering at a server, and staying registered (RFC 3261 §10.2)."""

from collections.abc import Callable

from hw.softphone.account import Account
from hw.softphone.happenings import (
    Happening,
    Reason,
    Registered,
    RegistrationFailed,
    Unregistered,
    Why,
)
from pbx.sip.authorization import CHALLENGES, Authorizer
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.flow import Flow
from pbx.sip.message import Request, Response
from pbx.sip.register import granted_s, longer_s, refresh_after_s, register_request
from pbx.sip.timers import TimerQueue

EXPIRES_S = 300
"""What is asked for: short enough that a server which was started anew soon knows us again."""

RETRY_S = 20.0
"""How long after a failure it is tried again."""

_FINAL = frozenset({400, 403, 404, 405, 420, 501, 505})
"""Refusals that the same request would meet again."""


class Registration:
    """One binding of ours at the server.

    Args:
        account: who we are.
        authorizer: answers the server's challenges.
        endpoint, timers: the user agent's.
        flow: the path to the server.
        contact: our Contact value.
        tokens: fresh random names.
        tell: takes what happens.
    """

    def __init__(
        self,
        account: Account,
        authorizer: Authorizer,
        endpoint: Endpoint,
        timers: TimerQueue,
        flow: Flow,
        contact: str,
        tokens: Callable[[], str],
        tell: Callable[[Happening], None],
    ) -> None:
        self._account = account
        self._authorizer = authorizer
        self._endpoint = endpoint
        self._timers = timers
        self._flow = flow
        self._contact = contact
        self._tokens = tokens
        self._tell = tell
        self._expires_s = EXPIRES_S
        # "A UA SHOULD use the same Call-ID for all registrations during a single boot cycle."
        # (§10.2.4)
        self._call_id = tokens()
        self._tag = tokens()
        self._cseq = 0
        self._transaction: ClientTransaction | None = None
        self._leaving = False
        self.registered = False

    def register(self, now: float) -> None:
        """Ask the server to keep our binding."""
        self._send(self._request(self._expires_s), now)

    def leave(self, now: float) -> None:
        """Ask the server to forget our binding (§10.2.2), where it may have one."""
        self._timers.cancel((self, "again"))
        if self._leaving or not (self.registered or self._transaction):
            return
        self._leaving = True
        self._send(self._request(0), now)

    def _request(self, expires_s: int) -> Request:
        return register_request(
            self._account.domain,
            self._account.address,
            self._tag,
            self._call_id,
            self._cseq + 1,
            [self._contact],
            expires_s,
        )

    def _send(self, request: Request, now: float) -> None:
        self._cseq = request.cseq.number
        self._transaction = self._endpoint.send_request(request, self._flow, now)

    def owns(self, transaction: object) -> bool:
        """Whether an event of this transaction is for `receive`."""
        return transaction is self._transaction and transaction is not None

    def receive(self, event: Event, now: float) -> None:
        """Take an event of our REGISTER."""
        match event:
            case ResponseReceived():
                self._answered(event.transaction, event.response, now)
            case TransactionTimedOut():
                self._failed(Reason(Why.NO_RESPONSE), now)
            case TransportFailed():
                self._failed(Reason(Why.UNREACHABLE, phrase=event.why), now)

    def _answered(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status < 200:
            return
        if response.status < 300:
            self._accepted(response, now)
        elif response.status in CHALLENGES:
            self._challenged(transaction.request, response, now)
        elif response.status == 423 and (longer := longer_s(response, self._expires_s)) is not None:
            self._expires_s = longer
            self._send(self._request(longer), now)
        else:
            reason = Reason(Why.REFUSED, response.status, response.reason)
            self._failed(reason, now, final=response.status in _FINAL)

    def _challenged(self, request: Request, response: Response, now: float) -> None:
        again = self._authorizer.answer(request, response)
        if again is None:
            reason = Reason(Why.WRONG_PASSWORD, response.status, response.reason)
            self._failed(reason, now, final=True)
        else:
            self._send(again, now)

    def _accepted(self, response: Response, now: float) -> None:
        self._transaction = None
        if self._leaving:
            self.registered = False
            self._tell(Unregistered())
            return
        expires_s = max(1, granted_s(response, self._contact, self._expires_s))
        self._timers.set((self, "again"), now + refresh_after_s(expires_s))
        self.registered = True
        self._tell(Registered(expires_s))

    def _failed(self, reason: Reason, now: float, *, final: bool = False) -> None:
        self._transaction = None
        self.registered = False
        if self._leaving:
            self._tell(Unregistered())
            return
        if not final:
            self._timers.set((self, "again"), now + RETRY_S)
        self._tell(RegistrationFailed(reason, final))

    def timer_fired(self, now: float) -> None:
        """Register again: the binding runs out, or the last try has failed."""
        self.register(now)
