"""The time line of a recording: both parties put where their RTP timestamps say.

Two tracks of int16 in a ring. A packet's place is its timestamp's distance from the party's first
one, whose own place is when it came, less its length; so any packet sizes go together, loss leaves
silence of its length, and order of arrival does not matter. A first packet may be late itself: as long
as its place isn't closed, one that comes faster moves what the party has said so far. What is older than
`HELD_MS` is closed in blocks, and taken out as soon as there's room for it elsewhere: a place is used
again only when it has been taken.
"""

from typing import Any

from pbx.media.engine.kernels.jitter import signed_32, units
from pbx.media.engine.kernels.lanes import add32, sat16
from pbx.media.engine.native import kernel, part, rest

WIDTH = 32
BEHIND_MS = 200
"""How late a packet may be, and others behind it, on a time line that hasn't moved."""

HELD_MS = 400
"""How long a place is open: so late may a party's first packet be, less its length, and a voice is
recorded as it is played, up to `voice_row.LONGEST_MS` after it came."""

LEAD_MS = 60
"""What a first packet may hold of the time before it came; the recording begins with that."""

SHIFT_MS = 100
"""How far a party's clock may drift from ours before its place is set anew."""

# --- words of a recording ---------------------------------------------------------------------------
RATE = 0
"""Samples in a second."""

START_NS = 1
MASK = 2
"""Samples of a track in the ring, a power of two, less one."""

TAKEN = 3
"""Samples taken out so far."""

END = 4
"""The sample after the last one that has been put in."""

MISSED = 5
"""Samples that came too late for their place, or before there was room."""

RESETS = 6
"""Places set anew."""

CLOSED = 7
"""Samples that may be taken out; nothing is put there any more."""

# --- words of a party: `PARTY` or `PARTY + PARTY_WIDTH` on ------------------------------------------------
PARTY = 8
PARTY_WIDTH = 12
STARTED = 0
SSRC = 1
CLOCK = 2
"""Units of its timestamp in a second."""

NEWEST_TS = 3
"""Extended beyond 32 bits."""

ANCHOR_TS = 4
ANCHOR = 5
"""The sample where the timestamp `ANCHOR_TS` belongs."""

LEAST = 6
"""Least arrival less place, in samples, since `LEAST_NS`."""

LEAST_NS = 7
FIRST = 8
"""`LEAST` of the time just after the anchor was set."""

LAST_TS = 9
LAST_LAG = 10
"""Of the packet before."""

EVEN = 11
"""Packets in a row that were too late, each as much as the one before."""

MOST_EVEN = 3
"""So many are no network that was held up, but a time line that goes on in another place."""

WATCH_NS = 4_000_000_000
_UNKNOWN = 1 << 62


@kernel
def begin(row: Any, rate: Any, clock_a: Any, clock_b: Any, samples: Any, now: Any) -> None:
    """Begin a recording.

    Args:
        row: `WIDTH` words.
        rate: samples in a second, of both tracks.
        clock_a, clock_b: units in a second of the parties' timestamps.
        samples: length of one track in the ring, a power of two, two seconds at least; the ring
            has twice that, zeros.
        now: CLOCK_MONOTONIC in nanoseconds.
    """
    for word in range(WIDTH):
        row[word] = 0
    row[RATE] = rate
    row[START_NS] = now - LEAD_MS * 1_000_000
    row[MASK] = samples - 1
    row[PARTY + CLOCK] = clock_a
    row[PARTY + PARTY_WIDTH + CLOCK] = clock_b


@kernel
def place(row: Any, now: Any) -> Any:
    """Return the sample of the time line that belongs to a moment."""
    return units(max(now - row[START_NS], 0), row[RATE])


@kernel
def _anchor(party: Any, timestamp: Any, sample: Any) -> None:
    party[ANCHOR_TS] = timestamp
    party[ANCHOR] = max(sample, 0)
    party[LEAST] = _UNKNOWN
    party[LEAST_NS] = 0
    party[FIRST] = _UNKNOWN
    party[EVEN] = 0


