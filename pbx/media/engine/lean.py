"""Compiles kernels in half the time, in a process where Python calls none but the entries.

numba makes every function callable from Python and from C, and machine code of it with all that it
calls: of a function that is called at the bottom of a tree, once for each function above it. Here
only the entries get any of that: all functions below one are put together once, and become machine
code once.
"""

from typing import Any

import llvmlite.binding as llvm
from numba.core import codegen
from numba.core.registry import cpu_target

from pbx.media.engine.native import entries, inner

_codegen: Any = codegen

_SEEN = ("external", "common", "weak_any", "weak_odr", "linkonce_any", "linkonce_odr")
"""Linkage of variables that others can find."""


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

    def serialize_using_object_code(self) -> tuple[str, str, tuple[bytes, bytes]]:
        """Return what the cache keeps: an entry's machine code, and a module that has but its names.

        Nobody links an entry, and LLVM numbers what it makes up itself by where things lie in
        memory: with the module itself, the same sources would give other bytes each time.
        """
        self._ensure_finalized()
        names = llvm.parse_assembly(_names_of(self._final_module)).as_bitcode()
        return self.name, "object", (self._get_compiled_object(), names)

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


def _names_of(module: Any) -> str:
    """Return a module, as LLVM's text, that defines what another one does, without what is in it."""
    functions = [one for one in module.functions if not one.is_declaration]
    variables = [one for one in module.global_variables if not one.is_declaration]
    return "\n".join(
        [f'define void @"{one.name}"() {{ unreachable }}' for one in functions]
        + [f'@"{one.name}" = global i8 0' for one in variables if one.linkage.name in _SEEN]
    )


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
