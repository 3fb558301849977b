"""We as a party: what we offer and answer where a call's sound ends in the media engine (RFC 3264).

Descriptions made here are those of the other party of a `LegMedia`: its `describe` puts in our
address and ports. `agreed` reads from both sides' descriptions what a voice is to be.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pbx.errors import PeerError
from pbx.media import codecs
from pbx.media.audio_levels import agreed_levels, answered_levels, offered_levels
from pbx.media.codecs import Codec
from pbx.media.opus import opus_parameters
from pbx.media.protocol import Voice
from pbx.media.session import PLAIN_RTP, Agreement, is_plain
from pbx.sdp.description import (
    Connection,
    Direction,
    Line,
    Media,
    Origin,
    RtpMap,
    SessionDescription,
    parse_sdp,
)
from pbx.sdp.offer_answer import DISCARD_PORT, answer_direction, effective_direction, refused
from pbx.sdp.payload import DynamicTypes

OFFERED = (
    codecs.OPUS,
    codecs.G722,
    codecs.PCMA,
    codecs.PCMU,
    codecs.G726_32,
    codecs.GSM,
    codecs.G729,
    codecs.CN,
    codecs.TELEPHONE_EVENT,
)
"""In our order of preference: the better sound first."""

RARE = (codecs.L16_16000, codecs.L16_8000, codecs.L16_48000, codecs.AAL2_G726_32)
"""Behind all of these: what few devices speak, but some of them nothing else."""

_UNSAID = Agreement()
"""Of a session that begins."""

_METRICS = Line("a", "rtcp-xr:voip-metrics")
"""We read them, and send them to whoever says the same (RFC 3611 §5.2)."""

_PAYLOAD_TYPE = re.compile(r"[0-9]{1,3}")

_PTIMES_MS = (10, 20, 30, 40, 60)

_MOST_OCTETS = 1400
"""Of a packet's payload: RTP, UDP and IPv6 headers beside it, it fits an Ethernet frame."""


@dataclass(frozen=True, slots=True)
class Format:
    """One payload type of a media.

    Args:
        payload_type: its number.
        codec: what it means.
        clock_hz: of its timestamps; telephone-events have their codec's.
    """

    payload_type: int
    codec: Codec
    clock_hz: int

    @property
    def lines(self) -> Iterator[Line]:
        """The attributes that explain it."""
        parameters = f"/{self.codec.channels}" if self.codec.channels > 1 else ""
        meaning = f"{self.codec.name}/{self.clock_hz}{parameters}"
        yield Line("a", f"rtpmap:{self.payload_type} {meaning}")
        if self.codec.fmtp:
            yield Line("a", f"fmtp:{self.payload_type} {self.codec.fmtp}")


@dataclass(frozen=True, slots=True)
class Agreed:
    """How both parties' sound goes.

    Args:
        index: the place of its media in the descriptions.
        codec, payload_type, ptime_ms, event_type, event_clock, noise_type, told_type,
            told_event_type, told_noise_type, metrics, plays_hz, fec, bitrate, dtx, level_in, level_out,
            speakers_out: as in `Voice`.
        rate: samples per second of what the peer plays and sends, at the most.
        direction: what the peer does; without receiving while it holds.
    """

    index: int
    codec: int
    payload_type: int
    ptime_ms: int
    event_type: int
    event_clock: int
    noise_type: int
    told_type: int
    told_event_type: int
    told_noise_type: int
    metrics: bool
    rate: int
    plays_hz: int
    fec: bool
    bitrate: int
    dtx: bool
    level_in: int
    level_out: int
    speakers_out: int
    direction: Direction

    def voice(self, port: int, heard: int) -> Voice:
        """Return the voice of this peer, which nobody hears yet.

        Args:
            port: of its stream.
            heard: samples per second of what it is to hear: 8000, 16000 or 48000; whoever hears the
                peer takes no more either.
        """
        return Voice(
            port=port,
            codec=self.codec,
            payload_type=self.payload_type,
            ptime_ms=self.ptime_ms,
            event_type=self.event_type,
            event_clock=self.event_clock,
            noise_type=self.noise_type,
            told_type=self.told_type,
            told_event_type=self.told_event_type,
            told_noise_type=self.told_noise_type,
            metrics=self.metrics,
            rate=min(self.rate, heard) if self.codec == codecs.OPUS else 0,
            plays_hz=self.plays_hz,
            fec=self.fec,
            bitrate=self.bitrate,
            dtx=self.dtx,
            level_in=self.level_in,
            level_out=self.level_out,
            speakers_out=self.speakers_out,
        )


