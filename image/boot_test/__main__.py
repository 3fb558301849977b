"""`python -m boot_test --image FILE`, called by `./build.sh boot-test` in a network namespace."""

import argparse
import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

from boot_test import estimate, mariadb, steps
from boot_test.box import Box
from boot_test.figures import Report
from boot_test.lan import Lan
from boot_test.machine import Board, Card, Machine
from tests.interop.ports import Ports

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "build/boot-test"

EX_SOFTWARE = 70


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./build.sh boot-test")
    parser.add_argument("--fast", action="store_true", help="boot, call, console; no restarts")
    parser.add_argument("--estimate", action="store_true", help="only count a boot's instructions")
    parser.add_argument("--memory", type=int, default=512, help="of the board, in MiB")
    parser.add_argument("--card", type=int, default=4096, help="size of the card, in MiB")
    parser.add_argument("--idle", type=float, default=5, help="minutes to measure writes for")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for all that is left behind")
    parser.add_argument("--image", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--package", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Run the test; the exit code is 70 when a step failed."""
    asked = arguments()
    folder: Path = asked.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two of these at once: the second waits
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return _test(asked, folder)


def _test(asked: argparse.Namespace, folder: Path) -> int:
    report = Report()
    card = Card(asked.image, folder / "card.img", asked.card)
    board = Board(asked.memory, processors=1 if asked.estimate else 2, counted=asked.estimate)
    lan = Lan(folder)
    machine = Machine(card, folder, board)
    home = steps.Household(folder, lan, card, machine, Box(folder), Ports(), report)
    report.add(
        f"{asked.image.name} on a board of {asked.memory} MiB, emulated (QEMU virt, cortex-a72)"
    )
    try:
        if asked.estimate:
            estimate.run(home)
        else:
            _run(home, asked)
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        report.add(str(error))
        report.add(machine.why())
        report.add(f"What the box said is in {folder}/serial-*.log.")
        return EX_SOFTWARE
    finally:
        machine.pull_the_plug()
        lan.close()
        card.path.unlink()
        report.write(folder / "report.txt")
    return 0


def _run(home: steps.Household, asked: argparse.Namespace) -> None:
    steps.prepare(home)
    steps.first_start(home).close()
    steps.names(home)
    steps.secure(home)
    steps.log_in(home)
    steps.looks_right(home)
    mariadb.gets_records(home)
    mariadb.stops_and_comes_back(home)
    if asked.fast:
        return
    steps.figures(home)
    if asked.package:
        steps.update(home, asked.package)
    else:
        home.report.add("  there is no package file to try `minisip update` with")
    steps.restart(home)
    steps.card_writes(home, asked.idle)
    steps.plug(home)
    mariadb.gets_records(home)


if __name__ == "__main__":
    sys.exit(main())
