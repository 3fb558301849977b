"""A phone that says what a test tells it, in raw SIP, and keeps what it hears."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pbx.sip import digest
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response, parse_message

if TYPE_CHECKING:
    from tests.call.office import Office

HOME = Address("192.0.2.1", 5060)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
)


@dataclass
class Phone:
    """A phone of a local user; over TCP or TLS its connection has the number `connection`.

    Behind a NAT `inner` is what it takes for its own host. `scheme` is of all the URIs that it uses.
    Where it isn't a user's, `sender` is the URI of its From.
    """

    office: "Office"
    number: str
    address: Address
    connection: int = 0
    inbox: deque[Request | Response] = field(default_factory=deque)
    cseq: int = 0
    inner: str = ""
    features: str = ""
    stream: str = "tcp"
    scheme: str = "sip"
    sender: str = ""

    @property
    def host(self) -> str:
        """What it calls its own host."""
        return self.inner or self.address.host

    @property
    def flow(self) -> Flow:
        transport = self.stream if self.connection else "udp"
        return Flow(transport, HOME, self.address, self.connection)

    @property
    def contact(self) -> str:
        named = self.connection and self.scheme == "sip"
        transport = f";transport={self.stream}" if named else ""
        return f"<{self.scheme}:{self.number}@{self.host}:5060{transport}>{self.features}"

    @property
    def tag(self) -> str:
        """Its tag as the one who is called."""
        return f"tt{self.address.host}"

    def deliver(self, data: bytes, flow: Flow) -> None:
        """Hear a message; what was sent on another connection than its own doesn't arrive."""
        if flow.connection in (0, self.connection):
            self.inbox.append(parse_message(data))

    def sdp(self, direction: str = "sendrecv", port: int = 4000) -> bytes:
        return SDP.format(host=self.address.host, port=port, direction=direction).encode()

    def send(self, text: str, body: bytes = b"") -> None:
        """Send a message; its head is lines, Content headers are put in."""
        head = text.strip().replace("\n", "\r\n")
        if body and "\r\nContent-Type:" not in head:
            head += "\r\nContent-Type: application/sdp"
        data = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode("utf-8", "surrogateescape")
        self.say(data + body)

    def say(self, data: bytes) -> None:
        """Send these octets."""
        self.office.hear(data, self.flow)

    def request(
        self,
        method: str,
        uri: str,
        *,
        call_id: str,
        cseq: int,
        to: str | None = None,
        from_tag: str = "ft",
        body: bytes = b"",
        branch: str | None = None,
        headers: str = "",
        contact: bool = True,
        max_forwards: int = 70,
    ) -> str:
        """Send a request; return its branch."""
        branch = branch or f"z9hG4bK{next(self.office.serial)}"
        transport = self.stream.upper() if self.connection else "UDP"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{transport} {self.host}:5060;branch={branch};rport",
            f"Max-Forwards: {max_forwards}",
            f"From: <{self.sender or f'sip:{self.number}@{HOME.host}'}>;tag={from_tag}",
            f"To: {to or f'<{uri}>'}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
        ]
        if contact:
            lines.append(f"Contact: {self.contact}")
        if headers:
            lines.append(headers)
        self.send("\n".join(lines), body)
        return branch

    def authorized(self, challenge: Response, method: str, uri: str) -> str:
        """Return the credentials header that answers a 401 or 407."""
        proxy = challenge.status == 407
        value = challenge.get("Proxy-Authenticate" if proxy else "WWW-Authenticate")
        asked = digest.parse_challenge(value or "")
        credentials = digest.answer_challenge(
            asked, method, uri, self.number, f"pw{self.number}", cnonce="c"
        )
        return f"{'Proxy-' if proxy else ''}Authorization: {credentials}"

    def register(self, expires: int = 3600, headers: str = "") -> Response:
        """Register, with authentication; return the answer."""
        uri, call_id = f"{self.scheme}:{HOME.host}", f"reg-{self.address.host}"
        to = f"<{self.scheme}:{self.number}@{HOME.host}>"
        self.cseq += 1
        headers = f"Expires: {expires}\n{headers}".strip()
        self.request("REGISTER", uri, call_id=call_id, cseq=self.cseq, to=to, headers=headers)
        auth = self.authorized(self.response(401), "REGISTER", uri)
        self.cseq += 1
        self.request(
            "REGISTER", uri, call_id=call_id, cseq=self.cseq, to=to, headers=f"{headers}\n{auth}"
        )
        return self.response(200)

    def invite(
        self, dialed: str, body: bytes | None = None, call_id: str = "call-1", headers: str = ""
    ) -> "Invite":
        """Call a number, answering the challenge; its 100, if any, is taken from the inbox."""
        uri = f"{self.scheme}:{dialed}@{HOME.host}"
        offer = self.sdp() if body is None else body
        branch = self.request("INVITE", uri, call_id=call_id, cseq=1, body=offer)
        challenge = self.response(407)
        self.request("ACK", uri, call_id=call_id, cseq=1, to=challenge.get("To"), branch=branch)
        auth = self.authorized(challenge, "INVITE", uri)
        auth = f"{auth}\n{headers}" if headers else auth
        branch = self.request("INVITE", uri, call_id=call_id, cseq=2, body=offer, headers=auth)
        self.trying()
        return Invite(self, uri, call_id, branch)

    def hears(self, what: str) -> Request:
        """Take the next message, which must be the request `what`."""
        message = self.inbox.popleft()
        assert isinstance(message, Request), message.start_line()
        assert message.method == what, message.start_line()
        return message

    def response(self, status: int) -> Response:
        """Take the next message, which must be a response of this status."""
        message = self.inbox.popleft()
        assert isinstance(message, Response), message.start_line()
        assert message.status == status, message.start_line()
        return message

    def trying(self) -> None:
        """Take an INVITE's 100, which comes unless another response does at once (§17.2.1)."""
        message = self.inbox[0]
        assert isinstance(message, Response), message.start_line()
        if message.status == 100:
            self.inbox.popleft()

    def respond(
        self,
        request: Request,
        status: int,
        reason: str = "-",
        body: bytes = b"",
        headers: str = "",
        tag: str = "tt",
        contact: str | None = None,
    ) -> None:
        """Answer a request; an empty `tag` or `contact` is left out."""
        to = request.get("To") or ""
        if "tag=" not in to and status > 100 and tag:
            to += f";tag={tag}{self.address.host}"
        lines = [f"SIP/2.0 {status} {reason}"]
        lines += [f"Via: {via}" for via in request.all("Via")]
        lines += [f"From: {request.get('From')}", f"To: {to}"]
        lines += [f"Call-ID: {request.call_id}", f"CSeq: {request.cseq}"]
        contact = self.contact if contact is None else contact
        if request.method == "INVITE" and 100 < status < 300 and contact:
            lines.append(f"Contact: {contact}")
        if headers:
            lines.append(headers)
        self.send("\n".join(lines), body)

    def within(
        self,
        invite: Request,
        method: str,
        cseq: int,
        body: bytes = b"",
        headers: str = "",
        tag: str = "",
    ) -> None:
        """Send a request in the dialog that an INVITE to this phone began."""
        self.request(
            method,
            _contact(invite),
            call_id=invite.call_id,
            cseq=cseq,
            to=invite.get("From"),
            from_tag=tag or self.tag,
            body=body,
            headers=headers,
        )

    def reconnect(self, connection: int) -> None:
        """Lose the connection, and have another one."""
        self.office.disconnect(self)
        self.connection = connection


