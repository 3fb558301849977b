"""Conference rooms for the control API: who is in them, who is heard, and how loud."""

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from pbx.api import schema
from pbx.call.any_call import AnyCall
from pbx.call.conversation import Conversation
from pbx.call.exchange import Exchange
from pbx.call.heard import Heard
from pbx.call.services.conference import Conference
from pbx.errors import CommandError
from pbx.locale import english
from pbx.media.protocol import LEAST_GAIN_DB, MOST_GAIN_DB, Counts, VoiceCounts

ALL = "all"
"""The member that is every member."""


class RoomsTarget(Protocol):
    """The part of the control API that shows conference rooms, and rules in them.

    A member is named by its number, by the id of its call, or as `ALL`; a number that is in the room
    with several phones means all of them.
    """

    async def listed(self) -> list[schema.Room]:
        """Return the rooms with somebody in them."""
        ...

    def mute(self, room: str, member: str, *, muted: bool) -> None:
        """Let the others hear members no more, or again."""
        ...

    def set_gain(self, room: str, member: str, gain_db: str) -> None:
        """Let the others hear members so much louder than they speak."""
        ...

    def remove(self, room: str, member: str) -> None:
        """End the calls of members."""
        ...


class ConferenceRooms:
    """The `RoomsTarget` of the running exchange.

    Args:
        exchange: the running calls.
        clock: the exchange's monotonic seconds.
        counts: the media engine's counts of now; None where it doesn't tell them.
        changed: called after something was changed here.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: Callable[[], float],
        counts: Callable[[], Awaitable[Counts | None]],
        changed: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._counts = counts
        self._changed = changed

    async def listed(self) -> list[schema.Room]:
        """Return the rooms with somebody in them, by their numbers; of each the first comer first."""
        counts = await self._counts() if self._members() else None
        voices = {one.port: one for one in counts.voices} if counts is not None else {}
        now, wall = self._clock(), datetime.datetime.now().astimezone()
        rooms: dict[str, schema.Room] = {}
        for seat, party in self._members():
            room = rooms.setdefault(
                seat.room, schema.Room(room=seat.room, locked=seat.locked, members=[])
            )
            voice = voices.get(party.sound_ports[0])
            came = party.facts.setup if party.facts.talk is None else party.facts.talk
            since = wall - datetime.timedelta(seconds=now - came)
            room.members.append(_member(seat, party, since.isoformat(timespec="seconds"), voice))
        return sorted(rooms.values(), key=lambda one: (len(one.room), one.room))

    def mute(self, room: str, member: str, *, muted: bool) -> None:
        """Let the others hear members no more, or again.

        Raises:
            CommandError: there is no such room, or nobody of that name in it.
        """
        self._let_hear(room, member, lambda heard: replace(heard, muted=muted))

    def set_gain(self, room: str, member: str, gain_db: str) -> None:
        """Let the others hear members so much louder than they speak.

        Args:
            gain_db: a number from `LEAST_GAIN_DB` to `MOST_GAIN_DB`.

        Raises:
            CommandError: it is none, there is no such room, or nobody of that name in it.
        """
        try:
            gain = float(gain_db)
        except ValueError:
            gain = MOST_GAIN_DB + 1
        # NaN is in no range
        if not LEAST_GAIN_DB <= gain <= MOST_GAIN_DB:
            raise _refused("bad-gain", least=f"{LEAST_GAIN_DB:g}", most=f"{MOST_GAIN_DB:g}")
        self._let_hear(room, member, lambda heard: replace(heard, gain_db=gain))

    def remove(self, room: str, member: str) -> None:
        """End the calls of members.

        Raises:
            CommandError: there is no such room, or nobody of that name in it.
        """
        for _, party in self._named(room, member):
            self._exchange.hang_up(party.facts.id, self._clock())
        self._changed()

    def _let_hear(self, room: str, member: str, how: Callable[[Heard], Heard]) -> None:
        for seat, party in self._named(room, member):
            party.hear(how(seat.heard), self._clock())
        self._changed()

    def _members(self) -> list[tuple[Conference, Conversation]]:
        """Everybody in a room, the first comer first."""
        return [
            (seat, call)
            for call in self._exchange.calls.values()
            if isinstance(call, Conversation) and (seat := seat_of(call)) is not None
        ]

    def _named(self, room: str, member: str) -> list[tuple[Conference, Conversation]]:
        inside = [one for one in self._members() if one[0].room == room]
        if not inside:
            raise _refused("unknown-room", room=room)
        found = [
            (seat, party)
            for seat, party in inside
            if member in (ALL, party.party.number, party.facts.id)
        ]
        if not found:
            raise _refused("unknown-member", room=room, member=member)
        return found


def seat_of(call: AnyCall) -> Conference | None:
    """Return a call's place in a conference room; None where it is in none."""
    service = call.service if isinstance(call, Conversation) else None
    return service if isinstance(service, Conference) else None


def _member(
    seat: Conference, party: Conversation, since: str, voice: VoiceCounts | None
) -> schema.RoomMember:
    return schema.RoomMember(
        call=party.facts.id,
        number=party.party.number,
        name=party.party.name,
        since=since,
        muted=seat.heard.muted,
        gain_db=seat.heard.gain_db,
        level_dbov=None if voice is None else voice.level_dbov,
        speaks=None if voice is None else voice.speaks,
    )


def _refused(code: str, **values: object) -> CommandError:
    return CommandError(code, english(code, **values))
