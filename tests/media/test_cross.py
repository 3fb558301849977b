"""Kernels compiled here for a Raspberry Pi: what is written is what an engine there looks for."""

import hashlib
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numba import int64

from pbx.media.engine.kernel_cache import Condition, Seal, source_stamp
from pbx.media.engine.kernels.ring import publish
from tests.bench.arm.boards import FEATURES, processor
from tests.media.engine_process import REPOSITORY

CPU = "cortex-a53"
OTHER_CPU = "cortex-a76"
SIGNATURE = (int64[::1], int64, int64)

EM_AARCH64 = 183

# The smallest kernels that Python calls: all of them would take a minute.
PROGRAM = """
import os
from pbx.media.engine.cross import aim
aim()
from pbx.media.engine import loading
all_of_them = loading._groups
loading._groups = lambda: all_of_them()[-1:]
assert loading.make_kernels(os.environ)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernels for two boards, compiled one after the other as for the card image."""
    made = tmp_path_factory.mktemp("cross")
    for cpu in (CPU, OTHER_CPU):
        environment = {**processor(cpu), "NUMBA_CACHE_DIR": str(made)}
        words = [sys.executable, "-c", PROGRAM]
        subprocess.run(words, check=True, cwd=REPOSITORY, env=environment)
    return made


def test_keys(folder: Path) -> None:
    """The index has each board's processor and this Python's byte-code."""
    (path,) = folder.glob("ring.publish*.nbi")
    with path.open("rb") as file:
        pickle.load(file)
        stamp, kernels = pickle.load(file)
    assert stamp == source_stamp()
    function: Any = publish.py_func
    for (signature, target, code), cpu in zip(kernels, (CPU, OTHER_CPU), strict=True):
        assert signature == SIGNATURE
        assert target == ("aarch64-unknown-linux-gnu", cpu, FEATURES[cpu])
        assert code[0] == hashlib.sha256(function.__code__.co_code).hexdigest()


def test_objects(folder: Path) -> None:
    """The code is the boards'."""
    paths = list(folder.glob("*.nbc"))
    assert len(paths) == 8
    for path in paths:
        written = path.read_bytes()
        (machine,) = struct.unpack_from("<H", written, written.index(b"\x7fELF") + 18)
        assert machine == EM_AARCH64


def test_seal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine on a board finds them complete; one on another machine doesn't see a seal."""
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", "linux-aarch64")
    assert Seal(folder).condition() is Condition.INTACT
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", "linux-riscv64")
    assert Seal(folder).condition() is Condition.STALE


def test_processor_not_named() -> None:
    """It says what it needs."""
    words = [sys.executable, "-m", "pbx.media.engine.cross"]
    done = subprocess.run(words, check=False, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 64
    assert "NUMBA_CPU_NAME" in done.stderr
    assert "Traceback" not in done.stderr
