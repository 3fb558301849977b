"""Silence in a real engine: what isn't sent of it (DTX), and what is heard of it (comfort noise)."""

from itertools import pairwise

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.protocol import Counts, Play, Played, Query, StopPlaying, VoiceCounts
from tests.media.engine_process import Link, stream
from tests.media.kernels.sound import level, tone_level
from tests.media.voice_phone import (
    G722,
    LEVEL,
    PCMU,
    VoicePhone,
    converse,
    voice_phone,
    voice_phones,
)

OPUS = (codecs.OPUS, 98)
LINEAR = (codecs.L16_8000, 96)
NOISE = 13
FRAME = 960
"""Units of Opus' clock in 20 ms."""


def gaps(phone: VoicePhone) -> list[int]:
    """By how much the time of each packet is behind the one before."""
    return [(b.timestamp - a.timestamp) % 2**32 for a, b in pairwise(phone.sound())]


def voice_counts(link: Link, port: int) -> VoiceCounts:
    link.send(Query())
    return {one.port: one for one in link.expect(Counts).voices}[port]


class TestOpus:
    """RFC 7587 §6.1, usedtx: 'the decoder prefers the use of DTX'."""

    @pytest.mark.parametrize(
        ("dtx", "rate"), [(True, 8000), (True, 16000), (True, 48000), (False, 48000)]
    )
    def test_packets_cease_in_silence(self, link: Link, dtx: bool, rate: int) -> None:
        with voice_phone(link, 0, *OPUS) as phone:
            phone.be(echo=True, dtx=dtx, rate=rate, plays_hz=rate)
            before = link.late_ticks()
            said = [phone.tone(500, 0.8), phone.quiet(1.6), phone.tone(900, 0.8)]
            converse([(phone, np.concatenate(said))])
            late = link.late_ticks() - before
            packets = phone.sound()
            assert {(b.sequence - a.sequence) % 2**16 for a, b in pairwise(packets)} == {1}
            apart = gaps(phone)
            assert {one % FRAME for one in apart} == {0}
            skipped = sum(apart) // FRAME - len(apart)
            if not dtx:
                assert skipped <= late
                assert not any(one.marker for one in packets[1:])
                return
            # 200 ms of silence are sent, and then a packet each 400 ms.
            assert 55 <= skipped <= 70 + late
            assert max(apart) <= (20 + late) * FRAME
            # RFC 3551 §4.1: the first packet behind those that weren't sent says so.
            for one, gap in zip(packets[1:], apart, strict=True):
                assert one.marker or gap <= (1 + late) * FRAME
                assert not one.marker or gap > FRAME
            heard = phone.heard()
            assert abs(phone.hears(900, 0.5) - LEVEL) < 1.5
            begun = heard[int(0.3 * phone.rate) : int(0.6 * phone.rate)]
            assert abs(tone_level(begun, 500, phone.rate) - LEVEL) < 1.5
            link.release(phone.port)

    def test_who_hears_the_same_without_it(self, link: Link) -> None:
        """Both share packets whenever there are any; a tone is none of silence, however long."""
        with voice_phones(link, OPUS, OPUS) as phones:
            saving, other = phones
            saving.be(room=1, speaks=False, dtx=True)
            other.be(room=1, speaks=False)
            for _ in range(2):
                link.send(Play(1, room=1, tone="425", level_db=-25.0, times=0))
                converse([(one, one.quiet(0.4)) for one in phones])
                for one in phones:
                    one.forget()
                before = link.late_ticks()
                converse([(one, one.quiet(2.0)) for one in phones])
                late = link.late_ticks() - before
                assert max(gaps(saving)) <= (1 + late) * FRAME
                mine = [one.payload for one in saving.sound()][-30:-5]
                theirs = [one.payload for one in other.sound()]
                assert any(theirs[at : at + 25] == mine for at in range(len(theirs) - 24))
                assert abs(saving.hears(425) - other.hears(425)) < 0.5
                link.send(StopPlaying(1))
                link.expect(Played)
                for one in phones:
                    one.forget()
                converse([(one, one.quiet(1.6)) for one in phones])
                assert 12 <= len(saving.sound()) <= 25
                assert len(other.sound()) >= 70

    def test_another_encoder_begins_with_packets(self, link: Link) -> None:
        """Silence that the one before has had tells its peer nothing of this one's."""
        with voice_phone(link, 0, *OPUS) as phone:
            phone.be(dtx=True)
            converse([(phone, phone.quiet(1.0))])
            phone.forget()
            phone.be(dtx=True, fec=True)
            converse([(phone, phone.quiet(0.6))])
            # 200 ms, and one or two of those that are 400 ms apart.
            assert 10 <= len(phone.sound()) <= 13
            link.release(phone.port)

    @pytest.mark.parametrize("ptime_ms", [10, 40, 60])
    def test_other_packet_lengths(self, link: Link, ptime_ms: int) -> None:
        with voice_phone(link, 0, *OPUS, ptime_ms=ptime_ms) as phone:
            phone.be(dtx=True)
            converse([(phone, phone.quiet(0.6))])
            phone.forget()
            converse([(phone, phone.quiet(1.8))])
            # One each 400 ms, to the packet.
            assert 3 <= len(phone.sound()) <= 5
            assert all(one.marker for one in phone.sound())
            link.release(phone.port)

    def test_a_peer_whose_rests_have_packets_of_noise(self, link: Link) -> None:
        """As libopus makes them: one each 400 ms, and of those between them none is sent."""
        with voice_phones(link, OPUS, LINEAR) as (a, b):
            link.send(
                stream(a.port, b.port, a.phone.address), stream(b.port, a.port, b.phone.address)
            )
            a.be(partner=b.port)
            b.be(partner=a.port)
            noise = np.random.default_rng(1).normal(0, 200, 4 * a.rate).astype(np.int16)
            # Half a second of it as such, then the rest.
            a.rests = frozenset(one for one in range(25, 200) if one % 20 != 0)
            converse([(a, noise[: 2 * a.rate]), (b, b.quiet(2.0))])
            concealed = voice_counts(link, a.port).concealed_ms
            a.rests = frozenset(one for one in range(200) if one % 20 != 0)
            converse([(a, noise[2 * a.rate :]), (b, b.quiet(2.0))])
            assert voice_counts(link, a.port).concealed_ms == concealed
            # As before it rests.
            begun = level(b.heard()[1600:3600])
            assert all(abs(level(one) - begun) < 8 for one in b.tenths(1.8))


