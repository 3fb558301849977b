"""Players in a real engine: tones and files, as phones hear them, and how they end."""

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pbx.call.services.conference import ENTERS, TONE_LEVEL_DBM0
from pbx.media import codecs
from pbx.media.engine import player_row
from pbx.media.engine.tone_plans import TONES, Step, parse_tone, plans, tone
from pbx.media.protocol import Play, Played, Refused, Release, SendDigits, StopPlaying
from tests.media.engine_process import Link
from tests.media.kernels.sound import Sound, level, rms, sine, tone_level
from tests.media.voice_phone import L16, PCMU, VoicePhone, converse, voice_phones
from tests.media.wav_files import ALAW, PCM, ULAW, form, riff, wav

RATE = 8000
EXACT = (codecs.L16_8000, L16)
WIDE = (codecs.L16_16000, L16)

DBOV = -6.15
"""Of a sine at 0 dBm0."""

FOREVER = "425"


def listen(*phones: VoicePhone, seconds: float = 1.2) -> None:
    converse([(one, one.quiet(seconds)) for one in phones])


@contextlib.contextmanager
def listeners(link: Link, *formats: tuple[int, int], room: int = 0) -> Iterator[list[VoicePhone]]:
    with voice_phones(link, *formats) as phones:
        for one in phones:
            one.be(room=room)
        yield phones


def ended(link: Link, *players: int) -> dict[int, str]:
    """Wait for the end of players; returns their failures."""
    reports = [link.expect(Played) for _ in players]
    failures = {one.player: one.failure for one in reports}
    assert set(failures) == set(players)
    return failures


def refusal(link: Link, command: Play | SendDigits) -> str:
    link.send(command)
    return link.expect(Refused).reason


def begin_of(sound: Sound) -> int:
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 30)
    assert len(loud), "nothing but silence"
    return int(loud[0])


def rest_of(part: Sound, step: Step) -> tuple[float, float]:
    """The RMS of a step's frequencies in a sound, and that of all the rest."""
    angles = 2 * np.pi * np.arange(len(part))[:, None] / RATE
    hertz = np.array([sine.hertz for sine in step.sines])
    columns = np.hstack([np.sin(angles * hertz), np.cos(angles * hertz)])
    wave = part.astype(np.float64)
    factors = np.linalg.lstsq(columns, wave, rcond=None)[0]
    return rms(columns @ factors), rms(wave - columns @ factors)


def check_cadence(sound: Sound, steps: tuple[Step, ...], dbm0: float = -10.0) -> int:
    """Follow a tone through what was heard; returns how many of its steps were heard whole."""
    at, heard, number = begin_of(sound), 0, 0
    edge = 3
    loudest = max(step.power for step in steps)
    while True:
        step = steps[number % len(steps)]
        length = (step.milliseconds or 500) * RATE // 1000
        part = sound[at + edge : min(at + length, len(sound)) - edge]
        if at + length > len(sound) and len(part) < RATE // 5:
            return heard
        if step.sines:
            tones, rest = rest_of(part, step)
            wanted = 32768 * 10 ** ((dbm0 + DBOV) / 20) * np.sqrt(step.power / loudest)
            # Sines that beat have not the same power in every stretch of time.
            slack = 1.05 if len(step.sines) == 1 else 1.4
            assert wanted / slack < tones < wanted * slack, (number, step, tones, wanted)
            assert rest < 0.01 * wanted + 1, (number, step, rest)
        else:
            assert np.abs(part.astype(np.int32)).max() <= 1, (number, step)
        if at + length > len(sound):
            return heard
        at, heard, number = at + length, heard + 1, number + 1


