"""Voices in a real engine: what phones say to it and hear of it, by sound."""

import numpy as np
import pytest

from pbx.media import codecs
from tests.media.engine_process import Link
from tests.media.kernels.sound import Sound, level, rest_level, sine, tone_level
from tests.media.voice_phone import (
    G722,
    L16,
    LEVEL,
    PCMA,
    PCMU,
    PEAK,
    converse,
    voice_phone,
    voice_phones,
)

FORMATS = [
    (codecs.PCMU, PCMU),
    (codecs.PCMA, PCMA),
    (codecs.G722, G722),
    (codecs.L16_16000, L16),
    (codecs.GSM, 3),
    (codecs.G726_32, 97),
    (codecs.OPUS, 98),
    (codecs.G729, 18),
]


def tone(hertz: float, rate: int, seconds: float = 2.0) -> Sound:
    return sine(hertz, int(rate * seconds), rate, peak=PEAK)


def settled(sound: Sound, rate: int, seconds: float = 1.0) -> Sound:
    """The end of what was heard, when jitter buffers and coders have settled."""
    assert len(sound) >= rate * seconds
    return sound[-int(rate * seconds) :]


class TestEcho:
    @pytest.mark.parametrize(("codec", "payload_type"), FORMATS)
    def test_every_codec(self, link: Link, codec: int, payload_type: int) -> None:
        with voice_phone(link, 0, codec, payload_type) as phone:
            phone.be(echo=True)
            converse([(phone, tone(500, phone.rate))])
            heard = settled(phone.heard(), phone.rate)
            assert abs(tone_level(heard, 500, phone.rate) - LEVEL) < 1.5
            link.release(phone.port)

    @pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
    def test_packets_of_the_wanted_length(self, link: Link, ptime_ms: int) -> None:
        with voice_phone(link, 0, ptime_ms=ptime_ms) as phone:
            phone.be(echo=True)
            before = link.late_ticks()
            converse([(phone, tone(500, 8000))])
            late = link.late_ticks() - before
            packets = phone.sound()
            assert {len(one.payload) for one in packets} == {8 * ptime_ms}
            times = zip(packets, packets[1:], strict=False)
            gaps = {(after.timestamp - one.timestamp) % 2**32 for one, after in times}
            # Time goes on in ticks that never were.
            assert gaps <= {8 * ptime_ms + 160 * missed for missed in range(late + 1)}
            rests = [rest_level(part, 500, 8000) for part in phone.tenths(1.0)]
            assert np.median(rests) < -30
            link.release(phone.port)


class TestSilence:
    def test_a_room_s_noise_goes_on_where_opus_is_silent(self, link: Link) -> None:
        """RFC 7587 §3.1.3, DTX: one packet of an octet or two each 400 ms."""
        with voice_phones(link, (codecs.OPUS, 98), (codecs.L16_8000, L16)) as (a, b):
            a.be(partner=b.port)
            b.be(partner=a.port)
            noise = np.random.default_rng(1).normal(0, 200, a.rate).astype(np.int16)
            converse([(a, noise), (b, b.quiet(1.0))])
            spoken = level(b.heard()[-3200:])
            # How it is coded, and nothing of it.
            silence = bytes([a.coder.encode(noise[:960])[0] & 0xFC])
            for _ in range(4):
                a.send(silence)
                a.timestamp += 20 * 960
                converse([(b, b.quiet(0.4))])
            levels = [level(part) for part in b.tenths(1.2)]
            assert all(abs(one - spoken) < 8 for one in levels), (spoken, levels)
            assert max(levels) - min(levels) < 3
            # And the sound comes back
            converse([(a, a.tone(500, 0.8)), (b, b.quiet(0.8))])
            assert abs(b.hears(500, 0.4) - LEVEL) < 1.5
