"""A ring of records between two threads: one writes, one reads, nobody waits."""

from typing import Any

from pbx.media.engine import ring_row
from pbx.media.engine.native import entry_kernel, kernel, load_acquire, store_release


@kernel
def room(ring: Any, cursors: Any) -> Any:
    """Return how many records the writer may put in now."""
    taken = load_acquire(cursors.ctypes.data + 8 * ring_row.TAKEN)
    return ring.shape[0] - (cursors[ring_row.WRITTEN] - taken)


@kernel
def next_free(ring: Any, cursors: Any) -> Any:
    """Return the index of the record to fill before `written`; there must be room."""
    return cursors[ring_row.WRITTEN] & (ring.shape[0] - 1)


@kernel
def _show(cursors: Any, count: Any) -> None:
    store_release(cursors.ctypes.data + 8 * ring_row.WRITTEN, cursors[ring_row.WRITTEN] + count)


@kernel
def written(cursors: Any) -> None:
    """Show the record that has just been filled to the reader."""
    _show(cursors, 1)


@kernel
def waiting(cursors: Any) -> Any:
    """Return how many records the reader may take now."""
    return load_acquire(cursors.ctypes.data + 8 * ring_row.WRITTEN) - cursors[ring_row.TAKEN]


@kernel
def first(ring: Any, cursors: Any) -> Any:
    """Return the index of the oldest record; there must be one waiting."""
    return cursors[ring_row.TAKEN] & (ring.shape[0] - 1)


@kernel
def taken(cursors: Any) -> None:
    """Give the oldest record's place back to the writer."""
    store_release(cursors.ctypes.data + 8 * ring_row.TAKEN, cursors[ring_row.TAKEN] + 1)


@entry_kernel
def ring_put(ring: Any, cursors: Any, records: Any) -> Any:
    """Copy `records`, as far as there is room, into the ring; returns how many.

    The reader sees all of them or none.
    """
    count = min(room(ring, cursors), records.shape[0])
    for number in range(count):
        index = (cursors[ring_row.WRITTEN] + number) & (ring.shape[0] - 1)
        for word in range(ring_row.WIDTH):
            ring[index, word] = records[number, word]
    _show(cursors, count)
    return count


@entry_kernel
def ring_take(ring: Any, cursors: Any, record: Any) -> Any:
    """Copy the oldest record into `record`; False where there is none."""
    if waiting(cursors) <= 0:
        return False
    index = first(ring, cursors)
    for word in range(ring_row.WIDTH):
        record[word] = ring[index, word]
    taken(cursors)
    return True


@entry_kernel
def publish(words: Any, index: Any, value: Any) -> None:
    """Write one word for the other thread to see, after all that was written before it."""
    store_release(words.ctypes.data + 8 * index, value)
