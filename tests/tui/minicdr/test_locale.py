"""miniCDR's sentences, English and Chinese."""

import string
from pathlib import Path

import pytest

from pbx.locale import LANGUAGES, catalogue
from tui.minicdr import locale

NAME = locale.__name__


def test_same_keys_in_the_same_order() -> None:
    assert list(catalogue("en", NAME)) == list(catalogue("zh", NAME))


@pytest.mark.parametrize("key", catalogue("en", NAME))
def test_same_values(key: str) -> None:
    names = [
        {name for _, name, _, _ in string.Formatter().parse(catalogue(one, NAME)[key]) if name}
        for one in LANGUAGES
    ]
    assert names[0] == names[1]
    assert catalogue("en", NAME)[key].isascii()
    assert not catalogue("zh", NAME)[key].isascii()


def test_every_sentence_is_used() -> None:
    source = "".join(path.read_text() for path in Path("tui/minicdr").rglob("*.py"))
    names = ("archive.py", "finding.py", "pieces.py", "reader.py")
    source += "".join(Path("pbx/cdr", name).read_text() for name in names)
    families = ("help-", "side-", "column-")
    unused = [
        key
        for key in catalogue("en", NAME)
        if f'"{key}"' not in source and not key.startswith(families)
    ]
    assert unused == []
