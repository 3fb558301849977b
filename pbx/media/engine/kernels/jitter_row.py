"""Words of one voice's jitter buffer: 520 int64, 4 KiB, and what its verdicts are called.

Times are in units of the stream's RTP clock unless a name says otherwise; timestamps are extended
beyond their 32 bits. The *delay* of the buffer is counted from the fastest packet of the last ones
(`BASE`): a packet that came `lateness` units later than the fastest is in time while the delay is
larger than that.
"""

WIDTH = 520

MAX_SLOTS = 64
WINDOW = 256
"""Packets whose lateness is remembered: 5 s of 20 ms packets."""

LINE_MS = 160
"""What the line of decoded sound must hold: 120 ms of Opus, a frame that waits, one inserted
pitch period."""

# --- settings, by `prepare` ---------------------------------------------------------------------
CLOCK = 0
"""Units of the timestamp in a second (8000 for G.722)."""

RATE = 1
"""Samples in a second of what the decoder yields."""

FRAME = 2
"""Samples of one tick of 20 ms."""

FRAME_UNITS = 3
MIN_DELAY = 4
MAX_DELAY = 5
INITIAL = 6
"""The target until packets have told better."""

EVENT_TYPE = 7
"""Payload type of telephone-event; -1 none."""

NOISE_TYPE = 8
"""Payload type of comfort noise (RFC 3389); -1 none."""

DTX_OCTETS = 9
"""A payload this short is the codec's way to say that silence begins (Opus: 2); 0 none is."""

SLOT_SHIFT = 10
"""A slot has `1 << SLOT_SHIFT` octets."""

SLOT_MASK = 11
"""Slots less one."""

# --- the source that is listened to ----------------------------------------------------------------
STARTED = 12
"""1 as soon as there is a time line."""

SSRC = 13
OLD_SSRC = 14
"""The source before this one, whose stragglers don't count; -1 none."""

CHANGED_NS = 15
NEWEST_TS = 16
NEWEST_SEQ = 17
SEEN = 18
"""Bit n: sequence number `NEWEST_SEQ` - n has come."""

LAST_NS = 19
"""When the last packet of sound came."""

EVENT_SINCE = 20
"""1: telephone-events have come since the last packet was played."""

# --- packets that wait: positions of `ORDER`, by timestamp --------------------------------------------
HEAD = 21
COUNT = 22
CANDIDATE = 23
"""1: the position after the last one has a packet that may begin another time line, or another source."""

CANDIDATE_DISTANCE = 24

# --- what the network does ---------------------------------------------------------------------------
BASE = 25
"""Arrival less timestamp of the fastest packet in the window."""

TARGET = 26
"""The delay that suffices for all but the latest in a hundred."""

ARRIVED = 27
"""Packets that the window has seen."""

FILLED = 28
"""Distances in the window."""

# --- what is played ----------------------------------------------------------------------------------
RUNNING = 29
"""1: packets follow each other; 0: the next one waits until it is due."""

FRESH = 30
"""1: nothing of this source has been played yet."""

NEXT_TS = 31
"""Where the packets played so far end."""

BRIDGED = 32
"""Units concealed while no packet was there: lost, or only late, as the next packet will tell."""

CONCEALING = 33
"""Units concealed without a break."""

SILENT = 34
"""Not 0: the peer has said, or shown, that it will be silent; `BY_CODEC`: so that its codec makes the noise."""

BY_CODEC = 2

LAST_SEQ = 35
"""Sequence number of the last packet played; -1 where what comes next follows nothing."""

DURATION = 36
"""Units of the last packet, as the decoder has told."""

LINE = 37
"""Samples that are decoded and not taken yet; the line begins with the oldest."""

TICK_NS = 38
NOW = 39

# --- what `next_step` asks for -----------------------------------------------------------------------
SLOT = 40
SLOT_LENGTH = 41
SLOT_TYPE = 42
"""Payload type of that packet."""

SLOT_TS = 43
WANTED = 44
"""Samples to conceal or to fill with comfort noise."""

AFTER_LOSS = 45
"""While concealing: slot of the packet that follows at once (Opus has a copy in it); -1 none."""

AFTER_LENGTH = 46

# --- how far the delay is from its target: the worst since the window began -----------------------------
LOW_SLACK = 47
LOW_LEFT = 48
"""Fewest units that were still in the line when a packet was decoded."""

WATCHED = 49
"""Units decoded in this window."""

REFUSALS = 50
"""Times that the sound would not be shortened or lengthened without being heard."""

# --- counts; RECEIVED = PLAYED + LATE + DUPLICATE + DISCARDED + COUNT + CANDIDATE ------------------------
RECEIVED = 51
PLAYED = 52
LATE = 53
DUPLICATE = 54
DISCARDED = 55
EVENTS = 56
CONCEALED = 57
"""Samples."""

COMFORT_SAMPLES = 58
SHORTENED = 59
LENGTHENED = 60
RESYNCS = 61
RESTARTS = 62
"""Other SSRCs."""

DELAY = 63

# --- copies of lost packets in the next ones (Opus) -----------------------------------------------------
COPIES = 64
"""1: this source's packets have them."""

COPIES_WANTED = 65
"""Packets that have still to come, none of them after a loss, before the delay holds none for its copy."""

CANDIDATE_SSRC = 66
COPIES_KEPT = 500
"""What that begins with at each loss: 10 s."""

# --- silence without a word: a codec with a DTX of its own (Opus) that sends nothing but a packet now and then --
RESTED = 67
"""Whether this source has let time pass between packets that follow each other: 0, `ONCE` or `JUST_NOW`."""

ONCE = 1
JUST_NOW = 2
"""Before the last packet played."""

# --- per position or slot ------------------------------------------------------------------------------
ORDER = 72
"""Slot at each position: those that wait in order of their timestamps, then the free ones."""

TIMESTAMPS = ORDER + MAX_SLOTS
FACTS = TIMESTAMPS + MAX_SLOTS
"""Length, sequence number << 16, payload type << 32."""

DISTANCES = FACTS + MAX_SLOTS
"""Arrival less timestamp of the last packets."""

# --- verdicts of `put` ---------------------------------------------------------------------------------
STORED = 0
EVENT = 1
"""A telephone-event: not stored, for `telephone_event.receive`."""

TOO_LATE = 2
AGAIN = 3
REFUSED = 4
HELD = 5
"""Kept until another packet tells whether the peer's clock has jumped, or another source is heard."""

# --- verdicts of `next_step` ---------------------------------------------------------------------------
READY = 0
"""The line holds a frame: `take` it."""

PLAY = 1
"""Decode `SLOT` to the end of the line, then `decoded`."""

CONCEAL = 2
"""Put `WANTED` samples of concealment at the end of the line, then `filled`."""

COMFORT = 3
"""Put `WANTED` samples of comfort noise or silence there, the codec's own where `SILENT` says so, then `filled`."""

NOISE = 4
"""`SLOT` describes the comfort noise from now on (RFC 3389); ask again."""

NOTHING = 5
"""The voice hasn't begun: no sound in this tick."""

PASSED = 6
"""`SLOT` should have been heard in ticks that never were, or is too far behind: ask again."""
