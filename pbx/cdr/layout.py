"""The lines of a record file, and the values in them."""

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import msgspec

from pbx.cdr.batch import Batch, LazyColumns
from pbx.store.record_file import decode_line, plain, split_lines

LONGEST_TALK_S = 1e9
"""What is said to have lasted longer is no record."""

CHECKED = ("record_id", "setup_time", "duration")
"""What makes a line a record."""

ReadRecord = tuple[datetime.datetime, float, dict[str, str]]

_SECONDS = msgspec.json.Decoder(list[Annotated[float, msgspec.Meta(ge=0, lt=LONGEST_TALK_S)]])


class Layout:
    """Where in a line the values are that are wanted.

    Args:
        names: of the file's columns, in its order.
        columns: those that are wanted; what every record must have is there in any case.
    """

    def __init__(self, names: Sequence[str], columns: Iterable[str]) -> None:
        self._width = len(names)
        places = {name: place for place, name in enumerate(names)}
        wanted = dict.fromkeys((*columns, *CHECKED))
        self._places = {name: places[name] for name in wanted if name in places}
        self._absent = [name for name in wanted if name not in places]
        self._plain = not set(CHECKED).isdisjoint(self._absent)

    def read_all(self, piece: bytes) -> Batch:
        """Return the records that all of the lines are, a million of them in a second or two.

        Args:
            piece: whole lines.

        Raises:
            ValueError: one is no record, or wants a closer look.
        """
        if self._plain:
            raise ValueError("not all is there")
        values = split_lines(piece, self._width)
        risky = b"'" in piece

        def column(name: str) -> Sequence[str]:
            if name in self._absent:
                return [""] * (len(values) // self._width)
            place = self._places[name]
            made = values[place :: self._width]
            if place == self._width - 1:
                made = [value.rstrip("\r\n") for value in made]
            if risky and "'" in "".join(made):
                made = [plain(value) if value[:1] == "'" else value for value in made]
            return made

        columns = LazyColumns((*self._places, *self._absent), column)
        if not all(columns["record_id"]):
            raise ValueError("a record without a name")
        try:
            # Python's own float() takes six times as long.
            seconds = _SECONDS.decode(f"[{','.join(columns['duration'])}]")
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from error
        setups = list(map(datetime.datetime.fromisoformat, columns["setup_time"]))
        return Batch(setups, seconds, columns)

    def read_each(
        self, lines: Iterable[bytes], complain: Callable[[int, ValueError], None]
    ) -> Batch:
        """Return the records among the lines.

        Args:
            complain: told the number of each line that is none, counted from 1, and why; not of empty ones.
        """
        records: list[ReadRecord] = []
        for number, line in enumerate(lines, 1):
            try:
                records.append(self.record(decode_line(line)))
            except ValueError as why:
                if line.strip():
                    complain(number, why)
        return self.batch(records)

    def record(self, row: Sequence[str]) -> ReadRecord:
        """Return the setup, the seconds of talk and the values by name of a record.

        Raises:
            ValueError: it is none.
        """
        if len(row) != self._width:
            raise ValueError("too many values, or too few")
        values = {name: row[place] for name, place in self._places.items()}
        seconds = float(values.get("duration") or 0)
        if not values.get("record_id") or not 0 <= seconds < LONGEST_TALK_S:
            raise ValueError("no record")
        return datetime.datetime.fromisoformat(values.get("setup_time", "")), seconds, values

    def batch(self, records: Sequence[ReadRecord]) -> Batch:
        """Put records together."""
        names = (*self._places, *self._absent)
        columns = {name: [values.get(name, "") for _, _, values in records] for name in names}
        return Batch([one[0] for one in records], [one[1] for one in records], columns)
