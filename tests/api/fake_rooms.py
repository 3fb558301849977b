"""A conference room that is nowhere but in a test's memory."""

from pbx.api.schema import Room, RoomMember
from pbx.errors import CommandError
from pbx.locale import english


class FakeRooms:
    """Room 1 with a password, 100 and 101 in it; 101 is muted, and speaks."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.rooms = [
            Room(
                room="1",
                locked=True,
                members=[
                    RoomMember(
                        call="c1",
                        number="100",
                        name="前台",
                        since="2026-11-23T04:00:39+08:00",
                        muted=False,
                        gain_db=0.0,
                    ),
                    RoomMember(
                        call="c2",
                        number="101",
                        name="",
                        since="2026-11-23T04:01:40+08:00",
                        muted=True,
                        gain_db=-6.0,
                        level_dbov=-23,
                        speaks=True,
                    ),
                ],
            )
        ]

    async def listed(self) -> list[Room]:
        return self.rooms

    def mute(self, room: str, member: str, *, muted: bool) -> None:
        self._ask("mute" if muted else "unmute", room, member)

    def set_gain(self, room: str, member: str, gain_db: str) -> None:
        self._ask("gain", room, member, gain_db)
        if gain_db == "99":
            raise CommandError("bad-gain", english("bad-gain", least="-40", most="18"))

    def remove(self, room: str, member: str) -> None:
        self._ask("remove", room, member)

    def _ask(self, what: str, room: str, member: str, *more: str) -> None:
        self.asked.append((what, room, member, *more))
        if room != "1":
            raise CommandError("unknown-room", english("unknown-room", room=room))
        if member not in ("all", "100", "101", "c1", "c2"):
            sentence = english("unknown-member", room=room, member=member)
            raise CommandError("unknown-member", sentence)
