"""Compiles kernels in half the time, in a process where Python calls none but the entries.

numba makes every function callable from Python and from C, and machine code of it with all that it
calls: of a function that is called at the bottom of a tree, once for each function above it. Here
only the entries get any of that: all functions below one are put together once, and become machine
code once.
"""

from typing import Any

from numba.core import codegen
from numba.core.registry import cpu_target

from pbx.media.engine.native import entries, inner

_codegen: Any = codegen


class _LeanLibrary(_codegen.JITCodeLibrary):  # type: ignore[misc]
    """The code of one function; an entry's has that of all functions below it too."""

    def finalize(self) -> None:
        """Make machine code of an entry; leave any other function to the entries that need it."""
        if self.name in entries:
            self._linking_libraries = _below(self)
            super().finalize()
        else:
            self._finalized = True

    def _optimize_functions(self, ll_module: Any) -> None:
        # The entry's passes begin with the same, over all functions.
        ll_module.data_layout = self._codegen._data_layout

    def get_pointer_to_function(self, name: str) -> int:
        """Return the address of a function, 0 where it has none."""
        self._ensure_finalized()
        return super().get_pointer_to_function(name) if self.name in entries else 0


def _below(library: Any) -> list[Any]:
    """Return the libraries of all functions below one; each before those that it calls itself.

    Of what it's given, the linker takes only functions that something taken before has asked for.
    """
    found: list[Any] = []
    seen = {library}

    def visit(one: Any) -> None:
        for called in one._linking_libraries:
            if called not in seen:
                seen.add(called)
                visit(called)
                found.append(called)

    visit(library)
    return found[::-1]


def compile_leanly() -> None:
    """From now on, compile inner kernels for other kernels only."""
    for dispatcher in inner:
        dispatcher.targetoptions.update(no_cpython_wrapper=True, no_cfunc_wrapper=True)
    target: Any = cpu_target
    generator = target.target_context.codegen()
    generator._library_class = _LeanLibrary
    set_env = generator.set_env

    def set_env_of_entry(name: str, env: Any) -> None:
        """Tell a function where Python's objects are, which it needs for calls from Python only."""
        if generator._engine.is_symbol_defined(name):
            set_env(name, env)

    generator.set_env = set_env_of_entry
