"""Groups of streams, players and recordings that go from one packet thread to another.

The old thread lets go of all of a group between two turns, and the new one takes them all between
two turns: linked streams are never seen apart. Packets wait in the sockets meanwhile.
"""

from typing import Any

from pbx.media.engine import group_row, player_row, ring_row, stream_row, tape_row, voice_row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels.reporting import report_words
from pbx.media.engine.kernels.ticking import (
    begin_stream,
    end_stream,
    join_players,
    join_tick,
    leave_players,
    leave_tick,
)
from pbx.media.engine.kernels.watching import is_watched, watch_seldom, watch_stream
from pbx.media.engine.native import EPOLL_CTL_ADD, EPOLL_CTL_DEL, kernel, row_of, words_at


@kernel
def _let_go(tables: Any, voices: Any, slot: Any) -> None:
    stream = row_of(tables.streams, slot)
    # The sink of another may be no stream yet, or none any more.
    if stream[stream_row.STATE] != tables.facts[t.THREAD]:
        return
    if stream[stream_row.VOICE] != 0:
        leave_tick(tables, voices, slot)
        voices.voices[slot, voice_row.LATE_BEFORE] -= tables.totals[t.LATE_TICKS]
        watch_seldom(tables, EPOLL_CTL_DEL, slot)
    if is_watched(stream, stream[stream_row.FLAGS]):
        watch_stream(tables, EPOLL_CTL_DEL, slot)
    stream[stream_row.STATE] = group_row.AWAY
    end_stream(tables)


@kernel
def _take(tables: Any, voices: Any, slot: Any) -> None:
    stream = row_of(tables.streams, slot)
    if stream[stream_row.STATE] != group_row.AWAY:
        return
    stream[stream_row.STATE] = tables.facts[t.THREAD]
    begin_stream(tables)
    if is_watched(stream, stream[stream_row.FLAGS]):
        watch_stream(tables, EPOLL_CTL_ADD, slot)
    if stream[stream_row.VOICE] != 0:
        join_tick(tables, voices, slot)
        voices.voices[slot, voice_row.LATE_BEFORE] += tables.totals[t.LATE_TICKS]
        watch_seldom(tables, EPOLL_CTL_ADD, slot)


@kernel
def _let_go_row(tables: Any, table: Any, number: Any, column: Any) -> Any:
    """Let go of a player or recording; returns False where it has ended meanwhile."""
    ours = table[number, column] == tables.facts[t.THREAD]
    if ours:
        table[number, column] = group_row.AWAY
    return ours


@kernel
def _take_row(tables: Any, table: Any, number: Any, column: Any) -> Any:
    """Take a player or recording; returns False where it has ended meanwhile."""
    away = table[number, column] == group_row.AWAY
    if away:
        table[number, column] = tables.facts[t.THREAD]
    return away


@kernel
def move_out(tables: Any, voices: Any, command: Any) -> None:
    """Carry out MOVE_OUT: from here on this thread touches none of the group."""
    group = words_at(command[ring_row.FIRST], command[ring_row.SECOND], group_row.WIDTH)
    for place in range(group.shape[0]):
        kind, number = group[place, group_row.KIND], group[place, group_row.NUMBER]
        if kind == group_row.STREAM:
            _let_go(tables, voices, number)
        elif kind == group_row.PLAYER:
            if _let_go_row(tables, voices.players, number, player_row.STATE):
                leave_players(tables, voices, number)
        elif kind == group_row.TAPE:
            _let_go_row(tables, voices.tapes, number, tape_row.STATE)
    report_words(tables, ring_row.MOVED, 0, command[ring_row.FIRST], 0)


@kernel
def adopt(tables: Any, voices: Any, command: Any) -> None:
    """Carry out ADOPT: from here on the group is this thread's."""
    group = words_at(command[ring_row.FIRST], command[ring_row.SECOND], group_row.WIDTH)
    for place in range(group.shape[0]):
        kind, number = group[place, group_row.KIND], group[place, group_row.NUMBER]
        if kind == group_row.STREAM:
            _take(tables, voices, number)
        elif kind == group_row.PLAYER:
            if _take_row(tables, voices.players, number, player_row.STATE):
                join_players(tables, voices, number)
        elif kind == group_row.TAPE:
            _take_row(tables, voices.tapes, number, tape_row.STATE)
    report_words(tables, ring_row.ADOPTED, 0, command[ring_row.FIRST], 0)
