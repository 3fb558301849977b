"""A peer that sends whatever octets it likes, for what no phone would ever send."""

import hashlib
import re
import socket
from dataclasses import dataclass

_CHALLENGE = re.compile(r'(\w+)="?([^",]+)"?')


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, as far as the tests look at it."""

    status: int
    text: str

    def header(self, name: str) -> str:
        """Return a header's value, or nothing."""
        found = re.search(rf"(?mi)^{name}\s*:\s*(.*?)\r?$", self.text)
        return found.group(1) if found else ""


class RawPeer:
    """A UDP socket on 127.0.0.1 towards the exchange.

    Args:
        port: the exchange's port.
        user, password: for requests that are to be authenticated.
    """

    def __init__(self, port: int, user: str = "", password: str = "") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))
        self.port = int(self._socket.getsockname()[1])
        self.server = f"127.0.0.1:{port}"
        self.user = user
        self._password = password
        self._count = 0

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        self._socket.send(data)

    def receive(self, within_s: float) -> Answer | None:
        """Return the next final response, or None for silence; requests are passed over."""
        self._socket.settimeout(within_s)
        while True:
            try:
                text = self._socket.recv(65535).decode(errors="replace")
            except (TimeoutError, ConnectionRefusedError):
                return None
            found = re.match(r"SIP/2\.0 ([2-6]\d\d) ", text)
            if found:
                return Answer(int(found.group(1)), text)

    def request(
        self,
        method: str,
        uri: str,
        *extra: str,
        contact: bool = True,
        body: str = "",
        call: str = "",
        cseq: int = 1,
    ) -> bytes:
        """Return a well-formed request, apart from what the arguments put into it."""
        self._count += 1
        call = call or f"raw{self._count}-{self.port}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bKraw{self._count}.{self.port};rport",
            "Max-Forwards: 70",
            f"From: <sip:{self.user}@{self.server}>;tag=raw{self._count}",
            f"To: <{uri}>",
            f"Call-ID: {call}@127.0.0.1",
            f"CSeq: {cseq} {method}",
        ]
        lines += [f"Contact: <sip:{self.user}@127.0.0.1:{self.port}>"] if contact else []
        lines += [*extra, f"Content-Length: {len(body.encode())}", "", body]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")

    def ask(self, method: str, uri: str, *extra: str, contact: bool = True) -> Answer | None:
        """Send a request, answer the challenge if one comes, and return the last answer."""
        self.send(self.request(method, uri, *extra, contact=contact))
        answer = self.receive(2)
        if answer is None or answer.status not in (401, 407):
            return answer
        if method == "INVITE":
            self._ack(uri, answer)
        credentials = self._credentials(method, uri, answer)
        self.send(self.request(method, uri, credentials, *extra, contact=contact, cseq=2))
        answer = self.receive(10)
        if answer and method == "INVITE":
            self._ack(uri, answer)
        return answer

    def _ack(self, uri: str, answer: Answer) -> None:
        names = ("Via", "From", "To", "Call-ID")
        lines = [f"ACK {uri} SIP/2.0", *(f"{name}: {answer.header(name)}" for name in names)]
        cseq = answer.header("CSeq").split()[0]
        lines += ["Max-Forwards: 70", f"CSeq: {cseq} ACK", "Content-Length: 0", "", ""]
        self.send("\r\n".join(lines).encode("utf-8", "surrogateescape"))

    def _credentials(self, method: str, uri: str, answer: Answer) -> str:
        proxy = answer.status == 407
        given = answer.header("Proxy-Authenticate" if proxy else "WWW-Authenticate")
        challenge = dict(_CHALLENGE.findall(given))
        realm, nonce = challenge["realm"], challenge["nonce"]
        ha1 = _md5(f"{self.user}:{realm}:{self._password}")
        ha2 = _md5(f"{method}:{uri}")
        response = _md5(f"{ha1}:{nonce}:00000001:abcdef:auth:{ha2}")
        name = "Proxy-Authorization" if proxy else "Authorization"
        return (
            f'{name}: Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'algorithm=MD5, qop=auth, nc=00000001, cnonce="abcdef", response="{response}"'
        )

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
