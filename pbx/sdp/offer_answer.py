"""The offer/answer model (RFC 3264) over session descriptions: direction, hold, refusal."""

from dataclasses import replace

from pbx.errors import PeerError
from pbx.sdp.description import (
    Connection,
    Direction,
    Line,
    Media,
    Origin,
    SessionDescription,
    parse_sdp,
)

DISCARD_PORT = 9
"""What an offer with trickle ICE names before any candidate is known (RFC 8840 §4.1.1)."""


def answer_direction(offered: Direction, wanted: Direction = Direction.SENDRECV) -> Direction:
    """Return what an answerer that wants `wanted` answers to `offered` (RFC 3264 §6.1).

    'If a stream is offered as sendonly, the corresponding stream MUST be marked as recvonly or
    inactive in the answer', and so on: neither party does what the other has not agreed to.
    """
    allowed = offered.mirrored
    return Direction.of(
        sends=wanted.sends and allowed.sends, receives=wanted.receives and allowed.receives
    )


def null_connection(description: SessionDescription, media: Media) -> bool:
    """Return True where `media` is held by the address 0.0.0.0 or :: (RFC 3264 §8.4, RFC 2543 §B.5).

    An offer with trickle ICE names 0.0.0.0 and port 9 too, and means no hold by it
    (RFC 8840 §4.1.1).
    """
    connection = description.connection(media)
    if connection is None or not connection.null:
        return False
    trickle = media.attribute("ice-ufrag") is not None or description.attributes("ice-ufrag")
    return not (trickle and media.port == DISCARD_PORT)


def effective_direction(description: SessionDescription, media: Media) -> Direction:
    """Return what the party that wrote `description` does with `media`.

    A null connection means that it doesn't receive, whatever the attribute says.
    """
    direction = description.direction(media)
    if null_connection(description, media):
        return Direction.of(sends=direction.sends, receives=False)
    return direction


def on_hold(description: SessionDescription) -> bool:
    """Return True where the party wants to receive none of its running media (RFC 3264 §8.4)."""
    running = [media for media in description.media if media.port]
    return bool(running) and not any(
        effective_direction(description, media).receives for media in running
    )


def normalise(description: SessionDescription, address: str) -> SessionDescription:
    """Return `description` with `address` as the one connection of all its media.

    What a null connection said is said by the direction attribute instead, and ``s=`` and ``t=``
    are added where they were missing, because strict peers refuse a description without them.
    """
    media = []
    for one in description.media:
        if null_connection(description, one):
            one = one.with_direction(effective_direction(description, one))
        media.append(one.without(_is_connection))
    lines = [line for line in description.lines if line.type != "c"]
    types = {line.type for line in lines}
    if "s" not in types:
        _insert(lines, Line("s", "-"), after="vo")
    _insert(lines, Line("c", str(Connection.to(address))), after="vosiuep")
    if "t" not in types:
        _insert(lines, Line("t", "0 0"), after="vosiuepcb")
    return SessionDescription(tuple(lines), tuple(media))


def taken_up(sdp: bytes, told: SessionDescription | None) -> bytes:
    """Return a party's description as it would be if nobody held it.

    Args:
        sdp: what the party has said.
        told: what it was told; where that let it both send and receive, it holds by its own wish,
            and goes on so.

    Raises:
        PeerError: `sdp` is no description.
    """
    description = parse_sdp(sdp)
    media = []
    for index, one in enumerate(description.media):
        held = told is not None and index < len(told.media) and told.media[index].port
        if held and told is not None:
            held = effective_direction(told, told.media[index]) is not Direction.SENDRECV
        media.append(one.with_direction(Direction.SENDRECV) if held else one)
    return replace(description, media=tuple(media)).encode()