@kernel
def _drift(row: Any, party: Any, lag: Any, now: Any) -> Any:
    """Return by how many samples the fastest packets have moved away from where they were.

    0 as long as that is little, or not known yet.
    """
    party[LEAST] = min(party[LEAST], lag)
    if party[LEAST_NS] == 0:
        party[LEAST_NS] = now
    if now - party[LEAST_NS] < WATCH_NS:
        return 0
    least = party[LEAST]
    party[LEAST] = _UNKNOWN
    party[LEAST_NS] = now
    if party[FIRST] == _UNKNOWN:
        party[FIRST] = least
    moved = least - party[FIRST]
    return moved if abs(moved) > SHIFT_MS * row[RATE] // 1000 else 0


@kernel
def _has_moved(row: Any, party: Any, timestamp: Any, lag: Any, count: Any) -> Any:
    """Return whether a party's packets come too late so evenly that the next ones will, too.

    Its timestamps have stood still or gone back, or the network has got slower for good. What was
    only held up comes faster than it was said, each packet less late than the one before.
    """
    passed = timestamp - party[LAST_TS]
    late = lag + count > (BEHIND_MS + LEAD_MS) * row[RATE] // 1000
    follows = passed > 0 and passed * row[RATE] <= 2 * count * party[CLOCK]
    even = abs(lag - party[LAST_LAG]) < count >> 1
    party[EVEN] = party[EVEN] + 1 if late and follows and even else 0
    party[LAST_TS] = timestamp
    party[LAST_LAG] = lag
    return party[EVEN] >= MOST_EVEN


@kernel
def _move_back(row: Any, party: Any, track: Any, lag: Any) -> Any:
    """Move all that a party has said since its anchor, whose packet was later than one of now.

    Args:
        row, party: the recording's, and the party's part of it.
        track: the party's.
        lag: by how much less the packet of now is late; below 0.

    Returns:
        By how many samples it could be moved: what is closed stays.
    """
    anchor, end, mask = party[ANCHOR], row[END], row[MASK]
    moved = min(-lag, anchor - row[CLOSED])
    if moved <= 0:
        return 0
    for sample in range(anchor, end):
        track[(sample - moved) & mask] = track[sample & mask]
    for sample in range(max(end - moved, anchor), end):
        track[sample & mask] = 0
    party[ANCHOR] = anchor - moved
    party[LEAST] += moved
    return moved


@kernel
def _locate(
    row: Any, party: Any, track: Any, timestamp: Any, ssrc: Any, count: Any, now: Any
) -> Any:
    """Return the place of a packet's first sample, setting the party's anchor where needed."""
    arrived = place(row, now) - count
    if party[STARTED] == 0 or party[SSRC] != ssrc:
        row[RESETS] += party[STARTED]
        party[STARTED] = 1
        party[SSRC] = ssrc
        party[NEWEST_TS] = timestamp
        _anchor(party, timestamp, arrived)
    extended = party[NEWEST_TS] + signed_32(timestamp - party[NEWEST_TS])
    ahead = extended - party[NEWEST_TS]
    passed = extended - party[ANCHOR_TS]
    if row[RATE] != party[CLOCK]:
        passed = passed * row[RATE] // party[CLOCK]
    sample = party[ANCHOR] + passed
    lag = arrived - sample
    if -row[RATE] <= lag < 0:
        before = _move_back(row, party, track, lag)
        sample -= before
        lag += before
    # A second off is another time line; but a packet older than the newest is only late.
    leaps = lag < -row[RATE] or (lag > row[RATE] and ahead > 0) or ahead < -8 * party[CLOCK]
    if _has_moved(row, party, extended, lag, count):
        leaps = True
    moved = 0 if leaps else _drift(row, party, lag, now)
    if leaps:
        _anchor(party, extended, arrived)
        party[NEWEST_TS] = extended
        sample = party[ANCHOR]
    elif passed < 0 and sample >= row[CLOSED]:
        # It was overtaken by the first one that came, and is moved with it.
        party[ANCHOR_TS] = extended
        party[ANCHOR] = sample
    party[ANCHOR] += moved
    row[RESETS] += 1 if leaps or moved != 0 else 0
    party[NEWEST_TS] = max(party[NEWEST_TS], extended)
    return sample + moved


