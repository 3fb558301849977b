"""What requests and responses share: header fields, decoded on demand, and a body (RFC 3261 §7)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from pbx.errors import MisuseError, PeerError
from pbx.sip.grammar import parse_digits
from pbx.sip.header_name import LIST_HEADERS, canonical_name, is_known_name
from pbx.sip.headers import (
    Contacts,
    CSeq,
    NameAddr,
    Via,
    parse_contact_list,
    parse_cseq,
    parse_name_addr,
    parse_via,
    split_list,
)

Header = tuple[str, str]


class Message(ABC):
    """What requests and responses share: header fields and a body (RFC 3261 §7).

    Args:
        headers: (name, value) in their order; values unfolded. Names are spelled as the RFC does,
            whatever the sender wrote. Change them through the methods only.
        body: the octets after the empty line.

    The typed properties decode on demand and keep the result until a header field changes. Each
    raises PeerError 400 on a value that fits no rule; after `parse_message` none does.
    """

    __slots__ = (
        "_call_id",
        "_contacts",
        "_cseq",
        "_from",
        "_max_forwards",
        "_to",
        "_via",
        "body",
        "headers",
    )

    def __init__(self, headers: Iterable[Header] = (), body: bytes = b"") -> None:
        self.headers: list[Header] = [(canonical_name(name), value) for name, value in headers]
        self.body = body
        self._forget()

    def _forget(self) -> None:
        self._via: Via | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._call_id: str | None = None
        self._cseq: CSeq | None = None
        self._max_forwards: int | None = None
        self._contacts: Contacts | None = None

    def _values(self, name: str) -> list[str]:
        name = canonical_name(name)
        if is_known_name(name):
            return [value for key, value in self.headers if key == name]
        name = name.lower()
        return [value for key, value in self.headers if key.lower() == name]

    def _index(self, name: str) -> int | None:
        name = name.lower()
        for index, (key, _) in enumerate(self.headers):
            if key.lower() == name:
                return index
        return None

    def get(self, name: str) -> str | None:
        """The first value of the header field, None where there is none."""
        name = canonical_name(name)
        for key, value in self.headers:
            if key == name:
                return value
        if is_known_name(name):
            return None
        index = self._index(name)
        return None if index is None else self.headers[index][1]

    def all(self, name: str) -> list[str]:
        """All values of the header field; of a list header field (§7.3.1) one by one."""
        values = self._values(name)
        if canonical_name(name) in LIST_HEADERS:
            return [part for value in values for part in split_list(value) if part]
        return values

    def add(self, name: str, value: str) -> None:
        """Append a header field at the end."""
        self.headers.append((canonical_name(name), value))
        self._forget()

    def prepend(self, name: str, value: str) -> None:
        """Insert a header field above the first of its name, or at the very top."""
        name = canonical_name(name)
        self.headers.insert(self._index(name) or 0, (name, value))
        self._forget()

    def set(self, name: str, value: str) -> None:
        """Put one value in the place of all that the header field has."""
        name = canonical_name(name)
        index = self._index(name)
        if index is None:
            self.add(name, value)
            return
        rest = [pair for pair in self.headers[index + 1 :] if pair[0].lower() != name.lower()]
        self.headers[index:] = [(name, value), *rest]
        self._forget()

    def remove(self, name: str) -> None:
        """Take out every header field of this name."""
        name = canonical_name(name).lower()
        self.headers = [pair for pair in self.headers if pair[0].lower() != name]
        self._forget()

    def _mandatory(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise PeerError(400, f"Missing {name}")
        return value

    @property
    def via(self) -> Via:
        """The topmost Via (§20.42)."""
        if self._via is None:
            values = split_list(self._mandatory("Via"))
            self._via = parse_via(values[0] if values else "")
        return self._via

    def replace_top_via(self, via: Via) -> None:
        """Put another value in the place of the topmost Via, as §18.2.1 and RFC 3581 §4 do."""
        index = self._index("Via")
        if index is None:
            raise MisuseError("replace_top_via() on a message without Via")
        others = split_list(self.headers[index][1])[1:]
        self.headers[index] = ("Via", ", ".join((str(via), *others)))
        self._via = via

    @property
    def from_(self) -> NameAddr:
        """Who sent it (§20.20)."""
        if self._from is None:
            self._from = parse_name_addr(self._mandatory("From"))
        return self._from

    @property
    def to(self) -> NameAddr:
        """Who it is for (§20.39)."""
        if self._to is None:
            self._to = parse_name_addr(self._mandatory("To"))
        return self._to

    @property
    def call_id(self) -> str:
        """The Call-ID (§20.8), compared byte by byte."""
        if self._call_id is None:
            value = self._mandatory("Call-ID")
            # callid = word [ "@" word ]; wider: any visible text, since it is only ever compared
            # and base64 makers send '='.
            if not value or not value.isprintable() or " " in value:
                raise PeerError(400, "Bad Call-ID")
            self._call_id = value
        return self._call_id

    @property
    def cseq(self) -> CSeq:
        """Sequence number and method (§20.16)."""
        if self._cseq is None:
            self._cseq = parse_cseq(self._mandatory("CSeq"))
        return self._cseq

    @property
    def max_forwards(self) -> int | None:
        """How many hops are left (§20.22, 0 to 255); None in requests of RFC 2543."""
        if self._max_forwards is None:
            value = self.get("Max-Forwards")
            if value is None:
                return None
            hops = parse_digits(value, 255)
            if hops is None or hops > 255:
                raise PeerError(400, "Bad Max-Forwards")
            self._max_forwards = hops
        return self._max_forwards

    @property
    def contacts(self) -> Contacts:
        """All Contact values in their order, or `STAR` (§20.10)."""
        if self._contacts is None:
            self._contacts = parse_contact_list(self._values("Contact"))
        return self._contacts

    @abstractmethod
    def start_line(self) -> str:
        """The first line, without its line end."""

    def encode(self) -> bytes:
        """The octets for the wire; Content-Length is always the body's (§20.14).

        Raises:
            MisuseError: where our own code put a line break into a header field.
        """
        length = str(len(self.body))
        lines = [self.start_line()]
        counted = False
        for name, value in self.headers:
            if name == "Content-Length":
                if counted:
                    continue
                counted = True
                value = length
            lines.append(f"{name}: {value}")
        if not counted:
            lines.append(f"Content-Length: {length}")
        text = "\r\n".join(lines)
        if not text.count("\n") == text.count("\r") == len(lines) - 1:
            raise MisuseError("line break in a start line or header field")
        return text.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body

    def _content(self) -> tuple[str, list[Header], bytes]:
        headers = [pair for pair in self.headers if pair[0] != "Content-Length"]
        return self.start_line(), headers, self.body

    def __eq__(self, other: object) -> bool:
        """Equal start line, header fields and body; Content-Length only follows from the body."""
        return isinstance(other, Message) and self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.start_line()}>"
