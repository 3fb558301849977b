"""The kernels as each board's LLVM makes them, run in the emulator and compared with this machine."""

import base64
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.bench.arm.emulate import Linked, Run, run
from tests.bench.arm.material import MEASURED, Material
from tests.bench.arm.subjects import Subject

_IMAGE = Path(__file__).parents[3] / "image/image.toml"

FEATURES: Mapping[str, str] = tomllib.loads(_IMAGE.read_text("utf-8"))["kernels"]
"""The boards' processors, and LLVM's features of each: those that the card image is made for."""


def processor(cpu: str) -> dict[str, str]:
    """Return the environment in which numba compiles for a processor of `FEATURES`."""
    return {**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": FEATURES[cpu]}


@dataclass(frozen=True, slots=True)
class Compiled:
    """One kernel for one board.

    Args:
        symbol: its name in the object.
        code: the object.
        assembly: the same to read.
    """

    symbol: str
    code: bytes
    assembly: str


def compile_for(cpu: str, subjects: Sequence[Subject]) -> Mapping[str, Compiled]:
    """Return kernels for a board, by name, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.arm.cross"],
        env=processor(cpu),
        input=json.dumps({subject.name: subject.types() for subject in subjects}),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return {
        name: Compiled(symbol, base64.b64decode(code), assembly)
        for name, (symbol, code, assembly) in json.loads(done.stdout).items()
    }


def executed(subject: Subject, code: Compiled) -> Run:
    """Run a kernel on the board's code with the measured frame; return how it did it."""
    return run(Linked(code.code), code.symbol, subject.arguments(MEASURED), numba=True)


def differing(subject: Subject, code: Compiled, cases: Sequence[Material]) -> Sequence[Material]:
    """Run a kernel on the board's code; return the cases in which it does another thing than here."""
    linked = Linked(code.code)
    return [case for case in cases if not _same_bits(subject, code.symbol, linked, case)]


def _same_bits(subject: Subject, symbol: str, linked: Linked, case: Material) -> bool:
    here, there = subject.arguments(case), subject.arguments(case)
    result = subject.kernel(*here)
    done = run(linked, symbol, there, numba=True)
    equal = all(np.array_equal(one, other) for one, other in zip(here, there, strict=True))
    return equal and (result is None or int(result) == done.result)
