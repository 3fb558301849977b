"""What a spreadsheet program (Gnumeric) makes of a CSV file that is opened with it, nothing else said."""

import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

_NAMES = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}

LIMIT_S = 60


class Spreadsheet:
    """A CSV file, opened and saved as a spreadsheet.

    Args:
        path: the file.
        folder: where to save it.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        saved = folder / f"{path.stem}.xlsx"
        command = ["ssconvert", str(path), str(saved)]
        subprocess.run(command, check=True, timeout=LIMIT_S, capture_output=True)
        with zipfile.ZipFile(saved) as parts:
            self._sheet = ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml"))
            # What several cells say stands once, elsewhere
            shared = "xl/sharedStrings.xml"
            texts = ElementTree.fromstring(parts.read(shared)) if shared in parts.namelist() else ()
            self._shared = ["".join(one.itertext()).strip() for one in texts]

    @property
    def formulas(self) -> list[str]:
        """The formulas in it."""
        return [one.text or "" for one in self._sheet.iterfind(".//x:c/x:f", _NAMES)]

    @property
    def rows(self) -> list[dict[str, str]]:
        """What is seen of the rows, by the headings; empty cells are missing."""
        first, *others = (self._cells(row) for row in self._sheet.iterfind(".//x:row", _NAMES))
        return [{first[letter]: text for letter, text in row.items()} for row in others]

    def _cells(self, row: ElementTree.Element) -> dict[str, str]:
        return {
            cell.attrib["r"].rstrip("0123456789"): self._text(cell)
            for cell in row.iterfind("x:c", _NAMES)
        }

    def _text(self, cell: ElementTree.Element) -> str:
        own = "".join(cell.itertext()).strip()
        return self._shared[int(own)] if cell.get("t") == "s" else own
