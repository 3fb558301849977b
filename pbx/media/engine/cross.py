"""Compiles the kernels for 64-bit ARM on any machine: `python -m pbx.media.engine.cross`.

NUMBA_CPU_NAME and NUMBA_CPU_FEATURES name the processor, as LLVM there names it. What is written is
what an engine there looks for: numba's whole pipeline runs with the target's LLVM, which llvmlite's
wheels have on every machine, and cached kernels are only objects. Nothing of it can be called here.
"""

import logging
import os
import sys
from typing import Any

import llvmlite.binding as llvm
from numba.core import cgutils, codegen, config

TRIPLE = "aarch64-unknown-linux-gnu"

EX_USAGE = 64
EX_SOFTWARE = 70

_codegen: Any = codegen
_settings: Any = config
_ir_text: Any = cgutils.normalize_ir_text


class _Emitter:
    """Stands where the JIT engine stands: makes objects of modules, and runs nothing.

    Args:
        machine: the target's code generator.
        emitted: is called with each module and its object.
    """

    def __init__(self, machine: Any, emitted: Any) -> None:
        self._machine = machine
        self._emitted = emitted
        self._waiting: list[Any] = []

    def add_module(self, module: Any) -> None:
        """Take a module whose object will be wanted."""
        self._waiting.append(module)

    def finalize_object(self) -> None:
        """Make the objects of all modules that wait."""
        # Also of those that no file is made of: generating code changes a module, and with it those
        # that it is linked into. So the result is that of the JIT engine to the byte.
        for module in self._waiting:
            self._emitted(module, self._machine.emit_object(module))
        self._waiting.clear()

    def is_symbol_defined(self, name: str) -> bool:
        """Say that all is there."""
        return True

    def get_function_address(self, name: str) -> int:
        """Return an address that nothing is at."""
        return 1


class _CrossCodegen(_codegen.JITCPUCodegen):  # type: ignore[misc]
    """numba's code generator for this process, for another processor."""

    def _init(self, llvm_module: Any) -> None:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        self._tm_features = self._get_host_cpu_features()
        # Relocation and code model are those that the JIT engine takes on the target.
        self._tm = llvm.Target.from_triple(TRIPLE).create_target_machine(
            cpu=self._get_host_cpu_name(),
            features=self._tm_features,
            opt=_settings.OPT,
            reloc="default",
            codemodel="jitdefault",
            jit=True,
        )
        self._engine = _Emitter(self._tm, self._library_class._object_compiled_hook)
        self._target_data = self._tm.target_data
        self._data_layout = str(self._target_data)
        self._loopvect, self._opt_level = (True, 3) if _settings.OPT.is_opt_max else (False, 0)

    def _create_empty_module(self, name: str) -> Any:
        module = _codegen.llvmir.Module(_ir_text(name))
        module.triple = TRIPLE
        if self._data_layout:
            module.data_layout = self._data_layout
        return module

    def set_env(self, env_name: str, env: Any) -> None:
        """Leave it to who loads the object."""


def aim() -> None:
    """Let this process compile for the target; call it before any kernel is so much as imported."""
    _codegen.JITCPUCodegen = _CrossCodegen
    # Python's own name of the target, which the seal of the kernels bears.
    os.environ["_PYTHON_HOST_PLATFORM"] = "linux-aarch64"


def main() -> int:
    """Compile all kernels into their cache; returns the exit code (sysexits.h)."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s", level=logging.INFO)
    if _settings.CPU_NAME is None or _settings.CPU_FEATURES is None:
        logging.error("NUMBA_CPU_NAME and NUMBA_CPU_FEATURES must name the processor")
        return EX_USAGE
    aim()
    from pbx.media.engine.loading import make_kernels

    return 0 if make_kernels(os.environ) else EX_SOFTWARE


if __name__ == "__main__":
    sys.exit(main())
