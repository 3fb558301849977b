"""Compiles kernels in two thirds of the time, in a process where Python calls none but the entries.

numba makes every function callable from Python and from C, and optimises all that it calls along with
it: once for each function that stands above it. Here only the entries get both.
"""

from typing import Any

from numba.core import codegen
from numba.core.registry import cpu_target

from pbx.media.engine.native import entries, inner

_codegen: Any = codegen


class _LeanLibrary(_codegen.JITCodeLibrary):  # type: ignore[misc]
    """The code of one function, with all that it calls."""

    def _optimize_final_module(self) -> None:
        if self.name in entries:
            super()._optimize_final_module()


def compile_leanly() -> None:
    """From now on, compile inner kernels for other kernels only."""
    for dispatcher in inner:
        dispatcher.targetoptions.update(no_cpython_wrapper=True, no_cfunc_wrapper=True)
    target: Any = cpu_target
    target.target_context.codegen()._library_class = _LeanLibrary
