"""Voices in a real engine: what phones say to it and hear of it, by sound."""

import numpy as np
import pytest

from pbx.media import codecs
from tests.media.engine_process import Link
from tests.media.kernels.sound import Sound, rest_level, sine, tone_level
from tests.media.voice_phone import G722, L16, LEVEL, PCMA, PCMU, PEAK, converse, voice_phone

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
