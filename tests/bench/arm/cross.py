"""Writes the benchmark's kernels as a Raspberry Pi's code.

`python -m tests.bench.arm.cross CPU NAME...` writes subjects as JSON: name, symbol, object (base64).
"""

import base64
import json
import sys
from collections.abc import Sequence
from typing import Any

from builder.cross import aim
from builder.description import read_description

FEATURES = read_description().kernels
"""What LLVM finds on the boards: Zero 2 W and 3; 4 and 400; 5 and 500."""


def compiled(kernel: Any, types: tuple[Any, ...]) -> tuple[str, bytes]:
    """Return the name of a kernel in its object, and the object.

    Args:
        kernel: what `pbx.media.engine.native.kernel` has made.
        types: numba's types of its arguments.
    """
    kernel.compile(types)
    result = kernel.overloads[types]
    return result.fndesc.mangled_name, bytes(result.library._compiled_object)


def _write(names: Sequence[str]) -> None:
    from tests.bench.arm.subjects import subjects

    made = {}
    for subject in subjects():
        if subject.name in names:
            symbol, code = compiled(subject.kernel, subject.types())
            made[subject.name] = symbol, base64.b64encode(code).decode()
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    aim(sys.argv[1], FEATURES[sys.argv[1]])
    _write(sys.argv[2:])
