"""The sound of a call as both sides agree on it: our SDP (RFC 3264, RFC 8866)."""

from dataclasses import dataclass

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
from pbx.sdp.offer_answer import answer_direction, check_answer, effective_direction, refused
from pbx.sdp.payload import encoding
from pbx.sip.flow import Address

LAWS = ("PCMU", "PCMA")
"""The codecs of this phone, in the order that it offers them in."""

CLOCK_HZ = 8000
"""Samples, and units of RTP timestamps, in a second."""

PTIME_MS = 20

EVENTS = "telephone-event"

_STATIC = {"PCMU": "0", "PCMA": "8"}

_OFFERED_EVENT_TYPE = "101"


@dataclass(frozen=True, slots=True)
class Agreed:
    """What two descriptions have agreed on.

    Args:
        remote: where our packets go until others come from elsewhere; None for a host name.
        law: ``PCMU`` or ``PCMA``, for what we send.
        payload_type: its number.
        event_type: payload type of telephone-events that we may send; None: the peer takes none.
        sends, receives: whether we do.
    """

    remote: Address | None
    law: str
    payload_type: int
    event_type: int | None
    sends: bool
    receives: bool


class Negotiation:
    """Our side of the offers and answers of one call.

    Args:
        local: where we want RTP.
        session_id: of our ``o=`` line.
    """

    def __init__(self, local: Address, session_id: int) -> None:
        self.local = local
        self._session_id = session_id
        self._version = 0
        self._offered: SessionDescription | None = None
        self.agreed: Agreed | None = None

    def offer(self) -> bytes:
        """Return an offer of all that this phone can do."""
        formats = (*(_STATIC[law] for law in LAWS), _OFFERED_EVENT_TYPE)
        lines = [Line("a", f"rtpmap:{_STATIC[law]} {law}/{CLOCK_HZ}") for law in LAWS]
        media = self._media(formats, lines, _OFFERED_EVENT_TYPE, Direction.SENDRECV, "RTP/AVP")
        self._offered = self._description((media,))
        return self._offered.encode()

    def accept(self, answer: bytes) -> None:
        """Take the answer to our last offer.

        Raises:
            PeerError: 400 or 488 where it can't be used.
        """
        answered = parse_sdp(answer)
        if self._offered is not None:
            check_answer(self._offered, answered)
        _, self.agreed = _find(answered)

    def answer(self, offer: bytes) -> bytes:
        """Return the answer to an offer of the peer.

        Raises:
            PeerError: 400 or 488 where nothing in it can be used; all stays as it was.
        """
        offered = parse_sdp(offer)
        place, agreed = _find(offered)
        media = []
        for number, one in enumerate(offered.media):
            media.append(self._accepted(offered, one, agreed) if number == place else refused(one))
        self.agreed = agreed
        return self._description(tuple(media)).encode()

    def _accepted(self, offered: SessionDescription, media: Media, agreed: Agreed) -> Media:
        number = str(agreed.payload_type)
        formats = [number]
        event = None
        if agreed.event_type is not None:
            event = str(agreed.event_type)
            formats.append(event)
        lines = [Line("a", f"rtpmap:{number} {agreed.law}/{CLOCK_HZ}")]
        direction = answer_direction(effective_direction(offered, media))
        return self._media(tuple(formats), lines, event, direction, media.protocol)

    def _media(
        self,
        formats: tuple[str, ...],
        lines: list[Line],
        event: str | None,
        direction: Direction,
        protocol: str,
    ) -> Media:
        if event is not None:
            lines += [
                Line("a", f"rtpmap:{event} {EVENTS}/{CLOCK_HZ}"),
                # RFC 4733 §2.4.1: the sixteen keys
                Line("a", f"fmtp:{event} 0-15"),
            ]
        lines += [Line("a", f"ptime:{PTIME_MS}"), Line("a", direction.value)]
        return Media("audio", self.local.port, 1, protocol, formats, tuple(lines))

    def _description(self, media: tuple[Media, ...]) -> SessionDescription:
        # RFC 3264 §8: "the version in the origin field MUST increment by one from the previous SDP"
        self._version += 1
        connection = Connection.to(self.local.host)
        origin = Origin("-", str(self._session_id), str(self._version), connection)
        lines = (
            Line("v", "0"),
            Line("o", str(origin)),
            Line("s", "-"),
            Line("c", str(connection)),
            Line("t", "0 0"),
        )
        return SessionDescription(lines, media)


def check_offer(offer: bytes) -> None:
    """Check that there is something in an offer that this phone can do.

    Raises:
        PeerError: 400 or 488: there isn't.
    """
    _find(parse_sdp(offer))


def _find(theirs: SessionDescription) -> tuple[int, Agreed]:
    """Return the first media that we can have with a peer, with its place."""
    for place, media in enumerate(theirs.media):
        if media.kind != "audio" or not media.port or media.protocol not in ("RTP/AVP", "RTP/AVPF"):
            continue
        for number in media.formats:
            law = encoding(media, number).upper()
            if law in LAWS and number.isdecimal() and int(number) < 128:
                return place, _agreed(theirs, media, law, int(number))
    raise PeerError(488, "Not Acceptable Here")


def _agreed(theirs: SessionDescription, media: Media, law: str, number: int) -> Agreed:
    event = next(
        (
            int(rtpmap.format)
            for rtpmap in media.rtpmaps
            if rtpmap.encoding.lower() == EVENTS
            and rtpmap.clock_hz == CLOCK_HZ
            and rtpmap.format in media.formats
            and rtpmap.format.isdecimal()
            and int(rtpmap.format) < 128
        ),
        None,
    )
    connection = theirs.connection(media)
    host = connection.numeric if connection is not None and not connection.null else None
    direction = effective_direction(theirs, media)
    return Agreed(
        remote=Address(host, media.port) if host is not None else None,
        law=law,
        payload_type=number,
        event_type=event,
        sends=direction.receives,
        receives=direction.sends,
    )
