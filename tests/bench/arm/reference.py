"""The reference in C (reference/) by clang, with the tables and words of the kernels themselves."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pbx.media.engine.cross import TRIPLE
from pbx.media.engine.kernels import (
    comfort_noise,
    detect,
    g722,
    g726,
    jitter,
    jitter_row,
    levels,
    playout,
    plc,
    record,
    timescale,
    tones,
)

_SOURCES = Path(__file__).with_name("reference")
_MODULES = (
    *(comfort_noise, detect, g722, g726, jitter, jitter_row, levels),
    *(playout, plc, record, timescale, tones),
)


def compile_reference(program: str, cpu: str, *, readable: bool = False) -> bytes:
    """Return the reference as an object for a board.

    Args:
        program: clang.
        cpu: a key of `cycles.MODELS`.
        readable: as assembly.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        Path(folder, "constants.h").write_text(
            "".join(line + "\n" for module in _MODULES for line in _constants(module)), "utf-8"
        )
        subprocess.run(
            [
                *(program, f"--target={TRIPLE}", f"-mcpu={cpu}", "-O3", "-ffreestanding"),
                *("-fno-stack-protector", "-I", folder, "-S" if readable else "-c"),
                *(_SOURCES / "all.c", "-o", made),
            ],
            check=True,
        )
        return made.read_bytes()


def _constants(module: ModuleType) -> Iterator[str]:
    """Give a module's integers and tables C's names: `_QM2` of g722 is G722_QM2."""
    prefix = module.__name__.rpartition(".")[2].upper()
    for word, value in vars(module).items():
        name = f"{prefix}_{word.lstrip('_')}"
        if word.isupper() and isinstance(value, int):
            yield f"#define {name} {value}"
        elif word.isupper() and isinstance(value, np.ndarray):
            numbers: Any = value.ravel().tolist()
            items = ", ".join(map(str, numbers))
            yield f"static const {value.dtype.name}_t {name}[{value.size}] = {{{items}}};"
