"""Levels in the headers of packets, said and heard, in a real engine (RFC 6464, RFC 6465)."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.protocol import Play, Played, Refused, StopPlaying
from tests.media.engine_process import Link
from tests.media.kernels.twins_mix import level
from tests.media.srtp_peer import SrtpPeer, secure
from tests.media.test_voice_rooms import PEAK, TONES, heard_by, talk
from tests.media.test_voice_sharing import same
from tests.media.voice_phone import G722, PCMU, Packet, VoicePhone, converse, voice_phones

PLAIN = (codecs.PCMU, PCMU)
WIDE = (codecs.G722, G722)
OPUS = (codecs.OPUS, 98)

LEVEL, SPEAKERS = 5, 2
"""Numbers of the two extensions."""

ROOM = 9
SINE = 24
"""-dBov of a sine of `PEAK`, rounded."""

SLACK = 6.0
"""dB: whether somebody is heard, not how well a busy machine plays nine at once."""


def joins(phone: VoicePhone, *, speakers: bool = False, **changes: Any) -> None:
    """Enter the room, having agreed to be told levels."""
    phone.extended = True
    numbers = {"level_in": LEVEL, "level_out": LEVEL, "speakers_out": SPEAKERS if speakers else 0}
    phone.be(**{"room": ROOM, **numbers, **changes})


def name(phones: list[VoicePhone]) -> None:
    """Give each phone an SSRC of its own."""
    for number, phone in enumerate(phones):
        phone.ssrc = 0xF0000000 + number


def says(phone: VoicePhone, loudness: int, *, voice: bool, short: bool = True) -> None:
    """Let a phone say of all that it sends how loud it is, whether that is true or not."""
    octet = loudness | (0x80 if voice else 0)
    if short:
        phone.says = bytes([0xBE, 0xDE, 0, 1, LEVEL << 4, octet, 0, 0])
    else:
        phone.says = bytes([0x10, 0, 0, 1, LEVEL, 1, octet, 0])


def told(packet: Packet) -> tuple[bool, int]:
    """Whether there is voice in a packet, and its level."""
    (octet,) = packet.ahead.elements[LEVEL]
    return octet >= 0x80, octet & 0x7F


def is_voice(packet: Packet, loudness: int) -> bool:
    """Whether there is voice in a packet, as loud as that, by what it says."""
    voice, said = told(packet)
    return voice and abs(said - loudness) <= 1


def speakers(packet: Packet) -> dict[int, int]:
    """The contributing sources of a packet and their levels."""
    loud = packet.ahead.elements.get(SPEAKERS, b"")
    return dict(zip(packet.ahead.sources, loud, strict=True))


class TestHowLoudAPacketIs:
    @pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
    def test_silence_and_speech(self, link: Link, ptime_ms: int) -> None:
        with voice_phones(link, WIDE, WIDE) as (hearer, speaker):
            hearer.ptime_ms = ptime_ms
            joins(hearer)
            speaker.be(room=ROOM)
            talk([hearer, speaker], seconds=0.6)
            talk([hearer, speaker], speaker, seconds=0.8)
            packets = hearer.sound()
            quiet, loud = packets[3], packets[-1 - 60 // ptime_ms]
            assert (not told(quiet)[0], told(quiet)[1] > 60) == (True, True)
            assert is_voice(loud, SINE)
            # Each one's level is that of what is in it.
            decoded = [hearer.decoder.decode(one.payload) for one in packets]
            apart = [
                abs(told(one)[1] - level(sound.tolist()))
                for one, sound in zip(packets, decoded, strict=True)
                if told(one)[1] < 60
            ]
            assert len(apart) > 10
            assert np.median(apart) <= 1
            assert all(one.ahead.sources == [] for one in packets)
            assert {one.ssrc for one in packets} == {packets[0].ssrc}
            assert all((b.sequence - a.sequence) % 65536 == 1 for a, b in pairwise(packets))

    def test_what_is_played(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as (hearer,):
            joins(hearer, room=0)
            link.send(Play(1, port=hearer.port, tone="500", level_db=-20.0, times=0))
            talk([hearer], seconds=0.6)
            # 0 dBm0 is 6.18 dB below what a square wave of G.711's full scale would be.
            assert is_voice(hearer.sound()[-1], 26)
            link.send(StopPlaying(1))
            link.expect(Played)

    def test_of_a_partner(self, link: Link) -> None:
        with voice_phones(link, PLAIN, WIDE) as (a, b):
            joins(a, room=0, partner=b.port)
            joins(b, room=0, partner=a.port)
            talk([a, b], a)
            assert is_voice(b.sound()[-5], SINE)
            assert not told(a.sound()[-5])[0]

    def test_under_srtp(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (hearer, speaker):
            name([hearer, speaker])
            peer = secure(hearer.phone, SrtpPeer())
            link.send(hearer.stream(srtp=peer.srtp))
            joins(hearer, speakers=True)
            speaker.be(room=ROOM)
            talk([hearer, speaker], speaker)
            packet = hearer.sound()[-5]
            assert is_voice(packet, SINE)
            assert speakers(packet) == {speaker.ssrc: pytest.approx(SINE, abs=1)}
            assert heard_by(hearer, 2) == {1}

    def test_in_mid_call(self, link: Link) -> None:
        """From one packet to the next, and away again; nothing else changes."""
        with voice_phones(link, PLAIN, PLAIN) as (hearer, speaker):
            hearer.be(room=ROOM)
            speaker.be(room=ROOM)
            talk([hearer, speaker], speaker, seconds=0.4)
            joins(hearer)
            talk([hearer, speaker], speaker, seconds=0.4)
            hearer.be(room=ROOM)
            talk([hearer, speaker], speaker, seconds=0.4)
            packets = hearer.sound()
            with_levels = [LEVEL in one.ahead.elements for one in packets]
            assert [one for one, _ in zip_runs(with_levels)] == [False, True, False]
            assert all((b.sequence - a.sequence) % 65536 == 1 for a, b in pairwise(packets))
            assert all((b.timestamp - a.timestamp) % 2**32 == 160 for a, b in pairwise(packets))


def zip_runs(values: list[bool]) -> list[tuple[bool, int]]:
    """Values and how often each comes in turn."""
    runs: list[tuple[bool, int]] = []
    for value in values:
        if runs and runs[-1][0] is value:
            runs[-1] = (value, runs[-1][1] + 1)
        else:
            runs.append((value, 1))
    return runs


class TestWhoSpeaks:
    def test_those_who_do_and_how_loud(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 4) as phones:
            name(phones)
            joins(phones[0], speakers=True)
            joins(phones[1], speakers=True, level_out=0)
            # How loud it is in the room.
            phones[2].be(room=ROOM, gain_db=6.0)
            phones[3].be(room=ROOM)
            talk(phones, phones[1], phones[2])
            assert speakers(phones[0].sound()[-5]) == {
                phones[1].ssrc: pytest.approx(SINE, abs=1),
                phones[2].ssrc: pytest.approx(SINE - 6, abs=1),
            }
            # Nobody finds oneself there.
            packet = phones[1].sound()[-5]
            assert speakers(packet) == {phones[2].ssrc: pytest.approx(SINE - 6, abs=1)}
            assert LEVEL not in packet.ahead.elements
            # Who hasn't agreed gets plain packets (`parse`), and the same sound.
            assert len(phones[3].sound()) > 30
            # A pause longer than those between words, and nobody speaks any more.
            talk(phones, seconds=1.0)
            assert speakers(phones[0].sound()[-3]) == {}
            assert told(phones[0].sound()[-3])[0] is False
            assert phones[1].sound()[-3].ahead.payload == 12

    def test_nobody_by_the_listeners_own_number(self, link: Link) -> None:
        """Two phones that have come to the same SSRC: the listener would take it for a loop."""
        with voice_phones(link, *[PLAIN] * 3) as phones:
            phones[2].ssrc = 7
            joins(phones[0], speakers=True)
            for one in phones[1:]:
                one.be(room=ROOM)
            talk(phones, *phones[1:])
            assert list(speakers(phones[0].sound()[-5])) == [7]

    def test_no_more_than_are_heard(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 10) as phones:
            name(phones)
            joins(phones[9], speakers=True)
            for one in phones[:9]:
                one.be(room=ROOM)
            talk(phones, *phones[:9])
            told_of = speakers(phones[9].sound()[-5])
            assert len(told_of) == 8
            assert {phones[number].ssrc for number in heard_by(phones[9], 9)} == set(told_of)

    def test_we_ourselves_where_something_is_played(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (hearer, speaker):
            name([hearer, speaker])
            joins(hearer, speakers=True)
            speaker.be(room=ROOM)
            link.send(Play(1, room=ROOM, tone="1130", level_db=-20.0, times=0))
            talk([hearer, speaker], speaker)
            packet = hearer.sound()[-5]
            assert speakers(packet) == {
                speaker.ssrc: pytest.approx(SINE, abs=1),
                packet.ssrc: pytest.approx(26, abs=1),
            }
            link.send(StopPlaying(1))
            link.expect(Played)

    def test_nobody_outside_of_the_room(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as (hearer, speaker):
            name([hearer, speaker])
            joins(hearer, speakers=True)
            speaker.be(room=ROOM)
            talk([hearer, speaker], speaker, seconds=0.6)
            assert speakers(hearer.sound()[-3]) != {}
            joins(hearer, speakers=True, room=0)
            talk([hearer, speaker], speaker, seconds=0.4)
            assert speakers(hearer.sound()[-3]) == {}


class TestSharing:
    @pytest.mark.parametrize("codec", [PLAIN, WIDE, OPUS])
    def test_one_payload_behind_different_headers(self, link: Link, codec: tuple[int, int]) -> None:
        with voice_phones(link, codec, codec, codec, PLAIN) as phones:
            name(phones)
            phones[0].be(room=ROOM, speaks=False)
            joins(phones[1], speaks=False)
            joins(phones[2], speaks=False, speakers=True)
            phones[3].be(room=ROOM)
            talk(phones, phones[3])
            assert same(phones[1], phones[0])
            assert same(phones[2], phones[0])
            assert list(speakers(phones[2].sound()[-5])) == [phones[3].ssrc]


class TestWhatASenderSays:
    @pytest.mark.parametrize("short", [True, False])
    def test_who_sends_no_voice_takes_nobodys_place(self, link: Link, short: bool) -> None:
        with voice_phones(link, *[PLAIN] * 9) as phones:
            for one in phones:
                one.be(room=ROOM, level_in=LEVEL)
            # It can tell: it has spoken.
            says(phones[0], 24, voice=True, short=short)
            talk(phones, phones[0], seconds=0.4)
            says(phones[0], 24, voice=False, short=short)
            # A fan, for a second and a half: whoever has been heard keeps that for as long.
            talk(phones, phones[0], seconds=1.6)
            talk(phones, *phones)
            assert heard_by(phones[1], 9, SLACK) == set(range(2, 9))
            assert heard_by(phones[0], 9, SLACK) == set(range(1, 9))
            # What it says counts as long as it says it.
            phones[0].says = b""
            louder = 2.2 * PEAK
            converse(
                [
                    (one, one.tone(hertz, 1.3, louder if one is phones[0] else PEAK))
                    for one, hertz in zip(phones, TONES, strict=False)
                ]
            )
            assert phones[8].hears(TONES[0]) > -24

    def test_who_claims_to_speak_and_is_silent(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 10) as phones:
            for one in phones:
                one.be(room=ROOM, level_in=LEVEL)
            for one in phones[:2]:
                says(one, 0, voice=True)
            talk(phones, *phones[2:])
            assert heard_by(phones[0], 10, SLACK) == set(range(2, 10))

    def test_who_never_says_voice_has_no_detector(self, link: Link) -> None:
        """As baresip 1.0, whose level is right and whose bit is always 0."""
        with voice_phones(link, *[PLAIN] * 9) as phones:
            for one in phones:
                one.be(room=ROOM, level_in=LEVEL)
            says(phones[0], 24, voice=False)
            talk(phones, *phones[:8])
            assert heard_by(phones[8], 9, SLACK) == set(range(8))

    def test_what_another_source_has_said_counts_for_that_alone(self, link: Link) -> None:
        """A call that is passed to a phone without a detector: a voice of the one before has been told of."""
        with voice_phones(link, *[PLAIN] * 9) as phones:
            for one in phones:
                one.be(room=ROOM, level_in=LEVEL)
            says(phones[0], 24, voice=True)
            talk(phones, phones[0], seconds=0.4)
            phones[0].ssrc += 1
            says(phones[0], 24, voice=False)
            # Whoever has been heard keeps that for a second.
            talk(phones, phones[0], seconds=1.6)
            talk(phones, *phones[:8])
            assert heard_by(phones[8], 9, SLACK) == set(range(8))

    def test_nobody_who_has_not_agreed(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 9) as phones:
            for one in phones:
                one.be(room=ROOM)
            says(phones[0], 24, voice=True)
            talk(phones, phones[0], seconds=0.4)
            says(phones[0], 24, voice=False)
            talk(phones, *phones[:8])
            assert heard_by(phones[8], 9, SLACK) == set(range(8))


@pytest.mark.parametrize(
    "numbers",
    [
        {"level_in": 15},
        {"level_out": -1},
        {"speakers_out": 2**40},
        {"level_out": 3, "speakers_out": 3},
    ],
)
def test_numbers_that_cannot_be(link: Link, numbers: dict[str, int]) -> None:
    with voice_phones(link, PLAIN) as (phone,):
        phone.be(**numbers)
        assert "header extensions" in link.expect(Refused).reason
        phone.be()