@dataclass
class Invite:
    """A call that a phone makes: knows how to go on in its dialog."""

    phone: Phone
    uri: str
    call_id: str
    branch: str
    answer: Response | None = None
    cseq: int = 2

    def request(
        self, method: str, cseq: int, body: bytes = b"", headers: str = "", branch: str = ""
    ) -> str:
        """Send a request in the dialog; return its branch."""
        assert self.answer is not None
        return self.phone.request(
            method,
            _contact(self.answer),
            call_id=self.call_id,
            cseq=cseq,
            to=self.answer.get("To"),
            body=body,
            headers=headers,
            branch=branch or None,
        )

    def answered(self) -> Response:
        """Take the 200."""
        self.answer = self.phone.response(200)
        return self.answer

    def ack(self, body: bytes = b"", headers: str = "") -> None:
        self.request("ACK", self.cseq, body, headers)

    def bye(self, headers: str = "") -> None:
        self.cseq += 1
        self.request("BYE", self.cseq, headers=headers)

    def reinvite(self, body: bytes, headers: str = "") -> str:
        """Send a re-INVITE and take its 100, if any; return its branch."""
        self.cseq += 1
        branch = self.request("INVITE", self.cseq, body, headers)
        self.phone.trying()
        return branch

    def cancel(self, headers: str = "") -> None:
        self.phone.request(
            "CANCEL",
            self.uri,
            call_id=self.call_id,
            cseq=2,
            branch=self.branch,
            headers=headers,
            contact=False,
        )

    def cancel_reinvite(self, branch: str) -> None:
        self.request("CANCEL", self.cseq, branch=branch)

    def ack_failure(self, response: Response) -> None:
        self.phone.request(
            "ACK", self.uri, call_id=self.call_id, cseq=2, to=response.get("To"), branch=self.branch
        )


def _contact(message: Request | Response) -> str:
    contact = message.contacts
    assert isinstance(contact, list)
    return str(contact[0].uri)
