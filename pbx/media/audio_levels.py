"""Levels in packets' headers: what is answered, offered and agreed on (RFC 6464, RFC 6465, RFC 8285).

They are for voices alone. What is relayed has what both parties agree on, whatever that is.
"""

from dataclasses import dataclass, replace

from pbx.media.session import Agreement
from pbx.sdp.description import Direction, Line, Media, SessionDescription, parse_sdp
from pbx.sdp.extension import Extension, extensions
from pbx.sdp.offer_answer import answer_direction

SSRC_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""How loud the sound of a packet is, and whether that is voice (RFC 6464 §4)."""

CSRC_LEVEL = "urn:ietf:params:rtp-hdrext:csrc-audio-level"
"""How loud each of those is who have been mixed (RFC 6465 §4)."""

_OURS = {SSRC_LEVEL: Direction.SENDRECV, CSRC_LEVEL: Direction.SENDONLY}
"""What we do with them: nobody tells a mixer what has been mixed."""

_NO_VOICE_BIT = "vad=off"
_VOICE_BIT = ("vad=on", _NO_VOICE_BIT)
"""RFC 6464 §4: whether the bit for voice means something; it does where nothing is said."""


@dataclass(frozen=True, slots=True)
class AudioLevels:
    """Numbers of header extensions, 0 for none.

    Args:
        level_in, level_out, speakers_out: as in `protocol.Voice`.
    """

    level_in: int = 0
    level_out: int = 0
    speakers_out: int = 0


def answered_levels(description: SessionDescription, offered: Media) -> tuple[Line, ...]:
    """Return our answer to the levels of an offer, by the same numbers (RFC 8285 §6).

    Args:
        description: the offer.
        offered: the media in it.
    """
    lines = []
    for uri, one in extensions(description, offered).items():
        direction = answer_direction(one.direction, _OURS.get(uri, Direction.INACTIVE))
        if direction is not Direction.INACTIVE:
            lines.append(replace(_plain(one), direction=direction).line)
    return tuple(lines)


def offered_levels(before: Agreement, index: int) -> tuple[Line, ...]:
    """Return what an offer says of levels: what was agreed on goes on, nothing is new.

    Args:
        before: where the session stands.
        index: the place of its sound.
    """
    return tuple(
        replace(_plain(told), direction=_OURS[told.uri]).line for told, _ in _both(before, index)
    )


def agreed_levels(agreement: Agreement, index: int) -> AudioLevels:
    """Return what both sides' descriptions leave of the levels.

    Args:
        agreement: where the session stands.
        index: the place of its sound.
    """
    found = AudioLevels()
    for told, peer in _both(agreement, index):
        sends = told.direction.sends and peer.direction.receives
        receives = told.direction.receives and peer.direction.sends
        if told.uri == CSRC_LEVEL:
            found = replace(found, speakers_out=told.number if sends else 0)
            continue
        # Of all that the peer says of its sound only the bit is of use: we hear how loud it is.
        means = receives and _NO_VOICE_BIT not in (*told.attributes, *peer.attributes)
        found = replace(
            found,
            level_out=told.number if sends else 0,
            level_in=told.number if means else 0,
        )
    return found


def _both(agreement: Agreement, index: int) -> list[tuple[Extension, Extension]]:
    """Return ours and the peer's, as far as one number stands for the same with both."""
    told = agreement.told
    if told is None or index >= min(len(told.media), len(agreement.peer)):
        return []
    ours = extensions(told, told.media[index])
    if not any(uri in _OURS for uri in ours):
        return []
    theirs = extensions(parse_sdp(agreement.sdp), agreement.peer[index].line)
    return [
        (ours[uri], theirs[uri])
        for uri in _OURS
        if uri in ours and uri in theirs and ours[uri].number == theirs[uri].number
    ]


def _plain(one: Extension) -> Extension:
    """Return an extension with no attributes but those that we know."""
    return replace(one, attributes=tuple(a for a in one.attributes if a in _VOICE_BIT))
