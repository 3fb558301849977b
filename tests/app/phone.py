"""A telephone on raw sockets: it sends what it likes, and shows what comes."""

import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterator

from pbx.sip.digest import answer_challenge, parse_challenge
from pbx.sip.framing import KeepAlive, StreamFramer
from pbx.sip.message import Request, Response, parse_message

WITHIN_S = 10.0

_NAMES = itertools.count(1)


class Phone:
    """One phone.

    Args:
        port: the exchange's port of that transport.
        number, password: whose phone it is.
        host: where the exchange is, and the phone itself.
        transport: ``udp``, ``tcp`` or ``tls``, which believes any certificate, as phones do.
    """

    def __init__(
        self,
        port: int,
        number: str = "nobody",
        password: str = "",
        *,
        host: str = "127.0.0.1",
        transport: str = "udp",
    ) -> None:
        self.number = number
        self.transport = transport
        self.user = number
        """What it gives as its name when it is challenged."""
        self.closed = False
        self._password = password
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.exchange = host, port
        self._host = f"[{host}]" if ":" in host else host
        self.server = f"{self._host}:{port}"
        self._framer = StreamFramer()
        self._inbox: list[Request | Response] = []
        self.rtp = self._bound(host)
        self.connect()

    def _bound(self, host: str) -> socket.socket:
        end = socket.socket(self._family, socket.SOCK_DGRAM)
        end.bind((host, 0))
        return end

    def connect(self) -> None:
        """Have a socket to the exchange; over TCP and TLS a new connection."""
        if self.transport != "udp":
            self._socket = socket.create_connection(self.exchange, WITHIN_S)
            if self.transport == "tls":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                self._socket = context.wrap_socket(self._socket)
        else:
            self._socket = self._bound(self.exchange[0])
            self._socket.connect(self.exchange)

    @property
    def contact(self) -> str:
        """Its own URI."""
        port = self._socket.getsockname()[1]
        more = f";transport={self.transport}" if self.transport != "udp" else ""
        return f"sip:{self.number}@{self._host}:{port}{more}"

    def close(self) -> None:
        """Close its sockets."""
        self.closed = True
        self._socket.close()
        self.rtp.close()

    def via(self) -> str:
        """A fresh Via."""
        where = f"{self._host}:{self._socket.getsockname()[1]}"
        return f"SIP/2.0/{self.transport.upper()} {where};branch=z9hG4bK{next(_NAMES)};rport"

    # ---------------------------------------------------------------- octets

    def send(self, data: bytes) -> None:
        """Send a datagram, or octets of the stream."""
        if self.transport != "udp":
            self._socket.sendall(data)
        else:
            # ICMP's port unreachable, of a datagram before: the exchange was restarting.
            with contextlib.suppress(ConnectionRefusedError):
                self._socket.send(data)

    def message(self, within_s: float = WITHIN_S) -> Request | Response | None:
        """Return the next message, whatever it is; None if none comes in time."""
        end = time.monotonic() + within_s
        while not self._inbox:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(70_000)
            except ConnectionRefusedError:
                continue
            except TimeoutError:
                return None
            if self.transport == "udp":
                self._inbox.append(parse_message(data))
                continue
            if not data:
                return None
            for item in self._framer.feed(data):
                if not isinstance(item, KeepAlive):
                    self._inbox.append(parse_message(item, stream=True))
        return self._inbox.pop(0)

    def _wait(self, wanted: Callable[[Request | Response], bool], what: str) -> Request | Response:
        """Return the first wanted message; others, retransmissions mostly, are passed over."""
        end, seen = time.monotonic() + WITHIN_S, []
        while (left := end - time.monotonic()) > 0:
            found = self.message(left)
            if found is not None and wanted(found):
                return found
            seen.append(found and found.start_line())
        raise AssertionError(f"{self.number} waited for {what}, and saw {seen}")

    def request(self, method: str, call_id: str = "") -> Request:
        """Return the next request with this method, and of this call."""
        found = self._wait(
            lambda one: (
                isinstance(one, Request)
                and one.method == method
                and call_id in ("", one.get("Call-ID"))
            ),
            method,
        )
        assert isinstance(found, Request)
        return found

    def response(self, sent: Request, least: int = 200) -> Response:
        """Return the answer to what was sent, at least as final as `least`."""
        found = self._wait(
            lambda one: (
                isinstance(one, Response)
                and one.get("Call-ID") == sent.get("Call-ID")
                and one.get("CSeq") == sent.get("CSeq")
                and one.status >= least
            ),
            f"the answer to {sent.start_line()}",
        )
        assert isinstance(found, Response)
        return found

    # ---------------------------------------------------------------- requests

    def make(self, method: str, uri: str, *more: tuple[str, str], body: bytes = b"") -> Request:
        """Return a request outside a dialog."""
        name = f"{next(_NAMES)}-{self.number}"
        me = f"<sip:{self.number}@{self.server}>"
        return Request(
            method,
            uri,
            [
                ("Via", self.via()),
                ("Max-Forwards", "70"),
                ("From", f"{me};tag=f{name}"),
                ("To", me if method == "REGISTER" else f"<{uri}>"),
                ("Call-ID", f"call-{name}"),
                ("CSeq", f"1 {method}"),
                ("Contact", f"<{self.contact}>"),
                *more,
            ],
            body,
        )

    def ask(self, request: Request) -> Response:
        """Send a request, answer a challenge, and return the final answer, acknowledged."""
        response = self._transact(request)
        if response.status in (401, 407):
            self.authorize(request, response)
            response = self._transact(request)
        return response

    def authorize(self, request: Request, response: Response) -> None:
        """Make a challenged request the next one, with credentials (RFC 3261 §22.2)."""
        challenge, credentials = ("WWW-Authenticate", "Authorization")
        if response.status == 407:
            challenge, credentials = ("Proxy-Authenticate", "Proxy-Authorization")
        answer = answer_challenge(
            parse_challenge(response.get(challenge) or ""),
            request.method,
            request.uri,
            self.user,
            self._password,
            cnonce="c",
        )
        request.set(credentials, str(answer))
        request.set("CSeq", f"2 {request.method}")
        request.set("Via", self.via())

    def _transact(self, request: Request) -> Response:
        self.send(request.encode())
        response = self.response(request)
        if request.method == "INVITE" and response.status >= 300:
            self.acknowledge(request, response, request.get("Via") or "")
        return response

    def repeat(self, request: Request, times: int) -> None:
        """Send the same request again and again, as a phone does that gets no answer."""
        for _ in range(times):
            self.send(request.encode())

    def invite(self, number: str) -> Request:
        """Call a number: return the INVITE, with credentials and sent, not yet answered."""
        invite = self.make(
            "INVITE",
            f"sip:{number}@{self.server}",
            ("Content-Type", "application/sdp"),
            body=self.sdp,
        )
        challenged = self._transact(invite)
        assert challenged.status == 407
        self.authorize(invite, challenged)
        self.send(invite.encode())
        return invite

    def acknowledge(self, invite: Request, response: Response, via: str = "") -> None:
        """Send the ACK to a final response; with the INVITE's own Via to one that isn't a 2xx."""
        names = ("From", "Call-ID", "Max-Forwards")
        ack = Request(
            "ACK",
            invite.uri,
            [
                ("Via", via or self.via()),
                ("To", response.get("To") or ""),
                *((name, invite.get(name) or "") for name in names),
                ("CSeq", f"{invite.cseq.number} ACK"),
            ],
            b"",
        )
        self.send(ack.encode())

    def register(self, expires_s: int = 600) -> Response:
        """Register, and return the answer."""
        request = self.make("REGISTER", f"sip:{self.server}", ("Expires", str(expires_s)))
        return self.ask(request)

    def options(self) -> int:
        """Ask the exchange whether it is there; return the status."""
        request = self.make("OPTIONS", f"sip:{self.server}")
        self.send(request.encode())
        return self.response(request).status

    # ---------------------------------------------------------------- calls

    @property
    def sdp(self) -> bytes:
        """What it offers and answers: PCMU."""
        host, port = self.rtp.getsockname()[:2]
        kind = "IP6" if ":" in host else "IP4"
        return (
            f"v=0\r\no=- 1 1 IN {kind} {host}\r\ns=-\r\nc=IN {kind} {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        ).encode()

    def answer(
        self, request: Request, status: int, reason: str = "OK", body: bytes = b""
    ) -> Response:
        """Answer a request."""
        response = Response(
            status,
            reason,
            [
                *(("Via", via) for via in request.all("Via")),
                ("From", request.get("From") or ""),
                ("To", (request.get("To") or "").partition(";tag=")[0] + f";tag=t{self.number}"),
                ("Call-ID", request.get("Call-ID") or ""),
                ("CSeq", request.get("CSeq") or ""),
                ("Contact", f"<{self.contact}>"),
            ],
            body,
        )
        if body:
            response.add("Content-Type", "application/sdp")
        self.send(response.encode())
        return response

    def heard(self, packet: bytes) -> bool:
        """Wait for an RTP packet with this payload; False if none comes soon."""
        self.rtp.settimeout(0.2)
        try:
            while True:
                if self.rtp.recv(2000)[12:] == packet[12:]:
                    return True
        except TimeoutError:
            return False


class Call:
    """An answered call between two phones, as the phones see it.

    Args:
        caller, callee: the phones, both registered.
    """

    def __init__(self, caller: Phone, callee: Phone) -> None:
        self.caller = caller
        self.callee = callee
        self.invite = caller.invite(callee.number)
        self.offered = callee.request("INVITE")
        callee.answer(self.offered, 180, "Ringing")
        assert caller.response(self.invite, 180).status == 180
        callee.answer(self.offered, 200, "OK", callee.sdp)
        self.accepted = caller.response(self.invite)
        assert self.accepted.status == 200
        caller.acknowledge(self.invite, self.accepted)
        callee.request("ACK", self.offered.call_id)
        # An RTP stream's packets are told by their sequence numbers.
        self._numbers = itertools.count(1)

    def _packets(self) -> Iterator[bytes]:
        for number in self._numbers:
            head = bytes([0x80, 0]) + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big")
            yield head + b"ssrc" + number.to_bytes(4, "big") * 40

    @property
    def ports(self) -> tuple[int, int]:
        """The engine's ports: the caller's and the callee's."""
        return media_port(self.accepted.body), media_port(self.offered.body)

    def talk(self, within_s: float = WITHIN_S) -> None:
        """Have sound go both ways; packets may be lost until it does."""
        first, second = self.ports
        ways = (self.caller, first, self.callee), (self.callee, second, self.caller)
        for speaker, port, listener in ways:
            end = time.monotonic() + within_s
            for packet in self._packets():
                speaker.rtp.sendto(packet, (speaker.exchange[0], port))
                if listener.heard(packet):
                    break
                assert time.monotonic() < end, f"{listener.number} hears nothing"

    def hang_up(self) -> None:
        """The caller says BYE, and the callee hears it."""
        bye = Request(
            "BYE",
            (self.accepted.get("Contact") or "").strip("<>"),
            [
                ("Via", self.caller.via()),
                ("Max-Forwards", "70"),
                ("From", self.invite.get("From") or ""),
                ("To", self.accepted.get("To") or ""),
                ("Call-ID", self.invite.call_id),
                ("CSeq", "3 BYE"),
            ],
            b"",
        )
        self.caller.send(bye.encode())
        self.ended(self.callee)
        assert self.caller.response(bye).status == 200

    def ended(self, phone: Phone) -> Request:
        """Wait until the exchange says BYE to a phone; return that."""
        call_id = (self.invite if phone is self.caller else self.offered).call_id
        bye = phone.request("BYE", call_id)
        phone.answer(bye, 200)
        return bye


def media_port(body: bytes) -> int:
    """Return the port for sound that a description names."""
    line = next(line for line in body.decode().splitlines() if line.startswith("m=audio"))
    return int(line.split()[1])
