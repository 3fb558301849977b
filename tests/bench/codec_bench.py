"""CPU per 20 ms of sound: every codec, concealment, comfort noise and SRTP, as kernels run them.

    ./build.sh bench            or: python tests/bench/codec_bench.py --rounds 5

The loops are compiled, so Python's own calls are not in the figures. G.722 is also measured as
spandsp does it, from the same loop.
"""

import argparse
import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from pbx.media import codecs
from pbx.media.codecs import CODECS, Codec
from pbx.media.engine import coder, srtp
from pbx.media.engine.coder import OpusSettings
from pbx.media.engine.kernels import codec, comfort_noise, plc
from pbx.media.engine.kernels import srtp as srtp_kernels
from pbx.media.engine.libraries import SPANDSP, SRTP, Libraries, load_libraries
from pbx.media.engine.native import call_function, kernel
from pbx.media.engine.tables import SESSIONS
from tests.media.kernels.sound import Sound

FRAMES = 250


@kernel
def _encode_all(
    functions: Any, row: Any, memory: Any, pcm: Any, frame: Any, out: Any, lengths: Any
) -> None:
    for number in range(len(lengths)):
        sound = pcm[number * frame : (number + 1) * frame]
        lengths[number] = codec.encode(functions, row, memory, sound, frame, out[number])


@kernel
def _decode_all(functions: Any, row: Any, memory: Any, out: Any, lengths: Any, pcm: Any) -> None:
    for number in range(len(lengths)):
        codec.decode(functions, row, memory, out[number], lengths[number], pcm)


@kernel
def _call_all(
    function: Any, state: Any, to: Any, to_step: Any, source: Any, step: Any, count: Any
) -> None:
    for number in range(FRAMES):
        call_function(function, (state, to + number * to_step, source + number * step, count))


@kernel
def _conceal_all(row: Any, memory: Any, pcm: Any, frame: Any, lost: Any) -> None:
    for number in range(FRAMES):
        sound = pcm[number * frame : (number + 1) * frame]
        if lost and number & 1 != 0:
            plc.conceal(row, memory, sound, frame)
        else:
            plc.heard(row, memory, sound, frame)


@kernel
def _noise_all(row: Any, pcm: Any, frame: Any) -> None:
    for _ in range(FRAMES):
        comfort_noise.make_noise(row, pcm, frame)


@kernel
def _protect_all(functions: Any, row: Any, packets: Any, lengths: Any) -> None:
    for number in range(len(lengths)):
        lengths[number] = srtp_kernels.protect(functions, row, packets[number], 172, False)


@kernel
def _unprotect_all(functions: Any, row: Any, packets: Any, lengths: Any) -> None:
    for number in range(len(lengths)):
        lengths[number] = srtp_kernels.unprotect(
            functions, row, packets[number], lengths[number], False
        )


def babble(rate: int) -> Sound:
    """Return five seconds of something with the ups and downs of speech."""
    time_s = np.arange(5 * rate) / rate
    pitch = 2 * np.pi * (120 * time_s + 6 * np.sin(2 * np.pi * 3 * time_s))
    voice = sum(np.sin(part * pitch) / part for part in range(1, 20))
    loud = np.maximum(0, np.sin(2 * np.pi * 2 * time_s)) ** 2
    noise = np.random.default_rng(5).normal(0, 60, len(time_s))
    sound: Sound = (7000 * loud * voice + noise).clip(-32768, 32767).astype(np.int16)
    return sound


def cost_us(rounds: int, work: Callable[[], None], frames: int = FRAMES) -> float:
    """Return the CPU time per frame: the median of rounds, after one that compiles."""
    work()
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        work()
        times.append((time.thread_time() - began) / frames * 1e6)
    return median(times)


def measure_codec(
    libraries: Libraries, one: Codec, rounds: int, settings: OpusSettings | None = None
) -> tuple[float, float]:
    """Return what encoding and decoding 20 ms costs."""
    rate = settings.rate if settings else one.pcm_rate
    frame = rate // 50
    pcm = babble(rate)
    out = np.zeros((FRAMES, 2048), np.uint8)
    lengths = np.zeros(FRAMES, np.int64)
    row, memory = coder.make_row(), coder.make_memory()
    coder.open_encoder(libraries, one.number, row, memory, settings or OpusSettings())
    functions = libraries.functions
    encoding = cost_us(
        rounds, lambda: _encode_all(functions, row, memory, pcm, frame, out, lengths)
    )
    coder.close(libraries, row)
    coder.open_decoder(libraries, one.number, row, memory, rate)
    room = np.zeros(5760, np.int16)
    decoding = cost_us(rounds, lambda: _decode_all(functions, row, memory, out, lengths, room))
    coder.close(libraries, row)
    return encoding, decoding


