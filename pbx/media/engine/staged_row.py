"""Words of one packet that waits to be decoded for its stream's recording.

A packet thread looks at recordings ten times a second, stream by stream: what it needs for one is then
fetched into the processor's cache once for all packets of that time.
"""

SLOT = 0
"""Of the first packet of a stream: the stream; -1 of the others."""

NEXT = 1
"""The stream's next packet, counted from 1; 0 none."""

AT = 2
"""Where it begins in `stage`."""

LENGTH = 3
"""Octets."""

CAME = 4
"""CLOCK_MONOTONIC in nanoseconds."""

WIDTH = 8

MOST = 2048
OCTETS = MOST * 192
"""Room for so many packets of G.711. A packet that finds none has those before it decoded at once."""