class TestTones:
    @pytest.mark.parametrize("country", ["CN", "US", "AU"])
    def test_every_tone_of_a_country(self, link: Link, country: str) -> None:
        with listeners(link, *[EXACT] * len(TONES)) as phones:
            for number, (phone, name) in enumerate(zip(phones, TONES, strict=True)):
                link.send(
                    Play(number + 1, phone.port, tone=name, country=country, level_db=-10, times=0)
                )
            listen(*phones, seconds=2.6)
            for phone, name in zip(phones, TONES, strict=True):
                steps = tone(country, name)
                heard = check_cadence(phone.heard(), steps)
                shortest = min(one.milliseconds or 500 for one in steps)
                assert heard >= 1 or shortest > 1500, name

    def test_all_countries_can_be_played(self, link: Link) -> None:
        names = [(country, name) for country in plans() for name in TONES]
        with listeners(link, EXACT) as phones:
            port = phones[0].port
            most = player_row.players(len(link.ready.ports))
            for first in range(0, len(names), most):
                some = dict(enumerate(names[first : first + most], start=1))
                for number, (country, name) in some.items():
                    code = country.lower()
                    link.send(Play(number, port, tone=name, country=code, level_db=-10, times=0))
                for number in some:
                    link.send(StopPlaying(number))
                assert set(ended(link, *some).values()) == {""}

    def test_as_often_as_wanted(self, link: Link) -> None:
        with listeners(link, EXACT, EXACT) as phones:
            link.send(Play(1, phones[0].port, tone="500/100 0/50", level_db=-10, times=3))
            link.send(Play(2, phones[1].port, tone="500/100 0/50", level_db=-10, times=0))
            listen(*phones)
            assert ended(link, 1) == {1: ""}
            loud = np.abs(phones[0].heard()[begin_of(phones[0].heard()) :].astype(np.int32)) > 30
            # Three times 100 ms with 50 ms between, and nothing after it.
            assert np.flatnonzero(loud)[-1] // 8 == pytest.approx(400, abs=2)
            assert check_cadence(phones[1].heard(), parse_tone("500/100 0/50")) >= 8
            assert link.said(Played) == []
            link.send(StopPlaying(2))
            assert ended(link, 2) == {2: ""}

    def test_level(self, link: Link) -> None:
        with listeners(link, EXACT, EXACT, EXACT) as phones:
            for number, (phone, dbm0) in enumerate(zip(phones, (-60.0, -25.0, 3.0), strict=True)):
                link.send(Play(number + 1, phone.port, tone=FOREVER, level_db=dbm0, times=0))
            listen(*phones)
            for phone, dbm0 in zip(phones, (-60.0, -25.0, 3.0), strict=True):
                assert abs(level(phone.heard()[-4000:]) - dbm0 - DBOV) < 0.5

    def test_stopped_at_once_is_silent_at_once(self, link: Link) -> None:
        with listeners(link, EXACT) as phones:
            link.send(Play(1, phones[0].port, tone=FOREVER, times=0))
            listen(*phones, seconds=0.5)
            link.send(StopPlaying(1))
            assert ended(link, 1) == {1: ""}
            phones[0].forget()
            listen(*phones, seconds=0.5)
            assert not phones[0].heard()[320:].any()
            # What has ended is no fault, and its name is free.
            link.send(StopPlaying(1), Play(1, phones[0].port, tone="500/40"))
            assert ended(link, 1) == {1: ""}

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"tone": "no-such-tone"}, "no tone"),
            ({"tone": "425/"}, "milliseconds"),
            ({"tone": "425/100 0 500/100"}, "only the last step"),
            ({"tone": "99999999999999999999"}, "frequencies"),
            ({"tone": "425/99999999999999999999"}, "milliseconds"),
            ({"tone": "425@-99999"}, "frequencies"),
            ({"tone": "1+2+3+4+5+6+7+8+9"}, "frequencies"),
            ({"tone": ""}, "nothing to play"),
            ({"tone": "dial", "path": "/a.wav"}, "nothing to play"),
            ({"times": -1}, "nothing to play"),
            ({"times": 2**31}, "too much"),
            ({"level_db": 3.5}, "level"),
            ({"level_db": -61.0}, "level"),
            ({"tone": "425*25"}, "too loud"),
            ({"level_db": float("nan")}, "level"),
            ({"player": 0}, "no name"),
            ({"player": -1}, "no name"),
            ({"room": 5}, "too many"),
            ({"port": 0}, "nobody"),
            ({"port": 1}, "not one of ours"),
        ],
    )
    def test_refused(self, link: Link, changes: dict[str, object], words: str) -> None:
        with listeners(link, EXACT) as phones:
            settings = {"player": 1, "port": phones[0].port, "tone": "dial", **changes}
            assert words in refusal(link, Play(**settings))  # type: ignore[arg-type]

    def test_refused_for_other_reasons(self, link: Link) -> None:
        with listeners(link, EXACT) as phones:
            port = phones[0].port
            link.send(Play(1, port, tone="dial", times=0))
            assert "there already" in refusal(link, Play(1, port, tone="busy"))
            link.send(StopPlaying(1))
            assert ended(link, 1) == {1: ""}

    @pytest.mark.parametrize(("tone", "path"), [("busy", ""), ("", "/nowhere/a.wav")])
    def test_without_a_voice_it_has_ended_at_once(self, link: Link, tone: str, path: str) -> None:
        """Whoever waits for its end, waits no longer."""
        with voice_phones(link, EXACT) as phones:
            ports = (phones[0].port, link.ready.ports[5])
            link.send(
                *(Play(name, at, path=path, tone=tone) for name, at in enumerate(ports, start=1))
            )
            failures = ended(link, 1, 2)
            assert "no voice" in failures[1]
            assert "no stream" in failures[2]
            assert link.said(Refused) == []
            # Its name is free again
            phones[0].be()
            link.send(Play(1, phones[0].port, tone="500/40"))
            assert ended(link, 1) == {1: ""}


