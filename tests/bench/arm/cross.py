"""`python -m tests.bench.arm.cross` compiles subjects; both ways it speaks JSON.

It reads the types of each one's arguments, and writes of each: symbol, object (base64), assembly.
The processor is that of NUMBA_CPU_NAME and NUMBA_CPU_FEATURES: see `pbx.media.engine.cross`.
"""

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pbx.media.engine.cross import aim


def compiled(kernel: Any, types: tuple[Any, ...]) -> tuple[str, bytes, str]:
    """Return the name of a kernel in its object, the object, and its assembly.

    Args:
        kernel: what `pbx.media.engine.native.kernel` has made.
        types: numba's types of its arguments.
    """
    kernel.compile(types)
    result = kernel.overloads[types]
    library = result.library
    return result.fndesc.mangled_name, bytes(library._compiled_object), library.get_asm_str()


def _write(wanted: Mapping[str, Sequence[tuple[str, int]]]) -> None:
    from numba.core import types

    from tests.bench.arm.subjects import subjects

    made = {}
    for subject in subjects():
        if subject.name in wanted:
            kinds = tuple(
                types.Array(getattr(types, word), dimensions, "C") if dimensions else types.int64
                for word, dimensions in wanted[subject.name]
            )
            symbol, code, assembly = compiled(subject.kernel, kinds)
            made[subject.name] = symbol, base64.b64encode(code).decode(), assembly
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    aim()
    _write(json.load(sys.stdin))
