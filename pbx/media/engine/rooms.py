"""Rows for rooms: each has one as long as a voice or a player is in it."""

from pbx.media.engine.stream_record import ImpossibleError


class Rooms:
    """Gives rooms, which the exchange names by any number, rows of the room table.

    Args:
        rows: how many there are; enough for every voice and player to be in one of its own.
    """

    def __init__(self, rows: int) -> None:
        self._free = list(range(rows - 1, -1, -1))
        self._rows: dict[int, int] = {}
        self._guests: dict[int, int] = {}

    def enter(self, room: int) -> int:
        """Return the row of a room that somebody enters; -1 for room 0, which is nobody's.

        Raises:
            ImpossibleError: no room is free until the packet threads have ended those that are left.
        """
        if room == 0:
            return -1
        if room not in self._rows:
            if not self._free:
                raise ImpossibleError("there are too many rooms")
            self._rows[room] = self._free.pop()
            self._guests[room] = 0
        self._guests[room] += 1
        return self._rows[room]

    def leave(self, room: int) -> None:
        """Take note that somebody has left; the last one closes the room."""
        if room == 0:
            return
        self._guests[room] -= 1
        if self._guests[room] == 0:
            self._free.append(self._rows.pop(room))
            del self._guests[room]
