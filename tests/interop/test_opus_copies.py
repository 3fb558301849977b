"""Opus over networks that lose packets: what is lost is heard from its copy in the next one.

What is said changes with every packet, by chance: nobody can make up what was lost.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from pbx.media import codecs
from pbx.media.engine.coder import OpusSettings
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.net_phone import NetPhone, Path, converse
from tests.media.kernels.coders import decoder
from tests.media.kernels.networks import Network
from tests.media.kernels.sound import Sound, sine

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

TALK_S = 6.0
PTIME_S = 0.02
LOW_HZ, HIGH_HZ = 450.0, 950.0
BITRATE = 24000
"""Enough for copies: with 16000 Opus makes none."""

Flags = npt.NDArray[np.bool_]

COUNT = round(TALK_S / PTIME_S)
IS_HIGH: Flags = np.random.default_rng(4).random(COUNT) < 0.5
"""Which packets say the high tone; the others say the low one."""


def speech(rate: int) -> Sound:
    samples = round(PTIME_S * rate)
    high, low = (sine(hertz, samples, rate, peak=9000) for hertz in (HIGH_HZ, LOW_HZ))
    return np.concatenate([high if one else low for one in IS_HIGH])


def lead_db(sound: Sound, rate: int, begins: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return by how much the high tone is louder than the low one in pieces of a packet's length.

    Only the middle of each counts: its ends may be its neighbours', or led over to them.
    """
    samples = round(PTIME_S * rate)
    levels = []
    for hertz in (HIGH_HZ, LOW_HZ):
        turned = sound * np.exp(-2j * np.pi * hertz / rate * np.arange(len(sound)))
        sums = np.concatenate([[0], np.cumsum(turned)])
        middles = sums[begins + 3 * samples // 4] - sums[begins + samples // 4]
        levels.append(20 * np.log10(np.abs(middles) + 1))
    difference: npt.NDArray[np.float64] = levels[0] - levels[1]
    return difference


def understood(sound: Sound, rate: int) -> Flags:
    """Return which packets' tones are heard in a sound, by the delay that fits best."""
    samples = round(PTIME_S * rate)
    numbers = samples * np.arange(COUNT)
    offsets = np.arange(0, len(sound) - COUNT * samples, samples // 16)
    right = (lead_db(sound, rate, offsets[:, None] + numbers) > 0) == IS_HIGH
    found: Flags = right[right.mean(axis=1).argmax()]
    return found


@dataclass
class Heard:
    """One call when it is over: the caller speaks Opus, over a network; the callee PCMU."""

    caller: NetPhone
    callee: NetPhone

    def share_of_lost(self) -> float:
        """Of the packets of the caller that got lost alone, how many the callee has understood."""
        came = {(one.sequence - self.caller.first_sequence) & 0xFFFF for _, one in self.caller.sent}
        lost = [n for n in range(50, COUNT - 1) if n not in came and {n - 1, n + 1} <= came]
        assert len(lost) > 10
        heard = understood(self.callee.sound(since=self.caller.sent[0][0]), self.callee.rate)
        assert np.mean(heard[[n for n in came if n >= 50]]) > 0.95
        return float(np.mean(heard[lost]))

    def share_of_copies(self) -> float:
        """Of each tenth packet to the caller, how often the next one knows what it says."""
        packets = [one for _, one in self.caller.got]
        samples = round(PTIME_S * self.caller.rate)
        dropped = range(60, len(packets) - 40, 10)
        with decoder(codecs.OPUS) as whole, decoder(codecs.OPUS) as poor:
            said = np.concatenate([whole.decode(one.payload) for one in packets])
            heard = np.concatenate(
                [
                    poor.recover(packets[number + 1].payload, samples)
                    if number in dropped
                    else poor.decode(one.payload)
                    for number, one in enumerate(packets)
                ]
            )
        begins = samples * np.array(dropped)
        wanted, got = (lead_db(one, self.caller.rate, begins) for one in (said, heard))
        clear = np.abs(wanted) > 6
        assert np.count_nonzero(clear) > 10
        return float(np.mean((wanted > 0)[clear] == (got > 0)[clear]))

    def bitrate(self) -> float:
        """Return the bits per second of what the caller has got of the talk."""
        since = self.callee.sent[0][0] + 0.5
        octets = [len(one.payload) for at, one in self.caller.got if since < at < since + 5]
        assert len(octets) > 200
        return 8 * sum(octets) / (PTIME_S * len(octets))


@pytest.fixture(scope="module")
def calls(exchange: Exchange) -> Iterator[dict[str, Heard]]:
    """A call of a phone with copies, and one of a phone that neither sends nor uses them."""
    numbers = ["3120", "3121", "3122"]
    for number in numbers:
        exchange.add_user(number, PASSWORD)
    with ExitStack() as stack:

        def phone(number: str, codec: int) -> NetPhone:
            made = NetPhone(exchange.port, number, PASSWORD, codec)
            stack.callback(made.close)
            return made

        made: dict[str, Heard] = {}
        for name, number in zip(("copies", "none"), numbers[1:], strict=True):
            caller, callee = phone(numbers[0], codecs.OPUS), phone(number, codecs.PCMU)
            if name == "copies":
                caller.fmtp = f"useinbandfec=1; maxaveragebitrate={BITRATE}"
            caller.opus = OpusSettings(fec=name == "copies")
            callee.register()
            caller.call(number, callee)
            made[name] = Heard(caller, callee)
        lossy = Path(Network(41, loss=0.1))
        converse(
            [
                *((one.caller, speech(one.caller.rate), lossy) for one in made.values()),
                *((one.callee, speech(one.callee.rate), Path()) for one in made.values()),
            ],
            [],
        )
        for one in made.values():
            one.caller.hang_up()
        yield made


def test_what_the_exchange_has_not_got(calls: dict[str, Heard]) -> None:
    assert calls["copies"].share_of_lost() > 0.85
    # Half of it is what a guess is worth.
    assert calls["none"].share_of_lost() < 0.75


def test_what_the_phone_has_not_got(calls: dict[str, Heard]) -> None:
    assert calls["copies"].share_of_copies() > 0.85
    assert calls["none"].share_of_copies() < 0.75


def test_no_more_bits_than_the_phone_takes(calls: dict[str, Heard]) -> None:
    assert calls["copies"].bitrate() <= BITRATE
    assert calls["none"].bitrate() > BITRATE
