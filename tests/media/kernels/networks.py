"""Simulated networks, peers and listeners for the jitter buffer, on a clock of their own."""

import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pbx.media.engine.kernels import jitter, playout
from pbx.media.engine.kernels import jitter_row as c

Samples = npt.NDArray[np.int16]
Words = npt.NDArray[np.int64]

START_NS = 3_000_000_000_000
MS = 1_000_000
TICK = 20 * MS


@dataclass(frozen=True, order=True)
class Packet:
    """One packet on its way, ordered by when it arrives."""

    arrival_ns: int
    sequence: int
    timestamp: int
    payload: bytes = field(compare=False)
    marker: int = field(default=0, compare=False)
    payload_type: int = field(default=96, compare=False)
    ssrc: int = field(default=7, compare=False)


def sine(first: int, count: int, hertz: float, rate: int, level: float = 8000.0) -> Samples:
    """A sine whose phase is a function of the sample's number alone."""
    angle = 2 * math.pi * hertz / rate * np.arange(first, first + count)
    sound: Samples = np.round(level * np.sin(angle)).astype(np.int16)
    return sound


@dataclass
class Talker:
    """A peer that sends a sine as linear samples, in packets of any length.

    `clock_ppm` is how much its clock runs too fast.
    """

    rate: int = 8000
    hertz: float = 431.0
    ptime_ms: Callable[[int], int] = lambda _: 20
    clock_ppm: float = 0.0
    sequence: int = 65000
    timestamp: int = 0xFFFF0000

    def packets(self, seconds: float) -> Iterator[tuple[int, Packet]]:
        """Yield when each packet is sent, in nanoseconds, and the packet itself."""
        sample = 0
        number = 0
        while sample < seconds * self.rate:
            count = self.ptime_ms(number) * self.rate // 1000
            sample += count
            sent = START_NS + round(sample / self.rate * 1e9 / (1 + self.clock_ppm * 1e-6))
            sound = sine(sample - count, count, self.hertz, self.rate)
            yield (
                sent,
                Packet(
                    sent,
                    (self.sequence + number) & 0xFFFF,
                    (self.timestamp + sample - count) & 0xFFFFFFFF,
                    sound.astype(">i2").tobytes(),
                    int(number == 0),
                ),
            )
            number += 1


Delay = Callable[[random.Random, int], float]


def no_jitter(_: random.Random, __: int) -> float:
    return 0.0


def uniform(width_ms: float) -> Delay:
    return lambda dice, _: dice.uniform(0, width_ms)


def exponential(mean_ms: float, most_ms: float) -> Delay:
    return lambda dice, _: min(dice.expovariate(1 / mean_ms), most_ms)


def spikes(height_ms: float, every: int) -> Delay:
    """A network that is stuck now and then; what was stuck then comes at once."""

    def delay(_: random.Random, number: int) -> float:
        return max(0.0, height_ms - 20.0 * (number % every)) if number >= every else 0.0

    return delay


@dataclass
class Network:
    """Loses, delays, doubles and reorders."""

    seed: int = 1
    loss: float = 0.0
    double: float = 0.0
    delay: Delay = no_jitter
    in_order: bool = True
    burst: int = 1

    def carry(self, packets: Iterator[tuple[int, Packet]]) -> list[Packet]:
        """Return what arrives, in order of arrival."""
        dice = random.Random(self.seed)
        arrived: list[Packet] = []
        last = 0
        losing = 0
        for number, (sent, packet) in enumerate(packets):
            if losing == 0 and dice.random() < self.loss / self.burst:
                losing = self.burst
            if losing > 0:
                losing -= 1
                continue
            arrival = sent + round(self.delay(dice, number) * MS)
            if self.in_order:
                arrival = last = max(arrival, last)
            for _ in range(1 + (dice.random() < self.double)):
                heapq.heappush(arrived, Packet(arrival, *_facts(packet)))
                arrival += round(dice.uniform(0, 40) * MS)
        return [heapq.heappop(arrived) for _ in range(len(arrived))]


def _facts(packet: Packet) -> tuple[int, int, bytes, int, int, int]:
    return (
        packet.sequence,
        packet.timestamp,
        packet.payload,
        packet.marker,
        packet.payload_type,
        packet.ssrc,
    )


