"""What a line is told of session descriptions, and what is taken of its own: codecs, ptime, DTMF."""

from dataclasses import replace

from pbx.config.line import Line
from pbx.errors import PeerError
from pbx.sdp import description as sdp
from pbx.sdp.payload import NOT_SPEECH, encoding, with_formats
from pbx.sdp.ptime import is_sound, paced

_EVENTS = "telephone-event"


def told(line: Line, text: bytes) -> bytes:
    """Return a description of our party as a line is to get it.

    Args:
        line: its codecs in their order, its packet size and its DTMF form.
        text: the description; one that can't be read is left alone.
    """
    return _changed(line, text, ptime_ms=line.ptime_ms)


def heard(line: Line, text: bytes) -> bytes:
    """Return a description of the line's with the codecs that we want to speak there alone."""
    return _changed(line, text, ptime_ms=0)


def _changed(line: Line, text: bytes, *, ptime_ms: int) -> bytes:
    silent = line.dtmf in ("info", "inband")
    if not text or not (line.codecs or ptime_ms or silent):
        return text
    try:
        given = sdp.parse_sdp(text)
    except PeerError:
        return text
    media = tuple(_media(one, line.codecs, ptime_ms, silent=silent) for one in given.media)
    return text if media == given.media else replace(given, media=media).encode()


def _media(one: sdp.Media, codecs: tuple[str, ...], ptime_ms: int, *, silent: bool) -> sdp.Media:
    if not is_sound(one):
        return one
    one = with_formats(one, _formats(one, codecs, silent=silent))
    return paced(one, ptime_ms) if ptime_ms else one


def _formats(media: sdp.Media, codecs: tuple[str, ...], *, silent: bool) -> tuple[str, ...]:
    names = {one: encoding(media, one).lower() for one in media.formats}
    beside = {name.lower() for name in NOT_SPEECH}
    speech = [one for one in media.formats if names[one] not in beside]
    if codecs:
        order = [name.lower() for name in codecs]
        wanted = [one for one in speech if names[one] in order]
        # A call with another codec is better than none
        speech = sorted(wanted, key=lambda one: order.index(names[one])) or speech
    more = [one for one in media.formats if names[one] in beside]
    if silent:
        more = [one for one in more if names[one] != _EVENTS]
    return (*speech, *more)
