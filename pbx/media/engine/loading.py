"""Compiles the entry kernels, or loads them from their cache, before the first packet."""

import logging
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from pbx.media.engine.kernel_cache import Condition, Seal, alone, candidates, choose, use
from pbx.media.engine.lean import compile_leanly

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kernels:
    """The compiled functions that Python calls.

    Args:
        packet_loop: `kernels.packet_loop.packet_loop`.
        ring_put, ring_take, publish: those of `kernels.ring`.
        compiled: how many of them had to be compiled now.
    """

    packet_loop: Any
    ring_put: Any
    ring_take: Any
    publish: Any
    compiled: int


def is_warm(environment: Mapping[str, str]) -> bool:
    """Return whether `load_kernels` would find what it needs, or could not leave it behind."""
    folder = choose(candidates(environment))
    return folder is None or Seal(folder).condition() is Condition.INTACT


def load_kernels(
    environment: Mapping[str, str], *, fresh: bool = False, lean: bool = False
) -> Kernels:
    """Return the kernels, compiled; says on the log what it found.

    Args:
        environment: see `kernel_cache.candidates`.
        fresh: read no cache and leave none.
        lean: from now on Python can call nothing but what is returned.

    Raises:
        Exception: whatever numba raises on a cache that it cannot read.
    """
    folders = candidates(environment)
    folder = None if fresh else choose(folders)
    if not fresh:
        _tell_damage(folders)
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="minisipserver-kernels-"))
        try:
            return _load(folder, lean=lean)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    with alone(folder):
        seal = Seal(folder)
        # Another engine may have compiled them while this one waited.
        if seal.condition() is not Condition.INTACT:
            seal.clear()
        kernels = _load(folder, lean=lean)
        if kernels.compiled:
            seal.write()
        return kernels


def _tell_damage(folders: list[Path]) -> None:
    for folder in folders:
        if Seal(folder).condition() is Condition.DAMAGED:
            _log.warning("the compiled kernels in %s are damaged; they are made anew", folder)


def _load(folder: Path, *, lean: bool) -> Kernels:
    use(folder)
    # The kernels' cache is bound to its folder when their modules are imported.
    from pbx.media.engine.kernels.packet_loop import packet_loop
    from pbx.media.engine.kernels.ring import publish, ring_put, ring_take

    if lean:
        compile_leanly()
    if Seal(folder).condition() is Condition.EMPTY:
        _log.info("compiling the media kernels; this is done once")
    began = time.monotonic()
    type_of: Any = numba.typeof
    words = type_of(np.zeros(1, np.int64))
    ring = type_of(np.zeros((1, 1), np.int64))
    entries = (
        (packet_loop, (numba.int64, numba.int64)),
        (ring_put, (ring, words, words)),
        (ring_take, (ring, words, words)),
        (publish, (words, numba.int64, numba.int64)),
    )
    for function, signature in entries:
        if not function.signatures:
            function.compile(signature)
            # A call with other types is a bug, not a reason to stop for seconds.
            function.disable_compile()
    compiled = sum(sum(function.stats.cache_misses.values()) for function, _ in entries)
    _log.debug("kernels ready in %.2f s, %d compiled", time.monotonic() - began, compiled)
    return Kernels(packet_loop, ring_put, ring_take, publish, compiled)
