"""When a kernel is too dear, and where its code goes."""

from pathlib import Path

import pytest

from tests.bench.arm import __main__ as bench
from tests.bench.arm.boards import Compiled
from tests.bench.arm.emulate import Block, Run


@pytest.mark.parametrize(
    ("costs", "in_c", "met"),
    [(120, 100, True), (121, 100, False), (12, 100, True), (None, 100, True), (120, None, True)],
)
def test_judged(costs: int | None, in_c: int | None, met: bool) -> None:
    assert bench.is_met(costs, in_c) is met


@pytest.mark.parametrize(
    ("in_c", "wrong", "right"), [(100, 0, True), (90, 0, False), (100, 1, False)]
)
def test_a_line_says_so(
    in_c: int,
    wrong: int,
    right: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run(("add v0.4s, v0.4s, v1.4s",), (Block(("add v0.4s, v0.4s, v1.4s",), 1),), 0)
    costs = iter((115, in_c))
    monkeypatch.setattr(bench, "executed", lambda subject, code: run)
    monkeypatch.setattr(bench, "_in_c", lambda subject, reference: run)
    monkeypatch.setattr(bench, "cycles", lambda reckoner, cpu, trace: next(costs))
    monkeypatch.setattr(bench, "differing", lambda subject, code, cases: cases[:wrong])
    (subject,) = bench._chosen(["energy"])
    code = Compiled("", b"", "")
    assert bench._row(subject, "cortex-a53", code, object(), "llvm-mca") is right  # type: ignore[arg-type]
    line = capsys.readouterr().out
    assert ("NO" in line) is (in_c < 100)
    assert ("DIFFERENT" in line) is bool(wrong)


def test_an_unknown_kernel_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        bench._chosen(["decode_ulaw", "nothing"])
    assert left.value.code == 64
    assert "nothing" in capsys.readouterr().err


def test_code_is_written(tmp_path: Path) -> None:
    bench._emit(tmp_path, "cortex-a53", {"energy": Compiled("", b"", "\tret\n")}, None)
    assert (tmp_path / "cortex-a53/energy.s").read_text() == "\tret\n"
