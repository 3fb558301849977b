"""llvm-mca's estimate of what executed instructions cost.

The estimate knows perfect branches, the first cache alone, and no load that waits for a store: a
figure to compare with, not to promise. LLVM has no model of its own for Cortex-A72 and A76.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from pbx.media.engine.cross import TRIPLE

MODELS = {"cortex-a53": "cortex-a53", "cortex-a72": "cortex-a57", "cortex-a76": "neoverse-n1"}
"""The processors whose scheduling models stand for the boards'."""

_ADDRESS = re.compile(r"#?0x[0-9a-f]+$")
_JUMP = re.compile(r"(b|bl|b\.\w+|cbn?z|tbn?z|adrp?)\b")
_VECTOR = re.compile(r"\b(v\d+\.|q\d+\b)")
_REPEATS = 3


def newest(program: str) -> str | None:
    """Return the newest version of an LLVM program (19 and up) that is installed."""
    names = [f"{program}-{version}" for version in range(25, 18, -1)]
    return next(filter(None, map(shutil.which, names)), None)


def is_vector(text: str) -> bool:
    """Return whether an instruction works on a whole vector register."""
    return _VECTOR.search(text) is not None


def cycles(program: str, cpu: str, trace: Sequence[str]) -> int:
    """Return the cycles of one call among others of the same.

    Args:
        program: llvm-mca.
        cpu: a key of `MODELS`.
        trace: executed instructions.
    """
    # Where a jump leads doesn't matter, but it has to be a place.
    lines = [_ADDRESS.sub(".Lhere", text) if _JUMP.match(text) else text for text in trace]
    with tempfile.NamedTemporaryFile("w", suffix=".s") as file:
        file.write("\n".join([".Lhere:", *lines, ""]))
        file.flush()
        done = subprocess.run(
            [
                *(program, f"-mtriple={TRIPLE}", f"-mcpu={MODELS[cpu]}"),
                *(f"-iterations={_REPEATS}", "-instruction-info=0", "-resource-pressure=0"),
                *("-skip-unsupported-instructions=any", file.name),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
    match = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
    if match is None:
        raise ValueError(f"{program} tells no cycles: {done.stdout[:200]}")
    return round(int(match[1]) / _REPEATS)
