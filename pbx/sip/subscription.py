"""A subscription as its notifier has it (RFC 6665 §4.2): one dialog usage, and its NOTIFYs."""

from collections.abc import Callable

from pbx.errors import PeerError
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.dialog import Dialog
from pbx.sip.dialog_usage import DialogUsage
from pbx.sip.endpoint import Endpoint
from pbx.sip.event_package import EventName
from pbx.sip.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.flow import Flow
from pbx.sip.headers import parse_delta_seconds
from pbx.sip.message import Request, Response, response_to
from pbx.sip.next_hop import behind_nat
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.timers import TimerQueue

_LONGEST_RETRY_S = 600.0
"""The most that a Retry-After may ask for, seconds."""


class Subscription(DialogUsage):
    """Sends the state of a resource to who has subscribed to it.

    One NOTIFY is under way at a time, so that none overtakes another (§4.2.2); what changes in the
    meantime goes into the next one, which has the newest state.

    Args:
        endpoint: sends and matches for us.
        timers: its keys are this object and ``expire``, ``notify`` or ``retry``.
        contact: builds our Contact header value for a flow.
        flow: the path to the subscriber.
        dialog: the subscription's.
        event: what it is about.
        kind: the Content-Type of its documents.
        document: returns the newest state, given the document's number from 0 on.
        least_s: how far apart changes are told of, seconds (each package's own rate, §5.4.10).
        version: how many documents have been sent.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timers: TimerQueue,
        contact: Callable[[Flow], str],
        flow: Flow,
        dialog: Dialog,
        event: EventName,
        kind: str,
        document: Callable[["Subscription"], bytes],
        least_s: float,
        version: int = 0,
    ) -> None:
        super().__init__(endpoint, contact, flow)
        self.dialog = dialog
        self.event = event
        self.version = version
        self.expires = 0.0
        self.over = False
        self._timers = timers
        self._kind = kind
        self._document = document
        self._least_s = least_s
        self._reason = ""
        self._due = False
        self._open: ClientTransaction | None = None
        self._quiet_until = 0.0

    @property
    def remote_target(self) -> str:
        """The URI of the subscriber's Contact."""
        return self._begun().remote_target

    # ---------------------------------------------------------------- the subscriber's requests

    def accept(self, transaction: ServerTransaction, expires_s: int, now: float) -> None:
        """Answer a SUBSCRIBE with 200, and send the state at once (§4.2.1.2).

        Args:
            transaction: the SUBSCRIBE's, the first or a refresh.
            expires_s: how long the subscription lasts from now on; 0 ends it.
        """
        response = self._answer(transaction.request, 200, "OK")
        response.add("Expires", str(expires_s))
        response.add("Contact", self._contact(transaction.flow))
        for route in transaction.request.all("Record-Route"):
            response.add("Record-Route", route)
        self._endpoint.respond(transaction, response, now)
        self.flow = transaction.flow
        self.behind_nat = behind_nat(transaction.request, transaction.flow)
        self._last_until(now + expires_s)
        if expires_s == 0:
            self.end("timeout", now)
        else:
            self._send_soon(now)

    def check(self, request: Request) -> None:
        """Take a refreshing SUBSCRIBE into the dialog (RFC 3261 §12.2.2).

        Raises:
            PeerError: 400 or 500: it doesn't fit.
        """
        dialog = self._begun()
        dialog.check_remote_seq(request)
        dialog.refresh_target(request)

    def refuse(self, transaction: ServerTransaction, error: PeerError, now: float) -> None:
        """Answer a request within the dialog that can't be served; the subscription stays."""
        response = self._answer(transaction.request, error.status, error.reason)
        self._endpoint.respond(transaction, response, now)

    def _answer(self, request: Request, status: int, reason: str) -> Response:
        return response_to(request, status, reason, to_tag=self._begun().local_tag)

    # ---------------------------------------------------------------- what is told

    def last(self, until: float, *, nat: bool) -> None:
        """Go on with a subscription from before a restart, up to `until`.

        Args:
            nat: `behind_nat` as it was.
        """
        self.behind_nat = nat
        self._begun().confirm()
        self._last_until(until)

    def _last_until(self, until: float) -> None:
        self.expires = until
        self._timers.set((self, "expire"), until)

    def changed(self, now: float) -> None:
        """Tell of a new state: at once, or when the package's rate allows it."""
        if self._reason or self.over:
            return
        if now < self._quiet_until:
            self._timers.set((self, "notify"), self._quiet_until)
        else:
            self._send_soon(now)

    def tell_at(self, when: float) -> None:
        """Send the state at `when`, whether it has changed or not."""
        self._timers.set((self, "notify"), when)

    def end(self, reason: str, now: float) -> None:
        """End the subscription from our side, and say why (§4.1.3).

        Args:
            reason: ``timeout``, ``noresource``, ``rejected`` ...
        """
        if self._reason or self.over:
            return
        self._reason = reason
        self._send_soon(now)

    def timer_fired(self, name: str, now: float) -> None:
        """Do what is due."""
        if name == "expire":
            # §4.2.2: the notifier tells that the time is over
            self.end("timeout", now)
        else:
            self._send_soon(now)

    def _send_soon(self, now: float) -> None:
        """Send a NOTIFY, after the one that is under way."""
        if self._open is not None:
            self._due = True
        elif not self.over:
            self._send(now)

    def _send(self, now: float) -> None:
        self._due = False
        self._quiet_until = now + self._least_s
        for name in ("notify", "retry"):
            self._timers.cancel((self, name))
        body = self._document(self)
        request = self._begun().request("NOTIFY", self._contact(self.flow))
        request.add("Event", str(self.event))
        left_s = max(round(self.expires - now), 1)
        request.add(
            "Subscription-State",
            f"terminated;reason={self._reason}" if self._reason else f"active;expires={left_s}",
        )
        request.add("Content-Type", self._kind)
        request.body = body
        self.version += 1
        self._open = self._endpoint.send_request(request, self._next_hop(), now)

    def receive(self, event: Event, now: float) -> None:
        """Take what becomes of our NOTIFY."""
        if isinstance(event, ResponseReceived):
            if event.transaction is self._open and event.response.status >= 200:
                self._answered(event.response, now)
        elif (
            isinstance(event, TransactionTimedOut | TransportFailed)
            and event.transaction is self._open
        ):
            # §4.2.2: nobody is there, and who comes back subscribes again
            self._finish()

    def _answered(self, response: Response, now: float) -> None:
        self._open = None
        if response.status >= 300:
            wait = response.get("Retry-After")
            if wait is None or self._reason:
                # §4.2.2: the subscription is removed
                self._finish()
            else:
                self._timers.set((self, "retry"), now + _wait_s(wait))
        elif self._due:
            self._send(now)
        elif self._reason:
            self._finish()

    def forget(self) -> None:
        """End without a word."""
        self._finish()

    def _finish(self) -> None:
        self.over = True
        for name in ("expire", "notify", "retry"):
            self._timers.cancel((self, name))


def _wait_s(text: str) -> float:
    """The seconds of a Retry-After (RFC 3261 §20.33), whatever comment or parameters follow."""
    number = text.partition(";")[0].partition("(")[0]
    try:
        return min(max(float(parse_delta_seconds(number)), 1.0), _LONGEST_RETRY_S)
    except PeerError:
        return _LONGEST_RETRY_S