def description(
    offered: bytes,
    coded: Collection[str],
    local_address: str,
    before: Agreement = _UNSAID,
    types: DynamicTypes | None = None,
) -> bytes:
    """Return our side of a session: the answer to `offered`, or an offer where the peer made none.

    Args:
        offered: the peer's description; empty for none (RFC 3261 §13.2.1, §14.2).
        coded, local_address: as for `answer`.
        before, types: as for `offer`.

    Raises:
        PeerError: as for `answer`.
    """
    if not offered:
        return offer(coded, local_address, before, types)
    return answer(offered, coded, local_address)


def answer(offer: bytes, coded: Collection[str], local_address: str) -> bytes:
    """Return our answer to `offer`: its first sound that we can code, and nothing else.

    Args:
        offer: the peer's description.
        coded: encoding names of what the media engine can code (`Ready.codecs`).
        local_address: our own numeric address.

    Raises:
        PeerError: 488 where we can code nothing of what is offered; 400 for no description at all.
    """
    description = parse_sdp(offer)
    media: list[Media] = []
    taken = False
    for one in description.media:
        own = None if taken else answered(description, one, coded)
        taken = taken or own is not None
        # RFC 3264 §6: "To reject an offered stream, the port number in the corresponding stream in
        # the answer MUST be set to zero."
        media.append(own or refused(one))
    if not taken and (not media or any(one.port for one in description.media)):
        raise PeerError(488, "Not Acceptable Here")
    return _session(media, local_address)


def offer(
    coded: Collection[str],
    local_address: str,
    before: Agreement = _UNSAID,
    types: DynamicTypes | None = None,
) -> bytes:
    """Return our offer to a peer that has made none (RFC 3261 §13.2.1, RFC 3264 §5).

    It has all that we can (RFC 3261 §14.2), whatever was agreed on before.

    Args:
        coded, local_address: as for `answer`.
        before: where the session stands: each media keeps its place (RFC 3264 §8).
        types: what payload types have meant in it.

    Raises:
        PeerError: 488 where the media engine can code nothing.
    """
    types = types or DynamicTypes()
    formats: list[Format] = []
    for codec in map(codecs.codec, (*OFFERED, *RARE)):
        if codec.name not in coded:
            continue
        number = codec.payload_type
        if number is None:
            number = types.number(codec.name, codec.rtp_clock, codec.channels)
        if number is not None:
            formats.append(Format(number, codec, codec.rtp_clock))
    return _offer(formats, before, _place(before), local_address)


def narrowed(agreement: Agreement, local_address: str) -> bytes:
    """Return an offer of the one codec that is used, where our peer's answer names more of ours.

    The peer may send any of them (RFC 3264 §7), but a voice takes one: §10.2, "followed immediately
    by a second one to lock down the set of codecs".

    Args:
        agreement: what offer and answer have come to.
        local_address: our own numeric address.

    Returns:
        The offer; empty where there is but one codec, or none.
    """
    index, both = common(agreement)
    if agreement.told is None or len({one.codec.number for one in both if one.codec.pcm_rate}) < 2:
        return b""
    kept = {(one.codec.number, one.clock_hz) for one in _used(both) if one is not None}
    ours = formats_of(agreement.told.media[index])
    formats = [one for one in ours if (one.codec.number, one.clock_hz) in kept]
    return _offer(formats, agreement, index, local_address)


def _place(before: Agreement) -> int:
    """Return the place of the sound in an offer."""
    index, both = common(before)
    if both:
        return index
    told = before.told.media if before.told else ()
    ours = (i for i, one in enumerate(told) if one.kind == "audio" and served(one))
    return next(ours, len(told))


def _offer(formats: Sequence[Format], before: Agreement, index: int, local_address: str) -> bytes:
    speech = next((one.codec for one in formats if one.codec.pcm_rate), None)
    if speech is None:
        raise PeerError(488, "Not Acceptable Here")
    told = before.told.media if before.told else ()
    media = [refused(one) for one in told]
    lines = [Line("a", f"ptime:{speech.ptime}"), Line("a", Direction.SENDRECV.value), _METRICS]
    lines += offered_levels(before, index)
    protocol = "RTP/AVP"
    if index < len(told):
        protocol = told[index].protocol
        if told[index].rtcp_mux:
            lines.append(Line("a", "rtcp-mux"))
    media[index : index + 1] = [_media(protocol, formats, lines)]
    return _session(media, local_address)


