"""Some thousand call records at once, by column: what is done with a column is done in C."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of a file; the sequences are of one length.

    Args:
        setups: when the calls began.
        seconds: of talk.
        columns: the values by the name of their column; one that the file lacks is empty in each record.
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
