"""The user agent on a fake clock, and the server, or peer, that it speaks with, in raw SIP."""

import itertools
from collections import deque

from hw.softphone.account import Account
from hw.softphone.call import Call
from hw.softphone.happenings import Dialled, Happening
from hw.softphone.session import Negotiation
from hw.softphone.user_agent import UserAgent
from pbx.sip import digest
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response, parse_message

OURS = Address("192.0.2.50", 5062)
SERVER = Address("192.0.2.1", 5060)
REALM = "test"
PASSWORD = "secret"

MEDIA = Address("192.0.2.50", 4000)

SDP = (
    "v=0\r\no=- 1 {version} IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio 7000 RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
)


def sdp(
    formats: str = "8 0 101",
    direction: str = "sendrecv",
    host: str = "192.0.2.9",
    version: int = 1,
) -> bytes:
    """Return a description of the peer's."""
    text = SDP.format(formats=formats, direction=direction, host=host, version=version)
    return text.encode()


class Stage:
    """One user agent, 100 at 192.0.2.1; the test is everything else."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._serial = itertools.count(1)
        self.account = Account("100", PASSWORD, SERVER.host)
        self.flow = Flow("udp", OURS, SERVER)
        self.agent = UserAgent(self.account, self.flow, self._token, name="test")
        self.sent: deque[Request | Response] = deque()
        self.happenings: deque[Happening] = deque()
        self.cut = ""
        """Why nothing can be sent; empty where it can."""

    def _token(self) -> str:
        return f"t{next(self._serial)}"

    def settle(self) -> None:
        """Take what the agent wants to send and to tell."""
        for data, flow in self.agent.to_send():
            assert flow.remote == SERVER
            if self.cut:
                self.agent.flow_failed(flow, self.cut, self.now)
            else:
                self.sent.append(parse_message(data))
        while (happening := self.agent.next_happening()) is not None:
            self.happenings.append(happening)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (due := self.agent.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.agent.handle_timer(self.now)
            self.settle()
        self.now = end

    def deliver(self, message: Request | Response) -> None:
        """Have the agent hear a message."""
        self.agent.receive(message.encode(), self.flow, self.now)
        self.settle()

    # ---------------------------------------------------------------- what the agent sends

    def hears(self, method: str) -> Request:
        """Take the next message, which must be this request."""
        message = self.sent.popleft()
        assert isinstance(message, Request), message.start_line()
        assert message.method == method, message.start_line()
        return message

    def response(self, status: int) -> Response:
        """Take the next message, which must be a response of this status."""
        message = self.sent.popleft()
        assert isinstance(message, Response), message.start_line()
        assert message.status == status, message.start_line()
        return message

    def told(self, kind: type[Happening]) -> Happening:
        """Take the next event, which must be of this kind."""
        happening = self.happenings.popleft()
        assert isinstance(happening, kind), happening
        return happening

    def quiet(self) -> bool:
        """Whether the program may end."""
        return self.agent.quiet

    def silent(self) -> bool:
        """Whether nothing was sent or told that wasn't taken."""
        return not self.sent and not self.happenings

    # ---------------------------------------------------------------- what the server sends

    def respond(
        self,
        request: Request,
        status: int,
        *headers: tuple[str, str],
        body: bytes = b"",
        tag: str = "peer",
    ) -> Response:
        """Answer a request of the agent's."""
        to = request.get("To") or ""
        if ";tag=" not in to and status > 100:
            to += f";tag={tag}"
        response = Response(
            status,
            "-",
            [
                *(("Via", via) for via in request.all("Via")),
                ("From", request.get("From") or ""),
                ("To", to),
                ("Call-ID", request.call_id),
                ("CSeq", str(request.cseq)),
            ],
            body,
        )
        if request.method == "INVITE" and 100 < status < 300:
            response.add("Contact", f"<sip:peer@{SERVER}>")
        for name, value in headers:
            response.add(name, value)
        if body:
            response.add("Content-Type", "application/sdp")
        self.deliver(response)
        return response

    def challenge(
        self, request: Request, *, nonce: str = "n1", status: int = 401, stale: bool = False
    ) -> None:
        """Ask for credentials."""
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        value = digest.challenge(REALM, nonce, "MD5", stale=stale)
        self.respond(request, status, (name, value))

    def request(
        self,
        method: str,
        *headers: tuple[str, str],
        cseq: int = 1,
        call_id: str = "theirs",
        to_tag: str = "",
        from_tag: str = "peer",
        body: bytes = b"",
        branch: str = "",
    ) -> Request:
        """Send a request to the agent."""
        tag = f";tag={to_tag}" if to_tag else ""
        branch = branch or f"z9hG4bK{next(self._serial)}"
        request = Request(
            method,
            f"sip:100@{OURS}",
            [
                ("Via", f"SIP/2.0/UDP {SERVER};branch={branch};rport"),
                ("Max-Forwards", "70"),
                ("From", f'"Bob" <sip:101@{SERVER.host}>;tag={from_tag}'),
                ("To", f"<sip:100@{SERVER.host}>{tag}"),
                ("Call-ID", call_id),
                ("CSeq", f"{cseq} {method}"),
            ],
            body,
        )
        if method == "INVITE":
            request.add("Contact", f"<sip:101@{SERVER}>")
        if body:
            request.add("Content-Type", "application/sdp")
        for name, value in headers:
            request.add(name, value)
        self.deliver(request)
        return request

    # ---------------------------------------------------------------- what the person does

    def register(self) -> None:
        self.agent.registration.register(self.now)
        self.settle()

    def dial(self, number: str = "101") -> Call:
        uri = self.account.address_of(number)
        call = self.agent.dial(uri, number, Negotiation(MEDIA, 7), self.flow, self.now)
        self.settle()
        dialled = self.told(Dialled)
        assert dialled == Dialled(call)
        return call

    def answer(self, call: Call) -> None:
        self.agent.answer(call, Negotiation(MEDIA, 7), self.now)
        self.settle()

    def hang_up(self, call: Call) -> None:
        self.agent.hang_up(call, self.now)
        self.settle()

    def talking(self) -> tuple[Call, Request]:
        """Return a call that the agent has made, and its INVITE."""
        call = self.dial()
        invite = self.hears("INVITE")
        self.respond(invite, 200, body=sdp())
        self.hears("ACK")
        self.happenings.clear()
        return call, invite

    def called(self, body: bytes | None = None) -> tuple[Call, Request, Response]:
        """Return a call to the agent, not yet answered, its INVITE and the 180."""
        invite = self.request("INVITE", body=sdp() if body is None else body)
        ringing = self.response(180)
        call = self.agent.call
        assert call is not None
        self.happenings.clear()
        return call, invite, ringing
