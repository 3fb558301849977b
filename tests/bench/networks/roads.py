"""The networks that the sound crosses: each the same for every program, from a seed.

Not made by the kernel (tc netem, which many machines haven't got, and which loses other packets each
time), but by the phones: each packet is sent when such a network would have delivered it, or never.
"""

from dataclasses import dataclass

from tests.interop.net_phone import Path
from tests.media.kernels.networks import Network


@dataclass(frozen=True, slots=True)
class Road:
    """One network.

    Args:
        name: in the table.
        path: what it does to the packets.
        long: it shows only after a longer talk.
    """

    name: str
    path: Path
    long: bool = False


def jittery(seed: int, width_ms: float, loss: float = 0.0) -> Network:
    """Each packet 10 ms late and up to `width_ms` more: they overtake each other."""
    return Network(
        seed, loss, delay=lambda dice, _: dice.uniform(10, 10 + width_ms), in_order=False
    )


def roads(seed: int, outage_at_s: float) -> list[Road]:
    """Return all networks.

    Args:
        seed: of what they do.
        outage_at_s: when the one with an outage has it.
    """
    losses = [
        Road(f"loss {percent} %", Path(Network(seed + percent, loss=percent / 100)))
        for percent in (1, 3, 5, 10)
    ]
    return [
        Road("clean", Path()),
        *losses,
        Road("loss 5 % in bursts of 3", Path(Network(seed + 20, loss=0.05, burst=3))),
        Road("jitter ±20 ms, reordered", Path(jittery(seed + 21, 40))),
        Road("jitter ±40 ms, reordered", Path(jittery(seed + 22, 80))),
        Road("2 % doubled", Path(Network(seed + 23, double=0.02, in_order=False))),
        Road("loss 3 %, jitter ±20 ms", Path(jittery(seed + 24, 40, loss=0.03))),
        Road("outage of 200 ms", Path(outage_s=(outage_at_s, outage_at_s + 0.2))),
        Road("clock +200 ppm", Path(clock_ppm=200.0), long=True),
        Road("clock -200 ppm", Path(clock_ppm=-200.0), long=True),
    ]
