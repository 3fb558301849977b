"""The jitter buffer of a voice, where packets come in; `playout` is where they go out.

Packets are kept encoded, in order of their timestamps. What a timestamp says is compared with the
clock at arrival: that distance is constant in a perfect network, grows for a late packet, drifts
with the peer's clock, and jumps when the peer begins another time line.
"""

from typing import Any

import numpy as np

from pbx.media.engine.kernels import jitter_row as c
from pbx.media.engine.native import copy_items, inlined, kernel, part

SECOND_NS = 1_000_000_000

STRAGGLERS_NS = 500_000_000
"""How long packets of the SSRC before are still on their way."""

FORGOTTEN_NS = 5_000_000_000
"""Silence after which clocks may have drifted apart further than the window tells."""

EVALUATE = 8
"""Packets between two looks at the whole window; a power of two."""


@kernel
def units(ns: Any, clock: Any) -> Any:
    """Return `ns` nanoseconds, 0 or more, in units of a clock, without overflow."""
    # Without signs: a division that rounds down takes twice as long.
    whole = np.uint64(ns) // np.uint64(SECOND_NS)
    part = np.uint64(ns) - whole * np.uint64(SECOND_NS)
    return np.int64(whole * np.uint64(clock) + part * np.uint64(clock) // np.uint64(SECOND_NS))


@kernel
def signed_32(number: Any) -> Any:
    """Return the low 32 bits of `number` as a number of -2^31 to 2^31 - 1."""
    return np.int64(np.int32(number))


@kernel
def prepare(
    row: Any,
    clock: Any,
    rate: Any,
    shortest_ms: Any,
    longest_ms: Any,
    event_type: Any,
    noise_type: Any,
    dtx_octets: Any,
    slot_shift: Any,
    slots: Any,
) -> None:
    """Make a row ready for a voice, or for the next codec of one.

    What has been counted goes on; what waits won't be played.

    Args:
        row: `jitter_row.WIDTH` words, zeros for a new voice.
        clock: units of the RTP clock in a second.
        rate: samples in a second of decoded sound.
        shortest_ms, longest_ms: bounds of the delay; the longest is at least 100 ms.
        event_type, noise_type, dtx_octets: see `jitter_row`.
        slot_shift: binary logarithm of the octets in a slot.
        slots: a power of two, up to `jitter_row.MAX_SLOTS`; the buffer of payloads has
            `slots << slot_shift` octets.
    """
    _drop_all(row)
    _drop_candidate(row)
    if row[c.RATE] != 0:
        for word in (c.CONCEALED, c.COMFORT_SAMPLES, c.SHORTENED, c.LENGTHENED):
            row[word] = row[word] * rate // row[c.RATE]
    for word in range(c.WIDTH):
        if not c.RECEIVED <= word <= c.RESTARTS:
            row[word] = 0
    row[c.CLOCK] = clock
    row[c.RATE] = rate
    row[c.FRAME] = rate // 50
    row[c.FRAME_UNITS] = clock // 50
    row[c.MIN_DELAY] = shortest_ms * clock // 1000
    row[c.MAX_DELAY] = max(longest_ms, 100) * clock // 1000
    row[c.INITIAL] = max(row[c.MIN_DELAY], clock // 100)
    row[c.TARGET] = row[c.INITIAL]
    row[c.EVENT_TYPE] = event_type
    row[c.NOISE_TYPE] = noise_type
    row[c.DTX_OCTETS] = dtx_octets
    row[c.SLOT_SHIFT] = slot_shift
    row[c.SLOT_MASK] = slots - 1
    row[c.SSRC] = -1
    row[c.OLD_SSRC] = -1
    row[c.LAST_SEQ] = -1
    row[c.AFTER_LOSS] = -1
    for position in range(c.MAX_SLOTS):
        row[c.ORDER + position] = position


@kernel
def slot_at(row: Any, position: Any) -> Any:
    """Return the slot at a position; positions count on beyond the last and begin anew."""
    return row[np.uint64(c.ORDER + (position & row[c.SLOT_MASK]))]


@kernel
def timestamp_of(row: Any, slot: Any) -> Any:
    """Return the timestamp of the packet in a slot."""
    # Without a sign: it isn't to be looked whether it counts from the row's end.
    return row[np.uint64(c.TIMESTAMPS + slot)]


@kernel
def facts_of(row: Any, slot: Any) -> Any:
    """Return the facts of the packet in a slot."""
    return row[np.uint64(c.FACTS + slot)]


@kernel
def drop_first(row: Any) -> None:
    """Throw the oldest waiting packet away."""
    row[c.HEAD] += 1
    row[c.COUNT] -= 1
    row[c.DISCARDED] += 1


@kernel
def _drop_all(row: Any) -> None:
    row[c.HEAD] += row[c.COUNT]
    row[c.DISCARDED] += row[c.COUNT]
    row[c.COUNT] = 0


@kernel
def _drop_candidate(row: Any) -> None:
    row[c.DISCARDED] += row[c.CANDIDATE]
    row[c.CANDIDATE] = 0


@kernel
def _begin(row: Any, sequence: Any, timestamp: Any, distance: Any) -> None:
    """Begin a time line with a packet; what waits belongs to the one before."""
    _drop_all(row)
    row[c.STARTED] = 1
    row[c.NEWEST_TS] = timestamp
    row[c.NEWEST_SEQ] = sequence
    row[c.SEEN] = 0
    row[c.BASE] = distance
    row[c.FILLED] = 0
    row[c.ARRIVED] = 0
    row[c.RUNNING] = 0
    row[c.BRIDGED] = 0
    row[c.LAST_SEQ] = -1
    # Packets from before the first one may still come, as long as nothing has been played.
    row[c.NEXT_TS] = timestamp - row[c.CLOCK]
    row[c.DURATION] = 0


@inlined
def _begin_with_candidate(row: Any) -> None:
    """Begin a time line whose first packet is the candidate."""
    slot = slot_at(row, row[c.HEAD] + row[c.COUNT])
    sequence = (facts_of(row, slot) >> 16) & 0xFFFF
    _begin(row, sequence, timestamp_of(row, slot), row[c.CANDIDATE_DISTANCE])
    row[c.CANDIDATE] = 0
    row[c.COUNT] = 1
    row[c.SEEN] = 1


@inlined
def _listen_to(row: Any, ssrc: Any, now: Any) -> None:
    _drop_all(row)
    if row[c.SSRC] >= 0:
        row[c.OLD_SSRC] = row[c.SSRC]
        row[c.RESTARTS] += 1
    row[c.SSRC] = ssrc
    row[c.CHANGED_NS] = now
    row[c.STARTED] = 0
    row[c.RUNNING] = 0
    row[c.FRESH] = 1
    row[c.SILENT] = 0
    row[c.COPIES] = 0
    row[c.COPIES_WANTED] = 0
    row[c.RESTED] = 0
    row[c.TARGET] = row[c.INITIAL]
    row[c.NEWEST_SEQ] = -1
    row[c.SEEN] = 0


@kernel
def _saw(row: Any, sequence: Any) -> None:
    """Note a sequence number, of sound or of an event."""
    ahead = (sequence - row[c.NEWEST_SEQ]) & 0xFFFF
    behind = 0x10000 - ahead
    if row[c.NEWEST_SEQ] >= 0 and ahead == 0:
        row[c.SEEN] |= 1
    elif row[c.NEWEST_SEQ] >= 0 and behind < 64:
        row[c.SEEN] |= 1 << behind
    else:
        row[c.SEEN] = (row[c.SEEN] << ahead if ahead < 64 else 0) | 1
        row[c.NEWEST_SEQ] = sequence


@kernel
def _was_seen(row: Any, sequence: Any) -> Any:
    behind = (row[c.NEWEST_SEQ] - sequence) & 0xFFFF
    return row[c.NEWEST_SEQ] >= 0 and behind < 64 and (row[c.SEEN] >> behind) & 1 != 0


@inlined
def _latest(row: Any, low: Any) -> Any:
    """Return the lateness that at most one packet in a hundred exceeds.

    Of up to 127 packets it is the latest, of 128 the second, of 256 the third.
    """
    first, second, third = low, low, low
    for index in range(row[c.FILLED]):
        value = row[np.uint64(c.DISTANCES + index)]
        if value > third:
            third = value
            if third > second:
                second, third = third, second
                if second > first:
                    first, second = second, first
    allowed = row[c.FILLED] >> 7
    if allowed == 0:
        latest = first
    elif allowed == 1:
        latest = second
    else:
        latest = third
    return latest - low


@inlined
def _retarget(row: Any) -> None:
    """Look at the whole window: the target rises at once and falls slowly.

    What falls slowly is the time that packets have, not its distance from the fastest: where all
    packets come later than before, the target follows.
    """
    low = row[c.DISTANCES]
    for index in range(1, row[c.FILLED]):
        low = min(low, row[np.uint64(c.DISTANCES + index)])
    row[c.TARGET] -= max(low - row[c.BASE], 0)
    row[c.BASE] = low
    # The engine's own tick isn't exact either.
    wanted = _latest(row, low) + row[c.CLOCK] // 500
    if row[c.COPIES_WANTED] > 0:
        # Where a packet is lost, the one behind it must be there in time.
        wanted += row[c.DURATION]
    wanted = max(wanted, row[c.MIN_DELAY])
    wanted = min(wanted, row[c.MAX_DELAY] - 3 * row[c.FRAME_UNITS])
    excess = row[c.TARGET] - wanted
    row[c.TARGET] = wanted if excess < 0 else row[c.TARGET] - ((excess + 7) >> 3)


@inlined
def _observe(row: Any, distance: Any, now: Any) -> None:
    if now - row[c.LAST_NS] > FORGOTTEN_NS:
        row[c.FILLED] = 0
        row[c.ARRIVED] = 0
        row[c.BASE] = distance
    row[c.LAST_NS] = now
    row[c.DISTANCES + (row[c.ARRIVED] & (c.WINDOW - 1))] = distance
    row[c.ARRIVED] += 1
    row[c.FILLED] = min(row[c.FILLED] + 1, c.WINDOW)
    row[c.BASE] = min(row[c.BASE], distance)
    row[c.COPIES_WANTED] = max(row[c.COPIES_WANTED] - 1, 0)
    if row[c.ARRIVED] & (EVALUATE - 1) == 0 or distance - row[c.BASE] > row[c.TARGET]:
        _retarget(row)


@inlined
def _step_aside(row: Any) -> None:
    """Let the candidate make room for a packet of the source that is heard: it stays behind the last one."""
    mask = row[c.SLOT_MASK]
    at = row[c.HEAD] + row[c.COUNT]
    slot = slot_at(row, at)
    row[np.uint64(c.ORDER + (at & mask))] = slot_at(row, at + 1)
    row[np.uint64(c.ORDER + ((at + 1) & mask))] = slot


@inlined
def _join(row: Any, at: Any, slot: Any, timestamp: Any) -> None:
    """Move the packet at the position after the last one to where its timestamp belongs."""
    mask = row[c.SLOT_MASK]
    while at > row[c.HEAD] and timestamp_of(row, slot_at(row, at - 1)) > timestamp:
        row[np.uint64(c.ORDER + (at & mask))] = slot_at(row, at - 1)
        at -= 1
    row[np.uint64(c.ORDER + (at & mask))] = slot
    row[c.COUNT] += 1


@kernel
def _hold(row: Any, ssrc: Any, distance: Any) -> Any:
    """Make the packet that comes the candidate; returns `HELD`."""
    _drop_candidate(row)
    row[c.CANDIDATE] = 1
    row[c.CANDIDATE_SSRC] = ssrc
    row[c.CANDIDATE_DISTANCE] = distance
    return c.HELD


@kernel
def _is_next(row: Any, ssrc: Any, sequence: Any) -> Any:
    """Return whether a packet is the one behind the candidate."""
    slot = slot_at(row, row[c.HEAD] + row[c.COUNT])
    before = (facts_of(row, slot) >> 16) & 0xFFFF
    same = row[c.CANDIDATE] != 0 and row[c.CANDIDATE_SSRC] == ssrc
    return same and sequence == (before + 1) & 0xFFFF


@inlined
def _is_continued(row: Any, sequence: Any, distance: Any, far: Any) -> Any:
    """Return whether a packet follows the candidate on its time line.

    A network that was stuck delivers packets each less late than the one before: those catch up
    by themselves.
    """
    change = distance - row[c.CANDIDATE_DISTANCE]
    clock = row[c.CLOCK]
    least = -(clock // 5) if far else -(clock // 200)
    return _is_next(row, row[c.SSRC], sequence) and least <= change <= clock // 5


@inlined
def _jump(row: Any, sequence: Any, timestamp: Any, distance: Any, marker: Any, far: Any) -> Any:
    """Decide about a packet that fits the time line nowhere.

    Returns `STORED` where a new time line has begun, else what becomes of the packet.
    """
    behind = (row[c.NEWEST_SEQ] - sequence) & 0xFFFF
    continued = _is_continued(row, sequence, distance, far)
    if continued:
        _begin_with_candidate(row)
        row[c.RESYNCS] += 1
        verdict = c.STORED
    elif 0 < behind < 64:
        row[c.LATE] += 1
        verdict = c.TOO_LATE
    elif marker != 0:
        _drop_candidate(row)
        _begin(row, sequence, timestamp, distance)
        row[c.RESYNCS] += 1
        verdict = c.STORED
    else:
        verdict = _hold(row, row[c.SSRC], distance)
    return verdict


@inlined
def _place(row: Any, sequence: Any, timestamp: Any, marker: Any, now: Any) -> Any:
    """Find out what to do with a packet of sound; returns a verdict of `put`."""
    distance = units(now, row[c.CLOCK]) - timestamp
    if row[c.STARTED] == 0:
        _begin(row, sequence, timestamp, distance)
    lateness = distance - row[c.BASE]
    far = lateness < -row[c.CLOCK] or lateness > row[c.CLOCK]
    wild = far or lateness > row[c.MAX_DELAY]
    verdict = c.STORED
    if _was_seen(row, sequence) and not far:
        row[c.DUPLICATE] += 1
        verdict = c.AGAIN
    elif wild:
        verdict = _jump(row, sequence, timestamp, distance, marker, far)
    elif row[c.CANDIDATE_SSRC] == row[c.SSRC]:
        _drop_candidate(row)
    if verdict == c.STORED:
        _saw(row, sequence)
        _observe(row, distance, now)
        row[c.NEWEST_TS] = max(row[c.NEWEST_TS], timestamp)
        # A little overlap with what was played is a sloppy timestamp, not a late packet.
        if timestamp < row[c.NEXT_TS] - (row[c.DURATION] >> 1):
            row[c.LATE] += 1
            verdict = c.TOO_LATE
    return verdict


@kernel
def _is_straggler(row: Any, ssrc: Any, now: Any) -> Any:
    return ssrc == row[c.OLD_SSRC] and now - row[c.CHANGED_NS] < STRAGGLERS_NS


@inlined
def _is_heard(row: Any, ssrc: Any, sequence: Any, now: Any) -> Any:
    """Return whether a packet's source is listened to, to which it may change with this packet.

    One packet of another source proves nothing (RFC 3550 A.1): a second one must follow it, whatever
    comes of the present source in between.
    """
    if ssrc == row[c.SSRC]:
        return True
    first = row[c.SSRC] < 0
    if not first and not _is_next(row, ssrc, sequence):
        return False
    _listen_to(row, ssrc, now)
    if not first:
        _begin_with_candidate(row)
    return True


@kernel
def put(
    row: Any,
    payloads: Any,
    packet: Any,
    offset: Any,
    length: Any,
    sequence: Any,
    timestamp: Any,
    marker: Any,
    payload_type: Any,
    ssrc: Any,
    now: Any,
) -> Any:
    """Take in one RTP packet whose payload type belongs to the voice.

    Args:
        row: the voice's jitter row.
        payloads: the octets of its slots.
        packet: the octets of the packet.
        offset, length: where its payload is.
        sequence, timestamp, marker, payload_type, ssrc: of its header.
        now: when it came, CLOCK_MONOTONIC in nanoseconds.

    Returns:
        `STORED`, `EVENT`, `TOO_LATE`, `AGAIN`, `REFUSED` or `HELD`.
    """
    if payload_type == row[c.EVENT_TYPE]:
        row[c.EVENTS] += 1
        # A gateway may give them an SSRC of their own: they don't tell whose sound is heard.
        if ssrc == row[c.SSRC]:
            row[c.EVENT_SINCE] = 1
            _saw(row, sequence)
        return c.EVENT
    row[c.RECEIVED] += 1
    fits = 0 < length <= 1 << row[c.SLOT_SHIFT] and 0 <= offset <= packet.shape[0] - length
    if not fits or _is_straggler(row, ssrc, now):
        row[c.DISCARDED] += 1
        return c.REFUSED
    extended = timestamp
    if not _is_heard(row, ssrc, sequence, now):
        verdict = _hold(row, ssrc, units(now, row[c.CLOCK]) - timestamp)
    else:
        if row[c.STARTED] != 0:
            extended = row[c.NEWEST_TS] + signed_32(timestamp - row[c.NEWEST_TS])
        verdict = _place(row, sequence, extended, marker, now)
    if verdict in (c.STORED, c.HELD):
        if row[c.COUNT] >= row[c.SLOT_MASK]:
            # One slot is always free, for the packet that comes.
            drop_first(row)
        if verdict == c.STORED and row[c.CANDIDATE] != 0:
            _step_aside(row)
        at = row[c.HEAD] + row[c.COUNT]
        # The first free slot.
        slot = slot_at(row, at)
        place = part(payloads, slot << row[c.SLOT_SHIFT], length)
        copy_items(part(packet, offset, length), length, place)
        row[np.uint64(c.FACTS + slot)] = length | sequence << 16 | payload_type << 32
        row[np.uint64(c.TIMESTAMPS + slot)] = extended
        if verdict == c.STORED:
            _join(row, at, slot, extended)
    return verdict
