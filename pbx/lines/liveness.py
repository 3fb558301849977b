"""Whether a line is alive: a trunk's OPTIONS, and what keeps a way open (RFC 3261 §11, RFC 5626)."""

from collections.abc import Callable

from pbx.call.party import contact
from pbx.config.line import Line, host_part
from pbx.lines.link import Link
from pbx.lines.link_table import LinkInput
from pbx.lines.public_address import PublicAddress
from pbx.lines.server import hop_of
from pbx.lines.state import LinePath, Phase, Trouble
from pbx.sip.capabilities import SDP_TYPE
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.flow import Flow
from pbx.sip.message import Request, Response
from pbx.sip.timers import TimerQueue
from pbx.sip.uri import SipUri

SILENCE_S = 4.0
"""How long an OPTIONS may be without any answer before nobody is there."""

DEAD_S = 10.0
"""How often a dead trunk is asked, so that it soon lives again."""

UNASKED_S = 60.0
"""How often the address of a trunk that isn't asked is looked up, and how long one is left alone
where a call has found nobody."""


class TrunkLink(Link):
    """A SIP trunk: nothing is registered; it lives as long as it answers OPTIONS.

    Args: see `Link`.
    """

    @property
    def _asks(self) -> bool:
        return self.line.kept_alive == "options"

    @property
    def usable(self) -> bool:
        """Whether it answers; one that hasn't been asked yet is given the benefit of the doubt."""
        known = self.phase not in (Phase.OFF, Phase.DOWN) and self.server.flow is not None
        return known and self.trouble is None and not self._doubt

    @property
    def leaves_something(self) -> bool:
        """Nothing."""
        return False

    @property
    def patience_s(self) -> float | None:
        """Then it is dead, or another address has its turn."""
        return SILENCE_S

    def path(self) -> LinePath | None:
        """Where an INVITE goes: to the address that has answered."""
        flow, proxy = self.server.flow, self.server.proxy
        if flow is None:
            return None
        route = () if proxy is None else (f"<{proxy.with_params(lr='')}>",)
        return LinePath(flow, route, self.server.others)

    def doubted(self, now: float) -> None:
        """Take note that a call has found nobody there."""
        if self._asks or self.phase is not Phase.UP:
            super().doubted(now)
        else:
            self._refused(Trouble("silent", {"server": str(self.server.flow)}), now)

    def _send(self, now: float) -> None:
        if self._asks:
            super()._send(now)
        else:
            self._step(LinkInput.GRANTED, now)

    def _question(self, flow: Flow) -> Request:
        return options(self.line, self._endpoint, flow, self._tokens, self.public)

    def _answered(
        self, transaction: ClientTransaction, response: Response, flow: Flow, now: float
    ) -> None:
        # Whatever it says, a 405 or a challenge, somebody is there.
        self.server.stick(flow)
        self._step(LinkInput.GRANTED, now)

    def _hold_s(self) -> float:
        return self.line.keep_alive_s if self._asks else UNASKED_S

    def _wait_s(self, trouble: Trouble) -> float:
        if not self._asks:
            return UNASKED_S
        return max(min(self.line.keep_alive_s, DEAD_S), min(self._retry_after_s, 600.0))

    def _released(self) -> None:
        """Nothing."""


class KeepAlive:
    """Holds a line's way open while it is up, and finds out when nobody is there any more.

    Args:
        link: the line's.
        endpoint, tokens, timers: as of `Link`.
        form: ``crlf`` or ``options``.
    """

    def __init__(
        self,
        link: Link,
        endpoint: Endpoint,
        tokens: Callable[[], str],
        timers: TimerQueue,
        form: str,
    ) -> None:
        self._link = link
        self._endpoint = endpoint
        self._tokens = tokens
        self._timers = timers
        self._form = form
        self._transaction: ClientTransaction | None = None
        self._sent_at = 0.0

    def start(self, now: float) -> None:
        """Begin."""
        self._timers.set((self, "keep"), now + self._link.line.keep_alive_s)

    def stop(self) -> None:
        """End; an answer that is still to come says nothing."""
        self._transaction = None
        for name in ("keep", "silent"):
            self._timers.cancel((self, name))

    def owns(self, event: Event) -> bool:
        """Whether an event is of our OPTIONS."""
        return self._transaction is not None and event.transaction is self._transaction

    def receive(self, event: Event, now: float) -> None:
        """Take an event that is our own; any answer will do."""
        self._timers.cancel((self, "silent"))
        if isinstance(event, ResponseReceived):
            if event.response.status >= 200:
                self._transaction = None
                self._link.rtt_s = now - self._sent_at
                self._link.told(event, now)
        elif isinstance(event, TransactionTimedOut | TransportFailed):
            self._silent(now)

    def fired(self, name: str, now: float) -> None:
        """Take a timer's firing."""
        if name == "silent":
            self._silent(now)
            return
        self.start(now)
        flow = self._link.server.flow
        if self._link.phase is not Phase.UP or flow is None or self._transaction is not None:
            return
        if self._form == "options":
            link = self._link
            request = options(link.line, self._endpoint, flow, self._tokens, link.public)
            self._transaction, self._sent_at = self._endpoint.send_request(request, flow, now), now
            self._timers.set((self, "silent"), now + SILENCE_S)
        elif flow.connection or not flow.reliable:
            # Without the connection there is nothing to keep.
            self._endpoint.keep_alive(flow)

    def _silent(self, now: float) -> None:
        self._transaction = None
        self._link.doubted(now)


def options(
    line: Line,
    endpoint: Endpoint,
    flow: Flow,
    tokens: Callable[[], str],
    public: PublicAddress,
) -> Request:
    """Build the OPTIONS that asks a line's server whether it is there (RFC 3261 §11.1).

    Args:
        line: whose server it is.
        endpoint: says what we can do.
        flow: the path there.
        tokens: fresh random strings.
        public: our address as the server sees it.
    """
    domain = host_part(line.domain or line.server).strip("[]")
    target = SipUri("sip", None, None, domain) if line.domain else hop_of(line.server, "")
    uri = str(target or SipUri("sip", None, None, domain))
    own = SipUri("sip", line.own_user, None, line.from_domain or flow.local.host)
    if line.registers:
        own = SipUri("sip", line.user, None, domain)
    request = Request(
        "OPTIONS",
        uri,
        [
            ("From", f"<{own}>;tag={tokens()}"),
            ("To", f"<{uri}>"),
            ("Call-ID", tokens()),
            ("CSeq", "1 OPTIONS"),
            ("Contact", contact(line.own_user, public.shown(line, flow))),
            ("Accept", SDP_TYPE),
        ],
    )
    if line.proxy and (proxy := hop_of(line.proxy, line.transport)) is not None:
        request.add("Route", f"<{proxy.with_params(lr='')}>")
    return request