@dataclass
class Listener:
    """The engine's side: a jitter buffer, and a decoder of linear samples."""

    rate: int = 8000
    clock: int = 8000
    shortest_ms: int = 0
    longest_ms: int = 200
    slots: int = 32
    slot_shift: int = 11

    def __post_init__(self) -> None:
        self.row: Words = np.zeros(c.WIDTH, np.int64)
        self.payloads = np.zeros(self.slots << self.slot_shift, np.uint8)
        self.line: Samples = np.zeros(c.LINE_MS * self.rate // 1000, np.int16)
        self.frame: Samples = np.zeros(self.rate // 50, np.int16)
        self.heard: list[Samples] = []
        self.real: list[npt.NDArray[np.bool_]] = []
        self._marks = np.zeros(self.line.shape[0], np.int16)
        self.delays: list[int] = []
        self.steps: list[list[int]] = []
        self.comforts: list[int] = []
        jitter.prepare(
            self.row,
            self.clock,
            self.rate,
            self.shortest_ms,
            self.longest_ms,
            101,
            13,
            0,
            self.slot_shift,
            self.slots,
        )

    def put(self, packet: Packet) -> int:
        octets = np.frombuffer(bytes(12) + packet.payload, np.uint8)
        return int(
            jitter.put(
                self.row,
                self.payloads,
                octets,
                12,
                len(packet.payload),
                packet.sequence,
                packet.timestamp,
                packet.marker,
                packet.payload_type,
                packet.ssrc,
                packet.arrival_ns,
            )
        )

    def decode(self) -> int:
        """Decode the slot to the end of the line, as linear samples."""
        begin = int(self.row[c.SLOT]) << self.slot_shift
        octets = self.payloads[begin : begin + int(self.row[c.SLOT_LENGTH])]
        sound = np.frombuffer(octets.tobytes(), ">i2").astype(np.int16)
        held = int(self.row[c.LINE])
        self.line[held : held + len(sound)] = sound
        self._marks[held : held + len(sound)] = 1
        return len(sound)

    def _stretch_marks(self, held: int, change: int) -> None:
        """Do with the marks what `timescale` has done with the sound."""
        marks, period = self._marks[:held].copy(), abs(change)
        faded = marks[:period] & marks[period : 2 * period]
        if change < 0:
            self._marks[: held - period] = np.concatenate([faded, marks[2 * period :]])
        elif change > 0:
            self._marks[: held + period] = np.concatenate([marks[:period], faded, marks[period:]])

    def tick(self, now: int) -> list[int]:
        """Play 20 ms; returns the steps that it took."""
        steps: list[int] = []
        row = self.row
        while (step := int(playout.next_step(row, now))) not in (c.READY, c.NOTHING):
            steps.append(step)
            assert len(steps) < 100
            if step == c.PLAY:
                samples = self.decode()
                before = int(row[c.LINE]) + samples
                playout.decoded(row, self.line, samples)
                self._stretch_marks(before, int(row[c.LINE]) - before)
            elif step not in (c.NOISE, c.PASSED):
                held, wanted = int(row[c.LINE]), int(row[c.WANTED])
                assert wanted > 0
                self.line[held : held + wanted] = 0
                self._marks[held : held + wanted] = 0
                playout.filled(row)
        if step == c.NOTHING:
            self.frame[:] = 0
            real = np.zeros(len(self.frame), np.bool_)
        else:
            count = len(self.frame)
            real = self._marks[:count].astype(np.bool_)
            left = int(row[c.LINE]) - count
            self._marks[:left] = self._marks[count : count + left].copy()
            playout.take(row, self.line, self.frame)
        self.heard.append(self.frame.copy())
        self.real.append(real)
        self.delays.append(int(row[c.DELAY]) * 1000 // self.clock)
        self.steps.append(steps)
        if c.COMFORT in steps:
            self.comforts.append(int(row[c.SILENT]))
        self.check()
        return steps

    def check(self) -> None:
        """The books balance after every packet and every tick."""
        row = self.row
        known = sum(
            int(row[word])
            for word in (c.PLAYED, c.LATE, c.DUPLICATE, c.DISCARDED, c.COUNT, c.CANDIDATE)
        )
        assert row[c.RECEIVED] == known
        assert 0 <= row[c.LINE] <= len(self.line)
        assert 0 <= row[c.COUNT] < self.slots
        assert sorted(row[c.ORDER : c.ORDER + self.slots]) == list(range(self.slots))

    def run(self, packets: list[Packet], seconds: float, phase_ms: float = 7.0) -> None:
        """Hear what arrives, tick by tick."""
        waiting = iter(packets)
        packet = next(waiting, None)
        now = START_NS + round(phase_ms * MS)
        while now < START_NS + seconds * 1e9:
            while packet is not None and packet.arrival_ns <= now:
                self.put(packet)
                packet = next(waiting, None)
            self.tick(now)
            now += TICK

    @property
    def sound(self) -> Samples:
        return np.concatenate(self.heard)

    @property
    def is_real(self) -> npt.NDArray[np.bool_]:
        return np.concatenate(self.real)


def jumps(sound: Samples, real: npt.NDArray[np.bool_], hertz: float, rate: int) -> float:
    """Return the largest break of a sine, in parts of its amplitude, where all of it is real.

    A sine obeys y[n] = 2 cos(w) y[n-1] - y[n-2]; what is left over is a jump of phase or level.
    """
    y = sound.astype(np.float64)
    left = y[2:] - 2 * math.cos(2 * math.pi * hertz / rate) * y[1:-1] + y[:-2]
    inside = real[2:] & real[1:-1] & real[:-2]
    return float(np.abs(left[inside]).max() / 8000.0) if inside.any() else 0.0
