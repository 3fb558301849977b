"""Texts that a peer has sent, as JSON can keep them: octet by octet.

SIP's texts are UTF-8, yet phones send Latin-1 names, too: what is no UTF-8 stands in a text as
surrogates (PEP 383), which no JSON takes. The peer is to get back what it has sent.
"""


def octets_of(text: str) -> str:
    """Return the octets of `text` as one character each (Latin-1)."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def text_of(octets: str) -> str:
    """Return the text that `octets_of` was given."""
    return octets.encode("latin-1").decode("utf-8", "surrogateescape")
