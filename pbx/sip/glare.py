"""How long to wait after a 491, so that the two sides don't meet again (RFC 3261 §14.1)."""

import hashlib

_STEP_S = 0.01
"""Waits are multiples of 10 ms."""

_OWNERS_WAITS = range(210, 401)
"""Steps of who chose the dialog's Call-ID: 2.1 to 4 seconds."""

_OTHERS_WAITS = range(0, 201)
"""Steps of the other side: 0 to 2 seconds."""


def glare_wait_s(token: str, *, owner: bool) -> float:
    """Return a wait in seconds.

    Args:
        token: random, and another one for each wait.
        owner: we chose the Call-ID of the dialog.
    """
    waits = _OWNERS_WAITS if owner else _OTHERS_WAITS
    return _STEP_S * waits[_number(token) % len(waits)]


def retry_after_s(token: str) -> int:
    """Return a random Retry-After value, 0 to 10 seconds, for a 500 (§14.2, RFC 3311 §5.2)."""
    return _number(token) % 11


def _number(token: str) -> int:
    return int.from_bytes(hashlib.sha256(token.encode()).digest()[:4])
