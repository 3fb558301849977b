"""`./build.sh bench arm [KERNEL...]`: what a Raspberry Pi makes of the kernels, without one.

Each kernel is compiled for three boards and run in an emulator on one 20 ms frame. The table tells
how many of the instructions in its hottest block work on vectors, how many instructions a frame
takes, what llvm-mca reckons them to cost, and the same of reference.c. Exit code 1 if a board's
result differs from this machine's in a single bit.
"""

import sys
from collections.abc import Sequence

import numpy as np

from tests.bench.arm.boards import FEATURES, Compiled, compile_for, same_bits
from tests.bench.arm.cycles import compile_reference, cycles, is_vector, newest
from tests.bench.arm.emulate import Linked, Run, run
from tests.bench.arm.subjects import Subject, subjects

_HEAD = (
    f"{'kernel':12} {'board':11} {'vectors in':>10} {'executed':>9} {'cycles':>7}"
    f" {'C exec.':>8} {'C cycles':>8} {'ratio':>6}  bits"
)


def _hottest(executed: Run) -> str:
    block = max(executed.blocks, key=lambda block: len(block.text) * block.times)
    return f"{sum(map(is_vector, block.text))}/{len(block.text)}"


def _in_c(subject: Subject, object_code: bytes | None) -> Run | None:
    """Run the reference; what it writes has to be what the kernel writes."""
    if object_code is None or subject.in_c is None:
        return None
    expected = subject.arguments()
    subject.kernel(*expected)
    given = subject.in_c(subject.arguments())
    executed = run(Linked(object_code), subject.name, given, numba=False)
    if not all(np.array_equal(one, other) for one, other in zip(expected, given, strict=False)):
        raise SystemExit(f"reference.c: {subject.name} doesn't do what the kernel does")
    return executed


def _row(
    subject: Subject, cpu: str, code: Compiled, object_code: bytes | None, reckoner: str | None
) -> bool:
    """Print one line of the table; returns whether the bits are the same."""
    same, executed = same_bits(subject, code)
    reference = _in_c(subject, object_code)
    costs = cycles(reckoner, cpu, executed.trace) if reckoner else None
    in_c = cycles(reckoner, cpu, reference.trace) if reckoner and reference else None
    print(
        f"{subject.name:12} {cpu:11} {_hottest(executed):>10} {len(executed.trace):9}"
        f" {costs or '-':>7} {len(reference.trace) if reference else '-':>8} {in_c or '-':>8}"
        f" {f'{costs / in_c:.2f}' if costs and in_c else '-':>6}  {'same' if same else 'DIFFERENT'}",
        flush=True,
    )
    return same


def main(names: Sequence[str]) -> int:
    """Print the table; returns the exit code."""
    chosen = [subject for subject in subjects() if not names or subject.name in names]
    if not chosen:
        print("no such kernel; there are:", *(subject.name for subject in subjects()))
        return 64
    reckoner, clang = newest("llvm-mca"), newest("clang")
    if reckoner is None:
        print("llvm-mca (19 or newer) is not installed: no cycles")
    if clang is None:
        print("clang (19 or newer) is not installed: no comparison with C")
    print(_HEAD)
    equal = True
    for cpu in FEATURES:
        code = compile_for(cpu, [subject.name for subject in chosen])
        object_code = compile_reference(clang, cpu) if clang else None
        for subject in chosen:
            equal &= _row(subject, cpu, code[subject.name], object_code, reckoner)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
