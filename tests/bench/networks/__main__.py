"""`./build.sh bench networks`: sound over bad networks, through our exchange and through Asterisk.

The networks are models in the sending phones, from seeds; the kernel's netem isn't needed. So the
same packets go through both: calls that have to be decoded (PCMU to G.722) and
conferences; through Asterisk without and with its jitter buffer. Prints one Markdown table of what
is heard. Exit code 1 where ours is more than 0.1 MOS worse than the better of Asterisk's.

    --fast           one seed, short talks: a look
    --seeds N        how many (3)
    --seconds S      of each talk (20; with --fast 8)
    --long S         of talks with a clock that is too fast or too slow (60; with --fast 12)
    --only WORD      only networks whose names begin so
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import command_line
from tests.bench.media import harness
from tests.bench.networks import programs
from tests.bench.networks.roads import roads
from tests.bench.networks.table import Found, markdown
from tests.bench.networks.talks import talk

_MOST_LATE = 0.002
"""Share of packets: more, and the machine was too busy; the talks are made again."""

_ATTEMPTS = 3


_HOW = """\
- wrong: pieces of 20 ms that are not heard as they were said, made up ones too; whole, pure: tenths of
  a second with the tone at its level, without anything else
- MOS: the E-model of that share and the delay, G.711 with concealment for all; in the last column
  silence that was sent as sound counts as without concealment
"""


def _arguments() -> argparse.Namespace:
    parser = command_line.beside("networks", __doc__)
    parser.add_argument("--seeds", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--long", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    wanted.seeds = wanted.seeds or (1 if wanted.fast else 3)
    wanted.seconds = wanted.seconds or (8.0 if wanted.fast else 20.0)
    wanted.long = wanted.long or (12.0 if wanted.fast else 60.0)
    if not min(wanted.seconds, wanted.long) >= 4:
        parser.error("a talk takes 4 seconds at least")
    if not any(one.name.startswith(wanted.only) for one in roads(0, 0.0)):
        parser.error(f"no network's name begins with {wanted.only}")
    return wanted


def main() -> int:
    """Measure and print; returns the exit code."""
    wanted = _arguments()
    peers = harness.load().P
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with programs.running(peers, path, len(roads(0, 0.0))) as switches:
            version = peers.Asterisk(path).version()
            for number in range(wanted.seeds):
                # A B C, C B A, ...: what the machine does meanwhile falls on all.
                for name in programs.PROGRAMS[:: -1 if number % 2 else 1]:
                    _measure(found, name, switches[name], 100 * number, wanted)
    print(f"- beside {version}")
    print(f"- {wanted.seeds} seeds, talks of {wanted.seconds:g} s, clocks {wanted.long:g} s")
    print(_HOW)
    print(markdown(found))
    return 0 if found.good else 1


def _measure(
    found: Found, name: str, switch: programs.Switch, seed: int, wanted: argparse.Namespace
) -> None:
    """Add one program's talks with one seed."""
    chosen = [one for one in roads(seed, wanted.seconds / 2) if one.name.startswith(wanted.only)]
    for _ in range(_ATTEMPTS):
        figures, late = talk(switch, chosen, wanted.seconds, wanted.long)
        print(f"# {name}, seed {seed}: {100 * late:.2f} % sent late", file=sys.stderr, flush=True)
        if late <= _MOST_LATE:
            break
    for (kind, network), one in figures.items():
        found.add(kind, network, name, one)


if __name__ == "__main__":
    command_line.leave(main)
