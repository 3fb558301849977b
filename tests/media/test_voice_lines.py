"""What a real engine says of the lines of its voices: busy tone, speech, silence."""

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.engine.kernels import tones
from pbx.media.engine.tone_plans import program, tone
from pbx.media.protocol import Line, StopVoice
from tests.media.engine_process import Link
from tests.media.kernels.sound import Sound
from tests.media.voice_phone import G722, PCMU, VoicePhone, converse, voice_phones

PLAIN = (codecs.PCMU, PCMU)


def busy(phone: VoicePhone, country: str, seconds: float) -> Sound:
    """Busy tone to say; made before the voice begins, which hears nothing meanwhile."""
    pcm, row = phone.quiet(seconds), np.zeros(tones.WIDTH, np.int64)
    words = program(tone(country, "busy"), phone.rate)
    for at in range(0, len(pcm), phone.rate):
        part = pcm[at : at + phone.rate]
        tones.play_tone(row, words, len(part), part)
    return pcm


def speech(phone: VoicePhone, seconds: float) -> Sound:
    """Something like speech: noise whose loudness swings four times a second."""
    count = int(seconds * phone.rate)
    loudness = 1 + np.sin(2 * np.pi * 4 * np.arange(count) / phone.rate)
    noise = np.random.default_rng(9).normal(0, 1500, count)
    return np.asarray(noise * loudness, np.int16)


def hears(link: Link, phone: VoicePhone, line: Line) -> None:
    """Wait until the engine says so of a phone's line, be there more silence on a busy machine."""
    while (heard := link.expect(Line)) != line:
        assert (heard.port, heard.tone) == (phone.port, "")


@pytest.mark.parametrize(
    ("country", "form"),
    [("", PLAIN), ("US", PLAIN), ("CN", (codecs.G722, G722)), ("cn", PLAIN)],
)
def test_a_busy_tone(link: Link, country: str, form: tuple[int, int]) -> None:
    with voice_phones(link, form) as (phone,):
        sound = np.concatenate([speech(phone, 0.5), busy(phone, country.upper(), 7)])
        phone.be(line=True, country=country)
        converse([(phone, sound)])
        hears(link, phone, Line(phone.port, "busy", 0))
        # The end of a tone is known when no burst follows
        assert link.expect(Line) == Line(phone.port, "busy", 1000)
        assert link.expect(Line) == Line(phone.port, "", 1000)


def test_speech_and_silence(link: Link) -> None:
    with voice_phones(link, PLAIN) as (phone,):
        first, second, quiet = speech(phone, 1.5), speech(phone, 0.5), phone.quiet(1.5)
        phone.be(line=True)
        converse([(phone, first)])
        hears(link, phone, Line(phone.port, "", 1000))
        converse([(phone, second)])
        hears(link, phone, Line(phone.port, "", 0))
        converse([(phone, quiet)])
        hears(link, phone, Line(phone.port, "", 1000))


def test_who_does_not_ask_is_told_nothing(link: Link) -> None:
    with voice_phones(link, PLAIN, PLAIN) as phones:
        sounds = [(phone, busy(phone, "", 7)) for phone in phones]
        phones[0].be()
        phones[1].be(line=True)
        converse(sounds)
        hears(link, phones[1], Line(phones[1].port, "busy", 0))
        phones[1].be()
        assert {one.port for one in link.said(Line)} <= {phones[1].port}
        converse([(phone, phone.quiet(2.5)) for phone in phones])
        assert link.said(Line) == []


def test_a_voice_that_changes_its_codec_is_watched_on(link: Link) -> None:
    with voice_phones(link, PLAIN) as (phone,):
        sound = busy(phone, "", 2)
        phone.be(line=True)
        converse([(phone, sound)])
        phone.use(codecs.G722, G722)
        sound = busy(phone, "", 7)
        phone.be(line=True)
        converse([(phone, sound)])
        hears(link, phone, Line(phone.port, "busy", 0))


def test_a_voice_that_begins_anew_knows_nothing(link: Link) -> None:
    with voice_phones(link, PLAIN) as (phone,):
        phone.be(line=True)
        converse([(phone, phone.quiet(1.5))])
        assert link.expect(Line) == Line(phone.port, "", 1000)
        link.send(StopVoice(phone.port))
        phone.be(line=True)
        # It is said again, so it has begun anew
        assert link.expect(Line) == Line(phone.port, "", 1000)
