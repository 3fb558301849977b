"""How much sound goes into a packet (`a=ptime`, RFC 8866 §6.4)."""

from dataclasses import replace

from pbx.errors import PeerError
from pbx.sdp.description import Line, Media, parse_sdp


def is_sound(media: Media) -> bool:
    """Whether it is audio by RTP that isn't refused."""
    return media.kind == "audio" and bool(media.port) and "RTP/" in media.protocol


def paced(media: Media, ptime_ms: int) -> Media:
    """Return a media that asks for packets of this length, and of no other."""
    others = tuple(line for line in media.lines if line.value.partition(":")[0] != "ptime")
    return replace(media, lines=(*others, Line("a", f"ptime:{ptime_ms}")))


def with_ptime(text: bytes, ptime_ms: int) -> bytes:
    """Return a description whose sound asks for packets of this length.

    Args:
        text: the description; one that can't be read is left alone.
        ptime_ms: the length.
    """
    try:
        given = parse_sdp(text)
    except PeerError:
        return text
    media = tuple(paced(one, ptime_ms) if is_sound(one) else one for one in given.media)
    return text if media == given.media else replace(given, media=media).encode()
