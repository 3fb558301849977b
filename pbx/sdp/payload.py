"""RTP payload types: which codec a format of an ``m=`` line means (RFC 3551 §6, RFC 8866 §6.6)."""

import re
from collections.abc import Iterable
from dataclasses import replace

from pbx.errors import PeerError
from pbx.sdp.description import Line, Media, parse_sdp

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


_OF_FORMAT = frozenset({"rtpmap", "fmtp", "rtcp-fb"})
"""Attributes that begin with a payload type."""

_DYNAMIC = range(96, 128)
"""RFC 3551 §6, table 5: payload types with the meaning that a session gives them."""

_NUMBER = re.compile(r"[0-9]{1,3}")


class DynamicTypes:
    """What the payload types of a session's sound have meant so far.

    RFC 3264 §8.3.2: "the mapping from a particular dynamic payload type number to a particular codec
    within that media stream MUST NOT change for the duration of a session".
    """

    def __init__(self) -> None:
        self._meanings: dict[int, set[tuple[str, int, str]]] = {}

    def learn(self, media: Iterable[Media]) -> None:
        """Note what either party has said."""
        for one in media:
            for rtpmap in one.rtpmaps if one.kind == "audio" else ():
                if _NUMBER.fullmatch(rtpmap.format):
                    meaning = _meaning(rtpmap.encoding, rtpmap.clock_hz, rtpmap.parameters)
                    self._meanings.setdefault(int(rtpmap.format), set()).add(meaning)

    def means(self, name: str, clock_hz: int, channels: int) -> bool:
        """Return whether a number has meant this; for the arguments see `number`."""
        meaning = _meaning(name, clock_hz, str(channels))
        return any(meaning in meanings for meanings in self._meanings.values())

    def number(self, name: str, clock_hz: int, channels: int) -> int | None:
        """Return the number that means this, or that does from now on; None where none is free.

        Args:
            name: encoding name.
            clock_hz: of its timestamps.
            channels: as ``a=rtpmap`` says them.
        """
        meaning = _meaning(name, clock_hz, str(channels))
        for number, meanings in self._meanings.items():
            # One that means another thing in another stream is left alone.
            if number in _DYNAMIC and meanings == {meaning}:
                return number
        free = [number for number in _DYNAMIC if number not in self._meanings]
        if not free:
            return None
        # Above the highest first: what was agreed on before a restart may be forgotten.
        highest = max((number for number in self._meanings if number in _DYNAMIC), default=0)
        fresh = next((number for number in free if number > highest), free[0])
        self._meanings[fresh] = {meaning}
        return fresh


def _meaning(name: str, clock_hz: int, parameters: str) -> tuple[str, int, str]:
    return name.lower(), clock_hz, parameters or "1"


def encoding(media: Media, format_: str) -> str:
    """Return the encoding name of `format_`; "" for one that `media` doesn't explain."""
    mapped = {rtpmap.format: rtpmap.encoding for rtpmap in media.rtpmaps}
    return mapped.get(format_) or STATIC_ENCODINGS.get(format_, "")


def with_formats(media: Media, kept: tuple[str, ...]) -> Media:
    """Return `media` with these of its formats, in this order, and what explains them."""
    gone = set(media.formats).difference(kept)
    return replace(media.without(lambda line: _explains(line, gone)), formats=kept)


def _explains(line: Line, formats: set[str]) -> bool:
    name, _, value = line.value.partition(":")
    return line.type == "a" and name in _OF_FORMAT and value.split(" ")[0] in formats


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
