"""Sound of a line that hears of keys by INFO or as tones, as the other party is told of it.

A phone tells of keys by telephone-events (RFC 4733), if only it's told that they are understood. The
media engine understands them in the line's place, so the line's descriptions are passed on with them,
and with codecs alone that the engine can read: who turns keys into another form has to end the sound.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from pbx.media import codecs
from pbx.media.endpoint import Format, common, convertible, formats_of
from pbx.media.session import KeyForm, LegMedia
from pbx.sdp.description import Media, SessionDescription
from pbx.sdp.payload import DynamicTypes, with_formats

_EVENT = codecs.codec(codecs.TELEPHONE_EVENT)

_USUAL_HZ = 8000
"""Clock of telephone-events that phones have beside whatever codec."""


def codable(description: SessionDescription, coded: Collection[str]) -> SessionDescription:
    """Return a description with the codecs that the engine can code, where there are any.

    Args:
        description: a party's.
        coded: encoding names of what the media engine can code.
    """
    media = (
        _codable(one, coded) if convertible(description, one) else one for one in description.media
    )
    return replace(description, media=tuple(media))


def with_events(
    description: SessionDescription,
    coded: Collection[str],
    types: DynamicTypes,
    offered: Sequence[Format],
) -> SessionDescription:
    """Return a line's description with telephone-events beside what the engine can code.

    Args:
        description: the line's, without telephone-events of its own.
        coded: as for `codable`.
        types: what payload types have meant in the line's session.
        offered: the telephone-events of the other party, whose numbers are used.
    """
    if _EVENT.name not in coded:
        return description
    media = []
    for one in description.media:
        more: list[Format] = []
        if convertible(description, one):
            more += _events(one, coded, types, offered)
        numbers = (str(event.payload_type) for event in more)
        lines = (line for event in more for line in event.lines)
        media.append(replace(one, formats=(*one.formats, *numbers), lines=(*one.lines, *lines)))
    return replace(description, media=tuple(media))


def events_of(description: SessionDescription) -> list[Format]:
    """Return the telephone-events of a description's first sound that has any."""
    found = (
        [one for one in formats_of(media) if one.codec == _EVENT]
        for media in description.media
        if media.kind == "audio"
    )
    return next((events for events in found if events), [])


def are_converted(a: LegMedia, b: LegMedia) -> bool:
    """Return True where keys between two parties have to be put into another form."""
    return a.keys is not b.keys and (_stood_in_for(a) or _stood_in_for(b))


def _stood_in_for(media: LegMedia) -> bool:
    """Return True for a line whose sound has been passed on by `with_events`."""
    agreement = media.checkpoint()
    index, both = common(agreement)
    if media.keys is KeyForm.EVENTS or not both:
        return False
    return any(one.codec == _EVENT for one in formats_of(agreement.peer[index].line))


def _is_coded(one: Format, coded: Collection[str]) -> bool:
    return one.codec.pcm_rate > 0 and one.codec.name in coded


def _codable(media: Media, coded: Collection[str]) -> Media:
    known = formats_of(media)
    if not any(_is_coded(one, coded) for one in known):
        return media
    # Comfort noise and telephone-events, too
    kept = {str(one.payload_type) for one in known if one.codec.name in coded}
    return with_formats(media, tuple(one for one in media.formats if one in kept))


def _events(
    media: Media, coded: Collection[str], types: DynamicTypes, offered: Sequence[Format]
) -> Iterator[Format]:
    clocks = [one.clock_hz for one in formats_of(media) if _is_coded(one, coded)]
    for clock_hz in dict.fromkeys([*clocks, _USUAL_HZ] if clocks else ()):
        same = [one.payload_type for one in offered if one.clock_hz == clock_hz]
        number = next((one for one in same if str(one) not in media.formats), None)
        if number is None:
            number = types.number(_EVENT.name, clock_hz, 1)
        if number is not None and str(number) not in media.formats:
            yield Format(number, _EVENT, clock_hz)
