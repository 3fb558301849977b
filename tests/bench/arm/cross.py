"""Makes the numba of this process compile for a Raspberry Pi.

After `aim`, every kernel of the process becomes AArch64 code through the whole of numba's own
pipeline; none of it can be called here. llvmlite's wheels hold all of LLVM's back ends.

`python -m tests.bench.arm.cross CPU NAME...` writes subjects as JSON: name, symbol, object (base64).
numba is aimed once in a process, and before any kernel is so much as imported.
"""

import base64
import json
import sys
from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
from numba.core import cgutils, codegen, config

TRIPLE = "aarch64-unknown-linux-gnu"

_PI_3_AND_4 = "-aes,+crc,+fp-armv8,+neon,-rand,-sha2,-sve"
FEATURES = {
    "cortex-a53": _PI_3_AND_4,
    "cortex-a72": _PI_3_AND_4,
    "cortex-a76": "+aes,+crc,+fp-armv8,+lse,+neon,-rand,+sha2,-sve",
}
"""What LLVM finds on the boards: Zero 2 W and 3; 4 and 400; 5 and 500."""

_codegen: Any = codegen
_settings: Any = config
_ir_text: Any = cgutils.normalize_ir_text


class _NoEngine:
    """Stands where the JIT engine stands, and runs nothing."""

    def add_module(self, module: Any) -> None:
        """Forget it: its code is emitted as an object."""

    def add_global_mapping(self, variable: Any, address: int) -> None:
        """Leave the variable to who loads the object."""

    def is_symbol_defined(self, name: str) -> bool:
        """Say that all is there."""
        return True

    def get_function_address(self, name: str) -> int:
        """Return an address that nothing is at."""
        return 1


class _Library(_codegen.JITCodeLibrary):  # type: ignore[misc]
    """A library whose code is the object's bytes in `_compiled_object`."""

    def _finalize_specific(self) -> None:
        self._compiled_object = self._codegen._tm.emit_object(self._final_module)


class _Codegen(_codegen.JITCPUCodegen):  # type: ignore[misc]
    _library_class = _Library
    cpu = ""

    def _init(self, llvm_module: Any) -> None:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        self._tm_features = FEATURES[self.cpu]
        # Relocation and code model are those that the JIT takes on the board.
        self._tm = llvm.Target.from_triple(TRIPLE).create_target_machine(
            cpu=self.cpu,
            features=self._tm_features,
            opt=_settings.OPT,
            reloc="default",
            codemodel="jitdefault",
            jit=True,
        )
        self._engine = _NoEngine()
        self._target_data = self._tm.target_data
        self._data_layout = str(self._target_data)
        self._loopvect, self._opt_level = (True, 3) if _settings.OPT.is_opt_max else (False, 0)

    def _create_empty_module(self, name: str) -> Any:
        module = _codegen.llvmir.Module(_ir_text(name))
        module.triple = TRIPLE
        if self._data_layout:
            module.data_layout = self._data_layout
        return module

    def _get_host_cpu_name(self) -> str:
        return self.cpu

    def _get_host_cpu_features(self) -> str:
        return FEATURES[self.cpu]

    def _scan_and_fix_unresolved_refs(self, module: Any) -> None:
        """Leave them unresolved."""

    def set_env(self, env_name: str, env: Any) -> None:
        """Leave it out: a kernel that raises nothing never looks at it."""


def aim(cpu: str) -> None:
    """Compile for `cpu`, a key of `FEATURES`; call this before any kernel is imported."""
    _Codegen.cpu = cpu
    _codegen.JITCPUCodegen = _Codegen


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
    aim(sys.argv[1])
    _write(sys.argv[2:])
