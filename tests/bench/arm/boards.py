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
    """

    symbol: str
    code: bytes


def compile_for(cpu: str, names: Sequence[str]) -> Mapping[str, Compiled]:
    """Return the kernels of these names for a board, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.arm.cross", *names],
        env=processor(cpu),
        check=True,
        capture_output=True,
        text=True,
    )
    return {
        name: Compiled(symbol, base64.b64decode(code))
        for name, (symbol, code) in json.loads(done.stdout).items()
    }


def same_bits(subject: Subject, code: Compiled) -> tuple[bool, Run]:
    """Run a kernel on the board's code; return whether it did what it does here, and how."""
    here, there = subject.arguments(), subject.arguments()
    result = subject.kernel(*here)
    executed = run(Linked(code.code), code.symbol, there, numba=True)
    equal = all(np.array_equal(one, other) for one, other in zip(here, there, strict=True))
    return equal and (result is None or int(result) == executed.result), executed
