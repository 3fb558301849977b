"""What happens to calls and registration, in words."""

from hw.softphone.happenings import Reason, Why
from hw.softphone.locale import say
from tui.clean import clean
from tui.locale import reason as translated

_STATUSES = frozenset({403, 404, 408, 410, 415, 480, 484, 486, 487, 488, 503, 600, 603, 604})
"""Those with a sentence of their own."""


def reason_in_words(reason: Reason) -> str:
    """Return why something ended or failed, as part of a sentence."""
    if reason.why is not Why.REFUSED:
        return say(reason.why.value, phrase=translated(clean(reason.phrase)))
    if reason.status in _STATUSES:
        return say(f"status-{reason.status}")
    return say("status-other", status=reason.status, phrase=clean(reason.phrase))


def error_in_words(error: OSError) -> str:
    """Return why the system has refused something, as part of a sentence."""
    return translated(error.strerror or str(error))


def peer_in_words(peer: str, name: str) -> str:
    """Return whom a call is with: number or address, and the name that it gives itself."""
    peer, name = clean(peer), clean(name).strip()
    return f"{name} ({peer})" if name and name != peer else peer
