"""Preconditions (RFC 3312): who calls wants to be told that what it waits for has come about."""

from dataclasses import replace

from pbx.errors import PeerError
from pbx.sdp.description import Line, Media, parse_sdp

OPTION = "precondition"
"""The option tag (§11)."""

_NAMES = frozenset({"curr", "des", "conf"})
_BOTH = "sendrecv"


def met(answer: bytes, offer: bytes) -> bytes:
    """Return an answer that says of each media that our side has its resources (§5).

    Nothing is reserved here, so they are there from the beginning; and nobody is made to wait.

    Args:
        answer: to the offer.
        offer: without preconditions, the answer is left as it is.
    """
    try:
        asked, given = parse_sdp(offer), parse_sdp(answer)
    except PeerError:
        return answer
    media = tuple(
        _met(one, wanted) if wanted.attributes("curr") else one
        for wanted, one in zip(asked.media, given.media, strict=False)
    )
    return answer if media == given.media else replace(given, media=media).encode()


def _met(given: Media, wanted: Media) -> Media:
    now = _by_side(wanted.attributes("curr"))
    strength = _by_side(wanted.attributes("des"), place=1)
    theirs = now.get("local", "none")
    said = [
        f"curr:qos local {_BOTH}",
        f"curr:qos remote {theirs}",
        f"des:qos {strength.get('remote', 'none')} local {_BOTH}",
        f"des:qos {strength.get('local', 'none')} remote {_BOTH}",
    ]
    if theirs != _BOTH and strength.get("local") == "mandatory":
        # §7: it is to tell when it has what it waits for
        said.append(f"conf:qos remote {_BOTH}")
    kept = given.without(lambda line: line.type == "a" and line.value.partition(":")[0] in _NAMES)
    return replace(kept, lines=(*kept.lines, *(Line("a", one) for one in said)))


def _by_side(values: list[str], place: int = 2) -> dict[str, str]:
    """The status, or the strength, of ``local`` and ``remote``: ``qos local none``, or
    ``qos mandatory local sendrecv``."""
    found = {}
    for value in values:
        words = value.split()
        side = 1 if place == 2 else 2
        if len(words) > max(place, side) and words[0] == "qos":
            found[words[side]] = words[place]
    return found