def agreed(agreement: Agreement) -> Agreed | None:
    """Return what both sides' descriptions leave of the sound; None where there is none.

    An answer may name several of the offered codecs; the first one is what we send.
    """
    index, both = common(agreement)
    if agreement.told is None or not both:
        return None
    speech, event, noise = _used(both)
    peer, told = agreement.peer[index], formats_of(agreement.told.media[index])
    opus = None
    if speech.codec.number == codecs.OPUS:
        opus = opus_parameters(peer.line, speech.payload_type)
    levels = agreed_levels(agreement, index)
    return Agreed(
        index=index,
        codec=speech.codec.number,
        payload_type=speech.payload_type,
        ptime_ms=_ptime_ms(speech.codec, peer.line),
        event_type=event.payload_type if event else -1,
        event_clock=event.clock_hz if event else 0,
        noise_type=noise.payload_type if noise else -1,
        told_type=_number(told, speech),
        told_event_type=_number(told, event),
        told_noise_type=_number(told, noise),
        metrics=peer.line.voip_metrics,
        rate=opus.rate if opus else speech.codec.pcm_rate,
        plays_hz=opus.plays_hz if opus else 0,
        fec=bool(opus and opus.fec),
        # §7.1: "The sender of the other side MUST NOT send with an average bitrate higher"
        bitrate=opus.bitrate if opus else 0,
        dtx=bool(opus and opus.dtx),
        level_in=levels.level_in,
        level_out=levels.level_out,
        speakers_out=levels.speakers_out,
        direction=peer.direction,
    )


def audible(agreement: Agreement, coded: Collection[str]) -> Agreed | None:
    """Return what `agreed` does; None also where the engine can't read the sound, or not code it.

    Args:
        agreement: where a party's offers and answers stand.
        coded: encoding names of what the media engine can code.
    """
    own, told = agreed(agreement), agreement.told
    if own is None or told is None or codecs.codec(own.codec).name not in coded:
        return None
    ours, theirs = told.media[own.index], agreement.peer[own.index].line
    # Keys that only one of them offers are used by none (RFC 8643)
    plain = convertible(told, ours) or convertible(parse_sdp(agreement.sdp), theirs)
    return own if served(ours) and plain else None


def encrypted(agreement: Agreement) -> bool:
    """Return True for a session whose sound is sent by a protocol that we don't speak."""
    told = agreement.told.media if agreement.told else ()
    return any(one.kind == "audio" and one.port and not served(one) for one in told)


def common(agreement: Agreement) -> tuple[int, list[Format]]:
    """Return the place of the sound, and the peer's formats of it that both have; none for none."""
    told = agreement.told.media if agreement.told else ()
    for index, (ours, peer) in enumerate(zip(told, agreement.peer, strict=False)):
        if ours.kind != "audio" or not ours.port or not peer.line.port:
            continue
        known = {(one.codec.number, one.clock_hz) for one in formats_of(ours)}
        both = [one for one in formats_of(peer.line) if (one.codec.number, one.clock_hz) in known]
        if any(one.codec.pcm_rate for one in both):
            return index, both
    return 0, []


def _number(told: Sequence[Format], used: Format | None) -> int:
    """Return the payload type that a peer was told for what it numbers otherwise; -1 for none."""
    numbers = [
        one.payload_type
        for one in told
        if used and (one.codec.number, one.clock_hz) == (used.codec.number, used.clock_hz)
    ]
    return numbers[0] if used and numbers and used.payload_type not in numbers else -1


def _used(both: Sequence[Format]) -> tuple[Format, Format | None, Format | None]:
    """Return what is used of them: speech, events, comfort noise."""
    speech = next(one for one in both if one.codec.pcm_rate)
    return (
        speech,
        _beside(both, codecs.TELEPHONE_EVENT, speech),
        _beside(both, codecs.CN, speech),
    )


@lru_cache(maxsize=256)
def formats_of(media: Media) -> tuple[Format, ...]:
    """Return the payload types of `media` that we know, in its own order.

    The last ones are remembered: while a call is set up the same few are asked for again and again.
    """
    maps = {rtpmap.format: rtpmap for rtpmap in media.rtpmaps}
    formats = []
    for text in media.formats:
        if _PAYLOAD_TYPE.fullmatch(text) and int(text) < 128:
            found = _format(int(text), maps.get(text))
            if found is not None:
                formats.append(found)
    return tuple(formats)


