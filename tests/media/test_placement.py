"""Which packet thread gets what: all that is linked is in one, and what isn't is spread."""

import random
from collections.abc import Iterable

import numpy as np
import pytest

from pbx.media.engine import group_row, player_row, ring_row, stream_row, voice_row
from pbx.media.engine.placement import Member, Placement
from pbx.media.engine.tables import Words

STREAM, PLAYER, TAPE = group_row.STREAM, group_row.PLAYER, group_row.TAPE
THREADS = 3


def record(operation: int, row: int) -> Words:
    made = np.zeros(ring_row.WIDTH, np.int64)
    made[ring_row.OPERATION], made[ring_row.ROW] = operation, row
    return made


def setting(operation: int, row: int, values: dict[int, int]) -> Words:
    made = record(operation, row)
    for column, value in values.items():
        made[ring_row.SETTINGS - 1 + column] = value
    return made


def stream(row: int, sink: int = -1) -> Words:
    return setting(ring_row.SET, row, {stream_row.SINK: sink})


def voice(row: int, *, partner: int = -1, room: int = -1) -> Words:
    return setting(ring_row.SET_VOICE, row, {voice_row.PARTNER: partner, voice_row.ROOM: room})


def play(row: int, *, listener: int = -1, room: int = -1) -> Words:
    return setting(ring_row.PLAY, row, {player_row.VOICE: listener, player_row.ROOM: room})


def tape(row: int, left: int, right: int = -1) -> Words:
    made = record(ring_row.RECORD, row)
    made[ring_row.SETTINGS : ring_row.SETTINGS + 2] = left, right
    return made


def ended(kind: int, row: int) -> Words:
    made = np.zeros(ring_row.WIDTH, np.int64)
    made[ring_row.KIND], made[ring_row.ROW] = kind, row
    return made


@pytest.fixture
def placement() -> Placement:
    return Placement(THREADS)


def placed(placement: Placement, *commands: Words) -> list[int]:
    """Return the threads that commands go to, none of which moves anything."""
    threads = []
    for command in commands:
        thread, moves = placement.place(command)
        assert moves == {}
        threads.append(thread)
    return threads


def everything(moves: Iterable[list[Member]]) -> list[Member]:
    return sorted(member for members in moves for member in members)


class TestSpreading:
    def test_what_begins_goes_where_the_least_is(self, placement: Placement) -> None:
        assert placed(placement, *(stream(row) for row in range(6))) == [0, 1, 2, 0, 1, 2]

    def test_what_has_ended_leaves_room(self, placement: Placement) -> None:
        placed(placement, *(stream(row) for row in range(6)), record(ring_row.RELEASE, 4))
        assert placed(placement, stream(6)) == [0]
        placement.ended(ended(ring_row.RELEASED, 4))
        assert placed(placement, stream(4), stream(7)) == [1, 1]

    def test_a_call_is_one(self, placement: Placement) -> None:
        calls = [stream(row, row ^ 1) for row in range(6)]
        assert placed(placement, *calls) == [0, 0, 1, 1, 2, 2]

    def test_commands_go_to_what_they_name(self, placement: Placement) -> None:
        placed(placement, *(stream(row) for row in range(3)), play(9, room=5), tape(7, 2))
        names = [
            record(ring_row.TAP, 1),
            record(ring_row.SEND_DIGITS, 2),
            record(ring_row.STOP_VOICE, 1),
            record(ring_row.STOP_RECORDING, 7),
            voice(2, room=-1),
        ]
        assert placed(placement, *names) == [1, 2, 1, 2, 2]
        assert placed(placement, record(ring_row.STOP_PLAYING, 9)) == placed(
            placement, play(9, room=5)
        )

    def test_what_has_ended_by_itself_gets_no_command(self, placement: Placement) -> None:
        placed(placement, play(9, room=5))
        placement.ended(ended(ring_row.PLAYED, 9))
        assert placed(placement, record(ring_row.STOP_PLAYING, 9)) == [-1]


