"""`./build.sh bench calls`: calls a second beside Asterisk, in one run, with the shared harness.

A user logs in with a password (digest), calls another one, who rings and answers at once; after a second
of talk the caller hangs up. Each exchange anchors the media, writes a call record, and stands between two
sipp on loopback; no RTP is sent. Prints one Markdown table:

- CPU: milliseconds a call, of all the exchange's processes and threads, at a steady rate. The median of the
  rounds, which alternate.
- Rate: the most calls a second of which every one is answered and ended, and in time: not one call in a hundred
  has to repeat a message, as after half a second without an answer (T1). Each exchange is asked for more and
  more until it doesn't keep up; then the step between is halved. sipp runs on the same machine: the rate says
  what this machine does with generator and exchange, the CPU what the exchange takes.

    --fast         one round of short measurements: a look, no proof
    --rounds N     how often the steady rate is measured (3)
    --rate N       that rate, calls a second (20)
    --seconds S    of new calls in each measurement (8)
    --nice N       of programs and generator (-19, so that other work disturbs little)
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import command_line
from tests.bench.calls.programs import ASTERISK, CALLEE, OURS, asterisk, ours
from tests.bench.media import harness
from tests.interop.program import find

NAMES = (OURS, ASTERISK)

_SIPP = """\
#!/bin/sh
case "$*" in *uac.xml*) set -- "$@" -auth_uri {callee}@127.0.0.1 ;; esac
exec {sipp} "$@"
"""

FIRST_RATE, FACTOR, HALVINGS = 20.0, 1.5, 3
MOST = 2000.0
"""Calls a second that nothing is asked for beyond."""

REPEATED = 0.01
"""Repeated messages a call that still count as in time."""

BEHIND_S = 2.0
"""How much longer than its calls a run may take; sipp's own start is in it."""


def _arguments() -> argparse.Namespace:
    parser = command_line.beside("calls", __doc__)
    parser.add_argument("--rounds", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=20.0, help=argparse.SUPPRESS)
    parser.add_argument("--nice", type=int, default=-19, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    wanted.rounds = wanted.rounds or (1 if wanted.fast else 3)
    wanted.seconds = wanted.seconds or (4.0 if wanted.fast else 8.0)
    return wanted


class Calls:
    """The harness' case `cps`, with our caller and our two exchanges.

    Args:
        wanted: the command line.
        log: gets a line of JSON for each run.
    """

    def __init__(self, wanted: argparse.Namespace, log: Path) -> None:
        self._bench = harness.load()
        peers = self._bench.P
        peers.KNOWN.update({OURS: ours(peers), ASTERISK: asterisk(peers)})
        self._log = log
        self._options = harness.options(wanted.seconds, 0, wanted.nice)
        self._options.hold = 1000

    def scenarios(self, folder: Path) -> None:
        """Have the harness take its caller from here.

        Its sipp has to name in the credentials whom it calls (RFC 7616 §3.4.6): else it is the server.
        """
        (folder / "sipp").mkdir()
        shutil.copy(harness.FOLDER / "sipp" / "uas.xml", folder / "sipp")
        shutil.copy(Path(__file__).parent / "uac.xml", folder / "sipp")
        self._bench.HERE = folder
        sipp = folder / "bin" / "sipp"
        sipp.parent.mkdir()
        sipp.write_text(_SIPP.format(sipp=find("sipp"), callee=CALLEE))
        sipp.chmod(0o755)
        os.environ["PATH"] = f"{sipp.parent}:{os.environ['PATH']}"

    def version(self, name: str) -> str:
        """Return a program's version."""
        return str(self._bench.P.make(name, "/tmp").version())  # noqa: S108 nothing is written

    def at(self, name: str, rate: float) -> harness.Run:
        """Make calls at a rate for a while."""
        try:
            run: harness.Run = self._bench.run_cps(name, rate, self._options)
        except Exception as error:  # noqa: BLE001 one exchange's failure is a figure of its own
            run = {"rate": rate, "ok": 0, "failed": 0, "error": f"{type(error).__name__}: {error}"}
        with self._log.open("a") as lines:
            lines.write(json.dumps({"program": name, **run}) + "\n")
        print(f"# {name}, {rate:g} a second: {_summary(run)}", file=sys.stderr, flush=True)
        return run

    def kept(self, name: str, rate: float) -> bool:
        """Whether an exchange keeps up with a rate: all are answered and ended, and none late."""
        run, seconds = self.at(name, rate), self._options.secs
        behind_s = run.get("wall_s", 0.0) - seconds - self._options.hold / 1000
        answered = run["ok"] == int(rate * seconds) and not run["failed"]
        return answered and run["retrans"] <= REPEATED * run["ok"] and behind_s <= BEHIND_S


def highest(keeps: Callable[[float], bool]) -> float:
    """Return the highest rate that is kept up with; 0 for not even the first."""
    good, bad = 0.0, FIRST_RATE
    while bad <= MOST and keeps(bad):
        good, bad = bad, round(bad * FACTOR)
    for _ in range(HALVINGS if good else 0):
        middle = round((good + bad) / 2)
        good, bad = (middle, bad) if keeps(middle) else (good, middle)
    return good


def _summary(run: harness.Run) -> str:
    if "error" in run:
        return str(run["error"])
    cpu = run["ms_cpu_per_call"]
    return (
        f"{run['ok']} calls, {run['failed']} failed, {run['retrans']} repeated, "
        f"{'-' if cpu is None else f'{cpu:.2f}'} ms of CPU a call, "
        f"180 after {run['pdd_ms']['p50']} ms (p99 {run['pdd_ms']['p99']})"
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _row(what: str, unit: str, figures: dict[str, float | None]) -> str:
    one, other = (figures[name] for name in NAMES)
    ratio = one / other if one is not None and other else None
    return f"| {what} | {unit} | {_figure(one)} | {_figure(other)} | × {_figure(ratio)} |"


def _median(runs: list[harness.Run], *path: str) -> float | None:
    values: list[float] = []
    for run in runs:
        value: Any = run
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            values.append(value)
    return median(values) if values else None


def main() -> int:
    """Measure and print; exit code 1 where an exchange took no calls at all."""
    wanted = _arguments()
    calls = Calls(wanted, harness.BUILD / f"calls-{time.strftime('%Y%m%d-%H%M%S')}.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        calls.scenarios(Path(folder))
        steady: dict[str, list[harness.Run]] = {name: [] for name in NAMES}
        for number in range(wanted.rounds):
            for name in NAMES[:: -1 if number % 2 else 1]:
                steady[name].append(calls.at(name, wanted.rate))
        most: dict[str, float | None] = {name: highest(partial(calls.kept, name)) for name in NAMES}
    print(*(f"- {name}: {calls.version(name)}" for name in NAMES), sep="\n")
    print(f"- medians of {wanted.rounds} rounds, {wanted.seconds:g} s of new calls each\n")
    print(f"| what | unit | {OURS} | {ASTERISK} | ratio |\n|---|---|---|---|---|")
    for what, unit, path in (
        (f"CPU of a call, {wanted.rate:g} a second", "ms", ("ms_cpu_per_call",)),
        ("INVITE to 180, median", "ms", ("pdd_ms", "p50")),
        ("INVITE to 180, p99", "ms", ("pdd_ms", "p99")),
        ("memory", "MB", ("rss_mb",)),
    ):
        print(_row(what, unit, {name: _median(steady[name], *path) for name in NAMES}))
    print(_row("highest rate without a failure", "calls/s", most))
    return 0 if all(most.values()) else 1


if __name__ == "__main__":
    command_line.leave(main)
