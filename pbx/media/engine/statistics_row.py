"""Words of a stream's row in the table of statistics: what no RTP packet touches on its way.

The packet thread that has the stream writes them: once a second (`kernels.seconds`), and when RTCP
is passed on (`kernels.passed_reports`).
"""

WIDTH = 16

# --- the worst second ---------------------------------------------------------------------------------
SECOND_NS = 0
"""When the present second began."""

SECOND_RECEIVED = 1
SECOND_LOST = 2
"""What had come and was lost by then."""

WORST_LOST = 3
"""Lost packets of the worst second."""

WORST_EXPECTED = 4

# --- what the peer has reported on what it is passed -------------------------------------------------------
PEER_LOSS = 5
"""Share of the packets that it has missed lately, in 1/256; -1 unknown."""

PEER_MOS_10 = 6
"""How it sounds to the peer, by its VoIP metrics, in tenths; 0 unknown."""

ROUND_TRIP_NS = 7
"""Between the peer and here; -1 unknown."""

REPORT_NAMED = 8
"""Middle 32 bits of the NTP time in the last sender report that it was passed; 0 none."""

REPORT_NS = 9
"""When that was."""
