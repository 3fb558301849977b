"""Words of one member of a group: what goes from one packet thread to another together."""

KIND = 0
NUMBER = 1
"""Its row in the table of its kind."""

WIDTH = 2

# --- values of KIND ---------------------------------------------------------------------------------
STREAM = 1
PLAYER = 2
TAPE = 3
ROOM = 4
"""It never moves itself: each packet thread has a room table."""

AWAY = -1
"""The STATE of a row between its old packet thread and its new one."""
