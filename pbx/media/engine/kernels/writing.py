"""The loop of the writer: what is ready of recordings into their files, which are whole at any moment.

First the sound goes to the end of the file, then the lengths into the header. Wherever that is cut
the header promises no more than there is, and players take what it promises. Where the power goes
and the file system had written the header alone, the file is shorter than it says, which players
take as its end.
"""

from typing import Any

from pbx.media.engine import file_row, tape_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.taping import queue_length
from pbx.media.engine.kernels.views import tables_view, voices_view
from pbx.media.engine.native import (
    EINTR,
    EIO,
    entry_kernel,
    errno,
    kernel,
    load_acquire,
    part,
    pwrite,
    read,
    row_of,
    store_32,
    store_release,
    write,
)


@kernel
def _write_at(fd: Any, address: Any, octets: Any, place: Any) -> Any:
    """Write memory to a place of a file; returns the octets written, and the error number or 0."""
    done = 0
    while done < octets:
        written = pwrite(fd, address + done, octets - done, place + done)
        if written > 0:
            done += written
        elif written == 0:
            return done, EIO
        else:
            number = errno()
            if number != EINTR:
                return done, number
    return done, 0


@kernel
def append(file: Any, header: Any, block: Any, samples: Any) -> Any:
    """Write samples behind those that are in a file.

    Args:
        file: `file_row`.
        header: uint8, the file's, up to date.
        block: int16, samples of both tracks in turn.
        samples: of each track.

    Returns:
        The samples that can be played now, and the error number why they aren't all, else 0. What was
        there before stays playable.
    """
    tracks = file[file_row.TRACKS]
    before = 2 * tracks * file[file_row.TAKEN]
    fd, octets = file[file_row.FD], 2 * tracks * samples
    written, error = _write_at(fd, block.ctypes.data, octets, file_row.HEADER + before)
    kept = written // (2 * tracks)
    if kept == 0:
        return 0, error
    sound = min(before + 2 * tracks * kept, file[file_row.MOST])
    address = header.ctypes.data
    store_32(address + file_row.RIFF_AT, sound + file_row.HEADER - 8)
    store_32(address + file_row.DATA_AT, sound)
    _, failed = _write_at(fd, address, file_row.HEADER, 0)
    return (kept, error) if failed == 0 else (0, failed)


@kernel
def _write_ready(voices: Any, number: Any, ready: Any) -> None:
    """Write what is ready of a recording, until a disk that is full or gone ends that."""
    file = row_of(voices.files, number)
    tracks = file[file_row.TRACKS]
    length = queue_length(row_of(voices.tapes, number))
    while file[file_row.TAKEN] < ready and file[file_row.ERROR] == 0:
        first = file[file_row.TAKEN]
        at = first & (length - 1)
        samples = min(ready - first, length - at)
        block = part(row_of(voices.queues, number), tracks * at, tracks * samples)
        kept, error = append(file, row_of(voices.headers, number), block, samples)
        store_release(file.ctypes.data + 8 * file_row.TAKEN, first + kept)
        if error != 0:
            store_release(file.ctypes.data + 8 * file_row.ERROR, error)


@kernel
def serve(voices: Any, number: Any) -> Any:
    """Do what there is to do for a recording; returns whether the main thread should look at it."""
    file = row_of(voices.files, number)
    words = file.ctypes.data
    # In the order opposite to that in which the main thread writes them for the next recording.
    done = load_acquire(words + 8 * file_row.DONE) != 0
    fd = load_acquire(words + 8 * file_row.FD)
    if done or fd == file_row.NOT_YET:
        return False
    ended = load_acquire(words + 8 * file_row.ENDED) != 0
    ready = load_acquire(words + 8 * file_row.READY)
    before = file[file_row.ERROR]
    if fd >= 0:
        _write_ready(voices, number, ready)
    if ended:
        store_release(words + 8 * file_row.DONE, 1)
    return ended or file[file_row.ERROR] != before


@entry_kernel
def write_loop(tables_at: Any, voices_at: Any) -> Any:
    """Write until the stop of the writer is set, and then what is ready; see `packet_loop`.

    A disk that is slow or hangs holds nobody up but recordings. Returns 0.
    """
    tables = tables_view(tables_at)
    voices = voices_view(voices_at)
    running = True
    while running:
        read(tables.facts[t.WRITER_FD], voices.wakes.ctypes.data, 8)
        running = load_acquire(tables.stop.ctypes.data + 8 * t.STOP_WRITER) == 0
        changed = False
        for number in range(tape_row.TAPES):
            if serve(voices, number):
                changed = True
        if changed:
            voices.wakes[0] = 1
            write(tables.facts[t.REPORT_FD], voices.wakes.ctypes.data, 8)
    return 0
