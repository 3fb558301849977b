"""`python -m tests.bench.arm.cross NAME...` writes subjects as JSON: name, symbol, object (base64).

For the processor of NUMBA_CPU_NAME and NUMBA_CPU_FEATURES: see `pbx.media.engine.cross`.
"""

import base64
import json
import sys
from collections.abc import Sequence
from typing import Any

from pbx.media.engine.cross import aim


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
    aim()
    _write(sys.argv[1:])
