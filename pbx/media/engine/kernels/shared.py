"""One encoding for all who hear the same: what one voice has been sent in this tick, others are too.

Nobody asks why two voices hear the same (they only listen to a room, or to its music, or have sent
nothing but zeros): their samples say it. A codec with a memory of what it has encoded hands that on
with the packet, so that whoever hears something else later goes on from there. A voice that joins
in so gets packets whose first ones follow what it hasn't heard; decoders get over that within some
20 ms, as after a lost packet.
"""

from typing import Any

from pbx.media import codecs
from pbx.media.engine import coder_row
from pbx.media.engine import tables as t
from pbx.media.engine.native import kernel, row_of, samples_at

ENTRIES = 32
"""Different packets of one tick that are kept; more are encoded for each voice."""

# --- words of an entry -------------------------------------------------------------------------------
CODER = 0
"""Row of the encoder that has made it."""

CODEC = 1
SAMPLES = 2
OCTETS = 3
WIDTH = 4


@kernel
def begin_tick(tables: Any) -> None:
    """Forget the packets of the tick before."""
    tables.totals[t.SHARED] = 0


@kernel
def _sharable(coder: Any) -> Any:
    """Return whether an encoder has no memory, or one that can be copied."""
    number = coder[coder_row.CODEC]
    return codecs.PCMU <= number <= codecs.G722 or coder[coder_row.SIZE] > 0


@kernel
def _equal(one: Any, other: Any, samples: Any) -> Any:
    index = 0
    while index < samples and one[index] == other[index]:
        index += 1
    return index == samples


@kernel
def find(tables: Any, voices: Any, coder: Any, pcm: Any, samples: Any) -> Any:
    """Return the entry of a packet with the same samples, -1 where there is none.

    Args:
        tables, voices: the packet thread's.
        coder: row of the encoder that would encode it.
        pcm: int16.
        samples: of them.
    """
    number = voices.coders[coder, coder_row.CODEC]
    settings = voices.coders[coder, coder_row.SETTINGS]
    for place in range(tables.totals[t.SHARED]):
        entry = row_of(voices.shared, place)
        same = voices.coders[entry[CODER], coder_row.SETTINGS] == settings
        fits = same and entry[CODEC] == number and entry[SAMPLES] == samples
        if fits and _equal(row_of(voices.shared_sound, place), pcm, samples):
            return place
    return -1


@kernel
def take(voices: Any, place: Any, coder: Any, payload: Any) -> Any:
    """Write an entry's payload, and let the encoder be where the entry's is; returns its octets."""
    entry = row_of(voices.shared, place)
    made = row_of(voices.shared_payloads, place)
    for index in range(entry[OCTETS]):
        payload[index] = made[index]
    source = entry[CODER]
    if entry[CODEC] == codecs.G722:
        _copy(row_of(voices.memories, source), row_of(voices.memories, coder), coder_row.MEMORY)
    # What a library has allocated twice may differ by what its allocator has rounded up.
    sizes = voices.coders[source, coder_row.SIZE], voices.coders[coder, coder_row.SIZE]
    count = min(sizes[0], sizes[1]) >> 1
    if count > 0:
        state = samples_at(voices.coders[source, coder_row.STATE], count)
        _copy(state, samples_at(voices.coders[coder, coder_row.STATE], count), count)
    return entry[OCTETS]


@kernel
def _copy(source: Any, target: Any, count: Any) -> None:
    for index in range(count):
        target[index] = source[index]


@kernel
def keep(
    tables: Any, voices: Any, coder: Any, pcm: Any, samples: Any, payload: Any, octets: Any
) -> None:
    """Remember a packet for the rest of the tick, if there is room and others may share it."""
    place = tables.totals[t.SHARED]
    if place >= ENTRIES or not _sharable(row_of(voices.coders, coder)):
        return
    entry = row_of(voices.shared, place)
    entry[CODER] = coder
    entry[CODEC] = voices.coders[coder, coder_row.CODEC]
    entry[SAMPLES] = samples
    entry[OCTETS] = octets
    _copy(pcm, row_of(voices.shared_sound, place), samples)
    _copy(payload, row_of(voices.shared_payloads, place), octets)
    tables.totals[t.SHARED] = place + 1
