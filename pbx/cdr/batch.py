"""Some thousand call records at once, by column: what is done with a column is done in C."""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of a file; the sequences are of one length.

    Args:
        setups: when the calls began.
        seconds: of talk.
        columns: the values by the name of their column; one that the file lacks is empty in each record.
            They may be `LazyColumns`.
    """

    setups: Sequence[datetime.datetime]
    seconds: Sequence[float]
    columns: Mapping[str, Sequence[str]]

    def __len__(self) -> int:
        return len(self.setups)

    def __getitem__(self, column: str) -> Sequence[str]:
        return self.columns[column]

    def only(self, wanted: Iterable[bool]) -> "Batch":
        """Return the records that are `wanted`, in order; one answer a record."""
        chosen = list(wanted)
        if all(chosen):
            return self
        return Batch(
            list(compress(self.setups, chosen)),
            list(compress(self.seconds, chosen)),
            {name: list(compress(values, chosen)) for name, values in self.columns.items()},
        )


class LazyColumns(Mapping[str, Sequence[str]]):
    """Columns that are made when somebody asks for them, for most are not asked for.

    Args:
        names: of the columns.
        make: returns the one with a name.
    """

    def __init__(self, names: Iterable[str], make: Callable[[str], Sequence[str]]) -> None:
        self._made: dict[str, Sequence[str] | None] = dict.fromkeys(names)
        self._make = make

    def __getitem__(self, name: str) -> Sequence[str]:
        column = self._made[name]
        if column is None:
            column = self._made[name] = self._make(name)
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def __reduce__(self) -> tuple[type[dict[str, Sequence[str]]], tuple[dict[str, Sequence[str]]]]:
        # Other processes get them made.
        return dict, (dict(self),)
