"""Furnish Charging Information: the `fci` column of a call record, ``key=value`` items."""

from dataclasses import dataclass

from pbx.call.cause import CallTag, Cause
from pbx.call.quality import Quality

__all__ = ["CallTag", "Fci", "format_fci", "parse_fci"]

_ESCAPES = {ord(char): f"%{ord(char):02X}" for char in '",;=%'}
"""Published in the manual: what would have the line of a record file quoted, which whoever splits it at
commas can't read, and miniCDR only slowly; what would end an item, or its key; and last what starts an escape.
"""


@dataclass(frozen=True, slots=True)
class Fci:
    """Who released a call, where, and why.

    Args:
        call_tag: where in the exchange, and by whom.
        cause: the Q.850 cause.
        sip: the final SIP status: 200 of an answered call, else what the called side said, or
            what the exchange told the caller; 0 for none.
        codec: the first audio codec agreed on; empty for none.
        called_codec: what the called phone spoke where that was another one; else empty.
        recordings: the files that the call was recorded to.
        transferred_by: who has transferred the caller; empty for nobody.
        quality: how the caller's and the called party's sound came here; None where nothing came.
        pdd_s: post-dial delay: from setup to ringing; None where nothing rang.
        lines: those by which it came in, and those by which it went out, with a comma between where a
            transfer has joined two; empty for none.
        emergency: it was an emergency call.
        recording_failure: why it, or the rest of it, wasn't recorded; empty where nothing went wrong.
        reason: the Reason header of who has ended it, as it came; empty for none.
    """

    call_tag: CallTag
    cause: int
    sip: int = 0
    codec: str = ""
    called_codec: str = ""
    recordings: tuple[str, ...] = ()
    quality: tuple[Quality | None, Quality | None] = (None, None)
    pdd_s: float | None = None
    transferred_by: str = ""
    lines: tuple[str, str] = ("", "")
    emergency: bool = False
    recording_failure: str = ""
    reason: str = ""

    @classmethod
    def of(
        cls,
        cause: Cause,
        *,
        answered: bool,
        codec: str,
        called_codec: str = "",
        recordings: tuple[str, ...] = (),
        quality: tuple[Quality | None, Quality | None] = (None, None),
        pdd_s: float | None,
        transferred_by: str = "",
        lines: tuple[str, str] = ("", ""),
        emergency: bool = False,
        recording_failure: str = "",
    ) -> "Fci":
        """Return the FCI of a call that ended by `cause`."""
        sip = 200 if answered else cause.heard or cause.status
        return cls(
            cause.tag,
            cause.q850,
            sip,
            codec,
            called_codec,
            recordings,
            quality,
            pdd_s,
            transferred_by,
            lines,
            emergency,
            recording_failure,
            cause.said,
        )

    def __str__(self) -> str:
        """``callTag=`` and ``cause=`` first, as miniSIPServer has them; the rest is ours."""
        items = [
            ("callTag", str(self.call_tag.value)),
            ("cause", str(self.cause)),
            ("sip", str(self.sip) if self.sip else ""),
            ("releasedBy", self.call_tag.released_by),
            ("codec", self.codec),
            ("calledCodec", self.called_codec),
            ("pdd", f"{self.pdd_s:.3f}" if self.pdd_s is not None else ""),
            *_items("caller", self.quality[0]),
            *_items("called", self.quality[1]),
            ("recordingFailure", self.recording_failure),
            ("transferredBy", self.transferred_by),
            ("lineIn", self.lines[0]),
            ("lineOut", self.lines[1]),
            ("emergency", "yes" if self.emergency else ""),
            # The last ones: a database may cut what is long
            ("recording", ",".join(self.recordings)),
            *_details("caller", self.quality[0]),
            *_details("called", self.quality[1]),
            ("reason", self.reason),
        ]
        return format_fci(items)


def _items(party: str, quality: Quality | None) -> list[tuple[str, str]]:
    if quality is None:
        return []
    return [
        (f"{party}Mos", f"{quality.mos:.2f}"),
        (f"{party}Loss", f"{quality.loss_percent:.2f}"),
        (f"{party}Jitter", f"{quality.jitter_ms:.1f}"),
        (f"{party}HeardMos", f"{quality.heard_mos:.1f}" if quality.heard_mos else ""),
    ]


def _details(party: str, quality: Quality | None) -> list[tuple[str, str]]:
    if quality is None:
        return []
    return [
        (f"{party}WorstLoss", f"{quality.worst_loss_percent:.2f}"),
        (f"{party}Reordered", str(quality.reordered or "")),
        (f"{party}Delay", _whole(quality.delay_ms)),
        (f"{party}RoundTrip", _whole(quality.round_trip_ms)),
        (f"{party}HeardLoss", _tenths(quality.heard_loss_percent)),
        (f"{party}LateTicks", str(quality.late_ticks or "")),
    ]


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _tenths(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def format_fci(items: list[tuple[str, str]]) -> str:
    """Return the column's text; items with an empty value are left out."""
    return ";".join(f"{key}={value.translate(_ESCAPES)}" for key, value in items if value)


def parse_fci(text: str) -> dict[str, str]:
    """Return the items of the column's text by key; what is no item is left out.

    Quotation marks and commas may stand in values as they are: older versions wrote them so.
    """
    found = {}
    for item in text.split(";"):
        key, equals, value = item.partition("=")
        if equals:
            found[key.strip()] = _unescape(value)
    return found


def _unescape(value: str) -> str:
    for code, escape in _ESCAPES.items():
        value = value.replace(escape, chr(code))
    return value
