"""Registering at a server, and staying registered (RFC 3261 §10.2)."""

from collections.abc import Callable

from hw.softphone.account import CHALLENGES, Account
from hw.softphone.happenings import (
    Happening,
    Reason,
    Registered,
    RegistrationFailed,
    Unregistered,
    Why,
)
from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.flow import Flow
from pbx.sip.headers import STAR, parse_delta_seconds, parse_name_addr
from pbx.sip.message import Request, Response
from pbx.sip.timers import TimerQueue

EXPIRES_S = 300
"""What is asked for: short enough that a server which was started anew soon knows us again."""

RETRY_S = 20.0
"""How long after a failure it is tried again."""

CHALLENGES_LIMIT = 4
"""Challenges that one registration answers: a server that asks without end isn't one of ours."""

_FINAL = frozenset({400, 403, 404, 405, 420, 501, 505})
"""Refusals that the same request would meet again."""


class Registration:
    """One binding of ours at the server.

    Args:
        account: who we are.
        endpoint, timers: the user agent's.
        flow: the path to the server.
        contact: our Contact value.
        tokens: fresh random names.
        tell: takes what happens.
    """

    def __init__(
        self,
        account: Account,
        endpoint: Endpoint,
        timers: TimerQueue,
        flow: Flow,
        contact: str,
        tokens: Callable[[], str],
        tell: Callable[[Happening], None],
    ) -> None:
        self._account = account
        self._endpoint = endpoint
        self._timers = timers
        self._flow = flow
        self._contact = contact
        self._tokens = tokens
        self._tell = tell
        self._expires_s = EXPIRES_S
        # "A UA SHOULD use the same Call-ID for all registrations during a single boot" (§10.2)
        self._call_id = tokens()
        self._tag = tokens()
        self._cseq = 0
        self._challenges = 0
        self._transaction: ClientTransaction | None = None
        self._leaving = False
        self.registered = False

    def register(self, now: float) -> None:
        """Ask the server to keep our binding."""
        self._challenges = 0
        self._send(self._request(self._expires_s), now)

    def leave(self, now: float) -> None:
        """Ask the server to forget our binding (§10.2.2), where it may have one."""
        self._timers.cancel((self, "again"))
        if self._leaving or not (self.registered or self._transaction):
            return
        self._leaving = True
        self._challenges = 0
        self._send(self._request(0), now)

    def _request(self, expires_s: int) -> Request:
        self._cseq += 1
        address = f"<{self._account.address}>"
        return Request(
            "REGISTER",
            self._account.domain,
            [
                ("From", f"{address};tag={self._tag}"),
                ("To", address),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} REGISTER"),
                ("Contact", self._contact),
                ("Expires", str(expires_s)),
            ],
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
        elif response.status == 423 and self._longer(response):
            self._send(self._request(self._expires_s), now)
        else:
            reason = Reason(Why.REFUSED, response.status, response.reason)
            self._failed(reason, now, final=response.status in _FINAL)

    def _challenged(self, request: Request, response: Response, now: float) -> None:
        self._challenges += 1
        again = None
        if self._challenges <= CHALLENGES_LIMIT:
            again = self._account.authorized(request, response, self._tokens())
        if again is None:
            reason = Reason(Why.WRONG_PASSWORD, response.status, response.reason)
            self._failed(reason, now, final=True)
        else:
            self._send(again, now)

    def _longer(self, response: Response) -> bool:
        """Take over the time that a 423 asks for (§10.2.8); False where it asks for none."""
        try:
            least_s = parse_delta_seconds(response.get("Min-Expires") or "")
        except PeerError:
            return False
        if least_s <= self._expires_s:
            return False
        self._expires_s = least_s
        return True

    def _accepted(self, response: Response, now: float) -> None:
        self._transaction = None
        if self._leaving:
            self.registered = False
            self._tell(Unregistered())
            return
        expires_s = self._granted_s(response)
        # Early enough for several retransmissions to get lost.
        self._timers.set((self, "again"), now + max(expires_s - 32.0, expires_s / 2))
        self.registered = True
        self._tell(Registered(expires_s))

    def _granted_s(self, response: Response) -> int:
        """How long the binding holds: our Contact's `expires`, else Expires (§10.2.4)."""
        ours = parse_name_addr(self._contact).uri
        found = None
        contacts = response.contacts
        if contacts is not STAR:
            found = next((one.param("expires") for one in contacts if one.uri == ours), None)
        try:
            return max(1, parse_delta_seconds(found or response.get("Expires") or ""))
        except PeerError:
            return self._expires_s

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
