"""`./build.sh bench media`: our media engine beside Asterisk, rtpengine and a loop in C, in one run.

Prints one Markdown table: each line of issue C's 'Reach' with our figure, the other's, the ratio, what
is asked for, and whether it is met. Exit code 1 if one isn't. Every run goes to build/bench/*.jsonl.

    --fast              one round of short windows: a look, no proof
    --only NAME ...     only cases whose names begin so: relay, conference, G.722, Opus, music, onset,
                        recording, day (idleness and memory), lasting (1000 streams), calls (one
                        after the other, and what they leave behind)
    --rounds N          how often each program does each case (5); tables show medians
    --seconds S         of each measured window (5)
    --lasting S         how long 1000 streams last (600; with --fast 30)
    --calls N           how many calls are made one after the other (10000; with --fast 600)
    --nice N            of programs and generator (-19, so that other work disturbs little)
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench import command_line
from tests.bench.media import cases, harness, programs, sessions
from tests.bench.media.cases import CASES, Found
from tests.bench.media.flaws import flaws
from tests.bench.media.reach import lines
from tests.bench.media.table import markdown
from tests.media.many_calls import make_calls

Keep = Callable[[str, str, harness.Run], None]
"""Takes case, program, and what was found."""


def _arguments() -> argparse.Namespace:
    parser = command_line.beside("media", __doc__)
    parser.add_argument("--only", nargs="+", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--lasting", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--calls", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--nice", type=int, default=-19, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    wanted.rounds = wanted.rounds or (1 if wanted.fast else 5)
    wanted.seconds = wanted.seconds or (3.0 if wanted.fast else 5.0)
    wanted.lasting = wanted.lasting or (30.0 if wanted.fast else 600.0)
    wanted.calls = wanted.calls or (600 if wanted.fast else 10_000)
    wanted.warm = 1.0 if wanted.fast else 2.0
    return wanted


def main() -> int:
    """Measure and print; returns the exit code."""
    wanted = _arguments()
    bench = harness.load()
    versions = programs.register(bench)
    found = Found()
    with (harness.BUILD / f"media-{time.strftime('%Y%m%d-%H%M%S')}.jsonl").open("w") as log:

        def keep(case: str, program: str, run: harness.Run) -> None:
            found.add(case, program, run)
            log.write(json.dumps({"case": case, "program": program, **run}) + "\n")
            log.flush()
            print(f"# {case}, {program}: {_summary(run)}", file=sys.stderr, flush=True)

        _compare(bench, wanted, keep)
        _alone(bench, wanted, keep)
    table = lines(found)
    print(*(f"- {name}: {version}" for name, version in versions.items()), sep="\n")
    print(f"- medians of {wanted.rounds} rounds of {wanted.seconds:g} s, alternating\n")
    print(markdown(table))
    print(f"\n{flaws(found)}")
    return 0 if table and all(line.met for line in table) else 1


def _compare(bench: Any, wanted: argparse.Namespace, keep: Keep) -> None:
    """Run all cases of several programs."""
    for number in range(wanted.rounds):
        for case in CASES:
            if _chosen(wanted, case.name):
                # A B, B A, ...: what the machine does meanwhile falls on all.
                for program in case.programs[:: -1 if number % 2 else 1]:
                    window = wanted.seconds, wanted.warm, wanted.nice
                    keep(case.name, program, cases.measure(bench, case, program, *window))


def _alone(bench: Any, wanted: argparse.Namespace, keep: Keep) -> None:
    """Run what concerns our engine only."""
    rounds, nice = wanted.rounds, wanted.nice
    alone: dict[str, Callable[[], harness.Run]] = {
        "onset": lambda: sessions.onset(bench, nice),
        "recording 50": lambda: sessions.recording(bench, max(wanted.seconds, 5), rounds, nice),
        "day": lambda: sessions.day(bench, max(wanted.seconds, 5), nice),
        "lasting": lambda: sessions.lasting(bench, wanted.lasting, nice),
        "calls": lambda: many_calls(wanted.calls),
    }
    for name, run in alone.items():
        if _chosen(wanted, name):
            keep(name, programs.OURS, cases.attempt(run))


def many_calls(count: int) -> harness.Run:
    """Return what calls have left behind; with `error` where one has failed, which is not done again."""
    try:
        left = make_calls(count)
    except (AssertionError, OSError) as error:
        return {"error": f"a call has failed: {error!r}"}
    return {
        "calls": count,
        "descriptors": len(left.descriptors),
        "rows": len(left.refused),
        "growth_mib": left.growth_kib / 1024,
    }


def _chosen(wanted: argparse.Namespace, case: str) -> bool:
    return not wanted.only or any(case.startswith(name) for name in wanted.only)


def _summary(run: harness.Run) -> str:
    """Say what a run has found, in a line."""
    if "error" in run:
        return str(run["error"])
    if "us_per_packet" not in run:
        return ", ".join(f"{name} {value:.1f}" for name, value in run.items())
    return (
        f"{run['us_per_packet']:.2f} µs a packet, loss {run['loss_pct']:.3f} %,"
        f" delay p50 {run['latency_us']['p50']} µs, onset p50 {run['onset_us']['p50']} µs,"
        f" generator late {run['gen_late_ms_max']} ms"
    )


if __name__ == "__main__":
    command_line.leave(main)
