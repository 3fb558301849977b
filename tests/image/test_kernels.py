"""Kernels that the image's program doesn't take make no image."""

import subprocess
from pathlib import Path

import pytest

from builder import kernels
from builder.description import read_description

PROCESSORS = {"cortex-a53": "+neon", "cortex-a76": "+aes"}


class Program:
    """Stands for the image's program, which is told a processor and loads or compiles."""

    def __init__(self) -> None:
        self.loaded_for: list[str] = []
        self.compiles_for = ""

    def __call__(self, root: Path, words: list[str], environment: dict[str, str]) -> None:
        name = environment["NUMBA_CPU_NAME"]
        self.loaded_for.append(name)
        if name == self.compiles_for:
            (index,) = root.rglob("*.nbi")
            index.write_bytes(b"another one")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    made = Program()
    monkeypatch.setattr(kernels, "in_root", made)
    return made


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    (tmp_path / "loop.nbi").write_bytes(b"an index")
    made = tmp_path / "kernels.tar"
    subprocess.run(["tar", "-c", "-f", made, "-C", tmp_path, "loop.nbi"], check=True)
    return made


def test_loaded_as_on_every_board(tmp_path: Path, tar: Path, program: Program) -> None:
    kernels.put(tar, tmp_path / "root")
    kernels.check(tar, tmp_path / "root", PROCESSORS)
    assert program.loaded_for == [*PROCESSORS]


@pytest.mark.parametrize("name", PROCESSORS)
def test_compiled(tmp_path: Path, tar: Path, program: Program, name: str) -> None:
    program.compiles_for = name
    kernels.put(tar, tmp_path / "root")
    with pytest.raises(kernels.KernelsError):
        kernels.check(tar, tmp_path / "root", PROCESSORS)


def test_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    """numba has wheels for two."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(kernels.KernelsError, match="riscv64"):
        kernels.kernels_tar(read_description(), tmp_path)
    assert not program.loaded_for
