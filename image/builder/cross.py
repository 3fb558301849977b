"""Makes the numba of this process compile for a Raspberry Pi.

After `aim`, every kernel of the process becomes AArch64 code through the whole of numba's own
pipeline; none of it can be called here. llvmlite's wheels hold all of LLVM's back ends. What is
compiled so is the same to the byte as what the program on the Pi compiles.

`python -m builder.cross CPU FEATURES FOLDER` puts the media engine's kernels into a folder. numba is
aimed once in a process, and before any kernel is so much as imported.
"""

import sys
from typing import Any

import llvmlite.binding as llvm
from numba.core import cgutils, codegen, config

TRIPLE = "aarch64-unknown-linux-gnu"

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
    features = ""

    def _init(self, llvm_module: Any) -> None:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        self._tm_features = self.features
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
        return self.features

    def _scan_and_fix_unresolved_refs(self, module: Any) -> None:
        """Leave them unresolved."""

    def set_env(self, env_name: str, env: Any) -> None:
        """Leave it out: a kernel that raises nothing never looks at it."""


def aim(cpu: str, features: str) -> None:
    """Compile for a processor; call this before any kernel is imported.

    Args:
        cpu: as LLVM calls it.
        features: what LLVM finds on the board, as `image.toml` says.
    """
    _Codegen.cpu, _Codegen.features = cpu, features
    _codegen.JITCPUCodegen = _Codegen


def main(cpu: str, features: str, folder: str) -> None:
    """Compile the media engine's kernels into `folder`, beside those of other processors."""
    aim(cpu, features)
    from pbx.media.engine.loading import load_kernels

    load_kernels({"NUMBA_CACHE_DIR": folder})


if __name__ == "__main__":
    main(*sys.argv[1:])