class TestComfortNoise:
    @pytest.mark.parametrize("speaks", [(codecs.PCMU, PCMU), (codecs.G722, G722)])
    def test_what_the_partner_hears(self, link: Link, speaks: tuple[int, int]) -> None:
        """RFC 3389: a level in -dBov, and no packets for as long as it lasts."""
        with voice_phones(link, speaks, LINEAR) as (a, b):
            link.send(
                stream(a.port, b.port, a.phone.address), stream(b.port, a.port, b.phone.address)
            )
            a.be(partner=b.port, noise_type=NOISE)
            b.be(partner=a.port)
            converse([(a, a.tone(500, 0.8)), (b, b.quiet(0.8))])
            a.send(bytes([50]), payload_type=NOISE)
            converse([(b, b.quiet(0.5))])
            concealed = voice_counts(link, a.port).concealed_ms
            converse([(b, b.quiet(1.5))])
            assert voice_counts(link, a.port).concealed_ms == concealed
            levels = [level(part) for part in b.tenths(1.4)]
            assert all(abs(one + 50) < 1.5 for one in levels), levels
            assert b.hears(500, 1.4) < -62
            a.timestamp += 2 * 8000
            converse([(a, a.tone(900, 0.8)), (b, b.quiet(0.8))])
            assert abs(b.hears(900, 0.5) - LEVEL) < 1.5
            assert b.hears(500, 0.5) < LEVEL - 25
