"""The Warning header field (RFC 3261 §20.43): why a session description was refused."""

from pbx.sip.grammar import quote

# Reason phrases of ours that say more than "not acceptable here", and their warn-codes (§20.43).
_CODES = {
    "Unknown address type in session description": 301,
    "Multicast media is not served": 330,
}
_INCOMPATIBLE = (305, "Incompatible media format")
_MISCELLANEOUS = 399

WARNED = frozenset({488, 606})
"""Statuses that should say why (§13.3.1.3, §14.2, §21.6.4)."""


def warning(reason: str, usual: str, host: str) -> str:
    """Return a Warning value for a response that refuses a session description.

    Args:
        reason: the response's reason phrase.
        usual: what the phrase is where nothing more is known: no format in common.
        host: the address that the response is sent from, as warn-agent.
    """
    if ":" in host:
        host = f"[{host}]"
    code, text = _INCOMPATIBLE
    if reason != usual:
        code, text = _CODES.get(reason, _MISCELLANEOUS), reason
    return f"{code} {host} {quote(text)}"
