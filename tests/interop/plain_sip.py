"""SIP messages as a phone takes them apart that shares no code with the exchange."""

import hashlib
import re
from dataclasses import dataclass

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
    "o": "event",
}
_CHALLENGE = re.compile(r'(\w+)="?([^",]+)"?')


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response.

    Args:
        data: as it came.
        start: its first line.
        headers: names in lower case, and values, in order.
        body: what follows the headers.
    """

    data: bytes
    start: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @classmethod
    def parse(cls, data: bytes) -> "Message":
        """Take a datagram apart."""
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            headers.append((_COMPACT.get(name, name), value.strip()))
        return cls(data, start, tuple(headers), body)

    def all(self, name: str) -> list[str]:
        """Return the values of a header, each as it stands."""
        return [value for key, value in self.headers if key == name]

    def get(self, name: str) -> str:
        """Return a header's first value, or nothing."""
        return next(iter(self.all(name)), "")

    @property
    def status(self) -> int:
        """A response's status; 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def number(self) -> int:
        """The CSeq's number."""
        return int(self.get("cseq").split()[0])

    @property
    def method(self) -> str:
        """The request's, or that of the request that is answered."""
        return self.get("cseq").split()[1]

    @property
    def call_id(self) -> str:
        return self.get("call-id")

    @property
    def branch(self) -> str:
        """That of the topmost Via."""
        return parameter(self.get("via"), "branch")

    @property
    def contact(self) -> str:
        """The URI of the first Contact."""
        found = re.search(r"<([^>]*)>", self.get("contact"))
        return found.group(1) if found else self.get("contact")


def parameter(value: str, name: str) -> str:
    """Return a parameter of a header's value, or nothing."""
    found = re.search(rf";\s*{name}=([^;,\s>]+)", value)
    return found.group(1) if found else ""


def compose(start: str, headers: list[tuple[str, str]], body: str = "") -> bytes:
    """Return a message's octets."""
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    lines += [f"Content-Length: {len(body.encode())}", "", ""]
    return ("\r\n".join(lines) + body).encode()


def credentials(
    challenged: Message, user: str, password: str, method: str, uri: str
) -> tuple[str, str]:
    """Return the header that answers a 401 or a 407 (RFC 2617 §3.2.2, MD5 and qop auth)."""
    proxy = challenged.status == 407
    asked = challenged.all("proxy-authenticate" if proxy else "www-authenticate")
    found = next(one for one in asked if "SHA" not in one)
    given = dict(_CHALLENGE.findall(found))
    realm, nonce = given["realm"], given["nonce"]
    ha1 = _md5(f"{user}:{realm}:{password}")
    ha2 = _md5(f"{method}:{uri}")
    response = _md5(f"{ha1}:{nonce}:00000001:abcdef:auth:{ha2}")
    value = (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'algorithm=MD5, qop=auth, nc=00000001, cnonce="abcdef", response="{response}"'
    )
    if "opaque" in given:
        value += f', opaque="{given["opaque"]}"'
    return "Proxy-Authorization" if proxy else "Authorization", value


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
