"""A REFER outside of calls' dialogs: the dialog of its implicit subscription (RFC 3515 §2.4.4)."""

from collections.abc import Callable

from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.dialog import Dialog
from pbx.sip.dialog_usage import DialogUsage
from pbx.sip.endpoint import Endpoint
from pbx.sip.event_package import event_of
from pbx.sip.events import Event, RequestReceived, ResponseReceived
from pbx.sip.flow import Flow
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.next_hop import behind_nat
from pbx.sip.refer import REFER_PACKAGE, SUBSCRIPTION_S, ReferRequest
from pbx.sip.referral import Referral, referral_notify
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TimerQueue

_TIMER = "expire"


class LoneReferral(DialogUsage):
    """Tells who has sent a REFER, in a dialog that is there for nothing else.

    Args:
        endpoint: sends and matches for us.
        timers: its key is this object and ``expire``.
        contact: builds our Contact header value for a flow.
        transaction: the REFER's.
        asked: what it asks for.
        tag: our own, fresh.

    Raises:
        PeerError: 400 without one Contact.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timers: TimerQueue,
        contact: Callable[[Flow], str],
        transaction: ServerTransaction,
        asked: ReferRequest,
        tag: str,
    ) -> None:
        flow, request = transaction.flow, transaction.request
        super().__init__(endpoint, contact, flow, behind_nat=behind_nat(request, flow))
        self.dialog = Dialog.uas(request, tag)
        self.referral = Referral(self, transaction, asked)
        self.over = False
        self._timers = timers
        self._expires = 0.0
        self._body = b""
        self._sent: ClientTransaction | None = None
        self._final = False
        self._reason = ""
        self._due = False

    # ---------------------------------------------------------------- what the referral asks for

    def answer(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str,
        now: float,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer the REFER; without a subscription no dialog begins (RFC 4488 §4)."""
        response = self._response(transaction, status, reason)
        response.extend(headers)
        self._endpoint.respond(transaction, response, now)
        if status >= 300 or not self.referral.asked.told:
            self.over = True
            return
        self._begun().confirm()
        self._last_until(now + SUBSCRIPTION_S)

    def notify(self, referral: Referral, body: bytes, now: float, *, final: bool) -> None:
        """Tell of a state; while a NOTIFY is under way only the newest waits (RFC 6665 §4.2.2)."""
        self._body = body
        if final:
            self._reason = "noresource"
        self._send_soon(now)

    def _send_soon(self, now: float) -> None:
        if self._sent is not None:
            self._due = True
        elif not self.over and not self._final:
            self._send(now)

    def _send(self, now: float) -> None:
        self._due, self._final = False, bool(self._reason)
        left_s = max(round(self._expires - now), 1)
        state = f"terminated;reason={self._reason}" if self._reason else f"active;expires={left_s}"
        self._sent = self.send(referral_notify(self, "", state, self._body), now)

    def _last_until(self, until: float) -> None:
        self._expires = until
        self._timers.set((self, _TIMER), until)

    # ---------------------------------------------------------------- what comes in

    def receive(self, event: Event, now: float) -> None:
        """Take an event of this dialog's."""
        if isinstance(event, RequestReceived):
            if event.transaction is not None:
                self._asked(event, event.transaction, now)
            return
        if event.transaction is not self._sent:
            return
        if isinstance(event, ResponseReceived) and event.response.status < 200:
            return
        self._sent = None
        if not isinstance(event, ResponseReceived) or event.response.status >= 300 or self._final:
            # RFC 6665 §4.2.2: nobody is there, or wants to hear more; the call goes on (RFC 3515)
            self.finish()
        elif self._due:
            self._send(now)

    def _asked(self, event: RequestReceived, transaction: ServerTransaction, now: float) -> None:
        """Take a SUBSCRIBE that refreshes or ends the subscription (RFC 3515 §2.4.4)."""
        request = event.request
        try:
            if request.method != "SUBSCRIBE":
                raise PeerError(405, "Method Not Allowed")
            name = event_of(request)
            if name is None or name.package != REFER_PACKAGE:
                raise PeerError(481, "Subscription Does Not Exist")
            dialog = self._begun()
            if request.from_.tag != dialog.remote_tag:
                raise PeerError(481, "Subscription Does Not Exist")
            dialog.check_remote_seq(request)
            text = request.get("Expires")
            seconds = SUBSCRIPTION_S if text is None else parse_delta_seconds(text)
        except PeerError as error:
            response = self._response(transaction, error.status, error.reason)
            if error.status == 405:
                response.add("Allow", "SUBSCRIBE")
            self._endpoint.respond(transaction, response, now)
            return
        seconds = min(seconds, SUBSCRIPTION_S)
        response = self._response(transaction, 200, "OK")
        response.add("Expires", str(seconds))
        response.add("Contact", self._contact(transaction.flow))
        self._endpoint.respond(transaction, response, now)
        self._last_until(now + seconds)
        if not seconds:
            self._reason = self._reason or "timeout"
        self._send_soon(now)

    def timer_fired(self, now: float) -> None:
        """End the subscription that nobody has refreshed."""
        self._reason = self._reason or "timeout"
        self._send_soon(now)

    def finish(self) -> None:
        """End without a word."""
        self.over = True
        self.referral.lost()
        self._timers.cancel((self, _TIMER))
