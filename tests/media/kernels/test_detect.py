"""DTMF as Q.24 asks for it: what has to be heard, what must not, and speech; tones and silence."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import detect, g711, tones
from pbx.media.engine.tone_plans import DTMF_DIGITS, dtmf, program
from tests.media.kernels import sound
from tests.media.kernels import twins_detect as slow
from tests.media.kernels.speech import speech

Wave = npt.NDArray[np.float64]

KEYPAD = "123A456B789C*0#D"
ZERO_DBM0 = 22827
"""Peak of a sine."""

every_digit = pytest.mark.parametrize("digit", DTMF_DIGITS)


def rounded(signal: Wave) -> sound.Sound:
    return np.clip(np.round(signal), -32768, 32767).astype(np.int16)


def key(
    digit: str,
    *,
    low: float = -8.0,
    high: float = -6.0,
    on: float = 40.0,
    off: float = 40.0,
    detuned: float = 0.0,
) -> Wave:
    """Return one digit: levels of both frequencies in dBm0, lengths in ms, how far off they are."""
    row, column = divmod(KEYPAD.index(digit), 4)
    turns = np.arange(round(on * 8)) / 8000 * (1 + detuned)
    signal = 10 ** (low / 20) * np.sin(2 * np.pi * (697, 770, 852, 941)[row] * turns + 0.4)
    signal += 10 ** (high / 20) * np.sin(2 * np.pi * (1209, 1336, 1477, 1633)[column] * turns)
    return np.concatenate([ZERO_DBM0 * signal, np.zeros(round(off * 8))])


FORMANTS = {
    "i": (270, 2290, 3010),
    "e": (530, 1840, 2480),
    "a": (730, 1090, 2440),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "er": (490, 1350, 1690),
}
"""Peterson and Barney's means for men, in Hz."""


