"""Conversion: what a call's parties are told where the media engine stands in with its codecs.

An offer is passed on with codecs that who made it didn't name (`widened`). Where the answer takes
one that both have, all goes as if there were no conversion. Where it doesn't, who made the offer is
answered by us (`passed_on`), and the two streams become voices that hear each other (`voices`). They do
so, too, where only the form of keys differs (`key_forms`).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import chain

from msgspec import structs

from pbx.errors import PeerError
from pbx.media import codecs
from pbx.media.endpoint import (
    OFFERED,
    RARE,
    Format,
    agreed,
    answered,
    audible,
    common,
    convertible,
    formats_of,
)
from pbx.media.key_forms import are_converted, codable, events_of, with_events
from pbx.media.protocol import TAP_FORMATS, Tap, Voice
from pbx.media.session import KeyForm, LegMedia, SoundFacts
from pbx.sdp.description import Media, SessionDescription, parse_sdp
from pbx.sdp.offer_answer import effective_direction
from pbx.sdp.payload import NOT_SPEECH, DynamicTypes, encoding, with_formats
from pbx.sdp.ptime import with_ptime

_NARROW = 8000
"""Samples per second of telephone sound."""

_SMALL = 600
"""Octets of an offer that has the rare codecs, too: with the request's headers it still fits a datagram of
1300 (RFC 3261 §18.1.1)."""


def as_it_is(description: bytes, asked: bytes) -> bytes:
    """Return a description that its reader may have whole."""
    return description


class Interpreter:
    """Tells one party of a call what the other one has said.

    Args:
        media: of the party's leg.
        coded: encoding names of what the media engine can code now; none for no conversion.
        told: how the party is to get a description, and what it has offered; empty where it hasn't.
    """

    def __init__(
        self,
        media: LegMedia,
        coded: Callable[[], Collection[str]],
        told: Callable[[bytes, bytes], bytes] = as_it_is,
    ) -> None:
        self._media = media
        self._coded = coded
        self._told = told
        self._types = DynamicTypes()
        self._events: list[Format] = []
        self.widened = False
        """Its party was last offered codecs that the other one hasn't named."""
        self.ptime_ms = 0
        """Milliseconds in a packet that its party is asked for; 0 for what the other one asks for."""

    def offer(self, other: bytes, *, plain: bool = False) -> bytes:
        """Return the other party's offer for this one.

        Args:
            other: the offer.
            plain: without a codec that the other party hasn't named.

        Raises:
            NoPortsLeft, PeerError: as for `LegMedia.describe`.
        """
        self._learn()
        wide = other if plain else widened(other, self._coded(), self._types)
        self.widened = wide != other
        if self._converts_keys:
            description = parse_sdp(wide)
            self._types.learn(description.media)
            self._events = events_of(description)
            wide = codable(description, self._coded()).encode()
        return self._media.describe(self._paced(self._told(wide, b"")))

    def heard(self, own: bytes) -> bytes:
        """Return its party's own description as the other one is to be told of it.

        Args:
            own: the description; one that can't be read is left alone.
        """
        if not self._converts_keys:
            return own
        try:
            description = codable(parse_sdp(own), self._coded())
        except PeerError:
            return own
        self._learn()
        self._types.learn(description.media)
        return with_events(description, self._coded(), self._types, self._events).encode()

    @property
    def _converts_keys(self) -> bool:
        return self._media.keys is not KeyForm.EVENTS and bool(self._coded())

    def _learn(self) -> None:
        agreement = self._media.checkpoint()
        self._types.learn(agreement.told.media if agreement.told else ())
        self._types.learn(peer.line for peer in agreement.peer)

    def answer(self, other: bytes) -> bytes:
        """Return the other party's answer to this one's offer.

        Raises:
            NoPortsLeft, PeerError: as for `LegMedia.describe`.
        """
        asked = self._media.last_remote
        answer = passed_on(other, asked, self._coded())
        return self._media.describe(self._paced(self._told(answer, asked)))

    def _paced(self, text: bytes) -> bytes:
        return with_ptime(text, self.ptime_ms) if self.ptime_ms else text


def widened(offer: bytes, coded: Collection[str], types: DynamicTypes) -> bytes:
    """Return `offer` with the codecs behind its own that the engine could convert to.

    Only sound is widened that isn't encrypted and of which the engine can code something. Codecs that
    hardly anybody speaks (`RARE`) are left out where the offer would become too large with them, unless
    the session has them already.

    Args:
        offer: a party's description.
        coded: encoding names of what the media engine can code.
        types: what payload types have meant in the session of who gets the offer.

    Raises:
        PeerError: it is no description.
    """
    if not coded:
        return offer
    description = parse_sdp(offer)
    rare = map(codecs.codec, RARE)
    had = any(types.means(one.name, one.rtp_clock, one.channels) for one in rare)
    types.learn(description.media)

    def wide(*ours: Sequence[int]) -> bytes:
        media = tuple(
            _widened(one, coded, types, ours) if convertible(description, one) else one
            for one in description.media
        )
        return _changed(offer, description, media)

    all_of_them = wide(OFFERED, RARE)
    return all_of_them if had or len(all_of_them) <= _SMALL else wide(OFFERED)


def passed_on(answer: bytes, asked: bytes, coded: Collection[str]) -> bytes:
    """Return `answer` as it is for who made the offer: without what it hasn't offered.

    Where nothing is left to speak, it is our own answer to the offer: its first codec that the
    engine can code.

    Args:
        answer: to the offer as it was `widened`.
        asked: the offer as it was made.
        coded: as for `widened`.

    Raises:
        PeerError: one of them is no description.
    """
    if not coded:
        return answer
    offer, description = parse_sdp(asked), parse_sdp(answer)
    media = list(description.media)
    for index, (offered, given) in enumerate(zip(offer.media, media, strict=False)):
        if convertible(offer, offered) and convertible(description, given):
            media[index] = _passed_on(offer, offered, description, given, coded)
    return _changed(answer, description, tuple(media))


