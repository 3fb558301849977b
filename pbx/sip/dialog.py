"""Dialogs: what two user agents remember of each other (RFC 3261 §12)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pbx.errors import PeerError
from pbx.sip.headers import STAR, NameAddr, parse_name_addr
from pbx.sip.message import Message, Request, Response
from pbx.sip.octet_text import octets_of, text_of
from pbx.sip.server_transaction import speaks_rfc2543
from pbx.sip.uri import SipUri, Uri, parse_uri

DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag (§12)."""


def dialog_id_of(request: Request) -> DialogId:
    """The identifier of the dialog that a received request belongs to (§12.2.2)."""
    return request.call_id, request.to.tag or "", request.from_.tag or ""


@dataclass(slots=True, eq=False)
class Dialog:
    """The state of §12: made by `uas` or `uac`, changed by its methods alone.

    Args:
        call_id: the Call-ID.
        local_tag: our tag.
        remote_tag: the peer's; '' for a peer of RFC 2543, which may have none.
        local_uri: our From or To value, without tag.
        remote_uri: the peer's.
        local_seq: CSeq number of our last request; 0 for none yet.
        remote_seq: CSeq number of the peer's last request; None for none yet.
        route_set: Route values, in the order that our requests carry them.
        remote_target: URI of the peer's Contact.
        secure: the dialog was made for a SIPS URI.
        confirmed: a 2xx has been sent or received; before that the dialog is early.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local_uri: str
    remote_uri: str
    local_seq: int
    remote_seq: int | None
    route_set: list[str]
    remote_target: str
    secure: bool = False
    confirmed: bool = False

    @classmethod
    def uas(cls, request: Request, local_tag: str) -> "Dialog":
        """Begin the dialog that our response to a request makes (§12.1.1).

        Args:
            request: as received.
            local_tag: the To tag of our response.

        Raises:
            PeerError: 400 if the request's Contact isn't one URI; a peer of RFC 2543 may have none.
        """
        target = _contact(request)
        if target is None:
            # "The Contact header field MUST be present" (§8.1.1.8)
            if not speaks_rfc2543(request):
                raise PeerError(400, "Missing Contact")
            # RFC 2543 §6.13 leaves it out where the From says the same
            target = _request_uri(request.from_.uri)
        uri = request.request_uri
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            # "A UAS MUST be prepared to receive a request without a tag in the From field, in
            # which case the tag is considered to have a value of null."
            remote_tag=request.from_.tag or "",
            local_uri=_without_tag(request.to),
            remote_uri=_without_tag(request.from_),
            local_seq=0,
            remote_seq=request.cseq.number,
            # "The route set MUST be set to the list of URIs in the Record-Route header field from
            # the request, taken in order and preserving all URI parameters."
            route_set=_record_route(request),
            remote_target=target,
            secure=isinstance(uri, SipUri) and uri.scheme == "sips",
        )

    @classmethod
    def uac(cls, request: Request, response: Response) -> "Dialog":
        """Begin the dialog that a response to our request makes (§12.1.2).

        Args:
            request: as sent.
            response: a 1xx above 100 or a 2xx.

        Raises:
            PeerError: 502 if the response's Contact or Record-Route can't be read. Without Contact,
                which a 1xx may lack, the Request-URI stays the remote target.
        """
        try:
            target = _contact(response)
            # "The route set MUST be set to the list of URIs in the Record-Route header field from
            # the response, taken in reverse order and preserving all URI parameters."
            route_set = _record_route(response)[::-1]
        except PeerError as error:
            raise PeerError(502, error.reason) from None
        uri = request.request_uri
        return cls(
            call_id=request.call_id,
            local_tag=request.from_.tag or "",
            remote_tag=response.to.tag or "",
            local_uri=_without_tag(request.from_),
            remote_uri=_without_tag(request.to),
            local_seq=request.cseq.number,
            remote_seq=None,
            route_set=route_set,
            remote_target=request.uri if target is None else target,
            secure=isinstance(uri, SipUri) and uri.scheme == "sips",
            confirmed=200 <= response.status < 300,
        )

    def confirm(self, response: Response | None = None) -> None:
        """Make an early dialog a confirmed one (§12.1, §13.2.2.4).

        Args:
            response: as UAC, the 2xx.

        Raises:
            PeerError: 502 as for `uac`.
        """
        self.confirmed = True
        if response is None:
            return
        try:
            # "If the dialog identifier in the 2xx response matches the dialog identifier of an
            # existing dialog, the dialog MUST be transitioned to the "confirmed" state, and the
            # route set for the dialog MUST be recomputed based on the 2xx response"
            self.route_set = _record_route(response)[::-1]
            self.refresh_target(response)
        except PeerError as error:
            raise PeerError(502, error.reason) from None

    @property
    def id(self) -> DialogId:
        """What the dialog is found by; see `dialog_id_of`."""
        return self.call_id, self.local_tag, self.remote_tag

    def request(self, method: str, contact: str | None = None) -> Request:
        """Build a request within the dialog (§12.2.1.1).

        Each takes the next CSeq number, but an ACK: its number is the INVITE's, which is the last
        one if nothing was sent since.

        Args:
            method: the method.
            contact: our Contact value, for a target refresh request.
        """
        if method != "ACK":
            self.local_seq += 1
        uri, routes = self._route()
        request = Request(method, uri)
        for route in routes:
            request.add("Route", route)
        request.add("From", _tagged(self.local_uri, self.local_tag))
        request.add("To", _tagged(self.remote_uri, self.remote_tag))
        request.add("Call-ID", self.call_id)
        request.add("CSeq", f"{self.local_seq} {method}")
        if contact is not None:
            request.add("Contact", contact)
        return request

    def _route(self) -> tuple[str, list[str]]:
        """Request-URI and Route values (§12.2.1.1)."""
        if not self.route_set:
            return self.remote_target, []
        first = parse_name_addr(self.route_set[0]).uri
        if not isinstance(first, SipUri) or first.has_param("lr"):
            return self.remote_target, list(self.route_set)
        # "If the route set is not empty, and its first URI does not contain the lr parameter, the
        # UAC MUST place the first URI from the route set into the Request-URI, stripping any
        # parameters that are not allowed in a Request-URI. The UAC MUST add a Route header field
        # containing the remainder of the route set values in order, including all parameters. The
        # UAC MUST then place the remote target URI into the Route header field as the last value."
        return _request_uri(first), [*self.route_set[1:], f"<{self.remote_target}>"]

    def next_hop(self) -> Uri:
        """Where requests go next: the first route, else the remote target (§8.1.2, §12.2.1.1)."""
        if self.route_set:
            return parse_name_addr(self.route_set[0]).uri
        return parse_uri(self.remote_target)

    def check_remote_seq(self, request: Request) -> None:
        """Note the CSeq number of a request from the peer (§12.2.2).

        Raises:
            PeerError: 500 if it is lower than the last one's.
        """
        number = request.cseq.number
        # "If the remote sequence number was not empty, but the sequence number of the request is
        # lower than the remote sequence number, the request is out of order and MUST be rejected
        # with a 500 (Server Internal Error) response." (§12.2.2)
        if self.remote_seq is not None and number < self.remote_seq:
            raise PeerError(500, "CSeq Out of Order")
        self.remote_seq = number

    def refresh_target(self, message: Message) -> None:
        """Take over the Contact of a target refresh request or of a 2xx to one (§12.2).

        Raises:
            PeerError: 400 if there is a Contact that isn't one URI.
        """
        target = _contact(message)
        if target is not None:
            self.remote_target = target

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values, for a journal.

        Texts stand in it octet by octet (Latin-1): a peer's may be no UTF-8, and come back to it
        as they were.
        """
        return {name: _each_text(value, octets_of) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> "Dialog":
        """Rebuild a dialog from `to_dict`'s values."""
        return cls(**{name: _each_text(value, text_of) for name, value in state.items()})


def _contact(message: Message) -> str | None:
    """The URI of the only Contact, as a Request-URI; None where there is none."""
    contacts = message.contacts
    if contacts is STAR or len(contacts) > 1:
        raise PeerError(400, "Exactly One Contact Needed")
    return _request_uri(contacts[0].uri) if contacts else None


def _request_uri(uri: Uri) -> str:
    """A URI without what the table of §19.1.1 forbids in a Request-URI: method and headers."""
    if isinstance(uri, SipUri) and (uri.headers or uri.has_param("method")):
        params = uri.without_param("method").params
        uri = SipUri(uri.scheme, uri.user, uri.password, uri.host, uri.port, params)
    return str(uri)


def _record_route(message: Message) -> list[str]:
    """The Record-Route values as Route values: untouched, since a proxy may hide its own data in
    them, but known to be readable."""
    values = message.all("Record-Route")
    for value in values:
        parse_name_addr(value)
    return values


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [change(text) for text in value]
    return change(value) if isinstance(value, str) else value


def _without_tag(address: NameAddr) -> str:
    return str(address.without_param("tag"))


def _tagged(address: str, tag: str) -> str:
    return f"{address};tag={tag}" if tag else address
