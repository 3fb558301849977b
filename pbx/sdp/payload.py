"""RTP payload types: which codec a format of an ``m=`` line means (RFC 3551 §6, RFC 8866 §6.6)."""

from pbx.errors import PeerError
from pbx.sdp.description import Media, parse_sdp

STATIC_ENCODINGS: dict[str, str] = {
    "0": "PCMU",
    "3": "GSM",
    "4": "G723",
    "5": "DVI4",
    "6": "DVI4",
    "7": "LPC",
    "8": "PCMA",
    "9": "G722",
    "10": "L16",
    "11": "L16",
    "12": "QCELP",
    "13": "CN",
    "14": "MPA",
    "15": "G728",
    "18": "G729",
    "26": "JPEG",
    "31": "H261",
    "34": "H263",
}
"""Payload types with a fixed meaning (RFC 3551, tables 4 and 5): no ``rtpmap`` is needed."""

NOT_SPEECH = frozenset({"telephone-event", "CN", "red"})
"""What stands beside a codec: DTMF (RFC 4733), comfort noise (RFC 3389), redundancy (RFC 2198)."""


def encoding(media: Media, format_: str) -> str:
    """Return the encoding name of `format_`; "" for one that `media` doesn't explain."""
    mapped = {rtpmap.format: rtpmap.encoding for rtpmap in media.rtpmaps}
    return mapped.get(format_) or STATIC_ENCODINGS.get(format_, "")


def audio_codec(sdp: bytes) -> str:
    """Return the codec that the answer `sdp` prefers for sound, such as ``PCMA``.

    It is "" where there is no sound, no name for it, or no description that can be read.
    """
    try:
        media = parse_sdp(sdp).media
    except PeerError:
        return ""
    running = (one for one in media if one.kind == "audio" and one.port)
    names = (encoding(one, format_) for one in running for format_ in one.formats)
    return next((name for name in names if name and name not in NOT_SPEECH), "")