def voices(
    a: LegMedia, b: LegMedia, coded: Collection[str], *, always: bool = False
) -> tuple[Voice, ...]:
    """Return both parties' voices where codecs or keys are converted; none where nothing is.

    Nor are there any where the engine can't code what they speak: encrypted, it is noise.

    Args:
        a, b: of the legs.
        coded: encoding names of what the media engine can code.
        always: also where nothing need be converted.
    """
    one, other = audible(a.checkpoint(), coded), audible(b.checkpoint(), coded)
    if one is None or other is None or one.index != other.index:
        return ()
    if not (a.port(one.index) and b.port(one.index)):
        return ()
    # The engine finds keys in sound, and puts them there, only where that ends in it. So a call with
    # a line that has another form of keys is converted, though both speak the same codec.
    if not always and _spoken(a) & _spoken(b) and not are_converted(a, b):
        return ()
    found = []
    for media, own, hearer, heard in ((a, one, b, other), (b, other, a, one)):
        # Its keys are tones, and the partner understands telephone-events or INFO
        told = own.event_type < 0 and (heard.event_type >= 0 or hearer.keys is KeyForm.INFO)
        found.append(
            structs.replace(
                own.voice(media.port(own.index), heard.rate),
                partner=hearer.port(own.index),
                # Or we want to know of them
                inband=told or (own.event_type < 0 and media.watched),
                hides_keys=told,
            )
        )
    return tuple(found)


def note_sound(media: LegMedia) -> None:
    """Note what the media engine has to know of a party's sound, as now agreed on."""
    agreement = media.checkpoint()
    own, told = agreed(agreement), agreement.told
    if own is None or told is None:
        media.sound = SoundFacts()
        return
    clock = codecs.codec(own.codec).rtp_clock
    if own.event_type < 0 or not convertible(told, told.media[own.index]):
        media.sound = SoundFacts(own.index, clock)
    else:
        media.sound = SoundFacts(own.index, clock, own.event_type, own.event_clock)


def tap(media: LegMedia, coded: Collection[str]) -> Tap | None:
    """Return what the payload types of a party's sound mean; None where the engine can't read it.

    Args:
        media: of the party's leg, whose sound is passed on.
        coded: encoding names of what the media engine can code.
    """
    agreement = media.checkpoint()
    index, both = common(agreement)
    if agreement.told is None or not both:
        return None
    told = agreement.told.media[index]
    # The party sends with the numbers that it was told.
    spoken = {one.codec.number for one in both if one.codec.pcm_rate and one.codec.name in coded}
    formats = [
        (one.payload_type, one.codec.number)
        for one in formats_of(told)
        if one.codec.number in spoken
    ]
    if not formats or not convertible(agreement.told, told):
        return None
    return Tap(media.port(index), formats[:TAP_FORMATS])


def unclear(media: LegMedia, other: LegMedia) -> bool:
    """Return True where a party prefers a codec that only we have offered, and both have another.

    It may speak the one that the other party doesn't know (RFC 3264 §7), and has to be told.
    """
    own, shared = agreed(media.checkpoint()), _spoken(media) & _spoken(other)
    return own is not None and bool(shared) and own.codec not in shared


def _spoken(media: LegMedia) -> set[int]:
    """Return the codecs that a party and we have for its sound."""
    _, both = common(media.checkpoint())
    return {one.codec.number for one in both if one.codec.pcm_rate}


def _widened(
    media: Media, coded: Collection[str], types: DynamicTypes, ours: Sequence[Sequence[int]]
) -> Media:
    known = formats_of(media)
    rates = [one.codec.pcm_rate for one in known if one.codec.name in coded]
    if not any(rates):
        return media
    named = {one.codec.number for one in known}
    more = []
    narrow = max(rates) <= _NARROW
    # Wideband for sound that isn't is work for nothing.
    groups = (
        sorted(map(codecs.codec, one), key=lambda it: narrow and it.pcm_rate > _NARROW)
        for one in ours
    )
    for codec in chain.from_iterable(groups):
        if not codec.pcm_rate or codec.name not in coded or codec.number in named:
            continue
        number = codec.payload_type
        if number is None:
            number = types.number(codec.name, codec.rtp_clock, codec.channels)
        if number is not None and str(number) not in media.formats:
            more.append(Format(number, codec, codec.rtp_clock))
    return replace(
        media,
        formats=(*media.formats, *(str(one.payload_type) for one in more)),
        lines=(*media.lines, *(line for one in more for line in one.lines)),
    )


def _passed_on(
    offer: SessionDescription,
    offered: Media,
    description: SessionDescription,
    given: Media,
    coded: Collection[str],
) -> Media:
    own = {(one.codec.number, one.clock_hz) for one in formats_of(offered)}
    strange = {
        str(one.payload_type)
        for one in formats_of(given)
        if (one.codec.number, one.clock_hz) not in own
    }
    if not strange:
        return given
    left = tuple(one for one in given.formats if one not in strange)
    if any(encoding(given, one) not in NOT_SPEECH for one in left):
        return with_formats(given, left)
    ours = answered(offer, offered, coded, effective_direction(description, given))
    return ours or given


def _changed(text: bytes, description: SessionDescription, media: tuple[Media, ...]) -> bytes:
    """Return a description with other media; its very text where nothing is other."""
    return text if media == description.media else replace(description, media=media).encode()
