"""Rows that rooms get: each its own as long as somebody is in it, and none for ever."""

import pytest

from pbx.media.engine.rooms import Rooms
from pbx.media.engine.stream_record import ImpossibleError


def test_all_guests_of_a_room_share_its_row() -> None:
    rooms = Rooms(3)
    first, second = rooms.enter(77), rooms.enter(2**62)
    assert {first, second} < {0, 1, 2}
    assert rooms.enter(77) == first
    rooms.leave(77)
    assert rooms.enter(77) == first


def test_nobodys_room() -> None:
    rooms = Rooms(1)
    assert [rooms.enter(0), rooms.enter(0)] == [-1, -1]
    rooms.leave(0)
    assert rooms.enter(5) == 0


def test_the_last_one_closes_it() -> None:
    rooms = Rooms(1)
    for room in range(1, 100):
        assert rooms.enter(room) == rooms.enter(room) == 0
        rooms.leave(room)
        with pytest.raises(ImpossibleError):
            rooms.enter(room + 1)
        rooms.leave(room)