def sung(vowel: str, pitch: int) -> Wave:
    """Return two seconds of a vowel: all harmonics of a pitch, louder near the formants."""
    time = np.arange(16000) / 8000
    turns = np.cumsum(pitch * (1 + 0.05 * np.sin(2 * np.pi * 3 * time))) / 8000
    signal = np.zeros(16000)
    for number in range(1, 3600 // pitch):
        hertz = number * pitch
        loud = sum(
            weight * 100 / np.hypot(100, hertz - formant)
            for formant, weight in zip(FORMANTS[vowel], (1.0, 0.6, 0.3), strict=True)
        )
        signal += loud / number**0.3 * np.sin(2 * np.pi * number * turns + number)
    return np.asarray(12000 * signal / np.abs(signal).max())


EVENTS = {
    detect.BURST: "burst",
    detect.OVER: "over",
    detect.QUIET: "quiet",
    detect.SOUND: "sound",
}


def said(
    kind: str,
    samples: int,
    hertz: tuple[float, ...],
    rate: int,
    generator: np.random.Generator,
) -> sound.Sound:
    """Return something to be on a line: the tone, one of its frequencies or near it, noise, silence."""
    if kind == "tone":
        parts = [sound.sine(one, samples, rate, peak=6000) for one in hertz]
    elif kind == "half":
        parts = [sound.sine(hertz[0], samples, rate, peak=2000)]
    elif kind == "off":
        parts = [sound.sine(hertz[-1] + 75, samples, rate, peak=6000)]
    else:
        parts = []
    deviation = {"noise": 3000.0, "silence": 20.0}.get(kind, 100.0)
    noise = generator.normal(0, deviation, samples)
    return rounded(noise + sum((one.astype(np.float64) for one in parts), np.zeros(samples)))


def heard(pcm: sound.Sound) -> str:
    """Return the digits that are heard, frame by frame."""
    row = np.zeros(detect.WIDTH, np.int64)
    codes = [
        detect.detect_dtmf(row, pcm[start : start + 160], 160) for start in range(0, len(pcm), 160)
    ]
    return "".join(DTMF_DIGITS[code] for code in codes if code >= 0)


def at_any_moment(signal: Wave) -> set[str]:
    """Return what is heard when the signal begins anywhere in a frame."""
    return {
        heard(rounded(np.concatenate([np.zeros(400 + late), signal, np.zeros(800)])))
        for late in range(0, 160, 9)
    }


class TestItuQ24:
    @every_digit
    def test_forty_milliseconds_are_enough(self, digit: str) -> None:
        assert at_any_moment(key(digit)) == {digit}

    @every_digit
    def test_twenty_are_not(self, digit: str) -> None:
        assert at_any_moment(key(digit, on=22)) == {""}

    @every_digit
    @pytest.mark.parametrize(
        ("low", "high"), [(-27, -27), (-2, -2), (-14, -10), (-10, -18), (-25, -21), (-3, -11)]
    )
    def test_levels_and_twist_that_have_to_be_heard(
        self, digit: str, low: float, high: float
    ) -> None:
        assert at_any_moment(key(digit, low=low, high=high)) == {digit}

    @every_digit
    @pytest.mark.parametrize(
        ("low", "high"), [(-32, -32), (-20, -10), (-8, -22), (-99, -6), (-6, -99)]
    )
    def test_levels_and_twist_that_must_not(self, digit: str, low: float, high: float) -> None:
        assert at_any_moment(key(digit, low=low, high=high, on=100)) == {""}

    @every_digit
    @pytest.mark.parametrize("detuned", [0.015, -0.015])
    def test_frequencies_that_have_to_be_heard(self, digit: str, detuned: float) -> None:
        assert at_any_moment(key(digit, detuned=detuned)) == {digit}

    @every_digit
    @pytest.mark.parametrize("detuned", [0.035, -0.035])
    def test_frequencies_that_must_not(self, digit: str, detuned: float) -> None:
        assert at_any_moment(key(digit, detuned=detuned, on=150)) == {""}

    @pytest.mark.parametrize("seed", range(6))
    def test_pauses_of_forty_milliseconds(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        digits = "".join(generator.choice(list(DTMF_DIGITS), 20)) + "5577"
        signal = np.concatenate(
            [np.zeros(7 * seed), *(key(digit) for digit in digits), np.zeros(400)]
        )
        assert heard(rounded(signal)) == digits

    @every_digit
    def test_a_gap_of_ten_milliseconds_makes_no_second_digit(self, digit: str) -> None:
        signal = key(digit, on=120)
        signal[400:480] = 0
        assert at_any_moment(signal) == {digit}

    @pytest.mark.parametrize("snr", [25, 15, 12])
    def test_noise(self, snr: int) -> None:
        generator = np.random.default_rng(snr)
        for _ in range(5):
            digits = "".join(generator.permutation(list(DTMF_DIGITS)))
            signal = np.concatenate([key(d, low=-13, high=-13, on=50, off=50) for d in digits])
            rms = ZERO_DBM0 * 10 ** (-10 / 20) / np.sqrt(2)
            noise = generator.normal(0, rms * 10 ** (-snr / 20), len(signal))
            assert heard(rounded(signal + noise)) == digits

    def test_impulses(self) -> None:
        """A click of full scale in every other digit's pause and in none of their sounds."""
        signal = np.concatenate([key(digit, on=60, off=60) for digit in DTMF_DIGITS])
        signal[800::960] = 32000
        assert heard(rounded(signal)) == DTMF_DIGITS


class TestWhatIsNoDigit:
    def test_noise(self) -> None:
        generator = np.random.default_rng(8)
        assert heard(rounded(generator.normal(0, 4000, 8000 * 60))) == ""

    @pytest.mark.parametrize(
        "frequencies",
        [(350, 440), (440, 480), (480, 620), (425,), (1400,), (697,), (1209,), (770, 941)],
    )
    def test_other_tones(self, frequencies: tuple[int, ...]) -> None:
        signal = sum(
            (sound.sine(f, 16000, 8000, peak=9000).astype(float) for f in frequencies),
            np.zeros(16000),
        )
        assert heard(rounded(signal)) == ""

    @pytest.mark.parametrize("vowel", FORMANTS)
    def test_vowels(self, vowel: str) -> None:
        """Voices from deep to a child's, each with a pitch that glides by 5 %."""
        for pitch in range(80, 400, 7):
            assert heard(rounded(sung(vowel, pitch))) == "", pitch

    @pytest.mark.parametrize("voice", ["en", "en+f3", "de", "fr+f2", "cmn"])
    def test_speech(self, voice: str) -> None:
        signal = speech(voice)
        assert heard(rounded(signal)) == ""
        # And the same voice doesn't keep a digit after it from being heard.
        assert (
            heard(rounded(np.concatenate([signal, np.zeros(400), key("7"), np.zeros(400)]))) == "7"
        )


class TestRow:
    def test_length_and_end(self) -> None:
        row = np.zeros(detect.WIDTH, np.int64)
        pcm = rounded(np.concatenate([np.zeros(160), key("0", on=200, off=200)]))
        seen = []
        for start in range(0, len(pcm) - 159, 160):
            began = detect.detect_dtmf(row, pcm[start : start + 160], 160)
            seen.append((int(began), int(row[detect.DIGIT])))
        assert [began for began, _ in seen if began >= 0] == [0]
        assert {digit for _, digit in seen} == {0, 1}
        assert seen[-1][1] == 0
        assert row[detect.SAMPLES] == pytest.approx(1600, abs=80)

    @every_digit
    @pytest.mark.parametrize("law", ["ulaw", "alaw"])
    def test_our_own_generator_through_g711(self, digit: str, law: str) -> None:
        words = program(dtmf(digit * 2, on_ms=60, off_ms=50), 8000, level=-4.0, repeats=False)
        row, pcm = np.zeros(tones.WIDTH, np.int64), np.zeros(3200, np.int16)
        tones.play_tone(row, words, 3200, pcm)
        payload = np.zeros(3200, np.uint8)
        getattr(g711, f"encode_{law}")(pcm, 3200, payload)
        getattr(g711, f"decode_{law}")(payload, 3200, pcm)
        assert heard(pcm) == digit * 2

    @settings(deadline=None, max_examples=25)
    @given(
        st.integers(0, 2**32 - 1),
        st.lists(
            st.tuples(
                st.sampled_from(DTMF_DIGITS),
                st.integers(-30, 0),
                st.integers(-30, 0),
                st.integers(5, 60),
                st.integers(0, 50),
                st.sampled_from([0.0, 0.01, -0.02, 0.02, 0.03]),
            ),
            max_size=4,
        ),
        st.sampled_from([0, 3, 300, 100000]),
    )
    def test_like_its_twin(
        self, seed: int, keys: list[tuple[str, int, int, int, int, float]], noise: int
    ) -> None:
        signal = np.concatenate(
            [
                np.zeros(130),
                *(
                    key(digit, low=low, high=high, on=on, off=off, detuned=detuned)
                    for digit, low, high, on, off, detuned in keys
                ),
                np.zeros(400),
            ]
        )
        pcm = rounded(signal + np.random.default_rng(seed).normal(0, noise or 1e-9, len(signal)))
        row, found = np.zeros(detect.WIDTH, np.int64), []
        for at in range(0, len(pcm) - 39, 40):
            code = detect.detect_dtmf(row, pcm[at : at + 40], 40)
            if code >= 0:
                found.append((code, at // 40))
        assert found == slow.digits(slow.verdicts(pcm.tolist()))

    def test_full_scale_of_everything(self) -> None:
        """Squares of full scale at each frequency: sums must hold them."""
        for hertz in slow.HERTZ:
            pcm = np.where(np.sin(2 * np.pi * hertz * np.arange(800) / 8000) < 0, -32768, 32767)
            row = np.zeros(detect.WIDTH, np.int64)
            codes = [
                detect.detect_dtmf(row, pcm[at : at + 160].astype(np.int16), 160)
                for at in range(0, 800, 160)
            ]
            assert codes == [-1] * 5
            assert slow.digits(slow.verdicts(pcm.tolist())) == []

    @pytest.mark.parametrize("samples", [-1, 0, 39, 41, 160, 5000])
    def test_any_length(self, samples: int) -> None:
        row = np.zeros(detect.WIDTH, np.int64)
        assert detect.detect_dtmf(row, np.ones(100, np.int16), samples) == -1
        assert detect.detect_dtmf(row, np.ones(0, np.int16), samples) == -1


class TestLine:
    def row(self, hertz: float, beside: float = 0.0, *, rate: int) -> npt.NDArray[np.int64]:
        """Return a fresh row for a tone."""
        row = np.zeros(detect.LINE_WIDTH, np.int64)
        row[detect.LINE_TURNS] = round(hertz * 2**32 / rate)
        row[detect.LINE_BESIDE] = round(beside * 2**32 / rate)
        return row

    def lengths(self, row: npt.NDArray[np.int64]) -> tuple[int, int]:
        """Return the frames of the last burst, and of the silence before it."""
        return int(row[detect.LINE_BURST]) >> 16, int(row[detect.LINE_BURST]) & 0xFFFF

    def watched(
        self, pcm: sound.Sound, hertz: float, rate: int, beside: float = 0.0
    ) -> tuple[int, int]:
        """Return for how many frames it was the tone, and silent, at the end."""
        row = self.row(hertz, beside, rate=rate)
        frame = rate // 50
        for start in range(0, len(pcm), frame):
            detect.watch_line(row, pcm[start : start + frame], frame)
        return int(row[detect.LINE_TONE]), int(row[detect.LINE_SILENT])

    @pytest.mark.parametrize("rate", [8000, 16000, 48000])
    @pytest.mark.parametrize("hertz", [425, 1100, 2100])
    @pytest.mark.parametrize("peak", [400, 32767])
    def test_a_tone(self, rate: int, hertz: int, peak: int) -> None:
        assert self.watched(sound.sine(hertz, rate, rate, peak=peak), hertz, rate) == (50, 0)
        assert self.watched(sound.sine(hertz + 15, rate, rate, peak=peak), hertz, rate) == (50, 0)
        assert self.watched(sound.sine(hertz + 60, rate, rate, peak=peak), hertz, rate) == (0, 0)

    def test_noise_speech_and_silence_are_none(self) -> None:
        generator = np.random.default_rng(3)
        assert self.watched(rounded(generator.normal(0, 2000, 8000)), 1100, 8000) == (0, 0)
        assert self.watched(np.zeros(8000, np.int16), 1100, 8000) == (0, 50)
        assert self.watched(rounded(generator.normal(0, 50, 8000)), 1100, 8000) == (0, 50)
        assert self.watched(rounded(key("5", on=1000)), 1336, 8000) == (0, 2)

    def test_a_tone_in_noise(self) -> None:
        generator = np.random.default_rng(3)
        pcm = sound.sine(2100, 8000, 8000, peak=9000) + generator.normal(0, 2000, 8000)
        assert self.watched(rounded(pcm), 2100, 8000)[0] == 50

    def test_both_frequencies_or_none(self) -> None:
        both = sound.sine(480, 8000, 8000, peak=5000) + sound.sine(620, 8000, 8000, peak=4000)
        for pcm, frames in (
            (both, 50),
            (sound.sine(480, 8000, 8000, peak=5000), 0),
            (sound.sine(620, 8000, 8000, peak=5000), 0),
            (sound.sine(550, 8000, 8000, peak=5000), 0),
        ):
            assert self.watched(pcm, 480, 8000, beside=620) == (frames, 0)

    @settings(deadline=None, max_examples=60)
    @given(
        st.sampled_from([(425.0,), (450.0,), (480.0, 620.0)]),
        st.sampled_from([8000, 16000]),
        st.lists(
            st.tuples(
                st.sampled_from(["tone", "half", "silence", "silence", "noise", "off"]),
                st.one_of(st.integers(1, 30), st.integers(45, 120)),
            ),
            min_size=1,
            max_size=10,
        ),
        st.integers(0, 2**32 - 1),
    )
    def test_like_its_twin(
        self,
        hertz: tuple[float, ...],
        rate: int,
        parts: list[tuple[str, int]],
        seed: int,
    ) -> None:
        generator, size = np.random.default_rng(seed), rate // 50
        pcm = np.concatenate(
            [said(kind, count * size, hertz, rate, generator) for kind, count in parts]
        )
        frames = [pcm[at : at + size] for at in range(0, len(pcm), size)]
        kinds = [slow.frame(one.tolist(), hertz, rate) for one in frames]
        assume("" not in kinds)
        row, happened = self.row(*hertz, rate=rate), []
        for at, one in enumerate(frames):
            detect.watch_line(row, one, size)
            happened += [
                (at, name, self.lengths(row) if name == "burst" else (0, 0))
                for bit, name in EVENTS.items()
                if row[detect.LINE_EVENTS] & bit
            ]
            row[detect.LINE_EVENTS] = 0
        assert sorted(happened) == slow.line_events(kinds)

    def test_what_nobody_has_told_yet_gives_way_to_what_undoes_it(self) -> None:
        row = self.row(425.0, rate=8000)
        quiet, loud = np.zeros(160, np.int16), sound.sine(425, 160, 8000, peak=5000)

        def after(frames: int, pcm: sound.Sound) -> int:
            for _ in range(frames):
                detect.watch_line(row, pcm, 160)
            return int(row[detect.LINE_EVENTS])

        assert after(50, quiet) == detect.QUIET
        assert after(20, loud) == detect.SOUND
        assert after(49, quiet) == detect.SOUND | detect.BURST
        assert after(1, quiet) == detect.QUIET | detect.BURST
        assert after(50, quiet) == detect.QUIET | detect.OVER

    @pytest.mark.parametrize("samples", [-3, 0, 1, 5000])
    def test_any_length(self, samples: int) -> None:
        row = np.zeros(detect.LINE_WIDTH, np.int64)
        detect.watch_line(row, np.full(3000, -32768, np.int16), samples)
        detect.watch_line(row, np.zeros(0, np.int16), samples)
        assert row[detect.LINE_SILENT] == 0
