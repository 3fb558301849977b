"""Words of a coder's row: one direction (decoder or encoder) of one voice.

`coder.open_decoder` and `coder.open_encoder` fill it before a packet thread gets it; beside it the
coder has `MEMORY` int16 for the codecs that are kernels of our own.
"""

WIDTH = 8

CODEC = 0
"""Its number in `pbx.media.codecs`; `NONE`: nothing is decoded or encoded."""

STATE = 1
"""Address of the state that a library made for it; 0 none."""

FREE = 2
"""Which of `coder`'s ways gives `STATE` back."""

RESULT = 3
"""Room for a number that a library writes beside its answer."""

SIZE = 4
"""Octets of `STATE` where that may be copied as it is; 0: it may not, or there is none."""

SETTINGS = 5
"""What an encoder was opened with: those of one codec that differ in it encode differently."""

MEMORY = 736
"""int16: the state of G.722 (`kernels.g722`)."""
