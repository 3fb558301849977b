"""Chance from the tokens, which are all the randomness that code without I/O has."""

import hashlib


def chance(token: str, highest: int) -> int:
    """Return a number from 0 to `highest`, which counts too.

    Args:
        token: a fresh random string.
        highest: the greatest number that is wanted.
    """
    octets = hashlib.sha256(token.encode()).digest()
    return int.from_bytes(octets[:8], "big") % (highest + 1)
