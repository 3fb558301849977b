"""Digits in INFO requests, from before RFC 4733: ``application/dtmf-relay`` and ``application/dtmf``.

No RFC describes the two bodies; RFC 6086 §2 calls such use of INFO "legacy".
"""

import re

from pbx.errors import PeerError
from pbx.sip.body import media_type
from pbx.sip.message import Request

DIGIT_TYPES = ("application/dtmf-relay", "application/dtmf")
"""Bodies that are read; the first one is what is written."""

DURATION_MS = 160
"""Of a key of which nobody has said how long it was held down."""

LONGEST_MS = 5000
"""Of a key at the most, whatever is said of it."""

DIGITS = "0123456789*#ABCD!"
"""By their event codes (RFC 4733 §3.2): what some phones write instead of the digit. ``!`` is flash."""

INFO_REFUSED = frozenset({405, 415, 469, 501})
"""Answers of a peer that takes no digits by INFO, whatever its Allow says."""

_CODE = re.compile(r"[0-9]{1,2}")
_DURATION = re.compile(r"[0-9]{1,9}")


def digit_of(request: Request) -> str:
    """Return the digit that an INFO carries; empty for one without a body, which only asks for life.

    Raises:
        PeerError: 469 for an info package's, 415 for another kind of body, 400 for one without a
            digit.
    """
    if request.get("Info-Package") is not None:
        # RFC 6086 §4.2.2: "that the UA has not indicated willingness to receive"
        raise PeerError(469, "Bad Info Package")
    if not request.body:
        return ""
    kind = media_type(request.get("Content-Type") or "")
    if kind not in DIGIT_TYPES:
        raise PeerError(415, "Unsupported Media Type")
    signal = _values(request).get("signal", "").upper()
    if len(signal) == 1 and signal in DIGITS:
        return signal
    if _CODE.fullmatch(signal) and int(signal) < len(DIGITS):
        return DIGITS[int(signal)]
    raise PeerError(400, "No Digit")


def duration_of(request: Request) -> int:
    """Return for how many milliseconds the key of an INFO was held down, `LONGEST_MS` at the most.

    It is `DURATION_MS` where the INFO doesn't say so.
    """
    said = _values(request).get("duration", "")
    duration_ms = int(said) if _DURATION.fullmatch(said) else 0
    return min(duration_ms, LONGEST_MS) or DURATION_MS


def _values(request: Request) -> dict[str, str]:
    """Return what stands in a body: «Signal=5», line by line with a duration; or the digit alone."""
    values: dict[str, str] = {}
    for line in request.body.decode("ascii", "replace").splitlines():
        name, equals, value = line.partition("=")
        values.setdefault(name.strip().lower() if equals else "signal", (value or name).strip())
    return values


def digit_body(digit: str, duration_ms: int = DURATION_MS) -> bytes:
    """Return the body of type `DIGIT_TYPES`' first that tells of one of `DIGITS`.

    Args:
        digit: the key.
        duration_ms: how long it was held down.
    """
    return f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode()
