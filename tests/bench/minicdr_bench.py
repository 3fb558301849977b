"""What it takes to open a million call records with miniCDR, in a folder of a month and in one file.

    ./build.sh bench            or: python tests/bench/minicdr_bench.py --records 1000000 --rounds 3

Every figure is a whole run of the program, start included, its output thrown away: seconds until it has ended, by the
clock and by the processor, and the most memory that one of its processes had. The least of the rounds, for what others
do on the machine only adds; in each round the cases take turns. The records are as an exchange writes them, of 370 octets,
four in five answered, to 300 users and as many numbers outside as a month has.

Exit code 1 where somebody waited longer than 2 s for any of them: by the clock, for what is read by several processor
cores at once takes each of them its part of the processor's time. On a machine that does other work it says NO.
"""

import argparse
import datetime
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from pbx.store.record_file import HEADER, encode_line
from tests.bench.command_line import leave

DAYS = 30
ZONE = datetime.timezone(datetime.timedelta(hours=8))
BEGIN = datetime.datetime(2026, 9, 1, tzinfo=ZONE)
SOUND = "callerMos=4.41;callerLoss=0.00;callerJitter=0.2;calledMos=4.41;calledLoss=0.00;calledJitter=0.2"

BOUND_S = 2.0
"""Of the clock: somebody waits."""


@dataclass(frozen=True, slots=True)
class Case:
    """A run of `minicdr`.

    Args:
        name: in the table.
        args: of the command line, before the path.
        whole: read one file instead of the folder.
    """

    name: str
    args: tuple[str, ...]
    whole: bool = False


CASES = (
    Case("newest calls", ("list",)),
    Case("calls of a user", ("list", "--user", "123")),
    Case("totals by day", ("total",)),
    Case("totals by hour", ("total", "--by", "hour")),
    Case("totals by user", ("total", "--by", "user")),
    Case("totals by destination", ("total", "--by", "destination")),
    Case("totals by line", ("total", "--by", "line")),
    Case("one file: totals by day", ("total",), whole=True),
    Case("one file: totals by user", ("total", "--by", "user"), whole=True),
    Case("one file: newest calls", ("list",), whole=True),
)


def line(dice: random.Random, setup: datetime.datetime) -> bytes:
    """Return the record of a call that was set up then."""
    answered = dice.random() < 0.8
    talk_s = dice.random() * 300 if answered else 0.0
    outside = dice.random() < 0.3
    number = (
        f"+8621{60000000 + dice.randrange(5000)}" if outside else f"{100 + dice.randrange(300)}"
    )
    call = f"{dice.getrandbits(64):016x}"

    def after(seconds: float) -> str:
        return (setup + datetime.timedelta(seconds=seconds)).isoformat(timespec="milliseconds")

    end = "callTag=102;cause=16;sip=200;releasedBy=caller;codec=PCMA;pdd=0.300;" + SOUND
    busy = "callTag=201;cause=17;sip=486;releasedBy=callee;pdd=0.300"
    return encode_line(
        [
            f"{call}-LO",
            f"{dice.getrandbits(96):024x}@192.0.2.{dice.randrange(250)}",
            "LO",
            f"{100 + dice.randrange(300)}",
            f"9{number[1:]}" if outside else number,
            number,
            after(0),
            after(0.3),
            after(4) if answered else "",
            after(4 + talk_s),
            f"{talk_s:.3f}",
            f"udp 192.0.2.{dice.randrange(250)}:5060",
            "udp 198.51.100.7:5060",
            "line carrier" if outside else f"local user {number}",
            end if answered else busy,
        ]
    )


def make(folder: Path, whole: Path, records: int) -> int:
    """Write the records, a file a day and all in one file; return how many octets they are."""
    dice = random.Random(1)
    each = records // DAYS + 1
    with whole.open("wb") as everything:
        everything.write(HEADER)
        for day in range(DAYS):
            begin = BEGIN + datetime.timedelta(days=day)
            count = min(each, records - day * each)
            with (folder / f"CDR_{begin:%Y%m%d}.csv").open("wb") as file:
                file.write(HEADER)
                for number in range(count):
                    setup = begin + datetime.timedelta(seconds=number * 80000 / each)
                    record = line(dice, setup)
                    file.write(record)
                    everything.write(record)
    return whole.stat().st_size


def run(case: Case, folder: Path, whole: Path) -> tuple[float, float, float]:
    """Return seconds by the clock, seconds of the processor, and megabytes of memory."""
    path = whole if case.whole else folder
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tui.minicdr.cli", *case.args, str(path)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"minicdr ended with {process.returncode}")
    taken = time.monotonic() - begun
    return taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> int:
    """Make the records, run the cases, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    # ./build.sh bench gives its arguments to every bench
    options, _ = parser.parse_known_args()
    missed = False
    with tempfile.TemporaryDirectory() as made:
        folder, whole = Path(made, "cdr"), Path(made, "all.csv")
        folder.mkdir()
        octets = make(folder, whole, options.records)
        taken: dict[Case, list[tuple[float, float, float]]] = {case: [] for case in CASES}
        for _ in range(options.rounds):
            for case, runs in taken.items():
                runs.append(run(case, folder, whole))
    print(f"{options.records} records, {octets // 1_000_000} MB")
    print(f"{'':28}{'clock s':>9}{'processor s':>13}{'met':>6}{'memory MB':>11}")
    for case, runs in taken.items():
        clock, processor, memory = (min(values) for values in zip(*runs, strict=True))
        met = "yes" if clock <= BOUND_S else "NO"
        print(f"{case.name:28}{clock:9.2f}{processor:13.2f}{met:>6}{memory:11.0f}")
        missed = missed or clock > BOUND_S
    return 1 if missed else 0


if __name__ == "__main__":
    leave(main)
