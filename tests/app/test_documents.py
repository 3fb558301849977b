"""The documents that people read: no link leads nowhere, and both languages have the same parts."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "*/README.md", "*/*/README.md")
    for path in PROJECT.glob(pattern)
    if not path.relative_to(PROJECT).parts[0].startswith((".", "build"))
)


def anchors(path: Path) -> set[str]:
    """Return what links may name in a document, as GitHub makes it of its headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)(?:#([^)\s]+))?\)", text):
        found = path.parent / target if target else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), f"{target}#{anchor}"


@pytest.mark.parametrize("name", ["README", "MANUAL"])
def test_both_languages_have_the_same_parts(name: str) -> None:
    both = [
        re.findall(r"^#+ ", (PROJECT / f"{name}{language}.md").read_text("utf-8"), re.MULTILINE)
        for language in ("", ".zh")
    ]
    assert both[0] == both[1]
