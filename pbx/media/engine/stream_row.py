"""Words of one stream's row in the stream table: 80 int64, 640 octets, ten cache lines.

Only the packet threads write these rows; the main thread sends command records and gets report
records (`ring_row`). An address takes four words: a `struct sockaddr_in6` (or `sockaddr_in` where
the kernel has no IPv6) as the kernel reads and writes it, filled up with zeros.
"""

WIDTH = 80

# --- what the exchange has set; a SET command carries these words in this order -----------------
STATE = 0
"""0 free; else the number of the packet thread that has it (`tables.THREAD`), or `group_row.AWAY`."""

SINK = 1
"""Row of the stream that gets what comes in here; -1 drops it."""

FLAGS = 2
GENERATION = 3
TIMEOUT_NS = 4
"""Silence that is reported; 0 never."""

CONTROL_LENGTH = 5
"""Octets used of `CONTROL`; 0 leaves the source address to the kernel."""

EVENTS = 6
"""Payload type of telephone-events that the peer takes (RFC 4733), `NO_EVENTS` for none, in the lowest
8 bits; above them the units of their duration in a second."""

CLOCK = 7
"""Units in a second of the timestamps that come, in which jitter is reckoned."""

REMOTE_RTP = 8
REMOTE_RTCP = 12
CONTROL = 16
"""A control message with IPV6_PKTINFO (or IP_PKTINFO): the address that packets leave from."""

SETTINGS_END = 22
"""The words 1 to 21 come from the command."""

# --- what the packet thread has learnt ----------------------------------------------------------
LATCHED_RTP = 22
"""`LATCHED` as soon as `SOURCE_RTP` is known; then `JOINING` and `JOINED`, or `ALONE`."""

LATCHED_RTCP = 23
SOURCE_RTP = 24
SOURCE_RTCP = 28
LAST_NS = 32
"""When the last packet came (CLOCK_MONOTONIC)."""

TIMED_OUT = 33
OWED = 34
"""Reports that found the report ring full; see `OWES_LATCHED`, `OWES_TIMEOUT`."""

EVENTS_PASSED = 35
"""1: the peer has been passed telephone-events, so its partner sends them."""

# --- counts -------------------------------------------------------------------------------------
RECEIVED = 36
RECEIVED_OCTETS = 37
SENT = 38
SENT_OCTETS = 39
REFUSED = 40
REORDERED = 41
UNSENT = 42
RTCP_RECEIVED = 43
RTCP_SENT = 44

VOICE = 45
"""1: what comes in is heard here (`voice_row`), and not sent on."""

TAPPED = 46
"""Not 0: what comes in can be recorded as it is passed on (`tap_row`), `AT_ONCE` or when it `MAY_WAIT`; more:
`MAY_WAIT` and the number of the last packet that waits (`staged_row`), counted from 1."""

AT_ONCE = 1
MAY_WAIT = 2

DIAL_LEFT = 47
"""Digits that are still to be put into what the peer is passed (`dialling`), the present one too."""

# --- sequence numbers and jitter of the present SSRC (RFC 3550 A.1, A.3, A.8) ---------------------
SEQ_STARTED = 48
SSRC = 49
SEQ_BASE = 50
SEQ_MAX = 51
"""Highest sequence number, extended by 65536 for each turn of the 16 bits."""

SEQ_RECEIVED = 52
"""Different packets since `SEQ_BASE`."""

SEQ_SEEN = 53
"""Bit n: the packet `SEQ_MAX` - n has come."""

SEQ_AFTER_JUMP = 54
"""The sequence number that would prove that the peer has started anew; -1 none."""

LOST_BEFORE = 55
"""Lost in the sequences before this one."""

TRANSIT = 56
"""Arrival less timestamp of the last packet, in timestamp units, modulo 2^32; -1 none."""

TIMESTAMP = 57
JITTER_16 = 58
"""Jitter in 1/16 of a timestamp unit."""

# --- the digits (`dialling`) ---------------------------------------------------------------------
DIAL_DIGITS = 59
"""Codes of 4 bits, the present one lowest."""

DIAL_PHASE = 60
"""`DIAL_IDLE`, `DIAL_LASTS` ..., or how many packets with the end bit are still to go, 1 to 3."""

DIAL_NS = 61
"""When the next digit is due, or the present one began."""

DIAL_TIMESTAMP = 62
"""RTP timestamp of the present digit."""

DIAL_TIMES = 63
"""Milliseconds that a digit lasts << 16 | of the pause behind it; 0: none has been asked for yet."""

DIAL_IDLE = 0
DIAL_LASTS = 4
DIAL_RESUMES = 5
DIAL_WAITS = 6

# --- what the peer is sent, as one stream of one source (`numbering`, `rtcp_numbering`) -----------
OUT_NS = 64
"""When the first packet with `OUT_TIMESTAMP` went to the peer; 0: none has."""

OUT_TIMESTAMP = 65
"""RTP timestamp of the newest packet, as the peer got it."""

OUT_SEQUENCE = 66
"""Its sequence number, extended by 65536 for each turn of the 16 bits."""

OUT_SSRC = 67
FROM = 68
"""The source of what is passed on: the row that it comes to, plus one, << 32 | its SSRC; 0 none."""

SEQUENCE_SHIFT = 69
"""Sequence number that the peer gets less the one that came; both extended."""

TIMESTAMP_SHIFT = 70
"""The same of timestamps, modulo 2^32."""

RENUMBERED = 71
"""1: another source or sound of the engine has been there before."""

EARLIER = 72
"""The source before `FROM`, and its three words as it left; 0 none."""

EARLIER_SEQUENCE = 73
"""Of its newest packet, as the peer got it."""

EARLIER_SEQUENCE_SHIFT = 74
EARLIER_TIMESTAMP_SHIFT = 75
LEFT_NS = 76
"""When it left."""

REPORT_NAMED = 77
"""Middle 32 bits of the NTP time in the last sender report of `FROM`; 0 none."""

LOST_TOLD = 78
"""Packets lost in all, by the peer's last report on what it gets."""

LOST_EARLIER = 79
"""The same when `FROM` came."""

NO_EVENTS = 0xFF

LATCHED = 1
ALONE = 2
"""The source can't have a socket for itself (`kernels.joining`)."""

JOINING = 3
"""It has one, in which may still be what others have sent before it was connected."""

JOINED = 4
"""It has one, in which nobody else is heard."""


# --- bits of FLAGS ------------------------------------------------------------------------------
SEND = 1
LATCH = 2
MUX = 4
HAS_RTP = 8
HAS_RTCP = 16
IPV4 = 32
"""The peer is an IPv4 one: a source of the other family is refused."""

WAIT = 64
"""Packets stay in the sockets for now."""

SECURE = 128
"""Nothing passes unprotected, in either direction."""

OPAQUE = 256
"""What passes isn't ours to number: see `protocol.Stream.opaque`."""

KEYS = 512
"""The keys are reported that the peer presses, though they are passed on."""

DATAGRAMS = 1024
"""What comes is no RTP, and any packet may be a source's first."""

# --- bits of OWED -------------------------------------------------------------------------------
OWES_LATCHED = 1
OWES_TIMEOUT = 2