class TestLinking:
    def test_the_smaller_group_goes_to_the_larger_one(self, placement: Placement) -> None:
        placed(placement, stream(0, 1), stream(1, 0), stream(2))
        assert placement.place(stream(2, 0)) == (0, {1: [(STREAM, 2)]})
        assert placed(placement, stream(2, 0), stream(0, 1)) == [0, 0]

    def test_all_that_hangs_together_goes(self, placement: Placement) -> None:
        placed(placement, *(stream(row, (row + 1) % 6) for row in range(6)))
        placed(placement, stream(6, 7), stream(7, 6), voice(6, room=3), play(8, room=3), tape(2, 7))
        thread, moves = placement.place(voice(0, partner=7))
        assert thread == 0
        assert set(moves) == {1}
        moving = everything(moves.values())
        assert moving == [(STREAM, 6), (STREAM, 7), (PLAYER, 8), (TAPE, 2), (group_row.ROOM, 3)]

    def test_three_threads_at_once(self, placement: Placement) -> None:
        placed(placement, stream(0), stream(1), stream(2))
        placed(placement, voice(0, room=5))
        placed(placement, voice(2, room=-1))
        thread, moves = placement.place(
            setting(ring_row.SET_VOICE, 1, {voice_row.PARTNER: 2, voice_row.ROOM: 5})
        )
        assert thread == 0
        assert moves == {1: [(STREAM, 1)], 2: [(STREAM, 2)]}

    @pytest.mark.parametrize("kind", ["partner", "room", "player", "tape", "sink"])
    def test_every_kind_of_link(self, placement: Placement, kind: str) -> None:
        placed(placement, stream(0), stream(1), voice(0, room=5))
        link = {
            "partner": voice(1, partner=0),
            "room": voice(1, room=5),
            "player": play(3, listener=1, room=5),
            "tape": tape(3, 1, 0),
            "sink": stream(1, 0),
        }[kind]
        thread, moves = placement.place(link)
        assert thread == 0
        assert (STREAM, 1) in everything(moves.values())

    def test_what_is_no_longer_linked_stays_and_moves_by_itself(self, placement: Placement) -> None:
        placed(placement, stream(0, 1), stream(1, 0), stream(0), stream(1))
        placed(placement, stream(2), stream(3, 2), stream(4, 2))
        assert placement.place(stream(1, 2)) == (1, {0: [(STREAM, 1)]})
        assert placed(placement, stream(0)) == [0]

    def test_a_sink_that_is_yet_to_come(self, placement: Placement) -> None:
        placed(placement, stream(8), stream(9))
        assert placed(placement, stream(0, 1), stream(1, 0)) == [2, 2]

    def test_the_sink_of_another_stays_with_it_when_it_is_set_anew(
        self, placement: Placement
    ) -> None:
        placed(placement, stream(0, 1), stream(1, 0), record(ring_row.RELEASE, 1))
        placement.ended(ended(ring_row.RELEASED, 1))
        assert placed(placement, stream(1, 0)) == [0]


class TestEnding:
    def test_a_stream_set_anew_before_it_has_ended_stays(self, placement: Placement) -> None:
        placed(placement, stream(0), stream(1), record(ring_row.RELEASE, 1))
        assert placed(placement, stream(1), record(ring_row.RELEASE, 1)) == [1, 1]
        placement.ended(ended(ring_row.RELEASED, 1))
        assert placed(placement, stream(1), record(ring_row.RELEASE, 1)) == [1, 1]
        placement.ended(ended(ring_row.RELEASED, 1))
        placement.ended(ended(ring_row.RELEASED, 1))
        assert placed(placement, stream(2), stream(3), stream(1)) == [1, 2, 0]

    def test_a_room_that_all_have_left_is_anybodys(self, placement: Placement) -> None:
        placed(placement, stream(0), stream(1), voice(0, room=5), voice(0))
        assert placed(placement, voice(1, room=5)) == [1]

    def test_nothing_is_left(self, placement: Placement) -> None:
        for _ in range(3):
            assert placed(placement, stream(0, 1), stream(1, 0)) == [0, 0]
            placed(placement, voice(0, room=1), voice(1, room=1), play(0, room=1), tape(0, 0, 1))
            placement.ended(ended(ring_row.PLAYED, 0))
            placement.recorded(0)
            placed(placement, record(ring_row.RELEASE, 0), record(ring_row.RELEASE, 1))
            placement.ended(ended(ring_row.RELEASED, 0))
            placement.ended(ended(ring_row.RELEASED, 1))


class TestAtRandom:
    @pytest.mark.parametrize("seed", range(20))
    def test_what_is_linked_is_together_and_nothing_moves_that_is_not_there(
        self, placement: Placement, seed: int
    ) -> None:
        dice = random.Random(seed)
        where: dict[Member, int] = {}
        sinks: dict[int, int] = {}
        rooms: dict[int, int] = {}
        for _ in range(600):
            row = dice.randrange(12)
            if row in sinks and dice.random() < 0.25:
                (thread,) = placed(placement, record(ring_row.RELEASE, row))
                assert thread == where.pop((STREAM, row))
                placement.ended(ended(ring_row.RELEASED, row))
                del sinks[row]
                rooms.pop(row, None)
                continue
            if row in sinks and dice.random() < 0.5:
                rooms[row] = dice.randrange(-1, 4)
                command = voice(row, room=rooms[row])
            else:
                sinks[row] = dice.randrange(-1, 12)
                command = stream(row, sinks[row])
            target, moves = placement.place(command)
            for source, members in moves.items():
                for member in members:
                    # A sink that isn't set is nowhere yet, and may be told to move all the same.
                    assert where.get(member, source) == source
                    if member in where:
                        where[member] = target
            where.setdefault((STREAM, row), target)
            assert where[STREAM, row] == target
            for one, sink in sinks.items():
                if sink in sinks:
                    assert where[STREAM, one] == where[STREAM, sink]
            for one, room in rooms.items():
                for other, same in rooms.items():
                    if room == same >= 0:
                        assert where[STREAM, one] == where[STREAM, other]
