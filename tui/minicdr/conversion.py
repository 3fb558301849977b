"""CSV files out of binary ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pbx.cdr.reader import Reader
from pbx.store.record_file import COLUMNS
from tui.minicdr import export


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a file.

    Args:
        records: how many were converted; None where no file was made.
        trouble: the sentence why the new file could not be written; empty where it could, or need not.
    """

    records: int | None = None
    trouble: str = ""


def convert(reader: Reader, source: Path, made: Path) -> Conversion:
    """Write the records of a binary file to a new CSV file, as far as they can be proved.

    Args:
        reader: tells what is left out, and why no file is made of one that isn't known.
    """
    before = reader.files
    count = 0

    def rows() -> Iterator[Sequence[str]]:
        nonlocal count
        for batch in reader.batches(source, COLUMNS):
            count += len(batch)
            yield from zip(*(batch[name] for name in COLUMNS), strict=True)

    found = rows()
    first = next(found, None)
    if first is None and reader.files == before:
        return Conversion()
    trouble = export.write_csv(str(made), chain([] if first is None else [first], found))
    return Conversion(trouble=trouble) if trouble else Conversion(count)