def measure_spandsp_g722(libraries: Libraries, rounds: int) -> tuple[float, float]:
    """Return what spandsp's own G.722 costs, called like any library."""
    library = libraries.loaded[SPANDSP]
    sound = babble(16000)
    codes = np.zeros(len(sound) // 2, np.uint8)

    def cost(way: str, target: Any, source: Any, count: int) -> float:
        begin = getattr(library, f"g722_{way}_init")
        begin.restype = ctypes.c_void_p
        state = begin(None, 64000, 0)
        function = ctypes.cast(getattr(library, f"g722_{way}"), ctypes.c_void_p).value
        to, step = target.ctypes.data, target.nbytes // FRAMES
        of, of_step = source.ctypes.data, source.nbytes // FRAMES
        figure = cost_us(rounds, lambda: _call_all(function, state, to, step, of, of_step, count))
        getattr(library, f"g722_{way}_free")(ctypes.c_void_p(state))
        return figure

    return cost("encode", codes, sound, 320), cost("decode", sound, codes, 160)


def measure_concealment(rate: int, rounds: int) -> tuple[float, float]:
    """Return what a received and what a lost frame costs."""
    frame = rate // 50
    pcm = babble(rate)
    row, memory = np.zeros(plc.WIDTH, np.int64), np.zeros(plc.MEMORY, np.int16)
    plc.start(row, memory, rate)
    received = cost_us(rounds, lambda: _conceal_all(row, memory, pcm, frame, False))
    half = cost_us(rounds, lambda: _conceal_all(row, memory, pcm, frame, True))
    return received, 2 * half - received


def measure_noise(rate: int, rounds: int) -> float:
    """Return what comfort noise costs."""
    row = np.zeros(comfort_noise.WIDTH, np.int64)
    comfort_noise.start(row, rate, 1)
    comfort_noise.set_noise(row, np.array([50], np.uint8), 1)
    pcm = np.zeros(rate // 50, np.int16)
    return cost_us(rounds, lambda: _noise_all(row, pcm, rate // 50))


def measure_srtp(libraries: Libraries, profile: srtp.Profile, rounds: int) -> tuple[float, float]:
    """Return what protecting and unprotecting 20 ms of G.711 costs."""
    key = bytes(range(profile.key + profile.salt))
    row = np.zeros(SESSIONS, np.int64)
    for direction in (srtp_kernels.OUTBOUND, srtp_kernels.INBOUND):
        row[direction] = srtp.open_session(libraries, profile.name, key, direction)
    packets = np.zeros((FRAMES, 2048), np.uint8)
    packets[:, 0] = 0x80
    lengths = np.zeros(FRAMES, np.int64)
    costs: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        # Each sequence number may be used once.
        sequences = number * FRAMES + np.arange(FRAMES)
        packets[:, 2], packets[:, 3] = sequences >> 8, sequences & 0xFF
        for cost, work in zip(costs, (_protect_all, _unprotect_all), strict=True):
            began = time.thread_time()
            work(libraries.functions, row, packets, lengths)
            cost.append((time.thread_time() - began) / FRAMES * 1e6)
        assert (lengths == 172).all()
    for direction in (srtp_kernels.OUTBOUND, srtp_kernels.INBOUND):
        srtp.close_session(libraries, int(row[direction]))
    return median(costs[0][1:]), median(costs[1][1:])


def tell(name: str, figures: tuple[float, ...]) -> None:
    """Print one line."""
    print(f"{name:30}", *(f"{figure:8.2f}" for figure in figures))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_known_args()[0].rounds
    libraries = load_libraries()
    print(f"{'CPU time per 20 ms, in us':30}  encode   decode")
    for one in CODECS:
        if one.number in libraries.codecs:
            tell(f"{one.name}, {one.pcm_rate} Hz", measure_codec(libraries, one, rounds))
        if one.number == codecs.G722 and SPANDSP in libraries.loaded:
            tell("  the same by spandsp", measure_spandsp_g722(libraries, rounds))
    for rate in codecs.OPUS_RATES if codecs.OPUS in libraries.codecs else ():
        for fec in (True, False):
            name = f"opus at {rate} Hz, FEC" if fec else f"opus at {rate} Hz"
            settings = OpusSettings(rate=rate, fec=fec)
            tell(name, measure_codec(libraries, codecs.codec(codecs.OPUS), rounds, settings))
    print(f"\n{'SRTP, packets of 172 octets':30} protect unprotect")
    for profile in srtp.PROFILES if SRTP in libraries.loaded else ():
        tell(profile.name, measure_srtp(libraries, profile, rounds))
    print(f"\n{'concealment':30}received    lost")
    for rate in (8000, 16000, 48000):
        tell(f"{rate} Hz", measure_concealment(rate, rounds))
    print("\ncomfort noise")
    for rate in (8000, 16000, 48000):
        tell(f"{rate} Hz", (measure_noise(rate, rounds),))


if __name__ == "__main__":
    main()
