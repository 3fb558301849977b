"""Words of the statistics of one received stream: 64 int64."""

WIDTH = 64

# --- settings -------------------------------------------------------------------------------------
CLOCK = 0
"""Units of the timestamp in a second."""

CODEC_IE = 1
"""Equipment impairment of the codec without loss, in tenths (ITU-T G.113: 0 for G.711)."""

CODEC_BPL = 2
"""Packet-loss robustness of the codec, in tenths (G.113: 251 for G.711 with concealment)."""

# --- sequence numbers (RFC 3550 A.1, A.3) ------------------------------------------------------------
STARTED = 3
SSRC = 4
BASE = 5
MAX = 6
"""Highest sequence number, extended by 65536 for each turn."""

COUNTED = 7
"""Different packets of this sequence."""

SEEN = 8
"""Bit n: packet `MAX` - n has come."""

AFTER_JUMP = 9
"""Sequence number that would prove that the peer has begun anew; -1 none."""

LOST_BEFORE = 10
EXPECTED_BEFORE = 11
REORDERED = 12
DUPLICATE = 13
LOST_OTHERS = 14
"""Lost of the SSRCs before the present one: reports are on one source each."""

EXPECTED_OTHERS = 15

# --- jitter (RFC 3550 A.8) -----------------------------------------------------------------------
TRANSIT = 16
"""Arrival less timestamp, modulo 2^32; -1 none."""

TIMESTAMP = 17
JITTER_16 = 18
JITTER_MAX_16 = 19

# --- intervals: the last report's and one second's ---------------------------------------------------
REPORTED_EXPECTED = 20
REPORTED_LOST = 21
SECOND_NS = 22
"""When the present second began; 0 none has."""

SECOND_EXPECTED = 23
SECOND_LOST = 24
WORST_LOST = 25
"""Packets of the worst second that were lost, or came too late to be played."""

WORST_EXPECTED = 26

# --- bursts and gaps (RFC 3611 §4.7.2), of packets that are `SETTLED` behind the newest --------------------
PLAYED = 29
"""Bit n: packet `MAX` - n has come, and in time to be played."""

DISCARDED = 30
"""Came too late to be played."""

JUDGED = 31
RUN = 32
"""Packets played since the last loss."""

OPEN_LOST = 33
"""Losses of what may become a burst, or goes on as one."""

OPEN_PACKETS = 34
BURSTS = 35
BURST_LOST = 36
BURST_PACKETS = 37
LONE_LOST = 38
"""Losses outside of bursts."""

LOSS_RUNS = 39
"""Losses that no loss went before."""

# --- results of `measure` ---------------------------------------------------------------------------------
BURST_DENSITY = 52
"""Lost or discarded packets within bursts, in 1/256."""

GAP_DENSITY = 53
BURST_MS = 54
GAP_MS = 55
R_10 = 56
"""Transmission rating of the E-model, in tenths; -1 as long as nothing has come."""

MOS_100 = 57
"""Mean opinion score of listening and conversing, in hundredths; -1 likewise."""
