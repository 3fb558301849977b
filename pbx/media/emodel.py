"""The E-model with its default values: what loss and delay make of a talk (ITU-T G.107, G.113).

Plain arithmetic, which the media engine compiles for its voices and the exchange uses as it is.
"""

from typing import Any

from pbx.media import codecs

_IMPAIRMENT = {
    codecs.G726_32: (7.0, 25.1),
    codecs.AAL2_G726_32: (7.0, 25.1),
    codecs.GSM: (20.0, 43.0),
    codecs.G729: (11.0, 19.0),
}
_UNIMPAIRED = (0.0, 25.1)


def impairment(codec: int) -> tuple[float, float]:
    """Return Ie and Bpl of a codec, by its number in `pbx.media.codecs` (G.113 appendix I).

    Those of G.711 with concealment for any that isn't in there: the wideband codecs are at least
    as good.
    """
    return _IMPAIRMENT.get(codec, _UNIMPAIRED)


def rating(ie: Any, bpl: Any, loss: Any, burst_ratio: Any, delay_ms: Any) -> Any:
    """Return the transmission rating R of G.107, all else being its default, as float64.

    Args:
        ie, bpl: of the codec.
        loss: share of packets that were not played, in per cent.
        burst_ratio: 1 for random loss, more where losses come together.
        delay_ms: from mouth to ear.
    """
    delay = 0.024 * delay_ms
    if delay_ms > 177.3:
        delay += 0.11 * (delay_ms - 177.3)
    return 93.2 - delay - (ie + (95.0 - ie) * loss / (loss / burst_ratio + bpl))


def score(r: Any) -> Any:
    """Return the mean opinion score that a rating stands for (G.107 Annex B)."""
    r = max(0.0, min(r, 100.0))
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 0.000007)
