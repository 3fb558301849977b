"""A phone that lives by itself: it registers, retransmits, answers and hangs up on the office's clock."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pbx.sip import digest
from pbx.sip.capabilities import Capabilities
from pbx.sip.client_transaction import ClientTransaction
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event, RequestReceived, ResponseReceived
from pbx.sip.flow import Address, Flow
from pbx.sip.invite_uac import Outgoing
from pbx.sip.invite_uas import Incoming
from pbx.sip.invite_usage import Usage
from pbx.sip.message import Request
from pbx.sip.timers import TimerQueue
from pbx.sip.usage_events import Accepted, HungUp, ReofferAccepted, Reoffered, UsageEvent
from pbx.sip.usage_state import State
from tests.call.office import HOME, Office
from tests.call.phone import SDP

RINGING_S = 1.0
TALK_S = 3.0


@dataclass
class SoftPhone:
    """A phone of `number`: whom it calls it hangs up after `TALK_S`, unless the other does.

    With `early` it is heard before it answers, and knows reliable provisional responses.
    """

    office: Office
    number: str
    early: bool = False
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.address = Address(f"192.0.2.{int(self.number) - 90}", 5060)
        self.flow = Flow("udp", HOME, self.address)
        self.own = Flow("udp", self.address, HOME)
        self.endpoint = Endpoint(
            self.office.tokens,
            user_agent="phone",
            serves=Capabilities(("INVITE", "ACK", "CANCEL", "BYE"), ("INFO", "PRACK")),
        )
        self.timers = TimerQueue()
        self.usages: list[Usage] = []
        self.pending: dict[ClientTransaction, Callable[[str], None]] = {}
        self.sdp = SDP.format(host=self.address.host, port=4000, direction="sendrecv").encode()
        self.office.phones[self.address] = self
        self.office.ticking.append(self)
        self._request("REGISTER", f"sip:{HOME.host}", f"sip:{self.number}@{HOME.host}", "r", 1)

    # ---------------------------------------------------------------- what it does

    def call(self, dialed: str) -> None:
        """Call a number; the challenge is answered by itself."""
        uri = f"sip:{dialed}@{HOME.host}"
        self._request("INVITE", uri, uri, f"call-{next(self.office.serial)}", 1)

    def _request(
        self, method: str, uri: str, to: str, call_id: str, cseq: int, auth: str = ""
    ) -> None:
        """Send a request, and send it again with credentials when it is challenged."""
        headers = [
            ("From", f"<sip:{self.number}@{HOME.host}>;tag=from{self.number}"),
            ("To", f"<{to}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", self._contact(self.own)),
        ]
        request = Request(method, uri, headers)
        if auth:
            name, _, value = auth.partition(": ")
            request.add(name, value)
        if method == "INVITE":
            request.add("Content-Type", "application/sdp")
            request.body = self.sdp
            usage = Outgoing(
                self.endpoint,
                self.timers,
                self._contact,
                lambda offer: self.sdp,
                request,
                self.own,
                self.office.now,
                reliable=self.early,
            )
            self.usages.append(usage)
            transaction = usage.transaction
        else:
            transaction = self.endpoint.send_request(request, self.own, self.office.now)
        self.pending[transaction] = lambda again: self._request(
            method, uri, to, call_id, cseq + 1, again
        )
        self.pump()

    def _contact(self, flow: Flow) -> str:
        return f"<sip:{self.number}@{self.address}>"

    def hang_up(self) -> None:
        for usage in self.usages:
            usage.bye(None, self.office.now)
        self.pump()

    # ---------------------------------------------------------------- what it hears

    def deliver(self, data: bytes, flow: Flow) -> None:
        self.endpoint.receive(data, self.own, self.office.now)
        self.pump()

    def pump(self) -> None:
        while (event := self.endpoint.next_event()) is not None:
            self._take(event)
        for data, _ in self.endpoint.to_send():
            self.office.hear(data, self.flow)

    def _take(self, event: Event) -> None:
        now = self.office.now
        if isinstance(event, ResponseReceived) and event.response.status in (401, 407):
            self._challenged(event)
        elif isinstance(event, RequestReceived) and event.request.to.tag is None:
            assert event.transaction is not None
            usage = Incoming(
                self.endpoint,
                self.timers,
                self._contact,
                lambda offer: self.sdp,
                event.transaction,
                self.office.tokens,
                now,
                reliable=self.early,
            )
            self.usages.append(usage)
            if self.early:
                usage.progress(183, "Session Progress", self.sdp, "b", now)
            else:
                usage.progress(180, "Ringing", b"", "", now)
            self.timers.set((usage, "answer"), now + RINGING_S)
        else:
            for one in self.usages:
                if self._concerns(one, event):
                    self._heard(one, one.receive(event, now))

    def _challenged(self, event: ResponseReceived) -> None:
        transaction, response = event.transaction, event.response
        again = self.pending.pop(transaction, None)
        for one in [one for one in self.usages if getattr(one, "transaction", 0) is transaction]:
            one.receive(event, self.office.now)
            self.usages.remove(one)
        if again is None:
            return
        proxy = response.status == 407
        asked = response.get("Proxy-Authenticate" if proxy else "WWW-Authenticate") or ""
        credentials = digest.answer_challenge(
            digest.parse_challenge(asked),
            transaction.method,
            transaction.request.uri,
            self.number,
            f"pw{self.number}",
            cnonce="c",
        )
        again(f"{'Proxy-' if proxy else ''}Authorization: {credentials}")

    @staticmethod
    def _concerns(usage: Usage, event: Event) -> bool:
        if isinstance(event, RequestReceived):
            return usage.dialog is not None and event.request.call_id == usage.dialog.call_id
        call_id = event.transaction.request.call_id
        return usage.dialog is None or usage.dialog.call_id == call_id

    def _heard(self, usage: Usage, events: list[UsageEvent]) -> None:
        now = self.office.now
        for event in events:
            self.log.append(type(event).__name__)
            match event:
                case Accepted():
                    usage.acknowledge(b"", now)
                    self.timers.set((usage, "hang up"), now + TALK_S)
                case ReofferAccepted():
                    usage.acknowledge(b"", now)
                case Reoffered():
                    usage.accept_reoffer(self.sdp, now)
                case HungUp():
                    self.timers.cancel((usage, "hang up"))

    # ---------------------------------------------------------------- its clock

    def next_timer(self) -> float | None:
        due = (self.endpoint.next_timer(), self.timers.next_timer())
        return min((when for when in due if when is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self.endpoint.handle_timer(now)
        for key in self.timers.pop_due(now):
            assert isinstance(key, tuple)
            usage, name = key
            match name:
                case "answer":
                    usage.answer(self.sdp, "b" if self.early else "", now)
                case "hang up":
                    usage.bye(None, now)
                case _:
                    self._heard(usage, usage.timer_fired(name, now))
        self.pump()

    @property
    def idle(self) -> bool:
        """Every call has ended, and nothing waits."""
        ended = all(usage.state is State.ENDED for usage in self.usages)
        return ended and not self.endpoint.transaction_count and self.next_timer() is None
