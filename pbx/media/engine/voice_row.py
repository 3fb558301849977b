"""Words of one voice's row: a stream whose sound ends in the engine. Its number is its stream's.

Only the packet threads write these rows. A SET_VOICE command carries the words 1 to `SETTINGS_END`
- 1; behind the voice's own words stand the rows of all kernels that work for it.
"""

from pbx.media.engine.kernels import (
    comfort_noise,
    detect,
    jitter_row,
    levels,
    mix,
    plc,
    quality_row,
    resample,
    rtcp,
    rtp_out,
    telephone_event,
)

ACTIVE = 0
"""1 while the voice runs."""

# --- settings -------------------------------------------------------------------------------------
DECODER = 1
ENCODER = 2
"""Rows of the coder table."""

PAYLOAD_TYPE = 3
CLOCK = 4
"""Units of the RTP timestamp in a second."""

RATE = 5
"""Samples in a second that it is coded at: 8000, 16000 or 48000."""

PACKET = 6
"""Samples in a packet to the peer, at `RATE`."""

EVENT_TYPE = 7
NOISE_TYPE = 8
ROOM = 9
"""Row of the room table; -1 none."""

FLAGS = 10
GAIN = 11
"""How loud the room hears it, as `mix.UNITY`."""

CODEC_IE = 12
CODEC_BPL = 13
DTX_OCTETS = 14
SSRC = 15
SEQUENCE = 16
TIMESTAMP = 17
"""Random numbers that what it sends begins with; a voice that runs keeps its own."""

PARTNER = 18
"""Row of the voice that it hears alone; -1 none."""

EVENT_CLOCK = 19
"""Units of telephone-events' duration in a second, which may not be the sound's."""

TOLD_TYPE = 20
TOLD_EVENT_TYPE = 21
TOLD_NOISE_TYPE = 22
"""What the peer was told to send instead of the three types above; -1 none."""

LINE_TURNS = 23
LINE_BESIDE = 24
"""The tone that a `WATCHED` line is watched for, as `detect.LINE_TURNS` and `LINE_BESIDE`."""

SETTINGS_END = 25

# --- the tick ---------------------------------------------------------------------------------------
FILLED = 25
"""Samples of the voice's frame in this tick; 0: it is silent."""

PENDING = 26
"""Samples that wait for a packet to get full."""

IN_SUM = 27
"""1: the room's sum of this tick has this voice in it."""

ROOM_RATE = 28
"""The rate that the windows to and from the room, or the partner, are made for."""

TAPE = 29
"""Row of the recording that gets what comes in, plus one; 0 none. A stream that is no voice has it too."""

TAPE_SIDE = 30
DIGIT_NS = 31
"""When the next digit may come, if they come evenly."""

# --- digits to send -----------------------------------------------------------------------------------
MOST_DIGITS = 32
DIGITS_LEFT = 32
"""How many of `DIGITS` wait."""

DIGITS_FIRST = 33
"""Which of them is the next one; the others follow in turn."""

OFF_UNITS = 36
OFF_LEFT = 37
"""Of `EVENT_CLOCK`, as the one above: the pause behind the last digit that is still to pass."""

TICK_NS = 38
"""The tick that it was last sent something in; 0 none yet."""

CAME = 39
"""Packets that the last tick found in the source's own socket."""

CAME_OCTETS = 40
"""Octets of the last one of them."""

KEY_DOWN = 41
"""1 + twice the code of the key that was told of and hasn't ended yet, + 1 for a tone; 0 none."""

CAME_NS = 42
"""When that one came, CLOCK_MONOTONIC; the time that it was fetched where nobody has stamped it."""

LATE_BEFORE = 43
"""Late ticks that its packet thread had had when it began, or, where it has come from another thread, such
that the thread's late ticks less these are its own."""

HUSH = 44
"""Samples that silence has lasted, of what the peer is sent; not counted without `DTX`."""

SAID = 45
"""What its peer says of voice (RFC 6464), bits: `SAYS_NONE`, `HAS_SAID_SOME`."""

HELD_NS = 46
"""Since when digits have waited for a peer that takes nothing; 0: they don't."""

UNHEARD_NS = 47
"""Until when it has had its time with what nobody hears (`pacing`)."""

