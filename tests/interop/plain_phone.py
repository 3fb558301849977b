"""A phone on a plain UDP socket that repeats, absorbs and acknowledges as RFC 3261 §17 has it.

It shares no code with the exchange. What it says, a `Line` of it says; it does by itself only what
a user never sees: repetitions, their answers, and the ACK of a final response that comes again.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import cast

from tests.interop.lossy import Way, Weather
from tests.interop.plain_sip import Message, compose, credentials, parameter

T1_S, T2_S = 0.5, 4.0
_NAMES = itertools.count(1)

Send = Callable[[], None]


class _Repetition:
    """Sends something again and again: after T1, twice that, and so on."""

    def __init__(self, send: Send, most_s: float) -> None:
        self._send = send
        self._most_s = most_s
        self._wait_s = T1_S
        self._timer: asyncio.TimerHandle | None = None
        self._left_s = 64 * T1_S
        self._again()

    def _again(self) -> None:
        self._send()
        if self._left_s > 0:
            self._left_s -= self._wait_s
            self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._again)
            self._wait_s = min(2 * self._wait_s, self._most_s)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class PlainPhone(asyncio.DatagramProtocol):
    """A phone of one user.

    Args:
        number, password: the user's.
        server: the exchange's host and port.
        weather: what its path does, from when `bad` is set.
        seed: of the weather.
        inner: what it takes for its own host, behind a router that translates addresses.
    """

    def __init__(
        self,
        number: str,
        password: str,
        server: str,
        *,
        weather: Weather,
        seed: str,
        inner: str = "",
    ) -> None:
        self.number = number
        self.password = password
        self.server = server
        self.host = "127.0.0.1"
        self.port = 0
        self.bad = False
        self.news = asyncio.Event()
        self.lines: dict[str, Line] = {}
        """By Call-ID."""
        self.unclaimed: deque[Message] = deque()
        """Requests of calls that no line has yet."""
        self.trace: list[str] = []
        self.faults: list[str] = []
        self._inner = inner
        self._up, self._down = Way(weather, f"{seed} up"), Way(weather, f"{seed} down")
        self._transport: asyncio.DatagramTransport | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._requests: dict[tuple[str, str], _Repetition] = {}
        self._heard: set[bytes] = set()
        self._final: set[tuple[str, str]] = set()
        self._acks: dict[tuple[str, int], bytes] = {}
        self._answers: dict[tuple[str, str], bytes] = {}
        self._answering: dict[tuple[str, int], _Repetition] = {}
        self._acknowledged: set[tuple[str, int]] = set()

    async def open(self) -> None:
        """Have a socket."""
        host, _, port = self.server.rpartition(":")
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(self.host, 0), remote_addr=(host, int(port))
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = int(transport.get_extra_info("sockname")[1])

    def close(self) -> None:
        """Go without a word."""
        for repetition in (*self._requests.values(), *self._answering.values()):
            repetition.stop()
        for timer in self._timers:
            timer.cancel()
        if self._transport is not None:
            self._transport.close()

    @property
    def contact(self) -> str:
        return f"sip:{self.number}@{self._inner or self.host}:{self.port}"

    def via(self) -> str:
        """A fresh Via."""
        branch = f"z9hG4bKplain{next(_NAMES)}"
        return f"SIP/2.0/UDP {self._inner or self.host}:{self.port};rport;branch={branch}"

    def sdp(self, direction: str) -> str:
        """A description of PCMU at a port where nobody is."""
        return (
            f"v=0\r\no=- 1 {next(_NAMES)} IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\n"
            f"t=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"
        )

    # ---------------------------------------------------------------- the path

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._pass(self._down, lambda: self._hear(data))

    def error_received(self, exc: Exception) -> None:
        """ICMP: nobody is there now; the repetition tries again."""

    def out(self, data: bytes) -> None:
        """Put a datagram on the wire."""
        assert self._transport is not None
        self._transport.sendto(data)

    def _send(self, data: bytes) -> None:
        self.trace.append(f"> {Message.parse(data).start}")
        self._pass(self._up, lambda: self.out(data))

    def _pass(self, way: Way, arrive: Send) -> None:
        for delay_s in way.delays_s() if self.bad else [0.0]:
            if delay_s:
                self._later(delay_s, arrive)
            else:
                arrive()

    def _later(self, delay_s: float, arrive: Send) -> None:
        def arrived() -> None:
            self._timers.discard(timer)
            arrive()

        timer = asyncio.get_running_loop().call_later(delay_s, arrived)
        self._timers.add(timer)

    # ---------------------------------------------------------------- what it says

    def request(self, data: bytes) -> Message:
        """Send a request, again and again until it is answered; an ACK once."""
        sent = Message.parse(data)
        if sent.method == "ACK":
            self._acks[sent.call_id, sent.number] = data
            self._send(data)
            return sent
        most_s = 64 * T1_S if sent.method == "INVITE" else T2_S
        key = sent.branch, sent.method
        self._requests[key] = _Repetition(lambda: self._send(data), most_s)
        return sent

    def answer(self, request: Message, data: bytes) -> None:
        """Send a response; the final one of an INVITE until its ACK comes."""
        response = Message.parse(data)
        self._answers[request.branch, request.method] = data
        key = request.call_id, request.number
        if request.method == "INVITE" and response.status >= 200:
            self._answering[key] = _Repetition(lambda: self._send(data), T2_S)
        else:
            self._send(data)

    # ---------------------------------------------------------------- what it hears

    def _hear(self, data: bytes) -> None:
        message = Message.parse(data)
        self.trace.append(f"< {message.start}")
        if message.status:
            self._response(message)
        else:
            self._request(message)

    def _response(self, response: Message) -> None:
        key = response.branch, response.method
        if key not in self._requests:
            self.faults.append(f"{self.number} hears an answer to nothing: {response.start}")
            return
        final = response.status >= 200
        if final or response.method == "INVITE":
            self._requests[key].stop()
        if key in self._final or response.data in self._heard:
            ack = self._acks.get((response.call_id, response.number))
            if final and response.method == "INVITE" and ack:
                self._send(ack)
            return
        self._heard.add(response.data)
        if final:
            self._final.add(key)
        self._deliver(response)

    def _request(self, request: Message) -> None:
        if request.method == "ACK":
            acknowledged = request.call_id, request.number
            if acknowledged in self._answering:
                self._answering[acknowledged].stop()
            if acknowledged not in self._acknowledged:
                self._acknowledged.add(acknowledged)
                self._deliver(request)
            return
        key = request.branch, request.method
        if key in self._answers:
            if self._answers[key]:
                self._send(self._answers[key])
            return
        self._answers[key] = b""
        self._deliver(request)
        if self.bad and request.method == "NOTIFY":
            # On a bad path fewer may come than a figure has: one tells of what another didn't.
            self.answer(request, self.respond(request, 200, ""))

    def _deliver(self, message: Message) -> None:
        line = self.lines.get(message.call_id)
        if line is None:
            self.unclaimed.append(message)
        else:
            line.inbox.append(message)
        self.news.set()

    def respond(
        self, request: Message, status: int, tag: str, headers: list[tuple[str, str]] | None = None,
        body: str = "",
    ) -> bytes:  # fmt: skip
        """Return a response to a request."""
        to = request.get("to")
        if "tag=" not in to and status > 100:
            to += f";tag={tag}"
        given = [("Via", via) for via in request.all("via")]
        given += [("From", request.get("from")), ("To", to)]
        given += [("Call-ID", request.call_id), ("CSeq", request.get("cseq"))]
        return compose(f"SIP/2.0 {status} -", [*given, *(headers or [])], body)


class Line:
    """One Call-ID of a phone: a call, a subscription, a registration or a text.

    Args:
        phone: whose it is.
        call_id: of what it begins itself; empty for what another begins.
    """

    def __init__(self, phone: PlainPhone, call_id: str = "") -> None:
        self.phone = phone
        self.call_id = call_id
        self.inbox: deque[Message] = deque()
        self.tag = f"plain{next(_NAMES)}"
        self.cseq = 0
        self.uri = ""
        """What it has dialled."""
        self.sent: Message | None = None
        """Its last INVITE, or other request that begins something."""
        self.invited: Message | None = None
        """The INVITE that began it, where another did."""
        self.dialog: Message | None = None
        """What established the dialog that it has begun."""
        self.challenge: Message | None = None
        self.answered: Message | None = None
        """The last final response to an INVITE of its own."""
        if call_id:
            phone.lines[call_id] = self

    # ---------------------------------------------------------------- what it hears

    async def next(
        self, within_s: float, wanted: Callable[[Message], bool] | None = None
    ) -> Message:
        """Return the next message, or the next one that is wanted, and take it from the inbox."""
        end = asyncio.get_running_loop().time() + within_s
        while True:
            self._claim()
            for message in self.inbox:
                if wanted is None or wanted(message):
                    self.inbox.remove(message)
                    return message
            self.phone.news.clear()
            left_s = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self.phone.news.wait(), left_s)
            except TimeoutError:
                waiting = [message.start for message in (*self.inbox, *self.phone.unclaimed)]
                raise AssertionError(f"nothing came; there is {waiting}") from None

    def _claim(self) -> None:
        """Take the first call that no line has."""
        phone = self.phone
        if self.call_id or not phone.unclaimed:
            return
        self.call_id = phone.unclaimed[0].call_id
        phone.lines[self.call_id] = self
        self.inbox += [one for one in phone.unclaimed if one.call_id == self.call_id]
        phone.unclaimed = deque(one for one in phone.unclaimed if one.call_id != self.call_id)

    def note(self, message: Message) -> None:
        """Remember of a message what later ones need."""
        if message.status in (401, 407):
            self.challenge = message
        if message.status >= 200 and message.method == "INVITE":
            self.answered = message
        if 100 < message.status < 300 and message.method in ("INVITE", "SUBSCRIBE"):
            self.dialog = message
        if message.start.startswith("INVITE ") and self.invited is None and not self.sent:
            self.invited = message

    # ---------------------------------------------------------------- what it says

    def begin(
        self, method: str, uri: str, to: str, headers: list[tuple[str, str]], body: str = "",
        *, authorized: bool = False, contact: str = "", wrong: bool = False,
    ) -> Message:  # fmt: skip
        """Send a request outside a dialog."""
        phone = self.phone
        self.cseq += 1
        self.uri = uri
        given = [
            ("Via", phone.via()),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{phone.number}@{phone.server}>;tag={self.tag}"),
            ("To", f"<{to}>"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} {method}"),
        ]
        if contact:
            given.append(("Contact", contact))
        if authorized:
            assert self.challenge is not None
            password = "wrong" if wrong else phone.password
            given.append(credentials(self.challenge, phone.number, password, method, uri))
        self.sent = phone.request(compose(f"{method} {uri} SIP/2.0", given + headers, body))
        return self.sent

    def within(
        self, method: str, headers: list[tuple[str, str]], body: str = "", *, contact: str = "",
        cseq: int = 0,
    ) -> Message:  # fmt: skip
        """Send a request in the dialog."""
        phone = self.phone
        if not cseq:
            self.cseq += 1
        if self.dialog is not None:
            target, own, peer = self.dialog.contact, self.dialog.get("from"), self.dialog.get("to")
        else:
            assert self.invited is not None
            target, peer = self.invited.contact, self.invited.get("from")
            own = f"{self.invited.get('to')};tag={self.tag}"
        given = [
            ("Via", phone.via()),
            ("Max-Forwards", "70"),
            ("From", own),
            ("To", peer),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq or self.cseq} {method}"),
        ]
        if method != "ACK":
            given.append(("Contact", contact or f"<{phone.contact}>"))
        request = phone.request(compose(f"{method} {target} SIP/2.0", given + headers, body))
        if method == "INVITE":
            self.sent = request
        return request

    def acknowledge(self, headers: list[tuple[str, str]], body: str = "") -> None:
        """Send the ACK of the last final response."""
        answer = self.answered
        assert answer is not None
        if answer.status < 300:
            self.within("ACK", headers, body, cseq=answer.number)
            return
        # §17.1.1.3: the Via, the Request-URI and the CSeq number of the INVITE
        self._of_the_invite("ACK", answer.get("to"))

    def cancel(self) -> None:
        """Send the CANCEL of the last INVITE (§9.1)."""
        assert self.sent is not None
        self._of_the_invite("CANCEL", self.sent.get("to"))

    def _of_the_invite(self, method: str, to: str) -> None:
        assert self.sent is not None
        invite = self.sent
        given = [
            ("Via", invite.get("via")),
            ("Max-Forwards", "70"),
            ("From", invite.get("from")),
            ("To", to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{invite.number} {method}"),
        ]
        self.phone.request(compose(f"{method} {invite.start.split()[1]} SIP/2.0", given))

    def respond(
        self, request: Message, status: int, headers: list[tuple[str, str]], body: str = "",
        *, contact: str = "",
    ) -> None:  # fmt: skip
        """Answer a request."""
        given = list(headers)
        if request.method == "INVITE" and 100 < status < 300:
            given.append(("Contact", contact or f"<{self.phone.contact}>"))
        if body:
            given.append(("Content-Type", "application/sdp"))
        self.phone.answer(request, self.phone.respond(request, status, self.tag, given, body))

    def names(self) -> str:
        """Return the dialog as the value of a Replaces header to its peer (RFC 3891)."""
        if self.dialog is not None:
            remote, own = parameter(self.dialog.get("to"), "tag"), self.tag
        else:
            assert self.invited is not None
            remote, own = parameter(self.invited.get("from"), "tag"), self.tag
        return f"{self.call_id};to-tag={remote};from-tag={own}"
