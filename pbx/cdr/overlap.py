"""Proof that no call has records in two of the parts that were worked on apart."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

Prints = Mapping[str, "array[int]"]
"""The hashes of calls, by what they have in common."""

_HOUR = slice(-29, -16)
"""Where in a call's key the day and hour of its setup are, as an exchange writes them.

Of a time in another form it is something else: as good for the proof, as equal keys have it equal.
"""


def prints(keys: Iterable[str]) -> Prints:
    """Return what tells calls apart from those of another part, in little memory.

    The hashes are Python's own, which are others in each run: who compares them was forked from one process.

    Args:
        keys: of the calls; each ends with the time of setup. It takes longer where they are not nearly in its order.
    """
    found = defaultdict[str, "array[int]"](lambda: array("q"))
    for hour, some in groupby(keys, itemgetter(_HOUR)):
        found[hour].extend(map(hash, some))
    return dict(found)


def overlapping(parts: Sequence[Prints]) -> set[int]:
    """Return the places of the parts that may have a call in common with another."""
    hours = defaultdict[str, list[int]](list)
    for place, part in enumerate(parts):
        for hour in part:
            hours[hour].append(place)
    found = set[int]()
    for hour, places in hours.items():
        if len(places) == 1:
            continue
        owners: dict[int, int] = {}
        for place in places:
            for one in parts[place][hour]:
                owner = owners.setdefault(one, place)
                if owner != place:
                    found |= {owner, place}
    return found
