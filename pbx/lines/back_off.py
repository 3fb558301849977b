"""After how long a line that has failed is tried again: by what has failed (RFC 5626 §4.5)."""

from collections.abc import Callable

from pbx.lines.state import Trouble
from pbx.sip.chance import chance

SECONDS: dict[str, tuple[float, float]] = {
    # trouble: the first time, and the longest; in between it doubles
    "name": (10.0, 120.0),
    "no-way": (10.0, 120.0),
    "unreachable": (10.0, 300.0),
    "no-tls": (10.0, 300.0),
    "silent": (30.0, 600.0),
    "unavailable": (30.0, 600.0),
    "nothing-granted": (60.0, 600.0),
    "refused": (120.0, 1800.0),
    # Each further try of a wrong password may lock the account.
    "password": (300.0, 3600.0),
    "forbidden": (300.0, 3600.0),
    "unknown-account": (300.0, 3600.0),
}

LONGEST_RETRY_AFTER_S = 3600.0
"""The longest time that is waited, whatever a Retry-After says."""


def back_off_s(
    trouble: Trouble, failures: int, tokens: Callable[[], str], retry_after_s: float = 0.0
) -> float:
    """Return how many seconds to wait.

    Args:
        trouble: what has failed.
        failures: how often before, in a row.
        tokens: fresh random strings: "selecting a uniform random time between 50 and 100% of the
            upper-bound wait time", so that a carrier which comes back isn't asked by all at once.
        retry_after_s: what the server wants to be left alone for; never less.
    """
    first, longest = SECONDS[trouble.slug]
    bound = min(longest, first * float(1 << min(failures, 16)))
    wait = bound * (0.5 + chance(tokens(), 1000) / 2000)
    return max(wait, min(retry_after_s, LONGEST_RETRY_AFTER_S))
