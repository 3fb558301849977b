"""`./build.sh bench arm [KERNEL...]`: what a Raspberry Pi makes of the kernels, without one.

Each kernel is compiled for three boards and run in an emulator. The table tells of one 20 ms frame
how many of the instructions in its hottest block work on vectors, how many instructions it takes,
what llvm-mca reckons them to cost, the same of C with intrinsics (reference/), and how many frames
of other sounds and lengths gave the same bits as on this machine. Exit code 1 if a kernel takes more
than 1.2 times the cycles of C, or differs in a single bit.

    --emit FOLDER       write the code: FOLDER/BOARD/KERNEL.s, and reference.s for C's
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.bench import command_line
from tests.bench.arm.boards import FEATURES, Compiled, compile_for, differing, executed
from tests.bench.arm.cycles import cycles, is_vector, newest
from tests.bench.arm.emulate import Linked, Run, run
from tests.bench.arm.material import MEASURED, THOROUGH
from tests.bench.arm.reference import compile_reference
from tests.bench.arm.subjects import Subject, subjects

MOST = 1.2
"""What a kernel may cost, with what C with intrinsics costs as one."""

EX_USAGE = 64

_HEAD = (
    f"{'kernel':12} {'board':11} {'vectors in':>10} {'executed':>9} {'cycles':>7}"
    f" {'C exec.':>8} {'C cycles':>8} {'ratio':>6} {'<= ' + str(MOST):>6}  bits"
)


@dataclass(frozen=True, slots=True)
class Tools:
    """Programs of LLVM; None of one that isn't there.

    Args:
        reckoner: llvm-mca.
        clang: the compiler.
    """

    reckoner: str | None
    clang: str | None


def is_met(costs: int | None, in_c: int | None) -> bool:
    """Return whether a kernel costs no more than it may; so it does where one isn't known."""
    return costs is None or in_c is None or costs <= MOST * in_c


def _hottest(done: Run) -> str:
    block = max(done.blocks, key=lambda block: len(block.text) * block.times)
    return f"{sum(map(is_vector, block.text))}/{len(block.text)}"


def _in_c(subject: Subject, object_code: Linked) -> Run:
    """Run the reference; what it writes and returns has to be what the kernel does."""
    expected = subject.arguments(MEASURED)
    result = subject.kernel(*expected)
    given = subject.in_c(subject.arguments(MEASURED))
    done = run(object_code, subject.name, given, numba=False)
    equal = all(np.array_equal(one, other) for one, other in zip(expected, given, strict=False))
    if not equal or (result is not None and int(result) != done.result):
        raise SystemExit(f"reference/: {subject.name} doesn't do what the kernel does")
    return done


def _row(
    subject: Subject, cpu: str, code: Compiled, reference: Linked | None, reckoner: str | None
) -> bool:
    """Print one line of the table; returns whether all is as it should be."""
    done = executed(subject, code)
    in_c = _in_c(subject, reference) if reference else None
    costs = cycles(reckoner, cpu, done.trace) if reckoner else None
    c_costs = cycles(reckoner, cpu, in_c.trace) if reckoner and in_c else None
    met = is_met(costs, c_costs)
    wrong = differing(subject, code, THOROUGH)
    known = costs is not None and c_costs is not None
    print(
        f"{subject.name:12} {cpu:11} {_hottest(done):>10} {len(done.trace):9}"
        f" {costs or '-':>7} {len(in_c.trace) if in_c else '-':>8} {c_costs or '-':>8}"
        f" {f'{costs / c_costs:.2f}' if costs and c_costs else '-':>6}"
        f" {('yes' if met else 'NO') if known else '-':>6}"
        f"  {f'DIFFERENT: {wrong[0]}' if wrong else f'{len(THOROUGH)} same'}",
        flush=True,
    )
    return met and not wrong


def _emit(folder: Path, cpu: str, code: Mapping[str, Compiled], clang: str | None) -> None:
    """Write a board's code to files."""
    (folder / cpu).mkdir(exist_ok=True)
    for name, kernel in code.items():
        (folder / cpu / f"{name}.s").write_text(kernel.assembly, "utf-8")
    if clang:
        (folder / cpu / "reference.s").write_bytes(compile_reference(clang, cpu, readable=True))


def _chosen(names: Sequence[str]) -> Sequence[Subject]:
    there = {subject.name: subject for subject in subjects()}
    unknown = [name for name in names if name not in there]
    if unknown:
        print("no such kernel:", *unknown, file=sys.stderr)
        print("there are:", *there, file=sys.stderr)
        raise SystemExit(EX_USAGE)
    return [subject for name, subject in there.items() if not names or name in names]


def _table(chosen: Sequence[Subject], tools: Tools, folder: Path | None) -> bool:
    """Print all lines; returns whether all is as it should be."""
    print(_HEAD)
    right = True
    for cpu in FEATURES:
        code = compile_for(cpu, chosen)
        if folder:
            _emit(folder, cpu, code, tools.clang)
        reference = Linked(compile_reference(tools.clang, cpu)) if tools.clang else None
        for subject in chosen:
            right &= _row(subject, cpu, code[subject.name], reference, tools.reckoner)
    return right


def main() -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="./build.sh bench arm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help=argparse.SUPPRESS)
    parser.add_argument("--emit", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    tools = Tools(newest("llvm-mca"), newest("clang"))
    if tools.reckoner is None:
        print("llvm-mca (19 or newer) is not installed: no cycles")
    if tools.clang is None:
        print("clang (19 or newer) is not installed: no comparison with C")
    chosen = _chosen(wanted.kernels)
    if wanted.emit:
        try:
            wanted.emit.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            parser.error(f"--emit: {problem}")
    right = _table(chosen, tools, wanted.emit)
    return 0 if right else 1


if __name__ == "__main__":
    command_line.leave(main)
