"""Where compiled kernels are kept, and how a damaged file is kept out.

numba alone would trust a file that a power cut has truncated (and raise, or crash, at every start
from then on), miss a change in a callee of another file, and not read a folder that it may not
write. So: the stamp of a cached kernel is a hash over all sources of the engine, and a list of
SHA-256 sums, written after the files have reached the disk, seals a complete cache. What isn't
sealed is thrown away before numba sees it.
"""

import enum
import fcntl
import functools
import hashlib
import os
import pickle
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numba import __version__ as numba_version
from numba.core import config as _numba_config
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.registry import cpu_target

_PACKAGE = Path(__file__).parent
_SHARED = (_PACKAGE.parent / "codecs.py", _PACKAGE.parent / "emodel.py")
"""Sources outside of the engine that kernels are compiled from, or with constants of."""

# numba makes the attributes of this module from its environment.
_config: Any = _numba_config
_target: Any = cpu_target


@functools.cache
def source_stamp() -> str:
    """Return, once per process, a hash over every source of the kernels and over numba's version."""
    digest = hashlib.sha256(numba_version.encode())
    for path in [*sorted(_PACKAGE.rglob("*.py")), *_SHARED]:
        digest.update(path.relative_to(_PACKAGE.parent).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_folder() -> Path:
    """Return the folder in use: what `use` has set, else NUMBA_CACHE_DIR, else in the tree."""
    return Path(_config.CACHE_DIR) if _config.CACHE_DIR else _PACKAGE / "kernels" / "__pycache__"


def use(folder: Path) -> None:
    """Make kernels that are imported from now on live in `folder`."""
    _config.CACHE_DIR = str(folder)


class KernelLocator:
    """Tells numba the folder and the stamp of one kernel; the folder may be read-only."""

    def __init__(self, function: Any) -> None:
        self._name = f"{function.__module__.rpartition('.')[2]}-{function.__code__.co_firstlineno}"

    @classmethod
    def from_function(cls, function: Any, source: str) -> "KernelLocator":
        """Return the locator of `function`, defined in the file `source`."""
        return cls(function)

    def ensure_cache_path(self) -> None:
        """Make the folder; numba calls this before it writes."""
        cache_folder().mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        """Return the folder; all kernels share one."""
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        """Return what must be equal for a cached kernel to be used."""
        return source_stamp()

    def get_disambiguator(self) -> str:
        """Return what tells this function from others of the same name."""
        return self._name


class _KernelCacheImpl(CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [KernelLocator]

    def reduce(self, cres: Any) -> Any:
        """Return what is written of a compiled kernel: the same bytes for the same sources.

        What numba would tell of types has addresses of this process in it, and nobody asks a
        cached kernel for it.
        """
        return cres._replace(type_annotation="")._reduce()


class KernelCache(FunctionCache):
    """One function's cache in the folder that `cache_folder` names."""

    _impl_class = _KernelCacheImpl


class Condition(enum.Enum):
    """What a folder holds."""

    EMPTY = "empty"
    STALE = "made from other sources"
    DAMAGED = "damaged"
    INTACT = "intact"


@dataclass(frozen=True, slots=True)
class Seal:
    """The sums of one complete cache, of this Python on this kind of machine.

    Args:
        folder: where the kernels are; need not exist.
    """

    folder: Path

    @property
    def path(self) -> Path:
        """The file that holds the sums: the sources' stamp, then lines like sha256sum's."""
        return (
            self.folder / f"kernels.{sys.implementation.cache_tag}-{sysconfig.get_platform()}.sums"
        )

    def files(self) -> list[Path]:
        """Return the kernels' files that are there, sealed or not."""
        tag = f".py{sys.version_info[0]}{sys.version_info[1]}"
        try:
            paths = sorted(self.folder.iterdir())
        except OSError:
            return []
        return [path for path in paths if path.suffix in {".nbi", ".nbc"} and tag in path.name]

    def condition(self) -> Condition:
        """Compare the files with their sums and the sums with the sources."""
        files = self.files()
        try:
            stamp, *lines = self.path.read_text("ascii").splitlines()
            if stamp != source_stamp():
                return Condition.STALE
            sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
            if sums and sums == {path.name: _sum(path) for path in files}:
                return Condition.INTACT
        except FileNotFoundError:
            return Condition.STALE if files else Condition.EMPTY
        except (OSError, ValueError):
            return Condition.DAMAGED
        return Condition.DAMAGED

    def write(self) -> None:
        """Seal what is there: first the files to the disk, then their sums, then the sums' name.

        Raises:
            OSError: the folder cannot be written.
        """
        lines = [source_stamp()]
        for path in self.files():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            lines.append(f"{_sum(path)}  {path.name}")
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as sums:
            sums.write("\n".join(lines) + "\n")
            sums.flush()
            os.fchmod(sums.fileno(), 0o644)
            os.fsync(sums.fileno())
        Path(sums.name).replace(self.path)

    def clear(self) -> None:
        """Remove this Python's kernels and their seal."""
        for path in [self.path, *self.files()]:
            path.unlink(missing_ok=True)


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def candidates(environment: Mapping[str, str]) -> list[Path]:
    """Return the folders that kernels may live in, the best first.

    Args:
        environment: NUMBA_CACHE_DIR names the only one; CACHE_DIRECTORY (systemd),
            XDG_CACHE_HOME and HOME follow the folder beside the sources.
    """
    if named := environment.get("NUMBA_CACHE_DIR"):
        return [Path(named)]
    folders = [_PACKAGE / "kernels" / "__pycache__"]
    if service := environment.get("CACHE_DIRECTORY", "").partition(":")[0]:
        folders.append(Path(service) / "kernels")
    home = environment.get("XDG_CACHE_HOME") or f"{environment.get('HOME', '/nonexistent')}/.cache"
    folders.append(Path(home) / "minisipserver" / "kernels")
    return folders


def choose(folders: list[Path]) -> Path | None:
    """Return the folder to use.

    An intact one whose kernels are for this processor even if read-only, else the first that can be
    written: a disk may come from another board, whose folder nobody but a package writes.
    """
    for folder in folders:
        if Seal(folder).condition() is Condition.INTACT and _is_for_this_processor(folder):
            return folder
    return next(filter(_writable, folders), None)


def _is_for_this_processor(folder: Path) -> bool:
    """Return whether an intact folder has each kernel as this processor wants it.

    It may have them for others, too: numba's index names the processor of each.
    """
    processor = _target.target_context.codegen().magic_tuple()
    for path in Seal(folder).files():
        if path.suffix == ".nbi":
            with path.open("rb") as file:
                version = pickle.load(file)
                _, kept = pickle.loads(file.read())
            if version != numba_version or all(key[1] != processor for key in kept):
                return False
    return True


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from compiling into `folder` meanwhile; nothing where it's read-only."""
    try:
        file = (folder / "kernels.lock").open("ab")
    except OSError:
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
