"""Talks over all networks at once, through one program."""

from contextlib import ExitStack

from tests.bench.networks.hearing import begun, play
from tests.bench.networks.judging import Figures, judge
from tests.bench.networks.programs import KINDS, Switch
from tests.bench.networks.roads import Road
from tests.bench.networks.voice import noise, speech
from tests.interop.net_phone import converse
from tests.media.kernels.networks import START_NS


def talk(
    switch: Switch, roads: list[Road], seconds: float, long_s: float
) -> tuple[dict[tuple[str, str], Figures], float]:
    """Make a call of each kind over each network; return what each was worth, by kind and network.

    Also returned is the share of packets that were sent too late: with many of them the networks were
    other ones than they should have been.

    Args:
        switch: the program.
        roads: the networks.
        seconds: how long is talked over those that aren't `long`.
        long_s: over those that are.
    """
    with ExitStack() as stack:
        pairs = {
            (kind, road.name): (road, *switch.pair(stack, kind)) for road in roads for kind in KINDS
        }
        lengths = {road.name: long_s if road.long else seconds for road in roads}
        converse(
            [(talker, speech(lengths[road.name]), road.path) for road, talker, _ in pairs.values()],
            [hearer for _, _, hearer in pairs.values()],
        )
    origin, late = begun([talker for _, talker, _ in pairs.values()])
    start = origin + START_NS * 1e-9
    said = noise(seconds), noise(long_s)
    return {
        which: judge(
            play(hearer.got, hearer.codec, start, lengths[road.name] + 1.0),
            said[road.long],
            road.path.clock_ppm,
        )
        for which, (road, _, hearer) in pairs.items()
    }, late