@kernel
def put(
    row: Any, ring: Any, side: Any, pcm: Any, count: Any, timestamp: Any, ssrc: Any, now: Any
) -> Any:
    """Put one decoded packet into its place.

    Args:
        row: the recording's row.
        ring: int16, both tracks one after the other.
        side: 0 or 1, the party.
        pcm: int16, the sound at the recording's rate.
        count: samples of it.
        timestamp, ssrc: of the packet.
        now: when it came, CLOCK_MONOTONIC in nanoseconds.

    Returns:
        Samples that found their place; the others came too late, or belong too far ahead.
    """
    length = row[MASK] + 1
    count = min(count, pcm.shape[0], length >> 1)
    if count <= 0 or ring.shape[0] < 2 * length or (side != 0 and side != 1):
        return 0
    party = part(row, PARTY + PARTY_WIDTH * side, PARTY_WIDTH)
    track = part(ring, side * length, length)
    sample = _locate(row, party, track, timestamp, ssrc, count, now)
    skipped = min(max(row[CLOSED] - sample, 0), count)
    kept = min(count, row[TAKEN] + length - sample)
    whole = max(kept - skipped, 0)
    row[MISSED] += count - whole
    if whole == 0:
        return 0
    row[END] = max(row[END], sample + kept)
    at = (sample + skipped) & row[MASK]
    before_end = min(whole, length - at)
    _copy(rest(pcm, skipped), before_end, rest(track, at))
    _copy(rest(pcm, skipped + before_end), whole - before_end, track)
    return whole


@kernel
def _copy(source: Any, count: Any, target: Any) -> None:
    for index in range(count):
        target[index] = source[index]


@kernel
def close(row: Any, block: Any, now: Any) -> Any:
    """Close every block of so many samples that is whole; returns whether there was one."""
    behind = HELD_MS * row[RATE] // 1000
    blocks = max(place(row, now) - behind - row[CLOSED], 0) // block
    row[CLOSED] += blocks * block
    return blocks > 0


@kernel
def close_all(row: Any) -> None:
    """Close what is left when the recording ends."""
    row[CLOSED] = max(row[END], row[CLOSED])


@kernel
def take_stereo(ring: Any, first: Any, count: Any, out: Any) -> None:
    """Take samples out, left and right in turn, leaving silence in the ring.

    Args:
        ring: the recording's.
        first: the oldest sample that is in it.
        count: samples of a track; they must be closed, and `out` must have room for both tracks.
        out: int16.
    """
    length = ring.shape[0] >> 1
    done = 0
    while done < count:
        at = (first + done) & (length - 1)
        run = min(count - done, length - at)
        left, right = part(ring, at, run), part(ring, length + at, run)
        both = part(out, 2 * done, 2 * run)
        for index in range(run):
            both[2 * index] = left[index]
            both[2 * index + 1] = right[index]
        for index in range(run):
            left[index] = 0
            right[index] = 0
        done += run


@kernel
def take_mono(ring: Any, first: Any, count: Any, out: Any) -> None:
    """Take samples out, both parties mixed and limited; else like `take_stereo`."""
    length = ring.shape[0] >> 1
    done = 0
    while done < count:
        at = (first + done) & (length - 1)
        run = min(count - done, length - at)
        left, right = part(ring, at, run), part(ring, length + at, run)
        mixed = part(out, done, run)
        for index in range(run):
            mixed[index] = sat16(add32(left[index], right[index]))
            left[index] = 0
            right[index] = 0
        done += run
