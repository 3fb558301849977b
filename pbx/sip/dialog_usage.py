"""A dialog usage: what every use of a dialog needs to send and answer within it (RFC 3261 §12.2)."""

from collections.abc import Callable
from dataclasses import replace

from pbx.errors import MisuseError
from pbx.sip.dialog import Dialog
from pbx.sip.endpoint import DEFAULT_PORT, Endpoint
from pbx.sip.flow import Address, Flow
from pbx.sip.inspection import SDP_TYPE
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.server_transaction import ServerTransaction
from pbx.sip.uri import SipUri

# "target refresh requests" and responses to them carry a Contact (§12.2); table 3 of §20 forbids
# it in a BYE.
_WITH_CONTACT = frozenset({"INVITE"})
_ONLY_WITHIN = ("INFO",)
"""Methods that are served within dialogs alone."""

_ANSWERED_WITH_CONTACT = frozenset({"INVITE", "OPTIONS"})


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
    """

    def __init__(self, endpoint: Endpoint, contact: Callable[[Flow], str], flow: Flow) -> None:
        self._endpoint = endpoint
        self._contact = contact
        self.flow = flow
        self.dialog: Dialog | None = None

    @property
    def allow(self) -> tuple[str, ...]:
        """The methods that the peer may use in this dialog."""
        return (*self._endpoint.allow, *_ONLY_WITHIN)

    @property
    def key(self) -> tuple[str, str]:
        """What the usage is found by; see `usage_key`."""
        dialog = self._begun()
        return usage_key(dialog.call_id, dialog.local_tag)

    def _begun(self) -> Dialog:
        if self.dialog is None:
            raise MisuseError("there is no dialog yet")
        return self.dialog

    def _request(self, method: str, body: bytes = b"") -> Request:
        contact = self._contact(self.flow) if method in _WITH_CONTACT else None
        request = self._begun().request(method, contact)
        _attach(request, body)
        return request

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
            response.add("Accept", SDP_TYPE)
        _attach(response, body)
        return response

    def _respond(
        self, transaction: ServerTransaction | None, status: int, reason: str, now: float
    ) -> None:
        """Answer a request; None is an ACK, which is never answered."""
        if transaction is not None:
            response = self._response(transaction, status, reason)
            self._endpoint.respond(transaction, response, now)

    def _next_hop(self) -> Flow:
        """Where in-dialog requests go (§12.2.1.1, and RFC 5626 §5.3 in spirit).

        A connection is kept while it lives. Otherwise the route set or the remote target decides,
        unless it names another host than the one the peer really sends from: then the peer is
        behind a NAT, and its packets' source is the only address that reaches it.
        """
        flow = self.flow
        if flow.connection:
            return flow
        hop = self._begun().next_hop()
        if not isinstance(hop, SipUri) or hop.host != flow.remote.host:
            return flow
        return replace(flow, remote=Address(hop.host, hop.port or DEFAULT_PORT))


def reasons_of(message: Message) -> list[str]:
    """Return the Reason header fields' values (RFC 3326), unread: a bad one costs no call."""
    return [value for name, value in message.headers if name == "Reason"]


def _attach(message: Message, body: bytes) -> None:
    if body:
        message.set("Content-Type", SDP_TYPE)
        message.body = body
