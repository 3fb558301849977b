"""Busy and congestion tone of every country, known by what the kernel sees of them."""

import numpy as np
import pytest

from pbx.media.engine.kernels import detect, tones
from pbx.media.engine.line_watch import CLEARED, LineWatch, cleared
from pbx.media.engine.tone_plans import TONES, Step, parse_tone, plans, program, tone
from pbx.media.protocol import Line
from tests.media.kernels.sound import Sound

PORT = 20000
COUNTRIES = [country for country in plans() if country != "general"]


def played(country: str, name: str, seconds: float, rate: int = 8000) -> Sound:
    return steps_played(tone(country, name), seconds, rate)


def steps_played(steps: tuple[Step, ...], seconds: float, rate: int = 8000) -> Sound:
    words, samples = program(steps, rate), int(seconds * rate)
    row, pcm = np.zeros(tones.WIDTH, np.int64), np.zeros(samples, np.int16)
    for at in range(0, samples, rate):
        part = pcm[at : at + rate]
        tones.play_tone(row, words, len(part), part)
    return pcm


def silence(seconds: float, rate: int = 8000) -> Sound:
    return np.zeros(int(seconds * rate), np.int16)


def said(country: str, *sounds: Sound, late: int = 0, rate: int = 8000) -> list[Line]:
    """What is reported of sounds, one after the other, the first one's begin somewhere in a frame."""
    watch, row = LineWatch(PORT, country), np.zeros(detect.LINE_WIDTH, np.int64)
    row[detect.LINE_TURNS], row[detect.LINE_BESIDE] = cleared(country).turns(rate)
    pcm, size, news = np.concatenate([np.zeros(late, np.int16), *sounds]), rate // 50, []
    for at in range(0, len(pcm) - size + 1, size):
        detect.watch_line(row, pcm[at : at + size], size)
        news.append(watch.heard(int(row[detect.LINE_EVENTS]), int(row[detect.LINE_BURST])))
        row[detect.LINE_EVENTS] = 0
    return [one for one in news if one is not None]


def names(lines: list[Line]) -> list[str]:
    return [one.tone for one in lines if not one.silent_ms]


class TestTones:
    @pytest.mark.parametrize("late", [0, 37, 80, 121])
    @pytest.mark.parametrize("country", ["", *COUNTRIES])
    def test_busy(self, country: str, late: int) -> None:
        lines = said(country, played(country, "busy", 8), silence(3), late=late)
        assert names(lines) == ["busy"]
        assert lines[-1] == Line(PORT, "", 1000)

    @pytest.mark.parametrize("country", ["", *COUNTRIES])
    def test_congestion(self, country: str) -> None:
        lines = said(country, played(country, "congestion", 8), silence(3))
        known = cleared(country).cadences
        alike = known["congestion"] == known["busy"]
        assert names(lines) == ["busy" if alike else "congestion"]
        assert lines[-1].tone == ""

    @pytest.mark.parametrize("rate", [8000, 16000, 48000])
    def test_at_every_rate(self, rate: int) -> None:
        assert names(said("US", played("US", "busy", 5, rate), rate=rate)) == ["busy"]

    @pytest.mark.parametrize("country", ["", *COUNTRIES])
    def test_the_other_tones_are_neither(self, country: str) -> None:
        for name in set(TONES) - set(CLEARED):
            assert {one.tone for one in said(country, played(country, name, 15))} <= {""}, name

    def test_another_country(self) -> None:
        assert names(said("US", played("CN", "busy", 8))) == []
        assert names(said("CN", played("US", "busy", 8))) == []

    def test_two_bursts_are_not_enough(self) -> None:
        # The silence before the first one isn't known
        assert names(said("", played("", "busy", 2.9))) == []
        assert names(said("", played("", "busy", 3.9))) == ["busy"]

    def test_one_follows_the_other(self) -> None:
        lines = said("CN", played("CN", "busy", 5), played("CN", "congestion", 8), silence(3))
        assert names(lines) == ["busy", "congestion"]

    def test_with_noise_between(self) -> None:
        """Music may hold a tone, but is not silent between."""
        pcm = played("", "busy", 8)
        noise = np.random.default_rng(4).normal(0, 500, len(pcm))
        pcm[:] = np.where(pcm == 0, noise, pcm)
        assert names(said("", pcm)) == []

    @pytest.mark.parametrize(
        ("steps", "name"),
        [
            ("425/560 0/440", "busy"),
            ("425/540 0/500", "busy"),
            ("425/460 0/460", "busy"),
            ("425/500 600@-12/140 0/360", "busy"),
            ("425/400 0/600", ""),
            ("425/700 0/300", ""),
            ("425/500 0/700", ""),
            ("425/500 700/300 0/200", ""),
        ],
    )
    def test_what_the_way_does_to_it(self, steps: str, name: str) -> None:
        """Concealment makes bursts longer, jitter buffers pauses; gateways have echoes."""
        found = names(said("", steps_played(parse_tone(steps), 8)))
        assert found == ([name] if name else [])

    def test_it_is_no_longer_heard_when_somebody_speaks(self) -> None:
        noise = np.random.default_rng(5).normal(0, 2000, 8000 * 3).astype(np.int16)
        lines = said("", played("", "busy", 6), noise)
        assert names(lines) == ["busy", ""]


class TestSilence:
    def test_after_a_second(self) -> None:
        noise = np.random.default_rng(6).normal(0, 2000, 8000).astype(np.int16)
        lines = said("", noise, silence(0.9), noise, silence(1.1), noise, silence(5))
        assert lines == [Line(PORT, "", 1000), Line(PORT, "", 0), Line(PORT, "", 1000)]


@pytest.mark.parametrize("country", ["", *COUNTRIES])
def test_every_country_can_be_watched(country: str) -> None:
    """The kernel looks for one tone, of two frequencies at the most."""
    (hertz,) = {
        tuple(sine.hertz for sine in step.sines)
        for name in CLEARED
        for step in tone(country, name)
        if step.sines
    }
    assert hertz == cleared(country).hertz
    assert len(hertz) in (1, 2)