# --- rows of kernels --------------------------------------------------------------------------------
SENDER = 48
EVENT_IN = SENDER + rtp_out.WIDTH
EVENT_OUT = EVENT_IN + telephone_event.WIDTH
LEVEL = EVENT_OUT + telephone_event.WIDTH
NOISE = LEVEL + levels.WIDTH
CONCEALER = NOISE + comfort_noise.WIDTH
LIMITER = CONCEALER + plc.WIDTH
RTCP = LIMITER + mix.WIDTH
QUALITY = RTCP + rtcp.WIDTH
DIGIT_IN = QUALITY + quality_row.WIDTH
JITTER = DIGIT_IN + detect.WIDTH
LINE_IN = JITTER + jitter_row.WIDTH
LEVEL_SENT = LINE_IN + detect.LINE_WIDTH
"""Of what the peer is sent, where it wants to know (`LEVEL_OUT`)."""

SPEAKERS = LEVEL_SENT + levels.WIDTH
"""How many speak in what the peer hears in this tick, and for each of them SSRC << 8 | level in -dBov;
where it wants to know (`SPEAKERS_OUT`)."""

MOST_NAMED = 15
"""RFC 3550 §5.1: "If there are more than 15 contributing sources, only 15 can be identified"."""

DIGITS = SPEAKERS + 1 + MOST_NAMED
"""Each is its code, 4 bits, and above them how long it lasts, in units of `EVENT_CLOCK`."""

WIDTH = DIGITS + MOST_DIGITS

# --- bits of FLAGS ----------------------------------------------------------------------------------
SPEAKS = 1
LISTENS = 2
ECHO = 4
INBAND = 8
METRICS = 16
"""Reports carry VoIP metrics (RFC 3611)."""

DTX = 32
"""Its peer would rather not be sent what is silence."""

WATCHED = 64
"""Tones and silence on its line are reported."""

HIDES_KEYS = 128
"""Others don't hear the keys that are found in its sound."""

# Behind them numbers of header extensions, four bits each; 0 none
MOST_EXTENSIONS = 14
LEVEL_IN_SHIFT = 8
LEVEL_OUT_SHIFT = 12
SPEAKERS_OUT_SHIFT = 16
LEVEL_IN = 0xF << LEVEL_IN_SHIFT
LEVEL_OUT = 0xF << LEVEL_OUT_SHIFT
SPEAKERS_OUT = 0xF << SPEAKERS_OUT_SHIFT

# --- bits of SAID -----------------------------------------------------------------------------------
SAYS_NONE = 1
"""There is no voice in its last packet."""

HAS_SAID_SOME = 2
"""There was in one: it can tell. Some always say that there is none (baresip 1.0)."""

# --- a voice's sound: int16 ---------------------------------------------------------------------------
FRAME = 960
"""Samples of 20 ms at 48 kHz."""

LINE = 0
LINE_SAMPLES = jitter_row.LINE_MS * 48
CONCEALER_MEMORY = LINE + LINE_SAMPLES
TO_ROOM = CONCEALER_MEMORY + plc.MEMORY
"""Windows of `resample`."""

FROM_ROOM = TO_ROOM + resample.WINDOW
TO_DETECTOR = FROM_ROOM + resample.WINDOW
TO_TAPE = TO_DETECTOR + resample.WINDOW
OWN = TO_TAPE + resample.WINDOW
"""What the peer says in this tick, at `RATE`."""

OUT = OWN + FRAME
"""What the peer hears in this tick, at `RATE`."""

PACKING = OUT + FRAME
"""What waits for a packet to get full: up to 60 ms, and a frame."""

PACKING_SAMPLES = 4 * FRAME
SOUND = PACKING + PACKING_SAMPLES

# --- where the payloads of packets wait (`jitter`) ------------------------------------------------------
SLOT_SHIFT = 11
SLOTS = 32
_APART = 3 * 64
PAYLOADS = (SLOTS << SLOT_SHIFT) + _APART
"""Octets of a voice's payloads. Rows of 64 KiB would lie in the same few lines of every cache."""

SHORTEST_MS = 10
LONGEST_MS = 300
"""Bounds of the jitter buffer's delay."""
