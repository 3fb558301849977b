"""What is measured: each kernel of sound with the arguments of one 20 ms frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbx.media.engine import tone_plans
from pbx.media.engine.kernels import (
    comfort_noise,
    detect,
    g711,
    g722,
    g726,
    jitter,
    jitter_row,
    levels,
    mix,
    playout,
    plc,
    record,
    resample,
    timescale,
    tones,
)
from tests.bench.arm.emulate import Argument
from tests.bench.arm.material import MEASURED, Material
from tests.media.kernels.twins_g726 import G726Twin

PARTIES = 8
RATES = (8000, 16000, 48000)

Arguments = Callable[[Material], list[Argument]]
"""Makes the arguments of a call, of one case always the same ones."""


def _same(given: list[Argument]) -> list[Argument]:
    return given


@dataclass(frozen=True, slots=True)
class Subject:
    """One kernel.

    Args:
        name: in the table, and of the function in reference/.
        kernel: what `native.kernel` has made.
        arguments: of a call.
        in_c: makes the reference's arguments out of the kernel's.
    """

    name: str
    kernel: Any
    arguments: Arguments
    in_c: Callable[[list[Argument]], list[Argument]] = _same

    def types(self) -> Sequence[tuple[str, int]]:
        """Return of each argument the name of its numbers, and its dimensions; 0 of a number."""
        return [
            ("int64", 0) if isinstance(argument, int) else (argument.dtype.name, argument.ndim)
            for argument in self.arguments(MEASURED)
        ]


def _pcm(samples: int) -> np.ndarray:
    return np.zeros(samples, np.int16)


def _words(count: int) -> np.ndarray:
    return np.zeros(count, np.int64)


# --- codecs -------------------------------------------------------------------------------------


def _pcm_to_octets(m: Material) -> list[Argument]:
    return [m.noise(m.samples, peak=32767), m.samples, np.zeros(m.samples, np.uint8)]


def _octets_to_pcm(m: Material) -> list[Argument]:
    return [m.octets(m.samples), m.samples, _pcm(m.samples)]


def _g722_memory(m: Material, kernel: Any) -> np.ndarray:
    """Return the state of a coder that has heard a frame."""
    memory = _pcm(g722.MEMORY)
    g722.start(memory)
    if kernel is g722.encode_g722:
        kernel(memory, m.voice(320, 16000, 1), 320, np.zeros(160, np.uint8))
    else:
        kernel(memory, m.octets(160), 160, _pcm(320))
    return memory


def _encode_g722(m: Material) -> list[Argument]:
    memory, octets = _g722_memory(m, g722.encode_g722), np.zeros(m.samples, np.uint8)
    # Of an odd number the last sample is left out.
    samples = max(2 * m.samples - m.seed % 2, 0)
    return [memory, m.voice(samples, 16000), samples, octets]


def _decode_g722(m: Material) -> list[Argument]:
    memory = _g722_memory(m, g722.decode_g722)
    payload = np.zeros(m.samples, np.uint8)
    coder = _pcm(g722.MEMORY)
    g722.start(coder)
    g722.encode_g722(coder, m.voice(2 * m.samples, 16000), 2 * m.samples, payload)
    if m.kind == "extreme":
        payload = m.octets(m.samples)
    return [memory, payload, m.samples, _pcm(2 * m.samples)]


def _decode_g726(m: Material) -> list[Argument]:
    memory, first_low = _pcm(g726.MEMORY), m.seed & 1
    g726.start(memory)
    coder = G726Twin(bool(first_low))
    before = np.frombuffer(coder.encode(m.voice(160, 8000, 1).tolist()), np.uint8)
    g726.decode_g726(memory, before.copy(), len(before), _pcm(160), first_low)
    octets = m.samples >> 1
    payload = np.frombuffer(coder.encode(m.voice(2 * octets, 8000).tolist()), np.uint8).copy()
    if m.kind == "extreme":
        payload = m.octets(octets)
    return [memory, payload, octets, _pcm(2 * octets), first_low]


# --- mixer, levels, rates -----------------------------------------------------------------------


def _scale(m: Material) -> list[Argument]:
    gain = 5793 if m is MEASURED else int(m.random().choice([0, 1, 4096, 5793, 32767, -5, 40000]))
    return [m.noise(m.samples, peak=32767), m.samples, gain]


def _room(m: Material) -> list[Argument]:
    members = m.random().permutation(PARTIES).astype(np.int64)
    count = PARTIES if m is MEASURED else m.number(0, PARTIES)
    if m.kind == "loud":
        members[-1] = PARTIES
    total = np.full(m.samples, 7, np.int32)
    return [m.noise(PARTIES, m.samples), members, count, m.samples, total]


def _limiter(m: Material) -> np.ndarray:
    return np.full(1, 0 if m is MEASURED else m.number(0, 1) * m.number(0, 4000, 1), np.int64)


def _minus(m: Material) -> list[Argument]:
    frames = m.noise(PARTIES, m.samples)
    total = frames.sum(0, dtype=np.int32)
    return [_limiter(m), total, frames[0].copy(), m.samples, _pcm(m.samples)]


def _all(m: Material) -> list[Argument]:
    total = m.noise(PARTIES, m.samples).sum(0, dtype=np.int32)
    return [_limiter(m), total, m.samples, _pcm(m.samples)]


def _level(m: Material) -> list[Argument]:
    row = _words(levels.WIDTH)
    for salt in range(m.seed % 3):
        levels.watch_level(row, m.noise(160, peak=30, salt=salt), 160, False)
    return [row, m.noise(m.samples), m.samples, int(m.kind == "loud")]


def _resampler(name: str, rate: int, wanted: int, taps: np.ndarray) -> Subject:
    def arguments(m: Material) -> list[Argument]:
        samples = min(m.samples * rate // 8000 + m.seed % 2, rate // 50)
        made = samples * wanted // rate
        return [m.noise(resample.WINDOW), m.noise(samples, peak=12000, salt=1), samples, _pcm(made)]

    def in_c(given: list[Argument]) -> list[Argument]:
        return [*given, taps.copy()]

    return Subject(name, getattr(resample, name), arguments, in_c)


# --- tones, and what is on a line ---------------------------------------------------------------


def _sine(m: Material) -> list[Argument]:
    if m is MEASURED:
        return [12345678, 187904819, 9000, m.noise(m.samples)]
    phase, turns = m.number(0, 2**32 - 1), m.number(0, 2**31, 1)
    return [phase, turns, m.number(0, 32767, 2), m.noise(m.samples)]


def _tone(m: Material) -> list[Argument]:
    row = _words(tones.WIDTH)
    tone = "dial" if m is MEASURED else tone_plans.TONES[m.number(0, len(tone_plans.TONES) - 1)]
    program = tone_plans.program(tone_plans.tone("US", tone), 8000)
    if m is not MEASURED:
        # Steps begin and end inside of a frame.
        tones.play_tone(row, program, m.number(0, 30000), _pcm(30000))
    return [row, program, m.samples, _pcm(m.samples)]


def _dialled(m: Material) -> list[Argument]:
    row = _words(detect.WIDTH)
    angles = 2 * np.pi * np.arange(m.samples + 320) / 8000
    low, high = (770, 1336) if m is MEASURED else (697 + m.number(0, 20), 1477 - m.number(0, 20))
    sound = np.round(6000 * (np.sin(low * angles) + np.sin(high * angles))).astype(np.int16)
    if m.kind != "usual":
        sound = m.noise(m.samples + 320)
    if m is not MEASURED:
        detect.detect_dtmf(row, sound[:160].copy(), 160)
        detect.detect_dtmf(row, sound[160:320].copy(), 160)
    return [row, sound[320:].copy() if m is not MEASURED else sound[:160].copy(), m.samples]


def _line(m: Material) -> list[Argument]:
    row = _words(detect.LINE_WIDTH)
    hertz = (440, 480) if m.seed % 3 else (2100,)
    for word, one in zip((detect.LINE_TURNS, detect.LINE_BESIDE), hertz, strict=False):
        row[word] = one * 2**32 // 8000
    if m is not MEASURED:
        # What has been before: bursts and pauses, and frames of which one more is enough.
        row[detect.LINE_TONE] = m.number(0, 5)
        row[detect.LINE_SILENT] = m.number(0, 2, 1) * (detect.QUIET_FRAMES - 1)
        row[detect._LINE_PAUSE] = m.number(0, 100, 2)
        row[detect._LINE_NOISE] = m.number(0, 100, 3)
        row[detect.LINE_BURST] = m.number(0, 1, 4) << 16
        row[detect.LINE_EVENTS] = m.number(0, 15, 5)
    sound = m.noise(m.samples)
    if m.seed % 2:
        angles = 2 * np.pi * np.arange(m.samples) / 8000
        sound = np.round(3000 * sum(np.sin(one * angles) for one in hertz)).astype(np.int16)
    return [row, sound, m.samples]


# --- what isn't there ---------------------------------------------------------------------------


def _concealer(m: Material) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the state of a concealer that has heard 100 ms, and a frame's length at its rate."""
    rate = RATES[0 if m is MEASURED else m.seed % 3]
    row, memory = _words(plc.WIDTH), _pcm(plc.MEMORY)
    plc.start(row, memory, rate)
    sound = m.voice(rate // 10, rate)
    for begin in range(0, rate // 10, rate // 50):
        plc.heard(row, memory, sound[begin : begin + rate // 50].copy(), rate // 50)
    return row, memory, m.samples * rate // 8000


def _lost(m: Material) -> list[Argument]:
    row, memory, samples = _concealer(m)
    if m is not MEASURED and m.number(0, 2) == 0:
        plc.conceal(row, memory, _pcm(samples), samples)
    return [row, memory, _pcm(samples), samples]


def _found_again(m: Material) -> list[Argument]:
    row, memory, samples = _concealer(m)
    if m is MEASURED or m.number(0, 2) != 0:
        plc.conceal(row, memory, _pcm(160), 160)
    return [row, memory, m.noise(samples, salt=2), samples]


def _stretched(m: Material) -> list[Argument]:
    rate = RATES[0 if m is MEASURED else m.seed % 3]
    frame = rate // 50
    held = (frame + m.samples * rate // 8000) if m is not MEASURED else 2 * frame
    line = np.zeros(rate * 160 // 1000, np.int16)
    held = min(held, len(line))
    line[:held] = m.voice(held, rate)
    refusals = 0 if m is MEASURED else m.number(0, 40)
    return [line, held, frame >> 3, frame >> 1, refusals]


def _hiss(m: Material) -> list[Argument]:
    row = _words(comfort_noise.WIDTH)
    comfort_noise.start(row, RATES[m.seed % 3], m.seed)
    level = 50 if m.kind == "usual" else m.number(0, 127)
    comfort_noise.set_noise(row, np.array([level], np.uint8), 1)
    comfort_noise.make_noise(row, _pcm(160), 160)
    return [row, _pcm(m.samples), m.samples]


# --- recordings ---------------------------------------------------------------------------------

_TRACK = 16384


def _closed(channels: int) -> Arguments:
    def arguments(m: Material) -> list[Argument]:
        first = 3200 if m is MEASURED else m.number(0, 10**6)
        return [m.noise(2 * _TRACK), first, m.samples, _pcm(channels * m.samples)]

    return arguments


def _packet_recorded(m: Material) -> list[Argument]:
    row, ring = _words(record.WIDTH), m.noise(2 * _TRACK)
    now = 1_000_000_000_000
    record.begin(row, 8000, 8000, 8000, _TRACK, now)
    pcm = m.noise(max(m.samples, 1), salt=1)
    side = m.seed & 1
    for number in range(4):
        record.put(row, ring, side, pcm, 160, 1000 + 160 * number, 77, now + number * 20_000_000)
    timestamp, moment = 1640, now + 80_000_000
    if m is not MEASURED:
        timestamp += m.number(-3, 3) * 160
        moment += m.number(0, 3, 1) * 100_000_000
        row[record.CLOSED] = m.number(0, 700, 2)
    return [row, ring, side, pcm, m.samples, timestamp, 77 + (m.kind == "loud"), moment]


# --- the jitter buffer --------------------------------------------------------------------------

_TICK = 20_000_000


def _buffer(m: Material) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return row, payloads and line of a voice that has been played for a while, and the time."""
    row, payloads = _words(jitter_row.WIDTH), np.zeros(8 << 10, np.uint8)
    line, frame, now = m.voice(1280, 8000), _pcm(160), 1_000_000_000_000
    jitter.prepare(row, 8000, 8000, 0, 200, 101, 13, 2, 10, 8)
    packet = m.octets(160)
    random = m.random(5)
    for number in range(24 if m is MEASURED else 8 + m.number(0, 40)):
        lost = m is not MEASURED and random.random() < 0.1
        came = now + (0 if m is MEASURED else int(random.integers(0, 15_000_000)))
        if not lost:
            jitter.put(row, payloads, packet, 0, 160, number, 160 * number, 0, 8, 7, came)
        now += _TICK
        while (step := playout.next_step(row, now)) not in (jitter_row.READY, jitter_row.NOTHING):
            if step == jitter_row.PLAY:
                playout.decoded(row, line, 160)
            elif step not in (jitter_row.NOISE, jitter_row.PASSED):
                playout.filled(row)
        if step == jitter_row.READY:
            playout.take(row, line, frame)
    return row, payloads, line, now


def _packet_put(m: Material) -> list[Argument]:
    row, payloads, _, now = _buffer(m)
    number = row[jitter_row.NEWEST_SEQ] + (1 if m is MEASURED else m.number(-3, 4, 6))
    timestamp = 160 * number + (m.number(0, 2**31, 7) if m.kind == "extreme" else 0)
    kind = 101 if m.kind == "silent" else 8
    packet = m.octets(m.samples + 12)
    place = int(number & 0xFFFF), int(timestamp & 0xFFFFFFFF), m.seed & 1
    return [row, payloads, packet, 12, m.samples, *place, kind, 7 + (m.kind == "loud"), now]


def _step(m: Material) -> list[Argument]:
    row, payloads, _, now = _buffer(m)
    number = int(row[jitter_row.NEWEST_SEQ]) + (1 if m is MEASURED else m.number(0, 3, 6))
    jitter.put(row, payloads, m.octets(160), 0, 160, number, 160 * number, 0, 8, 7, now)
    return [row, now + _TICK * (1 if m is MEASURED else m.number(0, 3, 7))]


def _frame_taken(m: Material) -> list[Argument]:
    row, _, line, _ = _buffer(m)
    row[jitter_row.LINE] = 200 if m is MEASURED else m.number(0, 1280, 8)
    return [row, line, _pcm(160)]


def _with(*more: Callable[[list[Any]], int]) -> Callable[[list[Argument]], list[Argument]]:
    """Return what adds to a reference's arguments what a kernel knows of its arrays."""
    return lambda given: [*given, *(one(given) for one in more)]


def subjects() -> Sequence[Subject]:
    """Return all of them, in the order of the table."""
    two, three, six = resample._TAPS_8_16, resample._TAPS_16_48, resample._TAPS_8_48
    track = _with(lambda given: len(given[0]) >> 1)
    room = _with(lambda given: len(given[2]))
    return (
        Subject("decode_ulaw", g711.decode_ulaw, _octets_to_pcm),
        Subject("decode_alaw", g711.decode_alaw, _octets_to_pcm),
        Subject("encode_ulaw", g711.encode_ulaw, _pcm_to_octets),
        Subject("encode_alaw", g711.encode_alaw, _pcm_to_octets),
        Subject("decode_g722", g722.decode_g722, _decode_g722),
        Subject("encode_g722", g722.encode_g722, _encode_g722),
        Subject("decode_g726", g726.decode_g726, _decode_g726),
        Subject("scale", mix.scale, _scale),
        Subject("add_parties", mix.add_parties, _room),
        Subject("mix_minus", mix.mix_minus, _minus),
        Subject("mix_all", mix.mix_all, _all),
        Subject("energy", levels.energy, lambda m: [m.noise(m.samples), m.samples]),
        _resampler("up_8_16", 8000, 16000, resample._phases(two, 2)),
        _resampler("down_16_8", 16000, 8000, resample._decimating(two, 2)),
        _resampler("up_16_48", 16000, 48000, resample._phases(three, 3)),
        _resampler("down_48_16", 48000, 16000, resample._decimating(three, 3)),
        _resampler("up_8_48", 8000, 48000, resample._phases(six, 6)),
        _resampler("down_48_8", 48000, 8000, resample._decimating(six, 6)),
        Subject("add_sine", tones._add_sine, _sine, _with(lambda given: len(given[3]))),
        Subject("play_tone", tones.play_tone, _tone, _with(lambda given: len(given[1]))),
        Subject("watch_level", levels.watch_level, _level),
        Subject("detect_dtmf", detect.detect_dtmf, _dialled),
        Subject("watch_line", detect.watch_line, _line),
        Subject("conceal", plc.conceal, _lost),
        Subject("heard", plc.heard, _found_again),
        Subject("shorten", timescale.shorten, _stretched),
        Subject("lengthen", timescale.lengthen, _stretched, _with(lambda given: len(given[0]))),
        Subject("make_noise", comfort_noise.make_noise, _hiss),
        Subject("take_mono", record.take_mono, _closed(1), track),
        Subject("take_stereo", record.take_stereo, _closed(2), track),
        Subject("record_put", record.put, _packet_recorded),
        Subject("jitter_put", jitter.put, _packet_put, room),
        Subject("next_step", playout.next_step, _step),
        Subject("take", playout.take, _frame_taken),
    )