def fitted(own: bytes, offer: bytes) -> bytes:
    """Return a party's offer as the answer to another party's offer.

    Two parties that have both made an offer are brought together by it: where both have the same
    kind of media at a place, that is agreed on; all else is refused (RFC 3264 §6).

    Args:
        own: what becomes the answer.
        offer: what it is to answer.

    Raises:
        PeerError: one of them is no description.
    """
    theirs, ours = parse_sdp(offer), parse_sdp(own)
    media = []
    for index, asked in enumerate(theirs.media):
        given = ours.media[index] if index < len(ours.media) else None
        if given is None or not given.port or not asked.port or given.kind != asked.kind:
            media.append(refused(asked))
            continue
        wanted = effective_direction(ours, given)
        direction = answer_direction(effective_direction(theirs, asked), wanted)
        media.append(given.with_direction(direction))
    return replace(ours, media=tuple(media)).encode()


def answered_for(own: bytes, offer: bytes) -> bytes:
    """Return the answer to an offer on behalf of a party, from what it has said before.

    Args:
        own: what the party has said.
        offer: what is to be answered.

    Raises:
        PeerError: 488 where nothing of it is left; or one of them is no description.
    """
    answer = fitted(own, offer)
    if not any(media.port for media in parse_sdp(answer).media):
        raise PeerError(488, "Nothing To Agree On")
    return answer


def same_session(one: bytes, other: bytes) -> bool:
    """Return True where two descriptions differ in their ``o=`` lines at the most.

    A session refresh is to leave the version as it is (RFC 4028 §7.4); some phones count on.

    Raises:
        PeerError: one of them is no description.
    """
    was, now = parse_sdp(one), parse_sdp(other)
    return was.media == now.media and _without_origin(was) == _without_origin(now)


def _without_origin(description: SessionDescription) -> list[Line]:
    return [line for line in description.lines if line.type != "o"]


def with_origin(description: SessionDescription, origin: Origin) -> SessionDescription:
    """Return `description` with another ``o=`` line."""
    lines = tuple(
        Line("o", str(origin)) if line.type == "o" else line for line in description.lines
    )
    return replace(description, lines=lines)


def refused(media: Media) -> Media:
    """Return the ``m=`` line that refuses `media`: port 0 (RFC 3264 §6), nothing below it."""
    return Media(media.kind, 0, 1, media.protocol, media.formats)


def reject_all(offer: bytes, address: str = "0.0.0.0", session_id: int = 0) -> bytes:
    """Return the answer that refuses every media of `offer`.

    It is for calls that nobody wants any more, so it always comes: an offer that can't be read is
    answered without media.

    Args:
        offer: what the peer sent.
        address: our own numeric address; no media goes there.
        session_id: of our ``o=`` line.
    """
    try:
        offered = parse_sdp(offer).media
    except PeerError:
        offered = ()
    connection = Connection.to(address)
    origin = Origin("-", str(session_id), "1", connection)
    lines = (
        Line("v", "0"),
        Line("o", str(origin)),
        Line("s", "-"),
        Line("c", str(connection)),
        Line("t", "0 0"),
    )
    return SessionDescription(lines, tuple(refused(media) for media in offered)).encode()


def check_answer(offer: SessionDescription, answer: SessionDescription) -> None:
    """Check that `answer` can answer `offer`.

    An answer with fewer media than the offer is let through: old phones leave out the video that
    they don't know, where they should refuse it by port 0.

    Raises:
        PeerError: 488 where the answer has more media, or another kind of media at a place.
    """
    # RFC 3264 §6: 'The answer MUST contain the same number of "m=" lines as the offer', each
    # 'i-th media stream in the offer' matched by the i-th of the answer.
    if len(answer.media) > len(offer.media):
        raise PeerError(488, "Answer has more media than the offer")
    for asked, given in zip(offer.media, answer.media, strict=False):
        if asked.kind != given.kind:
            raise PeerError(488, "Answer has other media than the offer")


def _is_connection(line: Line) -> bool:
    return line.type == "c"


def _insert(lines: list[Line], line: Line, *, after: str) -> None:
    """Put `line` behind the last of the line types `after` (the order of RFC 8866 §5)."""
    places = [index for index, one in enumerate(lines) if one.type in after]
    lines.insert(places[-1] + 1, line)
