"""Words of one player's row: a tone or a sound that is played for a voice or into a room."""

from pbx.media.engine.kernels import tones

STATE = 0
"""0 free; else the number of the packet thread that plays it, or `group_row.AWAY`."""

# --- settings: the words 1 to `SETTINGS_END` - 1 of a PLAY command -----------------------------------
KIND = 1
ADDRESS = 2
"""Of the tone's program or of the sound's samples; the main thread keeps them until the end."""

LENGTH = 3
"""Steps or samples."""

RATE = 4
"""Samples in a second: 8000, 16000 or 48000."""

TIMES = 5
"""How often it is still played; 0 for ever."""

GAIN = 6
"""Of a sound, as `mix.UNITY`."""

VOICE = 7
"""The voice that hears it; -1 none."""

ROOM = 8
"""The room that hears it; -1 none."""

ALONE = 9
"""1: its voice hears nothing else meanwhile."""

READY_AT = 10
"""Address of how many samples have been read of a sound, which the main thread publishes; what is behind
them is waited for."""

SETTINGS_END = 11

# --- state ------------------------------------------------------------------------------------------
POSITION = 11
FILLED = 12
"""Samples of its frame in this tick."""

TARGET_RATE = 13
"""What the window is made for."""

ENDED = 14
"""1: this tick's frame is its last."""

TONE = 16
WIDTH = TONE + tones.WIDTH

# --- values of KIND ---------------------------------------------------------------------------------
TONE_PROGRAM = 1
SAMPLES = 2

LEAST = 128
FOR_EACH_STREAM = 2
"""Music for every voice, and beside it digits or a sign."""


def players(streams: int) -> int:
    """Return how many players there are beside so many streams; those that don't run take no memory."""
    return max(LEAST, FOR_EACH_STREAM * streams)
