"""The sentences of RFC 3261 that oblige, as `rfc3261.tsv` counts them.

``python -m tests.etsi.sentences rfc3261.txt`` prints them, each with its section and number, from the
RFC's own text, which isn't kept here.
"""

import re
import sys
from pathlib import Path

_HEADING = re.compile(r"(\d{1,2}(?:\.\d{1,2})*) +[A-Z1-6].{1,70}")
_PAGE_BREAK = re.compile(r"\n+[^\n]*\[Page \d+\]\n\f?\n?[^\n]*\n+")
_OBLIGES = re.compile(r"\b(MUST|SHOULD|SHALL|REQUIRED|RECOMMENDED)\b")
_BETWEEN = re.compile(r'(?<=[.!?:])\s+(?=[A-Z"(0-9])')
_FIRST, _LAST = 7, 28
"""The chapters that are looked at: before are the terms, after are references."""


def sections(text: str) -> dict[str, str]:
    """Return each section's own text, without its subsections'."""
    text = _PAGE_BREAK.sub("\n", text).replace("\f", "")
    # The first 20 pages are the table of contents
    text = text[text.index(f"\n{_FIRST} SIP Messages", 20000) :]
    found: dict[str, list[str]] = {}
    current: tuple[int, ...] = (_FIRST - 1,)
    for line in text.split("\n"):
        heading = _HEADING.fullmatch(line)
        key = tuple(map(int, heading[1].split("."))) if heading else ()
        if key > current and key[0] <= min(current[0] + 1, _LAST):
            current = key
            found[".".join(map(str, key))] = []
        elif found:
            found[".".join(map(str, current))].append(line)
    return {section: "\n".join(lines) for section, lines in found.items()}


def sentences(body: str) -> list[str]:
    """Return the sentences of a section that oblige, in their order."""
    joined = re.sub(r"\s+", " ", re.sub(r"-\n +", "-", body))
    return [one for one in _BETWEEN.split(joined) if _OBLIGES.search(one)]


def main() -> None:
    text = Path(sys.argv[1]).read_text()
    for section, body in sections(text).items():
        for number, sentence in enumerate(sentences(body), 1):
            print(f"{section}/{number}\t{sentence}")


if __name__ == "__main__":
    main()