def _format(number: int, rtpmap: RtpMap | None) -> Format | None:
    if rtpmap is None:
        codec = codecs.static(number)
        return Format(number, codec, codec.rtp_clock) if codec else None
    event = codecs.codec(codecs.TELEPHONE_EVENT)
    if rtpmap.encoding.lower() == event.name:
        # RFC 4733 §2.5.1.1 wants the clock of the codec beside it, whatever that is
        return Format(number, event, rtpmap.clock_hz)
    codec = codecs.named(rtpmap.encoding, rtpmap.clock_hz)
    if codec is None or (rtpmap.parameters or "1") != str(codec.channels):
        return None
    return Format(number, codec, codec.rtp_clock)


def served(media: Media) -> bool:
    """Return True for a protocol that we speak."""
    return media.protocol.upper() in PLAIN_RTP


def convertible(description: SessionDescription, media: Media) -> bool:
    """Return True for sound of a description that the engine can read."""
    return media.kind == "audio" and bool(media.port) and is_plain(description, media)


def answered(
    description: SessionDescription,
    offered: Media,
    coded: Collection[str],
    wanted: Direction = Direction.SENDRECV,
) -> Media | None:
    """Return our answer to one media of an offer; None for one that we refuse.

    Args:
        description: the offer.
        offered: the media in it.
        coded: as for `answer`.
        wanted: what we would do with it.
    """
    if offered.kind != "audio" or not offered.port or not served(offered):
        return None
    formats = [one for one in formats_of(offered) if one.codec.name in coded]
    # RFC 3264 §5.1: formats come "in order of preference, with the first format listed being
    # preferred"
    speech = next((one for one in formats if one.codec.pcm_rate), None)
    if speech is None:
        return None
    beside = (_beside(formats, number, speech) for number in (codecs.CN, codecs.TELEPHONE_EVENT))
    taken = [speech, *(one for one in beside if one is not None)]
    direction = answer_direction(effective_direction(description, offered), wanted)
    lines = [
        Line("a", f"ptime:{_ptime_ms(speech.codec, offered)}"),
        Line("a", direction.value),
    ]
    if offered.rtcp_mux:
        lines.append(Line("a", "rtcp-mux"))
    if offered.voip_metrics:
        lines.append(_METRICS)
    lines += answered_levels(description, offered)
    return _media(offered.protocol, taken, lines)


def _beside(formats: Sequence[Format], number: int, speech: Format) -> Format | None:
    """Return the format of codec `number` that goes with `speech`; None for none.

    One clock for both is what RFC 4733 §2.5.1.1 and RFC 3389 §4 ask for; telephone-events of
    8000 Hz beside Opus are what phones make of it.
    """
    found = [one for one in formats if one.codec.number == number]
    same = (one for one in found if one.clock_hz == speech.clock_hz)
    usual = (one for one in found if number == codecs.TELEPHONE_EVENT and one.clock_hz == 8000)
    return next(same, next(usual, None))


def _ptime_ms(codec: Codec, wanted: Media) -> int:
    """Return how much goes into a packet: as the peer wants it, as far as the codec allows."""
    most = wanted.ptime_ms or codec.ptime
    longest = wanted.max_ptime_ms
    if longest is not None:
        most = min(most, longest)
    possible = [ms for ms in _PTIMES_MS if _fits(codec, ms)]
    return max((ms for ms in possible if ms <= most), default=possible[0])


def _fits(codec: Codec, ptime_ms: int) -> bool:
    if codec.number == codecs.OPUS:
        return ptime_ms != 30  # RFC 6716 §2.1.4: its frames have 2.5, 5, 10, 20, 40 or 60 ms
    if codec.number == codecs.GSM and ptime_ms % 20:
        return False
    return codec.octets * ptime_ms // 20 <= _MOST_OCTETS


def _media(protocol: str, formats: Sequence[Format], lines: Sequence[Line]) -> Media:
    numbers = tuple(str(one.payload_type) for one in formats)
    meanings = (line for one in formats for line in one.lines)
    return Media("audio", DISCARD_PORT, 1, protocol, numbers, (*meanings, *lines))


def _session(media: Sequence[Media], local_address: str) -> bytes:
    connection = Connection.to(local_address)
    lines = (
        Line("v", "0"),
        Line("o", str(Origin("-", "0", "0", connection))),
        Line("s", "-"),
        Line("c", str(connection)),
        Line("t", "0 0"),
    )
    return SessionDescription(lines, tuple(media)).encode()
