"""Every input that fuzzing has kept, through its target again: none may raise, hang or contradict."""

import pytest

from tests.fuzz.corpus_file import FOLDER, keep, kept
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_found_stays_cured(target: str) -> None:
    inputs = kept(target)
    assert any(inputs)
    for data in inputs:
        TARGETS[target](data)


def test_every_target_has_a_corpus() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == TARGETS.keys()


def test_the_corpus_is_kept_in_an_order_of_its_own() -> None:
    """So that a run that finds nothing new changes no file."""
    before = (FOLDER / "uri.txt").read_text()
    keep("uri", kept("uri"))
    assert (FOLDER / "uri.txt").read_text() == before
