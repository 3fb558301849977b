"""Which packet thread has which stream, player and recording: all that is linked is in one.

A packet thread knows nothing of others. So the sink of a stream, the partner of a voice, who is in a
room, what a player plays for and what a recording hears must be in the thread where the stream, voice,
player or recording is. Each command that links some of them is a *bond* here, until another command
replaces it or ends it. What begins goes to the thread that has the least; where a bond ties what is
in different threads, all that hangs together with it goes to the one that has most of that.
"""

from collections import Counter, defaultdict

from pbx.media.engine import group_row, player_row, ring_row, stream_row, voice_row
from pbx.media.engine.tables import Words

Member = tuple[int, int]
"""A kind of `group_row`, and a row of its table."""

_Bond = tuple[int, int]
"""The operation that has made it, and the row that this names."""


class Placement:
    """The packet threads' members, as of the commands that have been sent to them.

    Args:
        threads: how many there are.
    """

    def __init__(self, threads: int) -> None:
        self._streams = [0] * threads
        self._threads: dict[Member, int] = {}
        self._bonds: dict[_Bond, frozenset[Member]] = {}
        self._bonds_of: defaultdict[Member, set[_Bond]] = defaultdict(set)
        self._releases: Counter[int] = Counter()

    def place(self, command: Words) -> tuple[int, dict[int, list[Member]]]:
        """Return the thread that a command is for, and whom it must get first.

        Args:
            command: a record of `ring_row` that names a row.

        Returns:
            The number of the thread, from 0 on; -1 where what it names has ended already. Then the
            members that have to move there, by the threads that have them.
        """
        operation, row = int(command[ring_row.OPERATION]), int(command[ring_row.ROW])
        stream = (group_row.STREAM, row)
        members = _tied_by(command)
        if members:
            return self._bind((operation, row), members)
        if operation == ring_row.RELEASE:
            # Until it is RELEASED, a stream that is set anew must stay.
            self._releases[row] += 1
            placed = self._bind((operation, row), frozenset([stream]))
            self._loosen((ring_row.SET, row))
            self._loosen((ring_row.SET_VOICE, row))
            return placed
        if operation == ring_row.STOP_VOICE:
            self._loosen((ring_row.SET_VOICE, row))
        elif operation == ring_row.STOP_PLAYING:
            return self._threads.get((group_row.PLAYER, row), -1), {}
        elif operation == ring_row.STOP_RECORDING:
            return self._threads.get((group_row.TAPE, row), -1), {}
        return self._threads.get(stream, -1), {}

    def ended(self, report: Words) -> None:
        """Take note of a report: its row may be another's, in another thread, from now on."""
        kind, row = int(report[ring_row.KIND]), int(report[ring_row.ROW])
        if kind == ring_row.PLAYED:
            self._loosen((ring_row.PLAY, row))
        elif kind == ring_row.RELEASED:
            self._releases[row] -= 1
            if self._releases[row] == 0:
                del self._releases[row]
                self._loosen((ring_row.RELEASE, row))

    def recorded(self, row: int) -> None:
        """Take note that a recording is written: its row may be another's from now on."""
        self._loosen((ring_row.RECORD, row))

    def _bind(self, bond: _Bond, members: frozenset[Member]) -> tuple[int, dict[int, list[Member]]]:
        """Tie members, in the place of those that this bond has tied before."""
        before = self._bonds.get(bond, frozenset())
        self._bonds[bond] = members
        for member in members:
            self._bonds_of[member].add(bond)
        for member in before - members:
            self._leave(member, bond)
        threads = {self._threads[member] for member in members if member in self._threads}
        if len(threads) > 1:
            members = self._linked(members)
            here = Counter(self._threads[one] for one in members if one in self._threads)
            thread = max(threads, key=lambda one: here[one])
        else:
            least = self._streams.index(min(self._streams))
            thread = next(iter(threads), least)
        moves: defaultdict[int, list[Member]] = defaultdict(list)
        for member in members:
            source = self._threads.get(member)
            if source != thread:
                self._put(member, thread)
                if source is not None:
                    moves[source].append(member)
        return thread, moves

    def _linked(self, members: frozenset[Member]) -> frozenset[Member]:
        """Return all that hangs together with some, by whatever bonds."""
        found = set(members)
        ahead = list(members)
        while ahead:
            for bond in self._bonds_of[ahead.pop()]:
                fresh = self._bonds[bond] - found
                found |= fresh
                ahead += fresh
        return frozenset(found)

    def _put(self, member: Member, thread: int) -> None:
        if member[0] == group_row.STREAM:
            self._streams[thread] += 1
            if member in self._threads:
                self._streams[self._threads[member]] -= 1
        self._threads[member] = thread

    def _loosen(self, bond: _Bond) -> None:
        for member in self._bonds.pop(bond, ()):
            self._leave(member, bond)

    def _leave(self, member: Member, bond: _Bond) -> None:
        bonds = self._bonds_of[member]
        bonds.discard(bond)
        if not bonds:
            del self._bonds_of[member]
            thread = self._threads.pop(member)
            if member[0] == group_row.STREAM:
                self._streams[thread] -= 1


def _tied_by(command: Words) -> frozenset[Member]:
    """Return what a command ties; nothing where it's none that does."""
    operation, row = int(command[ring_row.OPERATION]), int(command[ring_row.ROW])
    settings = command[ring_row.SETTINGS - 1 :]
    stream, room = group_row.STREAM, group_row.ROOM
    ties: list[tuple[int, int]] = []
    if operation == ring_row.SET:
        ties = [(stream, row), (stream, settings[stream_row.SINK])]
    elif operation == ring_row.SET_VOICE:
        partner = (stream, settings[voice_row.PARTNER])
        ties = [(stream, row), partner, (room, settings[voice_row.ROOM])]
    elif operation == ring_row.PLAY:
        listeners = [(stream, settings[player_row.VOICE]), (room, settings[player_row.ROOM])]
        ties = [(group_row.PLAYER, row), *listeners]
    elif operation == ring_row.RECORD:
        left, right = command[ring_row.SETTINGS : ring_row.SETTINGS + 2]
        ties = [(group_row.TAPE, row), (stream, left), (stream, right)]
    return frozenset((kind, int(number)) for kind, number in ties if number >= 0)
