"""Conference rooms as the control API shows them, and what it does in them."""

from collections.abc import Callable

import pytest

from pbx.api.rooms import ConferenceRooms
from pbx.config.settings import ServiceSettings
from pbx.errors import CommandError
from pbx.media.protocol import Counts, VoiceCounts
from tests.call.office import Office
from tests.call.services import served, voices


class Box:
    """An office with 100 and 101 in room 1, 102 in room 22, which has a password.

    Args:
        heard: what the media engine tells of voices.
    """

    def __init__(self, *heard: VoiceCounts, silent: bool = False) -> None:
        self.office = Office(services=ServiceSettings())
        self.changes = 0
        self._counts = None if silent else Counts([], [*heard])
        for number, dialed in (("102", "*6*22*4711"), ("100", "*6*1"), ("101", "*6*1")):
            self.office.now += 10
            served(self.office.phone(number), dialed)
        served(self.office.phone("103"), "*43")
        self.rooms = ConferenceRooms(
            self.office.exchange, lambda: self.office.now, self._told, self._changed
        )

    async def _told(self) -> Counts | None:
        return self._counts

    def _changed(self) -> None:
        self.changes += 1
        self.office.pump()

    def speaks(self) -> dict[int, bool]:
        """Who is heard by the others, by port."""
        return {port: one.speaks for port, one in voices(self.office).items() if one.room}


def counts(port: int, level_dbov: int, *, speaks: bool) -> VoiceCounts:
    return VoiceCounts(port, level_dbov, 0.0, 0.0, 0, 0, 0.0, 0.0, -1.0, -1.0, 4.4, speaks=speaks)


class TestTheList:
    async def test_rooms_and_members(self) -> None:
        box = Box(counts(20002, -20, speaks=True), counts(20004, -127, speaks=False))
        first, second = await box.rooms.listed()
        assert (first.room, first.locked, second.room, second.locked) == ("1", False, "22", True)
        assert [one.number for one in first.members] == ["100", "101"]
        assert [one.number for one in second.members] == ["102"]
        alice, bob = first.members
        assert (alice.muted, alice.gain_db) == (False, 0.0)
        assert (alice.level_dbov, alice.speaks) == (-20, True)
        assert (bob.level_dbov, bob.speaks) == (-127, False)
        assert alice.call in box.office.exchange.calls
        assert alice.since < bob.since

    async def test_the_name_that_the_phone_tells(self) -> None:
        office = Box().office
        (party,) = [
            one for one in office.exchange.calls.values() if one.facts.caller_number == "100"
        ]
        (leg,) = party.legs
        box = ConferenceRooms(office.exchange, lambda: office.now, _none, lambda: None)
        (room, _) = await box.listed()
        assert room.members[0].name == leg.party.name

    async def test_an_engine_that_does_not_tell(self) -> None:
        (room, _) = await Box(silent=True).rooms.listed()
        assert [(one.level_dbov, one.speaks) for one in room.members] == [(None, None)] * 2

    async def test_nobody(self) -> None:
        office = Office()
        rooms = ConferenceRooms(office.exchange, lambda: office.now, _none, lambda: None)
        assert await rooms.listed() == []


async def _none() -> Counts | None:
    return None


class TestRuling:
    async def test_mute_and_unmute(self) -> None:
        box = Box()
        box.rooms.mute("1", "101", muted=True)
        assert box.speaks() == {20000: True, 20002: True, 20004: False}
        assert box.changes == 1
        (room, _) = await box.rooms.listed()
        assert [one.muted for one in room.members] == [False, True]
        box.rooms.mute("1", "101", muted=False)
        assert all(box.speaks().values())

    async def test_all_of_a_room(self) -> None:
        box = Box()
        box.rooms.mute("1", "all", muted=True)
        assert box.speaks() == {20000: True, 20002: False, 20004: False}

    async def test_one_by_its_call(self) -> None:
        box = Box()
        (room, _) = await box.rooms.listed()
        box.rooms.mute("1", room.members[0].call, muted=True)
        assert box.speaks() == {20000: True, 20002: False, 20004: True}

    @pytest.mark.parametrize("said", ["6", "+6", "6.0", "-40", "18", "-0.5"])
    async def test_gain(self, said: str) -> None:
        box = Box()
        box.rooms.mute("1", "100", muted=True)
        box.rooms.set_gain("1", "100", said)
        assert voices(box.office)[20002].gain_db == float(said)
        (room, _) = await box.rooms.listed()
        assert (room.members[0].gain_db, room.members[0].muted) == (float(said), True)

    @pytest.mark.parametrize("said", ["", "loud", "18.1", "-41", "nan", "inf", "1e999", "6 dB"])
    def test_no_gain(self, said: str) -> None:
        box = Box()
        with pytest.raises(CommandError) as caught:
            box.rooms.set_gain("1", "100", said)
        assert caught.value.code == "bad-gain"
        assert caught.value.sentence == "A gain is a number of dB, from -40 to 18."
        assert voices(box.office)[20002].gain_db == 0.0

    def test_removed(self) -> None:
        box = Box()
        box.rooms.remove("1", "101")
        (facts,) = box.office.ended
        assert facts.caller_number == "101"
        assert box.office.cause() == ("ADMINISTRATOR", 16)
        assert [one.facts.caller_number for one in box.office.exchange.calls.values()] == [
            *("102", "100", "103")
        ]

    def test_all_removed(self) -> None:
        box = Box()
        box.rooms.remove("1", "all")
        assert {one.caller_number for one in box.office.ended} == {"100", "101"}

    @pytest.mark.parametrize(
        ("room", "member", "code"),
        [
            ("2", "100", "unknown-room"),
            ("*43", "103", "unknown-room"),
            ("1", "102", "unknown-member"),
            ("1", "103", "unknown-member"),
            ("22", "100", "unknown-member"),
        ],
    )
    def test_who_is_not_there(self, room: str, member: str, code: str) -> None:
        box = Box()
        ways: tuple[Callable[[], None], ...] = (
            lambda: box.rooms.mute(room, member, muted=True),
            lambda: box.rooms.set_gain(room, member, "6"),
            lambda: box.rooms.remove(room, member),
        )
        for what in ways:
            with pytest.raises(CommandError) as caught:
                what()
            assert caught.value.code == code
        assert all(box.speaks().values())
        assert not box.office.ended
