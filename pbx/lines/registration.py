"""An external line's registration: ours at a carrier, and how it is kept (RFC 3261 §10.2)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from pbx.call.party import contact
from pbx.config.line import Line
from pbx.errors import PeerError
from pbx.lines.link import Link, refusal
from pbx.lines.link_table import LinkInput
from pbx.lines.server import Server, hop_of
from pbx.lines.state import LinePath, Phase, Trouble
from pbx.sip.authorization import CHALLENGES, Authorizer
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import ResponseReceived
from pbx.sip.failover import PATIENCE_S
from pbx.sip.flow import Flow
from pbx.sip.headers import parse_name_addr
from pbx.sip.message import Request, Response
from pbx.sip.next_hop import path_to
from pbx.sip.register import (
    granted_s,
    listed,
    longer_s,
    refresh_after_s,
    register_request,
)
from pbx.sip.timers import TimerQueue
from pbx.sip.uri import SipUri

SOONEST_S = 1.0
"""However short a registration is granted, it is refreshed no more often."""

LONGEST_S = 604_800
"""No server makes us ask for longer: nobody would know for ages that it has forgotten us."""

LENGTHENINGS_LIMIT = 3
"""Intervals Too Brief (423) in a row that are followed: a server may want more each time."""

CORRECTION_GAP_S = 300.0
"""How long a Contact stays that has just been corrected: a router may give us another port each
time, and then no Contact is ever right."""

REDIRECTS_LIMIT = 5
"""Redirections in a row that are followed: two servers may name each other."""


class Registration(Link):
    """The binding of one external line.

    Args:
        line, endpoint, tokens, timers, server: see `Link`.
        authorizer: answers the carrier's challenges.
    """

    def __init__(
        self,
        line: Line,
        endpoint: Endpoint,
        tokens: Callable[[], str],
        timers: TimerQueue,
        server: Server,
        authorizer: Authorizer,
    ) -> None:
        super().__init__(line, endpoint, tokens, timers, server)
        self.authorizer = authorizer
        self.expires: float | None = None
        self.identities: tuple[str, ...] = ()
        self._service_route: tuple[str, ...] = ()
        self._call_id, self._tag = tokens(), tokens()
        self._cseq = 0
        self._asked_s = line.expires_s
        self._granted_s = 0
        self._bound = False
        # The Contact that the server has, as far as we know; and the one that it is to have
        self._contact = ""
        self._asked_contact = ""
        self._registrar = ""
        self._redirects = self._lengthenings = 0
        # The CSeq number of the answer to a challenge that may be sent once more
        self._proof = 0
        # When the Contact was corrected last, and by which connection
        self._corrected: tuple[float, int] | None = None

    # ---------------------------------------------------------------- what is known

    @property
    def usable(self) -> bool:
        """Whether it is registered."""
        return self._bound and not self._doubt

    @property
    def leaves_something(self) -> bool:
        """Whether the server has our binding, or may have it soon."""
        return self._bound or self.phase is Phase.ASKING

    @property
    def patience_s(self) -> float | None:
        """Only where there is another address: else nothing is gained (§10.2.7)."""
        return PATIENCE_S if self.server.others and self.phase is Phase.ASKING else None

    def path(self) -> LinePath | None:
        """Where a request outside dialogs goes: to the server that took the REGISTER."""
        flow = self.server.flow
        if flow is None:
            return None
        flow, others = _stuck(flow), tuple(_stuck(one) for one in self.server.others)
        if self._service_route and not self.line.proxy:
            # "Otherwise, the procedures are applied to the first Route header field value in the
            # request" (§8.1.2)
            flow = _stuck(path_to(parse_name_addr(self._service_route[0]).uri, flow, nat=False))
            others = ()
        return LinePath(flow, (*self._proxy(), *self._service_route), others)

    def _proxy(self) -> tuple[str, ...]:
        """The outbound proxy as a Route value: "a pre-existing route set with a single URI SHOULD
        be used" (§8.1.2)."""
        hop = self.server.proxy
        return () if hop is None else (f"<{hop.with_params(lr='')}>",)

    def changed(self, line: Line, authorizer: Authorizer) -> None:
        """Take other options of the same account at the same server; `start` registers again."""
        self.line, self.authorizer, self._asked_s = line, authorizer, line.expires_s

    # ---------------------------------------------------------------- what is asked

    def _question(self, flow: Flow) -> Request:
        return self._request(self._contacts(flow), self._asked_s)

    def _farewell(self, flow: Flow) -> Request:
        return self._request([self._contact or self._contact_by(flow)], 0)

    def _contact_by(self, flow: Flow) -> str:
        return contact(self.line.own_user, self.public.shown(self.line, flow))

    def _contacts(self, flow: Flow) -> list[str]:
        """Our Contact's values; what is left of our former address goes, for it would only delay
        the calls that come to us."""
        self._asked_contact = self._contact_by(flow)
        gone = self._contact not in ("", self._asked_contact)
        return [self._asked_contact, *([f"{self._contact};expires=0"] if gone else [])]

    def _readdressed(self, request: Request, flow: Flow) -> Request:
        """The same request with our Contact as it is to be now."""
        again = Request(request.method, request.uri, list(request.headers), request.body)
        again.remove("Contact")
        for value in self._contacts(flow):
            again.add("Contact", value)
        return again

    def _request(self, contacts: list[str], expires_s: int) -> Request:
        line = self.line
        self._cseq += 1
        request = register_request(
            self._registrar or _registrar_of(line),
            str(SipUri("sip", line.user, None, _bare(line.account_domain))),
            self._tag,
            self._call_id,
            self._cseq,
            contacts,
            expires_s,
        )
        for route in self._proxy():
            request.add("Route", route)
        # RFC 3327 §5.1: proxies on the way may have to be told how to come back
        request.add("Supported", "path")
        request.add("Allow", ", ".join(self._endpoint.serves.within))
        self.authorizer.authorize(request)
        return request

    # ---------------------------------------------------------------- what is answered

    def _answered(
        self, transaction: ClientTransaction, response: Response, flow: Flow, now: float
    ) -> None:
        status, request = response.status, transaction.request
        self._cseq = max(self._cseq, request.cseq.number)
        if status < 300:
            self._accepted(response, flow, now)
        elif status in CHALLENGES:
            if self.phase is Phase.ASKING and self._misplaced(self._asked_contact, flow):
                # The challenge has told our public address: what we prove may name it at once
                request = self._readdressed(request, flow)
            self._again = self.authorizer.answer(request, response)
            if self._again is None:
                self._refused(refusal(response, transaction), now)
            else:
                self._cseq = self._proof = self._again.cseq.number
                self._step(LinkInput.AGAIN, now)
        elif status == 423 and self._lengthened(response):
            self._step(LinkInput.AGAIN, now)
        elif status in (300, 301, 302) and self._redirected(response):
            self._step(LinkInput.REDIRECTED, now)
        else:
            self._refused(refusal(response, transaction), now)

    def _repeats(self, transaction: ClientTransaction) -> bool:
        """A server may close its connection behind each answer, its challenge too: then what proves who
        we are goes out by another one, once."""
        request = transaction.request
        if request.cseq.number != self._proof or not transaction.flow.is_stream:
            return False
        self._again = self.authorizer.repeat(request)
        self._cseq, self._proof = self._again.cseq.number, 0
        return True

    def _accepted(self, response: Response, flow: Flow, now: float) -> None:
        if self.phase is Phase.LEAVING:
            self._step(LinkInput.GRANTED, now)
            return
        # "The registrar MAY choose an expiration less than the requested expiration interval"
        # (§10.3): not more.
        granted = granted_s(response, self._asked_contact, self._asked_s)
        self._granted_s = min(granted, self._asked_s)
        if not self._granted_s:
            self._refused(Trouble("nothing-granted", {"server": str(flow)}), now)
            return
        self.server.stick(flow)
        self._bound, self._contact = True, self._asked_contact
        self.expires = now + self._granted_s
        self._redirects = self._lengthenings = 0
        # "If there is no Service-Route header field in the response, the UA clears any service
        # route for that address-of-record previously stored by the UA." (RFC 3608 §6.1)
        routes = response.readable("Service-Route")
        self._service_route = (
            tuple(routes) if len(_uris(response, "Service-Route")) == len(routes) else ()
        )
        self.identities = _uris(response, "P-Associated-URI")
        self._step(LinkInput.GRANTED, now)
        self._correct(now)

    def told(self, event: ResponseReceived, now: float) -> None:
        """Take note of what an answer says of our address: the router may have got another one."""
        super().told(event, now)
        self._correct(now)

    def _misplaced(self, contact_value: str, flow: Flow) -> bool:
        """Whether a Contact has another address than the public one that it is to have."""
        return bool(self.line.contact_address) and contact_value != self._contact_by(flow)

    def _correct(self, now: float) -> None:
        """Register once more where our Contact isn't any more what it is to be."""
        flow = self.server.flow
        if self.phase is not Phase.UP or flow is None or not self._misplaced(self._contact, flow):
            return
        if self._corrected is not None:
            before, connection = self._corrected
            if connection == flow.connection and now < before + CORRECTION_GAP_S:
                return
        self._corrected = now, flow.connection
        self._step(LinkInput.DUE, now)

    def _lengthened(self, response: Response) -> bool:
        """Ask for the time that a 423 wants (§10.2.8); False where that makes no sense."""
        longer = longer_s(response, self._asked_s)
        self._lengthenings += 1
        if longer is None or longer > LONGEST_S or self._lengthenings > LENGTHENINGS_LIMIT:
            return False
        self._asked_s = longer
        return True

    def _redirected(self, response: Response) -> bool:
        """Take the server that a 3xx names (§8.1.3.4); False where it names none."""
        uris = [one.uri for one in listed(response) if isinstance(one.uri, SipUri)]
        self._redirects += 1
        if not uris or self._redirects > REDIRECTS_LIMIT:
            return False
        # "a UAC MUST copy the entire URI from the target set into the Request-URI, except for the
        # "method-param" and "header" URI parameters"; a registrar's has no user (§10.2)
        target = uris[0]
        target = SipUri(target.scheme, None, None, target.host, target.port, target.params)
        target = target.without_param("method")
        self._registrar = str(target)
        if not self.line.proxy:
            self.server.redirect(target)
        return True

    def _hold_s(self) -> float:
        return max(refresh_after_s(self._granted_s), SOONEST_S)

    def _released(self) -> None:
        self._bound, self.expires, self.identities = False, None, ()
        self._registrar, self._redirects, self._lengthenings = "", 0, 0
        # "If the re-registration request is refused [...] the UA SHOULD discard any stored service
        # route" (RFC 3608 §6.1)
        self._service_route = ()


def _registrar_of(line: Line) -> str:
    """The Request-URI: "the domain of the location service for which the registration is meant"
    (§10.2); a server's own port where it is that server that is named."""
    server = None if line.domain else hop_of(line.server, "")
    return str(server or SipUri("sip", None, None, _bare(line.account_domain)))


def _bare(host: str) -> str:
    return host.strip("[]")


def _stuck(flow: Flow) -> Flow:
    """The path, with its transport: what took a REGISTER's datagram may take nothing else."""
    return replace(flow, only_way=flow.transport == "udp")


def _uris(response: Response, name: str) -> tuple[str, ...]:
    """The URIs of a header field's addresses; one that can't be read costs nobody a registration."""
    found = []
    for value in response.readable(name):
        with suppress(PeerError):
            found.append(str(parse_name_addr(value).uri))
    return tuple(found)
