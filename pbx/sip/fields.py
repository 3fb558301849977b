"""What requests and responses share: header fields, decoded on demand, and a body (RFC 3261 §7)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

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
    raises PeerError 400 on a value that fits no rule; after `parse_message` none does, but `contacts`
    of what a registrar answers: it lists other phones' Contacts, too, and those may be anything.
    """

    __slots__ = ("_first", "_read", "body", "headers")

    def __init__(self, headers: Iterable[Header] = (), body: bytes = b"") -> None:
        self.headers: list[Header] = [(canonical_name(name), value) for name, value in headers]
        self.body = body
        self._forget()

    def _forget(self) -> None:
        """Whatever is known of the header fields holds no more."""
        self._first: dict[str, str] | None = None
        # What has been read, by the header field's name
        self._read: dict[str, Any] = {}

    def _changed(self, name: str) -> None:
        """The header field of this canonical name is no longer what it was."""
        self._first = None
        self._read.pop(name, None)

    @property
    def first(self) -> dict[str, str]:
        """The first value of each header field, by its name as `headers` spells it."""
        if self._first is None:
            self._first = dict(reversed(self.headers))
        return self._first

    def values(self, name: str) -> list[str]:
        """The header field's lines, however many values each holds."""
        name = canonical_name(name)
        if is_known_name(name):
            if name not in self.first:
                return []
            return [value for key, value in self.headers if key == name]
        name = name.lower()
        return [value for key, value in self.headers if key.lower() == name]

    def _index(self, name: str) -> int | None:
        """Where the header field of this canonical name begins."""
        if is_known_name(name):
            if name not in self.first:
                return None
            return next(index for index, (key, _) in enumerate(self.headers) if key == name)
        name = name.lower()
        for index, (key, _) in enumerate(self.headers):
            if key.lower() == name:
                return index
        return None

    def get(self, name: str) -> str | None:
        """The first value of the header field, None where there is none."""
        value = self.first.get(name)
        if value is not None:
            return value
        name = canonical_name(name)
        if is_known_name(name):
            return self.first.get(name)
        index = self._index(name)
        return None if index is None else self.headers[index][1]

    def all(self, name: str) -> list[str]:
        """All values of the header field; of a list header field (§7.3.1) one by one."""
        values = self.values(name)
        if values and canonical_name(name) in LIST_HEADERS:
            return [part for value in values for part in split_list(value) if part]
        return values

    def readable(self, name: str) -> list[str]:
        """As `all`; nothing where the values can't be told apart, which is to cost no call."""
        try:
            return self.all(name)
        except PeerError:
            return []

    def add(self, name: str, value: str) -> None:
        """Append a header field at the end."""
        name = canonical_name(name)
        self.headers.append((name, value))
        self._changed(name)

    def extend(self, headers: Iterable[Header]) -> None:
        """Append header fields at the end."""
        for name, value in headers:
            self.add(name, value)

    def prepend(self, name: str, value: str) -> None:
        """Insert a header field above the first of its name, or at the very top."""
        name = canonical_name(name)
        self.headers.insert(self._index(name) or 0, (name, value))
        self._changed(name)

    def set(self, name: str, value: str) -> None:
        """Put one value in the place of all that the header field has."""
        name = canonical_name(name)
        index = self._index(name)
        if index is None:
            self.add(name, value)
            return
        rest = [pair for pair in self.headers[index + 1 :] if pair[0].lower() != name.lower()]
        self.headers[index:] = [(name, value), *rest]
        self._changed(name)

    def remove(self, name: str) -> None:
        """Take out every header field of this name."""
        name = canonical_name(name)
        if self._index(name) is None:
            return
        lower = name.lower()
        self.headers = [pair for pair in self.headers if pair[0].lower() != lower]
        self._changed(name)

    def _mandatory(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise PeerError(400, f"Missing {name}")
        return value

    @property
    def via(self) -> Via:
        """The topmost Via (§20.42)."""
        via: Via | None = self._read.get("Via")
        if via is None:
            values = split_list(self._mandatory("Via"))
            via = self._read["Via"] = parse_via(values[0] if values else "")
        return via

    def replace_top_via(self, via: Via) -> None:
        """Put another value in the place of the topmost Via, as §18.2.1 and RFC 3581 §4 do."""
        index = self._index("Via")
        if index is None:
            raise MisuseError("replace_top_via() on a message without Via")
        others = split_list(self.headers[index][1])[1:]
        self.headers[index] = ("Via", ", ".join((str(via), *others)))
        self._changed("Via")
        self._read["Via"] = via

    @property
    def from_(self) -> NameAddr:
        """Who sent it (§20.20)."""
        return self._address("From")

    @property
    def to(self) -> NameAddr:
        """Who it is for (§20.39)."""
        return self._address("To")

    def _address(self, name: str) -> NameAddr:
        address: NameAddr | None = self._read.get(name)
        if address is None:
            address = self._read[name] = parse_name_addr(self._mandatory(name))
        return address

    @property
    def call_id(self) -> str:
        """The Call-ID (§20.8), compared byte by byte."""
        call_id: str | None = self._read.get("Call-ID")
        if call_id is None:
            call_id = self._mandatory("Call-ID")
            # callid = word [ "@" word ]; wider: any visible text, since it is only ever compared
            # and base64 makers send '='.
            if not call_id or not call_id.isprintable() or " " in call_id:
                raise PeerError(400, "Bad Call-ID")
            self._read["Call-ID"] = call_id
        return call_id

    @property
    def cseq(self) -> CSeq:
        """Sequence number and method (§20.16)."""
        cseq: CSeq | None = self._read.get("CSeq")
        if cseq is None:
            cseq = self._read["CSeq"] = parse_cseq(self._mandatory("CSeq"))
        return cseq

    @property
    def max_forwards(self) -> int | None:
        """How many hops are left (§20.22, 0 to 255); None in requests of RFC 2543."""
        hops: int | None = self._read.get("Max-Forwards")
        if hops is None:
            value = self.get("Max-Forwards")
            if value is None:
                return None
            hops = parse_digits(value, 255)
            if hops is None or hops > 255:
                raise PeerError(400, "Bad Max-Forwards")
            self._read["Max-Forwards"] = hops
        return hops

    @property
    def contacts(self) -> Contacts:
        """All Contact values in their order, or `STAR` (§20.10)."""
        contacts: Contacts | None = self._read.get("Contact")
        if contacts is None:
            contacts = self._read["Contact"] = parse_contact_list(self.values("Contact"))
        return contacts

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
