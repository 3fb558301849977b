"""`python3 -m first_boot apply | report | grow`: see README.md for the units that call it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from first_boot.apply import apply, must_start_again
from first_boot.grow import grow
from first_boot.machine import Machine
from first_boot.notes import Note
from first_boot.report import report, write_issue, write_report

EX_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; return the exit code. What happens is told in sentences."""
    parser = argparse.ArgumentParser(prog="first_boot", description=__doc__)
    parser.add_argument("command", choices=("apply", "report", "grow"))
    parser.add_argument("--root", type=Path, default=Path("/"), help="the box's file system")
    parser.add_argument(
        "--boot", type=Path, default=Path("/boot/firmware"), help="the FAT partition"
    )
    parser.add_argument(
        "--wait", type=float, default=0, help="seconds that report waits for the exchange"
    )
    chosen = parser.parse_args(arguments)
    machine = Machine(chosen.root, chosen.boot)
    try:
        if chosen.command == "apply":
            _apply(machine)
        elif chosen.command == "report":
            report(machine, chosen.wait)
        else:
            _tell(grow(machine))
    except OSError as error:
        sys.stderr.write(f"first_boot {chosen.command}: {error}\n")
        return EX_FAILED
    return 0


def _apply(machine: Machine) -> None:
    state = apply(machine)
    if state is not None:
        _tell(state.notes)
        write_issue(machine, state)
        write_report(machine, state, None)
    if must_start_again(machine):
        machine.run("systemctl", "--no-block", "reboot")


def _tell(notes: Sequence[Note]) -> None:
    for note in notes:
        sys.stdout.write(f"{note.sentence('en')}\n")


if __name__ == "__main__":
    sys.exit(main())