class TestFiles:
    def test_rates_tracks_and_formats(self, link: Link, tmp_path: Path) -> None:
        kinds = [
            *((rate, PCM, 1, False) for rate in (8000, 11025, 16000, 22050, 44100, 48000)),
            (44100, PCM, 2, False),
            (8000, ALAW, 1, False),
            (8000, ULAW, 2, False),
            (48000, PCM, 2, True),
        ]
        with listeners(link, *[WIDE] * len(kinds)) as phones:
            for number, (phone, kind) in enumerate(zip(phones, kinds, strict=True), start=1):
                rate, code, tracks, extensible = kind
                path = tmp_path / f"{number}.wav"
                sound = sine(1000, rate // 2, rate, peak=8000)
                path.write_bytes(wav(sound, rate, code=code, tracks=tracks, extensible=extensible))
                link.send(Play(number, phone.port, path=str(path), times=0))
            listen(*phones, seconds=1.6)
            for phone, kind in zip(phones, kinds, strict=True):
                assert abs(phone.hears(1000) + 15.3) < 0.3, kind
                assert abs(level(np.concatenate(phone.tenths(0.8))) + 15.3) < 0.3, kind

    def test_times_and_level(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(wav(sine(500, 800, RATE, peak=8000), RATE))
        with listeners(link, EXACT, EXACT) as phones:
            link.send(Play(1, phones[0].port, path=str(path), times=3, level_db=-6.0))
            link.send(Play(2, phones[1].port, path=str(path), times=2, level_db=6.0))
            listen(*phones, seconds=0.8)
            assert ended(link, 1, 2) == {1: "", 2: ""}
            for phone, times, gain in ((phones[0], 3, -6), (phones[1], 2, 6)):
                begin = begin_of(phone.heard())
                heard = phone.heard()[begin : begin + 800 * times]
                assert abs(level(heard) + 15.3 - gain) < 0.2
                assert not phone.heard()[begin + 800 * times :].any()

    def test_what_cannot_be_played_says_why_and_the_engine_goes_on(
        self, link: Link, tmp_path: Path
    ) -> None:
        good = wav(sine(500, 1600, RATE, peak=8000), RATE)
        (tmp_path / "good.wav").write_bytes(good)
        (tmp_path / "cut.wav").write_bytes(good[:30])
        (tmp_path / "text.wav").write_bytes(b"hello" * 100)
        (tmp_path / "no-sound.wav").write_bytes(good[:40])
        with (tmp_path / "large.wav").open("wb") as file:
            file.truncate(2**40)
        names = ["cut.wav", "text.wav", "no-sound.wav", "large.wav", "missing.wav", "a\0b.wav", ""]
        with listeners(link, EXACT) as phones:
            port = phones[0].port
            for number, name in enumerate(names, start=1):
                link.send(Play(number, port, path=f"{tmp_path}/{name}"))
            failures = ended(link, *range(1, len(names) + 1))
            assert all(failures.values())
            assert failures[5] == "missing.wav: No such file or directory"
            link.send(Play(9, port, path=str(tmp_path / "good.wav")))
            listen(*phones, seconds=0.5)
            assert ended(link, 9) == {9: ""}
            assert abs(level(phones[0].heard()[begin_of(phones[0].heard()) :][:1600]) + 15.3) < 0.2

    def test_longer_ones_are_read_while_they_are_heard(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        noise = np.random.default_rng(1).integers(1, 9000, 5 * RATE).astype(np.int16)
        path.write_bytes(wav(noise, RATE))
        with listeners(link, EXACT, EXACT) as phones:
            for number, phone in enumerate(phones, start=1):
                link.send(Play(number, phone.port, path=str(path)))
            listen(*phones, seconds=5.4)
            assert ended(link, 1, 2) == {1: "", 2: ""}
            for phone in phones:
                begin = begin_of(phone.heard())
                assert np.array_equal(phone.heard()[begin:][: len(noise)], noise)

    def test_one_that_is_cut_while_it_is_heard(self, link: Link, tmp_path: Path) -> None:
        """The begin of a long one is heard before the rest has been read, and it needs its time."""
        path = tmp_path / "long.wav"
        rate, tracks = 192_000, 8
        tone = sine(1000, 2 * rate, rate, peak=8000)
        with path.open("wb") as file:
            file.write(riff(form(PCM, rate, tracks)) + b"data" + struct.pack("<I", 2**30))
            file.write(np.repeat(tone.astype("<i2"), tracks).tobytes())
            file.truncate(2**30)
        with listeners(link, WIDE) as phones:
            link.send(Play(1, phones[0].port, path=str(path), times=0))
            while not phones[0].heard().any():
                listen(*phones, seconds=0.1)
            with path.open("r+b") as file:
                file.truncate(2**24)
            assert ended(link, 1) == {1: "long.wav: it has become shorter while it was read"}

    def test_stopped_while_it_is_read(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "long.wav"
        path.write_bytes(wav(np.zeros(44100 * 20, np.int16), 44100))
        with listeners(link, EXACT) as phones:
            link.send(Play(1, phones[0].port, path=str(path)), StopPlaying(1))
            assert ended(link, 1) == {1: ""}
            assert link.said(Played) == []


class TestWhoHearsThem:
    def test_dialled_as_tones_it_hears_nothing_else(self, link: Link) -> None:
        """Neither what was played before the digits nor what begins behind them."""
        with listeners(link, EXACT) as phones:
            phones[0].be(event_type=-1)
            port = phones[0].port
            link.send(
                Play(1, port, tone="500", level_db=-20.0, times=0),
                SendDigits(port, "1", on_ms=1000),
                Play(2, port, tone="900", level_db=-20.0, times=0),
            )
            listen(*phones, seconds=0.8)
            assert phones[0].hears(700, 0.3) > -20
            for hertz in (500, 900):
                assert phones[0].hears(hertz, 0.3) < -35
            link.send(StopPlaying(1), StopPlaying(2))
            assert ended(link, 1, 2) == {1: "", 2: ""}

    def test_two_on_one_voice(self, link: Link) -> None:
        with listeners(link, EXACT) as phones:
            link.send(Play(1, phones[0].port, tone="500", level_db=-20.0, times=0))
            link.send(Play(2, phones[0].port, tone="900", level_db=-20.0, times=0))
            listen(*phones)
            for hertz in (500, 900):
                assert abs(phones[0].hears(hertz, 0.5) + 20 - DBOV) < 0.2

    def test_a_room_of_all_rates(self, link: Link) -> None:
        with listeners(link, EXACT, WIDE, (codecs.OPUS, 98), (codecs.PCMU, PCMU), room=3) as phones:
            phones[3].be(room=4)
            link.send(Play(1, room=3, tone="500", level_db=-20.0, times=0))
            listen(*phones)
            for phone in phones[:3]:
                assert abs(phone.hears(500, 0.5) + 20 - DBOV) < 1
            assert phones[3].hears(500, 0.5) < -70
            # Who doesn't listen to the room hears what is played for it alone.
            phones[0].be(room=3, listens=False)
            link.send(Play(2, phones[0].port, tone="900", level_db=-20.0, times=0))
            phones[0].forget()
            listen(*phones)
            assert phones[0].hears(500, 0.5) < -70
            assert abs(phones[0].hears(900, 0.5) + 20 - DBOV) < 0.2
            assert phones[1].hears(900, 0.5) < -70
            link.send(StopPlaying(1), StopPlaying(2))
            assert ended(link, 1, 2) == {1: "", 2: ""}

    def test_a_sign_is_heard_once_by_all_of_a_room(self, link: Link) -> None:
        """Each party hears it at its own rate, whether it may speak or not, and nobody outside."""
        formats = [
            EXACT,
            WIDE,
            (codecs.L16_48000, 97),
            (codecs.PCMU, PCMU),
            WIDE,
            (codecs.OPUS, 98),
        ]
        with listeners(link, *formats, EXACT, room=3) as phones:
            phones[2].ptime_ms = 10
            phones[2].be(room=3)
            for muted in phones[3:5]:
                muted.be(room=3, speaks=False)
            *inside, outside = phones
            outside.be(room=4)
            link.send(Play(1, room=3, tone=ENTERS, level_db=TONE_LEVEL_DBM0))
            listen(*phones, seconds=0.8)
            assert ended(link, 1) == {1: ""}
            assert not outside.heard().any()
            for phone in inside:
                sound = phone.heard()
                at = begin_of(sound)
                slack = 1.0 if phone.codec in (codecs.OPUS, codecs.PCMU) else 0.2
                for begun_s, hertz in ((0.02, 600), (0.17, 900)):
                    first = at + round(begun_s * phone.rate)
                    tone = sound[first : first + round(0.08 * phone.rate)]
                    heard = tone_level(tone, hertz, phone.rate)
                    assert abs(heard - TONE_LEVEL_DBM0 - DBOV) < slack, (phone.codec, hertz)
                after = sound[at + round(0.3 * phone.rate) :]
                assert len(after) > 0.1 * phone.rate
                assert level(after) < -60, phone.codec

    def test_a_room_without_anybody(self, link: Link) -> None:
        with listeners(link, EXACT) as phones:
            link.send(Play(1, room=9, tone="500/40"))
            listen(*phones, seconds=0.3)
            assert ended(link, 1) == {1: ""}

    def test_no_more_than_there_are_places(self, link: Link) -> None:
        with listeners(link, EXACT) as phones:
            phones[0].be(event_type=-1)
            port = phones[0].port
            most = player_row.players(len(link.ready.ports))
            for number in range(1, most + 1):
                link.send(Play(number, port, tone=FOREVER, level_db=-60.0, times=0))
            link.send(Play(most + 1, port, tone=FOREVER))
            assert str(most) in ended(link, most + 1)[most + 1]
            assert str(most) in refusal(link, SendDigits(port, "1"))
            link.send(StopPlaying(1))
            assert ended(link, 1) == {1: ""}
            link.send(Play(1, port, tone="500/40"))
            assert ended(link, 1) == {1: ""}
            # The end of the voice ends all of them.
            link.send(Release([port]))
            assert set(ended(link, *range(2, most + 1)).values()) == {""}
            link.send(phones[0].stream())

    def test_a_new_exchange_ends_them(self, link: Link) -> None:
        with listeners(link, EXACT) as phones:
            link.send(Play(1, phones[0].port, tone=FOREVER, times=0))
            listen(*phones, seconds=0.4)
            assert phones[0].heard().any()
            link.greet()
            phones[0].forget()
            listen(*phones, seconds=0.4)
            assert not phones[0].heard()[320:].any()
