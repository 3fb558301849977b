"""What a phone makes of the packets that it gets: their sound, each where its timestamp says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pbx.media import codecs
from tests.bench.networks.voice import RATE, Wave, band
from tests.interop.net_phone import NetPhone
from tests.media.kernels.coders import decoder
from tests.media.kernels.networks import Packet

_NEW_SPURT_S = 1.0
"""Timestamps that leave the clock by so much begin anew, as phones see it."""

_LATE_S = 0.01
"""Of the bench itself: a packet that it sends so late was not late by the network."""


@dataclass(frozen=True, slots=True)
class Playout:
    """What a phone without any delay of its own would play.

    Args:
        sound: at `RATE`; silence where nothing was to be played.
        wait_ms: by sample, how long the phone would have to wait to have that in time; 0 where
            there is nothing to have.
        sent: by sample, whether there was a packet for it: for gaps between packets a phone has a
            concealment, for silence in them it hasn't.
    """

    sound: Wave
    wait_ms: npt.NDArray[np.float64]
    sent: npt.NDArray[np.bool_]

    def after(self, delay_ms: float) -> Wave:
        """Return what a phone plays that waits for so long: silence for what is later still."""
        return np.where(self.wait_ms <= delay_ms, self.sound, 0.0)


def play(got: Sequence[tuple[float, Packet]], codec: int, begun: float, seconds: float) -> Playout:
    """Place all packets in time.

    Args:
        got: when each came, in seconds of the monotonic clock.
        codec: their number in `pbx.media.codecs`.
        begun: the moment of the first sample that is returned.
        seconds: how much is returned.
    """
    known = codecs.codec(codec)
    rate = known.pcm_rate
    sound = np.zeros(round(seconds * rate))
    wait_ms = np.zeros(len(sound))
    sent = np.zeros(len(sound), np.bool_)
    for spurt in _spurts(got, known.rtp_clock):
        first = min(transit for transit, _, _ in spurt)
        with decoder(codec) as coder:
            for transit, clock_s, packet in spurt:
                piece = coder.decode(packet.payload)
                at = round((first + clock_s - begun) * rate)
                begin, end = max(at, 0), min(at + len(piece), len(sound))
                if begin < end:
                    sound[begin:end] = piece[begin - at : end - at]
                    wait_ms[begin:end] = 1000 * (transit - first)
                    sent[begin:end] = True
    if rate == RATE:
        return Playout(sound, wait_ms, sent)
    step = rate // RATE
    return Playout(band(sound, rate, 0, RATE / 2 - 200)[::step], wait_ms[::step], sent[::step])


Spurt = list[tuple[float, float, Packet]]
"""Of each packet: when it came by the clock of its timestamps, its own time by it, itself."""


def _spurts(got: Sequence[tuple[float, Packet]], clock: int) -> list[Spurt]:
    """Return the stretches of one clock each, in order of the sequence, nothing twice."""
    spurts: list[Spurt] = []
    by_source: dict[int, list[tuple[float, Packet]]] = {}
    for when, packet in got:
        by_source.setdefault(packet.ssrc, []).append((when, packet))
    for packets in by_source.values():
        origin = packets[0][1]
        in_order: dict[int, tuple[float, Packet]] = {}
        for when, packet in packets:
            number = (packet.sequence - origin.sequence + 0x8000 & 0xFFFF) - 0x8000
            in_order.setdefault(number, (when, packet))
        before = None
        for _, (when, packet) in sorted(in_order.items()):
            ticks = (packet.timestamp - origin.timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            transit = when - ticks / clock
            if before is None or abs(transit - before) > _NEW_SPURT_S:
                spurts.append([])
            before = transit
            spurts[-1].append((transit, ticks / clock, packet))
    return spurts


def begun(talkers: Sequence[NetPhone]) -> tuple[float, float]:
    """Return when talks that were sent together began, and the share of packets sent too late.

    Args:
        talkers: the phones that `converse` had talk.
    """
    starts = np.array(
        [when - packet.arrival_ns * 1e-9 for phone in talkers for when, packet in phone.sent]
    )
    start = float(starts.min())
    return start, float(np.mean(starts - start > _LATE_S))
