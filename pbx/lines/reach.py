"""Whether a line's server answers at all: an OPTIONS to each of its addresses (RFC 3261 §11)."""

from collections.abc import Callable, Sequence

from pbx.config.line import Line
from pbx.lines.finding import Finding, Mark, finding
from pbx.lines.liveness import options
from pbx.lines.public_address import PublicAddress
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed
from pbx.sip.flow import Flow
from pbx.sip.message import Response

MOST_ADDRESSES = 4
"""Of one server that are asked."""

UNREACHED = {"unreachable": "reach-refused", "no-tls": "reach-no-tls"}
"""What is found where nothing gets to a server, by the trouble that its line has."""


class Answers:
    """What comes of asking.

    Args:
        line: whose server it is.
        endpoint: sends and matches for us.
        tokens: fresh random strings.
    """

    def __init__(self, line: Line, endpoint: Endpoint, tokens: Callable[[], str]) -> None:
        self._line = line
        self._endpoint = endpoint
        self._tokens = tokens
        self._open: dict[ClientTransaction, tuple[Flow, float]] = {}
        self._silent: list[Flow] = []
        self._failed: list[tuple[Flow, TransportFailed]] = []
        self._heard: list[tuple[Response, Flow, float]] = []

    def ask(self, paths: Sequence[Flow], now: float) -> None:
        """Ask each address, `MOST_ADDRESSES` at the most."""
        for path in paths[:MOST_ADDRESSES]:
            request = options(self._line, self._endpoint, path, self._tokens, PublicAddress())
            transaction = self._endpoint.send_request(request, path, now)
            self._open[transaction] = path, now

    @property
    def complete(self) -> bool:
        """Whether each has answered, or can't."""
        return not self._open

    @property
    def answer(self) -> tuple[Response, Flow] | None:
        """The first answer that has come; None for none."""
        return self._heard[0][:2] if self._heard else None

    def owns(self, event: Event) -> bool:
        """Whether an event is of one of our requests."""
        return event.transaction in self._open

    def receive(self, event: Event, now: float) -> None:
        """Take an event that is our own."""
        assert isinstance(event, ResponseReceived | TransactionTimedOut | TransportFailed)
        transaction = event.transaction
        assert isinstance(transaction, ClientTransaction)
        if isinstance(event, ResponseReceived) and event.response.status < 200:
            return
        path, since = self._open.pop(transaction)
        match event:
            case ResponseReceived():
                self._heard.append((event.response, event.flow, now - since))
            case TransportFailed():
                self._failed.append((path, event))
            case TransactionTimedOut():
                self._silent.append(path)

    def finding(self, *, registers: bool) -> Finding:
        """Return what there is to say; what is still open counts as silent.

        Args:
            registers: a REGISTER follows, which may tell more.
        """
        silent = [*self._silent, *(path for path, _ in self._open.values())]
        dead = [*silent, *(path for path, _ in self._failed)]
        if self._heard:
            response, flow, rtt_s = min(self._heard, key=lambda one: one[2])
            values = {"server": flow, "ms": round(rtt_s * 1000), "status": response.status}
            if not dead:
                return finding("reach", Mark.GOOD, "reach-good", **values)
            listed = ", ".join(map(str, dead))
            return finding("reach", Mark.NOTE, "reach-some", dead=listed, **values)
        if self._failed:
            path, failed = self._failed[0]
            slug = UNREACHED["no-tls" if failed.no_tls else "unreachable"]
            why = failed.no_tls or failed.why
            return finding("reach", Mark.BAD, slug, server=path, why=why)
        listed = ", ".join(map(str, silent))
        if registers:
            return finding("reach", Mark.NOTE, "reach-silent-line", server=listed)
        return finding("reach", Mark.BAD, "reach-silent", server=listed)
