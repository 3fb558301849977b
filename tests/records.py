"""The call records of a data folder, as an exchange that runs has written them so far."""

import csv
from pathlib import Path


def written_records(folder: Path) -> list[dict[str, str]]:
    """Return all whole lines of all CDR files of a data folder."""
    found: list[dict[str, str]] = []
    for path in sorted((folder / "cdr").glob("CDR_*.csv")):
        # what is being written may be seen in parts
        whole = path.read_bytes().rpartition(b"\n")[0]
        found += csv.DictReader(whole.decode("utf-8-sig").splitlines(keepends=True), strict=True)
    return found
