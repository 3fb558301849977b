"""Compiles the entry kernels, or loads them from their cache, before the first packet."""

import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from pbx.media.engine.compiling import Entry, compile_apart
from pbx.media.engine.kernel_cache import Condition, Seal, alone, candidates, choose, use

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kernels:
    """The compiled functions that Python calls, and the addresses of those that `packet_loop` calls.

    Args:
        packet_loop: `kernels.packet_loop.packet_loop`.
        write_loop: `kernels.writing.write_loop`.
        ring_put, ring_take, publish: those of `kernels.ring`.
        hear_voices, serve_voices: addresses of those of `kernels.voice_tick`.
    """

    packet_loop: Any
    write_loop: Any
    ring_put: Any
    ring_take: Any
    publish: Any
    hear_voices: int
    serve_voices: int


def load_kernels(environment: Mapping[str, str], *, fresh: bool = False) -> Kernels:
    """Return the kernels, compiled; says on the log what it found.

    Args:
        environment: see `kernel_cache.candidates`.
        fresh: read no cache and leave none.

    Raises:
        Exception: whatever numba raises on a cache that it cannot read.
    """
    began = time.monotonic()
    with _cache(environment, fresh=fresh) as folder:
        compiled = _fill(folder)
        kernels = _load(folder)
    _log.debug("kernels ready in %.2f s, %d compiled", time.monotonic() - began, compiled)
    return kernels


def make_kernels(environment: Mapping[str, str]) -> bool:
    """Fill the cache, if it isn't, and load nothing of it; returns whether it is full.

    Args:
        environment: see `kernel_cache.candidates`.
    """
    with _cache(environment, fresh=False) as folder:
        _fill(folder)
        return Seal(folder).condition() is Condition.INTACT


@contextmanager
def _cache(environment: Mapping[str, str], *, fresh: bool) -> Iterator[Path]:
    """Choose a folder, and keep other engines out of it meanwhile; a passing one where none will do."""
    folders = candidates(environment)
    folder = None if fresh else choose(folders)
    if not fresh:
        _tell_damage(folders)
    if folder is not None:
        with alone(folder):
            yield folder
        return
    folder = Path(tempfile.mkdtemp(prefix="minisipserver-kernels-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell_damage(folders: list[Path]) -> None:
    for folder in folders:
        if Seal(folder).condition() is Condition.DAMAGED:
            _log.warning("the compiled kernels in %s are damaged; they are made anew", folder)


def _fill(folder: Path) -> int:
    """Compile the kernels that aren't there for this processor, and seal all; returns their number."""
    use(folder)
    seal = Seal(folder)
    # Another engine may have compiled them while this one waited.
    if seal.condition() is not Condition.INTACT:
        seal.clear()
    missing = [[entry for entry in group if not entry.is_kept()] for group in _groups()]
    groups = [group for group in missing if group]
    if groups:
        _log.info("compiling the media kernels; this is done once")
        if compile_apart(groups):
            seal.write()
    return sum(map(len, groups))


def _groups() -> list[list[Entry]]:
    """Return the entries, those together that one process compiles; the longest work first."""
    # The kernels' cache is bound to its folder when their modules are imported.
    from pbx.media.engine.kernels.packet_loop import packet_loop
    from pbx.media.engine.kernels.ring import publish, ring_put, ring_take
    from pbx.media.engine.kernels.voice_tick import hear_voices, serve_voices
    from pbx.media.engine.kernels.writing import write_loop

    type_of: Any = numba.typeof
    words = type_of(np.zeros(1, np.int64))
    ring = type_of(np.zeros((1, 1), np.int64))
    word = numba.int64
    return [
        [Entry(serve_voices, (word, word, word))],
        [Entry(hear_voices, (word, word, word))],
        [Entry(packet_loop, (word, word))],
        [
            Entry(ring_put, (ring, words, ring)),
            Entry(ring_take, (ring, words, words)),
            Entry(publish, (words, word, word)),
            Entry(write_loop, (word, word)),
        ],
    ]


def _load(folder: Path) -> Kernels:
    use(folder)
    functions: dict[str, Any] = {}
    for function, signature in (entry for group in _groups() for entry in group):
        if not function.signatures:
            function.compile(signature)
            # A call with other types is a bug, not a reason to stop for seconds.
            function.disable_compile()
        functions[function.__name__] = function
    for name in ("hear_voices", "serve_voices"):
        functions[name] = _address(functions[name])
    return Kernels(**functions)


def _address(function: Any) -> int:
    """Return where the C function of an entry is."""
    (compiled,) = function.overloads.values()
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cfunc_wrapper_name)
    assert address
    return int(address)
