"""Presence documents (RFC 3863, RFC 4479, RFC 4480): read with care, and put together."""

from collections.abc import Iterable
from copy import copy
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, XMLParser

from pbx.errors import PeerError

KIND = "application/pidf+xml"
"""The Content-Type."""

MAX_BYTES = 16_384
"""The longest document that is taken."""

_DEEPEST = 32

_MOST_PARTS = 64
"""Tuples, persons and so on of one document: those of all phones are put together, and told apart
by their ids, for each who watches."""

_PIDF = "urn:ietf:params:xml:ns:pidf"
_PERSON = "urn:ietf:params:xml:ns:pidf:data-model"
_RICH = "urn:ietf:params:xml:ns:pidf:rpid"

# Phones look for these prefixes where they should look for the names behind them: baresip 1.0 for
# "rpid:".
for _prefix, _name in (("", _PIDF), ("dm", _PERSON), ("rpid", _RICH)):
    ElementTree.register_namespace(_prefix, _name)


class _Careful(TreeBuilder):
    """Builds a document, unless it defines entities of its own or is nested without reason."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Refuse a document type, which is where entities that grow would be defined."""
        raise PeerError(400, "Document Type In A Presence Document")

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        """Begin an element."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PeerError(400, "Presence Document Too Deep")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        """End an element."""
        self._depth -= 1
        return super().end(tag)


def read(body: bytes) -> list[Element]:
    """Return what a presence document says: tuples, notes, persons, devices (RFC 3863 §4.1).

    Raises:
        PeerError: 413 where it is too long, or has too many parts; 400 where it is none.
    """
    if len(body) > MAX_BYTES:
        raise PeerError(413, "Presence Document Too Long")
    parser = XMLParser(target=_Careful())
    try:
        parser.feed(body)
        root = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        # The last two: an encoding that nobody knows.
        raise PeerError(400, "Bad Presence Document") from error
    if root.tag != f"{{{_PIDF}}}presence":
        raise PeerError(400, "Not A Presence Document")
    if len(root) > _MOST_PARTS:
        raise PeerError(413, "Too Many Parts In A Presence Document")
    return list(root)


def own(*, reachable: bool) -> list[Element]:
    """Return what a server knows by itself: whether a user has a phone."""
    status = Element(f"{{{_PIDF}}}tuple", id="phones")
    basic = SubElement(SubElement(status, f"{{{_PIDF}}}status"), f"{{{_PIDF}}}basic")
    basic.text = "open" if reachable else "closed"
    return [status]


def on_the_phone() -> Element:
    """Return that a person is in a call (RFC 4480 §3.2)."""
    person = Element(f"{{{_PERSON}}}person", id="calls")
    SubElement(SubElement(person, f"{{{_RICH}}}activities"), f"{{{_RICH}}}on-the-phone")
    return person


def document(entity: str, parts: Iterable[Element]) -> bytes:
    """Return a presence document.

    Args:
        entity: the URI of whom it is about.
        parts: what `read`, `own` and `on_the_phone` gave, of several publications together.
    """
    root = Element(f"{{{_PIDF}}}presence", entity=entity)
    names: set[str] = set()
    # RFC 3863 §4.1: tuples come before notes, and these before anything else
    order = {f"{{{_PIDF}}}tuple": 0, f"{{{_PIDF}}}note": 1}
    for part in sorted(parts, key=lambda one: order.get(one.tag, 2)):
        name = part.get("id")
        if name in names:
            # Two publications may use the same; an id is there once (§4.1.2).
            part = copy(part)
            part.set("id", _unused(name, names))
        if name is not None:
            names.add(part.get("id", ""))
        root.append(part)
    octets: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return octets


def _unused(name: str, names: set[str]) -> str:
    number = 2
    while f"{name}-{number}" in names:
        number += 1
    return f"{name}-{number}"
