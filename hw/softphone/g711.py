"""G.711 by tables: 16-bit samples to octets and back (ITU-T G.711, RFC 3551 §4.5.14)."""

from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
"""Mono sound, 8000 samples in a second."""

_ULAW_BIAS, _ULAW_CLIP = 0x84, 32635


def _magnitude(samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """One's complement: -1 belongs to the same interval as 0, on the other side of the middle."""
    magnitude: npt.NDArray[np.int64] = np.where(samples < 0, ~samples, samples)
    return magnitude


def _exponent(magnitude: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of the segment: how often `magnitude` can be halved until it is below 2**8."""
    exponent = np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int64) - 7
    bounded: npt.NDArray[np.int64] = np.clip(exponent, 0, 7)
    return bounded


def _ulaw_octets(samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    magnitude = np.minimum(_magnitude(samples), _ULAW_CLIP) + _ULAW_BIAS
    exponent = _exponent(magnitude)
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(samples < 0, 0x80, 0)
    octets: npt.NDArray[np.int64] = ~(sign | exponent << 4 | mantissa) & 0xFF
    return octets


def _ulaw_samples(octets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    plain = ~octets & 0xFF
    magnitude = (((plain & 0x0F) << 3) + _ULAW_BIAS << (plain >> 4 & 7)) - _ULAW_BIAS
    samples: npt.NDArray[np.int64] = np.where(plain & 0x80, -magnitude, magnitude)
    return samples


def _alaw_octets(samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    magnitude = _magnitude(samples)
    exponent = _exponent(magnitude)
    mantissa = (magnitude >> np.where(exponent == 0, 4, exponent + 3)) & 0x0F
    sign = np.where(samples < 0, 0, 0x80)
    octets: npt.NDArray[np.int64] = (sign | exponent << 4 | mantissa) ^ 0x55
    return octets


def _alaw_samples(octets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    plain = octets ^ 0x55
    exponent, mantissa = plain >> 4 & 7, plain & 0x0F
    first = (mantissa << 4) + 8
    magnitude = np.where(exponent == 0, first, first + 0x100 << np.maximum(exponent - 1, 0))
    samples: npt.NDArray[np.int64] = np.where(plain & 0x80, magnitude, -magnitude)
    return samples


_ALL_OCTETS = np.arange(256)
# Index: the sample's 16 bits, unsigned.
_ALL_SAMPLES = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int64)

_ENCODE: Final = {
    "PCMU": _ulaw_octets(_ALL_SAMPLES).astype(np.uint8),
    "PCMA": _alaw_octets(_ALL_SAMPLES).astype(np.uint8),
}
_DECODE: Final = {
    "PCMU": _ulaw_samples(_ALL_OCTETS).astype(np.int16),
    "PCMA": _alaw_samples(_ALL_OCTETS).astype(np.int16),
}


def encode(law: str, samples: Samples) -> bytes:
    """Return an octet for each sample; `law` is ``PCMU`` or ``PCMA``."""
    return _ENCODE[law][samples.view(np.uint16)].tobytes()


def decode(law: str, payload: bytes) -> Samples:
    """Return a sample for each octet; `law` is ``PCMU`` or ``PCMA``."""
    return _DECODE[law][np.frombuffer(payload, np.uint8)]
