"""Every purpose of ETSI TS 102 027-2, and every MUST and SHOULD of RFC 3261, has its test."""

import ast
import csv
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

NOT_APPLICABLE = "- "
"""How the reason begins that stands in place of a test."""

PURPOSES = 609
"""Those of V4.1.1 (2006-07), with the void ones."""

UNUSED = {("SIP_QC_OE_V", 6)}
"""Numbers that the catalogue leaves out."""


def _rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


SENTENCES = _rows("rfc3261.tsv")
PURPOSE_ROWS = _rows("purposes.tsv")


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


@cache
def _tests_of(path: str) -> dict[str, frozenset[str]]:
    """The tests of a file by class; those outside classes under the empty name."""
    body = ast.parse((ROOT / path).read_text()).body
    found = {"": _names(body)}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = _names(node.body)
    return found


def _names(body: list[ast.stmt]) -> frozenset[str]:
    functions = (one for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(one.name for one in functions if one.name.startswith("test_"))


def _missing(proof: str) -> bool:
    """Whether a proof (file::test, file::class::test, or a whole class) isn't there."""
    path, *names = proof.split("::")
    if not (ROOT / path).is_file() or not names:
        return True
    tests = _tests_of(path)
    if len(names) == 2:
        return names[1] not in tests.get(names[0], ())
    return not tests.get(names[0]) and names[0] not in tests[""]


@pytest.mark.parametrize("rows", [SENTENCES, PURPOSE_ROWS], ids=["RFC 3261", "ETSI"])
def test_each_has_its_tests_or_a_reason(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert row["what is asked"]
        proofs = row["proofs"]
        if proofs.startswith(NOT_APPLICABLE):
            assert len(proofs) > len(NOT_APPLICABLE)
            continue
        assert proofs.split(), row
        assert [proof for proof in proofs.split() if _missing(proof)] == []


def test_no_sentence_is_left_out() -> None:
    """Those of a section are numbered from 1 on; `sentences` prints them."""
    found: dict[str, list[int]] = {}
    for row in SENTENCES:
        found.setdefault(row["section"], []).extend(_numbers(row["sentences"]))
    for section, numbers in found.items():
        assert sorted(numbers) == [*range(1, len(numbers) + 1)], section
    assert sum(map(len, found.values())) == 811


def test_no_purpose_is_left_out() -> None:
    purposes = Counter(
        (row["group"], number) for row in PURPOSE_ROWS for number in _numbers(row["numbers"])
    )
    assert set(purposes.values()) == {1}
    assert len(purposes) == PURPOSES
    for group in {group for group, _ in purposes}:
        numbers = {number for name, number in purposes if name == group}
        unused = {number for name, number in UNUSED if name == group}
        assert numbers | unused == {*range(1, max(numbers) + 1)}, group


def test_what_each_purpose_rests_on() -> None:
    for row in PURPOSE_ROWS:
        assert row["basis"] in {"text", "section", "none"}
        assert row["sections"] or row["status"] == "void"
        if row["basis"] == "none":
            assert row["proofs"].startswith(NOT_APPLICABLE)
