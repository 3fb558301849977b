"""What both parties of a call say at one moment stands at one place of their tracks.

Each track is looked at beside the other, not by itself: packets of any lengths, sound of other rates than
the recording's, and a network whose first packets are late.
"""

import functools

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.engine import coder_row, ring_row, tape_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import jitter_row, record
from pbx.media.engine.kernels.taping import start_taping, tape
from pbx.media.engine.kernels.voice_in import _decode_slot
from pbx.media.engine.tables import make_tables
from pbx.media.engine.voice_tables import make_voice_tables
from tests.media.kernels.networks import MS, START_NS, Listener, Packet, Samples

SIZES_MS = (10, 20, 30, 40, 60)
FILTER_MS = 2.0
"""What a filter between two rates may hold sound back."""

Rates = tuple[int, int, int]
"""Samples in a second of the left party, of the right one, and of the recording."""

RATES: list[Rates] = [
    (8000, 8000, 8000),
    (48000, 48000, 16000),
    (8000, 8000, 16000),
    (48000, 8000, 16000),
]

Sent = tuple[int, int, int, Samples]
"""When it arrives, its side, its timestamp, its sound."""


@functools.cache
def noise(seconds: float, rate: int, seed: int = 1) -> Samples:
    """Noise of up to 2 kHz: the same at every rate."""
    count = round(seconds * rate)
    bins = round(seconds * 2000)
    dice = np.random.default_rng(seed)
    spectrum = np.zeros(count // 2 + 1, np.complex128)
    spectrum[1:bins] = dice.normal(size=bins - 1) + 1j * dice.normal(size=bins - 1)
    sound = np.fft.irfft(spectrum, count)
    said: Samples = np.round(sound * 6000 / sound.std()).clip(-32000, 32000).astype(np.int16)
    return said


def packets(
    sound: Samples, side: int, ptime_ms: int, rate: int, *, late_ms: int = 0, begin_ms: int = 0
) -> list[Sent]:
    """Packets of a sound whose first one is late; nothing overtakes it."""
    step, first = ptime_ms * rate // 1000, START_NS + (begin_ms + ptime_ms + late_ms) * MS
    return [
        (
            max(START_NS + (begin_ms + (number + 1) * ptime_ms) * MS, first),
            side,
            (0xFFFFF000 + at) & 0xFFFFFFFF,
            sound[at : at + step],
        )
        for number, at in enumerate(range(0, len(sound) - step + 1, step))
    ]


class Call:
    """The recording of a call, in two tracks, whose blocks are taken as the engine would.

    Args:
        rates: of the parties, and of the recording.
    """

    def __init__(self, rates: Rates) -> None:
        tables = make_tables([0] * 4, dual_stack=False)
        tables.facts[t.THREAD] = 1
        self.voices = make_voice_tables(2, np.zeros(64, np.int64), b"here")
        for side in range(2):
            for word in (voice_row.RATE, voice_row.CLOCK):
                self.voices.voices[side, word] = rates[side]
        command = np.zeros(ring_row.WIDTH, np.int64)
        command[ring_row.SETTINGS : ring_row.SETTINGS + 4] = 0, 1, rates[2], 2
        start_taping(tables, self.voices, command, START_NS)
        self.row = self.voices.tapes[0]
        self.ring = self.voices.tracks[0, : 2 * (self.row[record.MASK] + 1)]
        self.blocks: list[Samples] = []
        self._next_take = START_NS

    def write(self, sent: list[Sent]) -> None:
        """Put packets in, in the order of their arrival."""
        for arrival, side, timestamp, sound in sorted(sent, key=lambda one: one[0]):
            self.pass_time(arrival)
            tape(self.voices, side, sound, len(sound), timestamp, 9 + side, arrival)

    def pass_time(self, now: int) -> None:
        """Take what is whole until a moment."""
        while self._next_take <= now:
            record.close(self.row, self.row[tape_row.BLOCK], self._next_take)
            self._take()
            self._next_take += 100 * MS

    def _take(self) -> None:
        first, count = self.row[record.TAKEN], self.row[record.CLOSED] - self.row[record.TAKEN]
        out = np.zeros(2 * count, np.int16)
        record.take_stereo(self.ring, first, count, out)
        self.row[record.TAKEN] += count
        self.blocks.append(out.reshape(-1, 2))

    def finish(self) -> tuple[Samples, Samples]:
        """Return both tracks."""
        record.close_all(self.row)
        self._take()
        assert not self.ring.any()
        left, right = np.concatenate(self.blocks).T
        return left, right


class RecordedVoice(Listener):
    """A voice whose packets are decoded, and recorded, by the engine's own kernel.

    Args:
        call: whose left party it is.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(longest_ms=voice_row.LONGEST_MS, slot_shift=voice_row.SLOT_SHIFT)
        self.call, voices = call, call.voices
        own = voices.voices[0, voice_row.JITTER : voice_row.JITTER + jitter_row.WIDTH]
        own[:] = self.row
        self.row, self.payloads = own, voices.payloads[0]
        self.line = voices.sound[0, voice_row.LINE : voice_row.LINE + len(self.line)]
        voices.voices[0, voice_row.DECODER] = 0
        voices.coders[0, coder_row.CODEC] = codecs.L16_8000
        self.now = 0

    def tick(self, now: int) -> list[int]:
        """Play 20 ms, and record what is played."""
        self.now = now
        self.call.pass_time(now)
        return super().tick(now)

    def decode(self) -> int:
        """Decode the slot to the end of the line."""
        return int(_decode_slot(self.call.voices, 0, self.line, self.now))


def found(mark: Samples, track: Samples) -> int:
    """Return where a mark stands in a track."""
    size = len(mark) + len(track)
    spectrum = np.fft.rfft(track, size) * np.conj(np.fft.rfft(mark, size))
    at = int(np.argmax(np.fft.irfft(spectrum, size)[: len(track) - len(mark) + 1]))
    assert np.corrcoef(mark, track[at : at + len(mark)])[0, 1] > 0.95
    return at


class TestOneMoment:
    """The parties are silent but for one mark, which both say at the same moment."""

    @pytest.mark.parametrize("rates", RATES)
    @pytest.mark.parametrize("left_ms", SIZES_MS)
    @pytest.mark.parametrize("right_ms", SIZES_MS)
    @pytest.mark.parametrize("late_ms", [0, 300])
    def test_marks_stand_side_by_side(
        self, rates: Rates, left_ms: int, right_ms: int, late_ms: int
    ) -> None:
        call, sent = Call(rates), []
        for side, ptime_ms in enumerate((left_ms, right_ms)):
            own = rates[side]
            parts = [np.zeros(own, np.int16), noise(0.25, own), np.zeros(own, np.int16)]
            late = late_ms if side == 1 else 0
            sent += packets(np.concatenate(parts), side, ptime_ms, own, late_ms=late)
        call.write(sent)
        mark = noise(0.25, rates[2])
        left, right = (found(mark, track) for track in call.finish())
        apart = FILTER_MS * rates[2] / 1000 if rates[0] != rates[1] else 0
        assert abs(left - right) <= apart
        said = (1000 + record.LEAD_MS) * rates[2] // 1000
        assert abs(left - said) <= FILTER_MS * rates[2] / 1000

    @pytest.mark.parametrize("late_ms", [40, 150, 300])
    def test_nothing_of_a_late_beginning_is_lost(self, late_ms: int) -> None:
        """Also where the other party began long before: its own place is another one."""
        left, right = noise(4, 8000, 1), noise(2, 8000, 2)
        call = Call(RATES[0])
        sent = packets(left, 0, 20, 8000)
        call.write(sent + packets(right, 1, 30, 8000, begin_ms=1510, late_ms=late_ms))
        tracks = call.finish()
        assert call.row[record.MISSED] == call.row[record.RESETS] == 0
        lead = record.LEAD_MS * 8
        begin, length = lead + 1510 * 8, len(right) // 240 * 240
        assert np.array_equal(tracks[0][lead : lead + len(left)], left)
        assert np.array_equal(tracks[1][begin : begin + length], right[:length])
        assert not tracks[1][:begin].any()
        assert not tracks[1][begin + length :].any()

    def test_a_late_beginning_whose_packets_overtake_each_other(self) -> None:
        sound = noise(2, 8000)
        sent = packets(sound, 0, 20, 8000, late_ms=150)
        # The third and the second come before the first one
        for number, before_ms in ((0, 0), (1, 5), (2, 10)):
            sent[number] = (sent[0][0] - before_ms * MS, *sent[number][1:])
        call = Call(RATES[0])
        call.write(sent)
        track = call.finish()[0]
        lead = record.LEAD_MS * 8
        assert np.array_equal(track[lead : lead + len(sound)], sound)

    def test_who_begins_later_stays_later(self) -> None:
        sound = noise(1, 8000)
        call = Call(RATES[0])
        late = packets(sound, 1, 60, 8000, begin_ms=730)
        call.write(packets(sound, 0, 20, 8000) + late)
        left, right = (found(sound[:6000], track) for track in call.finish())
        assert right - left == 730 * 8

    @pytest.mark.parametrize("late_ms", [600, 900])
    def test_a_beginning_later_than_places_are_open(self, late_ms: int) -> None:
        """What came before it has been written: it is moved as far as there is room, and all of it is there."""
        sound = noise(9, 8000)
        call = Call(RATES[0])
        call.write(packets(sound, 0, 20, 8000) + packets(sound, 1, 20, 8000, late_ms=late_ms))
        _, track = call.finish()
        at = found(sound, track)
        assert np.array_equal(track[at : at + len(sound)], sound)
        assert 0 <= at - record.LEAD_MS * 8 <= (late_ms + 20 - record.HELD_MS) * 8


@pytest.mark.parametrize("rates", [(48000, 48000, 16000), (8000, 8000, 16000)])
@pytest.mark.parametrize("ptime_ms", SIZES_MS)
@pytest.mark.parametrize(
    ("later_ms", "back_ms"), [(300, 0), (600, 0), (1100, 0), (0, 900), (0, 6000)]
)
def test_a_time_line_that_goes_on_elsewhere(
    rates: Rates, ptime_ms: int, later_ms: int, back_ms: int
) -> None:
    """A clock that stood still, or went back, in sound that is resampled: few packets are lost."""
    sound = noise(6, rates[0])
    at = 1500 // ptime_ms
    sent = [
        (a + later_ms * MS, s, (ts - back_ms * rates[0] // 1000) & 0xFFFFFFFF, pcm)
        if number >= at
        else (a, s, ts, pcm)
        for number, (a, s, ts, pcm) in enumerate(packets(sound, 0, ptime_ms, rates[0]))
    ]
    call = Call(rates)
    call.write(sent)
    track, _ = call.finish()
    assert call.row[record.MISSED] <= 5 * max(ptime_ms, 20) * rates[2] // 1000
    assert call.row[record.RESETS] == 1
    whole = noise(6, rates[2])
    tail = whole[-3 * rates[2] : -rates[2]]
    expected = (record.LEAD_MS + 3000 + later_ms) * rates[2] // 1000
    assert abs(found(tail, track) - expected) <= FILTER_MS * rates[2] / 1000


def lateness_ms(number: int) -> int:
    """How late a packet of 20 ms is: nothing is, then every fifth one up to 220 ms, then nothing again."""
    grows = 300 <= number < 900 and number % 5 == 0
    return 220 * min(number - 300, 200) // 200 if grows else 0


def test_a_voice_stands_where_it_was_said_whatever_its_delay() -> None:
    """Jitter grows, and the delay that it is heard with; then it calms again."""
    call = Call(RATES[0])
    voice = RecordedVoice(call)
    sound = noise(40, 8000)
    arrivals = [
        Packet(
            START_NS + (20 * (number + 1) + lateness_ms(number)) * MS,
            number & 0xFFFF,
            160 * number,
            sound[160 * number : 160 * (number + 1)].astype(">i2").tobytes(),
        )
        for number in range(len(sound) // 160)
    ]
    voice.run(sorted(arrivals), len(sound) / 8000 + 1)
    delays = voice.delays
    assert max(delays[15 * 50 : 18 * 50]) >= 120 > 60 >= max(delays[10:250] + delays[-250:])
    track, _ = call.finish()
    assert call.row[record.MISSED] == call.row[record.RESETS] == 0
    heard = track[record.LEAD_MS * 8 :][: len(sound)]
    missing = heard != sound
    # What was too late to be heard is missing, and nothing else is
    assert not heard[missing].any()
    assert np.count_nonzero(missing) <= 160 * (voice.row[jitter_row.LATE] + 1)
