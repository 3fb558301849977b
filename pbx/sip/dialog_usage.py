"""A dialog usage: what every use of a dialog needs to send and answer within it (RFC 3261 §12.2)."""

from collections.abc import Callable
from dataclasses import replace

from pbx.errors import MisuseError
from pbx.sip.capabilities import SDP_TYPE
from pbx.sip.challenges import Challenges
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.dialog import Dialog
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import Flow
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.next_hop import path_to
from pbx.sip.server_transaction import ServerTransaction

# "target refresh requests" and responses to them carry a Contact (§12.2); table 3 of §20 forbids
# it in a BYE.
_WITH_CONTACT = frozenset({"INVITE", "UPDATE", "NOTIFY"})

_ANSWERED_WITH_CONTACT = frozenset({"INVITE", "OPTIONS", "UPDATE", "REFER"})


def usage_key(call_id: str, tag: str | None) -> tuple[str, str]:
    """Return what a usage is found by: Call-ID and our own tag.

    An incoming INVITE's early dialogs have tags that differ by a number after a dash alone.
    """
    return call_id, (tag or "").partition("-")[0]


class DialogUsage:
    """Builds and addresses the messages of one dialog.

    Args:
        endpoint: sends and matches for us.
        contact: builds our Contact header value for a flow.
        flow: the path to the peer.
        behind_nat: see `next_hop.behind_nat`; asked again at each request of the peer's.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        contact: Callable[[Flow], str],
        flow: Flow,
        *,
        behind_nat: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._contact = contact
        self.flow = flow
        self.behind_nat = behind_nat
        self.through: Flow | None = None
        """The path to an outbound proxy that everything goes to which the route set doesn't send
        elsewhere, whatever the peer's Contact says; None for none."""
        self.challenges = Challenges(self)
        self.dialog: Dialog | None = None
        self._allowed: frozenset[str] | None = None
        self.accepted: tuple[str, ...] = ()
        """The kinds of body that the peer takes, as far as it has said so (RFC 3261 §20.1)."""

    @property
    def allow(self) -> tuple[str, ...]:
        """The methods that the peer may use in this dialog."""
        return self._endpoint.serves.within

    def peer_allows(self, method: str) -> bool | None:
        """Whether the peer serves a method; None where it hasn't said (RFC 3261 §20.5)."""
        return None if self._allowed is None else method in self._allowed

    def _learn_allowed(self, message: Message) -> None:
        """Take note of the methods and bodies that the peer says it takes (RFC 3261 §20.5, §20.1)."""
        allowed = message.readable("Allow")
        if allowed:
            self._allowed = frozenset(allowed)
        self.accepted = tuple(message.readable("Accept")) or self.accepted

    @property
    def key(self) -> tuple[str, str]:
        """What the usage is found by; see `usage_key`."""
        dialog = self._begun()
        return usage_key(dialog.call_id, dialog.local_tag)

    def _begun(self) -> Dialog:
        if self.dialog is None:
            raise MisuseError("there is no dialog yet")
        return self.dialog

    def build(self, method: str, body: bytes = b"", dialog: Dialog | None = None) -> Request:
        """Build a request within the dialog, or within an early one; `body` is SDP, or empty."""
        contact = self._contact(self.flow) if method in _WITH_CONTACT else None
        request = (dialog or self._begun()).request(method, contact)
        if contact is not None:
            # RFC 3261 §20.5, RFC 3311 §4
            request.set("Allow", ", ".join(self.allow))
        _attach(request, body)
        return request

    def send(self, request: Request, now: float) -> ClientTransaction:
        """Send a request that `build` made."""
        self.challenges.dress(request)
        return self._endpoint.send_request(request, self._next_hop(), now)

    def repeat(self, request: Request, before: ClientTransaction, now: float) -> ClientTransaction:
        """Send a request once more, to who has answered it `before`."""
        return self._endpoint.send_again(request, before, now)

    def sent_again(self, before: ClientTransaction, again: ClientTransaction) -> bool:
        """Take note of what a request has become; False where `before` goes on to stand for it."""
        return False

    def dialog_with(self, tag: str | None) -> Dialog | None:
        """The dialog with a peer of this tag; None for a request that is to begin one."""
        dialog = self.dialog
        return dialog if dialog is not None and dialog.remote_tag == (tag or "") else None

    def _response(
        self, transaction: ServerTransaction, status: int, reason: str, body: bytes = b""
    ) -> Response:
        request = transaction.request
        tag = self.dialog.local_tag if self.dialog is not None else None
        response = response_to(request, status, reason, to_tag=tag)
        if status < 300 and request.method in _ANSWERED_WITH_CONTACT:
            # "the UAS MUST copy all Record-Route header field values from the request into the
            # response" and "MUST add a Contact header field to the response" (§12.1.1)
            for route in request.all("Record-Route"):
                response.add("Record-Route", route)
            response.add("Contact", self._contact(transaction.flow))
            # §13.3.1.4, §11.2
            response.add("Allow", ", ".join(self.allow))
            response.add("Accept", ", ".join(self._endpoint.serves.bodies))
        _attach(response, body)
        return response

    def _respond(
        self, transaction: ServerTransaction | None, status: int, reason: str, now: float
    ) -> None:
        """Answer a request; None is an ACK, which is never answered."""
        if transaction is not None:
            response = self._response(transaction, status, reason)
            self._endpoint.respond(transaction, response, now)

    def disconnected(self, flow: Flow) -> None:
        """Go to the Contact from now on, if this is the flow that has ended."""
        if self.flow == flow:
            self.flow = replace(flow, connection=0)
        if self.through == flow:
            self.through = replace(flow, connection=0)

    def send_in(self, dialog: Dialog, request: Request, now: float) -> ClientTransaction:
        """Send a request that was built in another dialog than the usage's own: an early one."""
        self.challenges.dress(request)
        return self._endpoint.send_request(request, self._next_hop(dialog), now)

    def _next_hop(self, dialog: Dialog | None = None) -> Flow:
        """Where in-dialog requests go (§12.2.1.1): the route set, else the remote target."""
        dialog = dialog or self._begun()
        if self.through is not None and not dialog.route_set:
            return self.through
        nat = self.behind_nat and not dialog.route_set
        return path_to(dialog.next_hop(), self.flow, nat=nat)


def reasons_of(message: Message) -> list[str]:
    """Return the Reason header fields' values (RFC 3326), unread: a bad one costs no call."""
    return [value for name, value in message.headers if name == "Reason"]


def _attach(message: Message, body: bytes) -> None:
    if body:
        message.set("Content-Type", SDP_TYPE)
        message.body = body
