"""What the harness' generator says by its marker flows, found again in a recording, sample by sample.

A packet of 20 ms begins with a magic number, who sends it, its number and the time; all else of it is silence (the
harness' `rtpload.c`). As PCMU, all of it but the time is known beforehand.
"""

import itertools
import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tests.media.kernels.twins_g711 import decode_ulaw

Sound = npt.NDArray[np.int16]

RATE = 8000
PACKET = 160
"""Samples."""

MAGIC = 0x6D52546C
KNOWN, SAID = 12, 20
"""Samples of a packet that are known beforehand, and all that aren't silence."""

_SENDER = struct.calcsize("<II")
_TABLE = np.array([decode_ulaw(code) for code in range(256)], np.int16)
_CODES = {int(sample): [*np.flatnonzero(sample == _TABLE)] for sample in _TABLE}
"""Silence has two codes."""


def marker(port: int, number: int, time_ns: int = 0) -> Sound:
    """Return the samples of one packet.

    Args:
        port: who sends it.
        number: of the packet, from 0.
        time_ns: when.
    """
    words = struct.pack("<IIIQ", MAGIC, port, number, time_ns)
    return _TABLE[np.frombuffer(words.ljust(PACKET, b"\xff"), np.uint8)]


def fault(sound: Sound, ports: Sequence[int], slack: int) -> str | None:
    """Return what is wrong with a recording of several flows in one track; empty where nothing is.

    Args:
        sound: at `RATE`.
        ports: who sends them.
        slack: samples that may be missing of a flow at the begin and at the end.

    Returns:
        None where it can't be told, because what they say falls together.
    """
    begins = {port: begin for port in ports if (begin := _begin(sound, port)) >= 0}
    for one, other in itertools.combinations(begins.values(), 2):
        if min((one - other) % PACKET, (other - one) % PACKET) < SAID:
            return None
    silence, wrong = np.ones(len(sound), bool), ""
    for port, begin in begins.items():
        end = begin + PACKET * _whole(sound, port, begin)
        if begin > slack or len(sound) - end > slack + PACKET:
            wrong = wrong or f"of {port} only samples {begin} to {end}, of {len(sound)}"
        for first in range(begin, end + 1, PACKET):
            silence[first : first + SAID] = False
    rest = np.flatnonzero(sound * silence)
    if not wrong and len(rest):
        wrong = f"sample {rest[0]} is nobody's"
    if len(begins) == len(ports):
        return wrong
    # Whose every packet begins under another's isn't found, and makes these others
    return None if wrong else f"nothing of {min(set(ports) - set(begins))}"


def _begin(sound: Sound, port: int) -> int:
    """Return where the first packet of a flow begins; -1: there is none."""
    wanted = marker(port, 0)[:_SENDER]
    there = np.lib.stride_tricks.sliding_window_view(sound, _SENDER)
    found = np.flatnonzero((there == wanted).all(axis=1))
    return int(found[0]) if len(found) else -1


def _whole(sound: Sound, port: int, begin: int) -> int:
    """Return how many packets follow each other from there on, each as it was sent and in its place."""
    count = (len(sound) - begin) // PACKET
    heard = sound[begin : begin + PACKET * count].reshape(count, PACKET)[:, :KNOWN]
    longest = 0
    codes = (_CODES.get(int(sample), []) for sample in sound[begin + _SENDER :][: KNOWN - _SENDER])
    for octets in itertools.product(*codes):
        number = int.from_bytes(bytes(octets), "little")
        alike = 0
        while alike < count and np.array_equal(heard[alike], marker(port, number + alike)[:KNOWN]):
            alike += 1
        longest = max(longest, alike)
    return longest
