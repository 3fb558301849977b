"""The timer of a packet thread: each 20 ms while voices or players run, seldom while streams only do.

The ticks are at the same moments in all packet threads: whoever moves has one each 20 ms. A timer
that goes on by itself costs a relayed packet nothing; a limit to how long the loop sleeps would be
set and taken back with each.
"""

from typing import Any

from pbx.media.engine import tables as t
from pbx.media.engine.kernels.playout import TICK_NS
from pbx.media.engine.native import (
    CLOCK_MONOTONIC,
    TFD_CLOEXEC,
    TFD_NONBLOCK,
    kernel,
    monotonic_ns,
    set_timer,
    timerfd_create,
)

_NEVER = 1 << 62


@kernel
def make_timer(tables: Any) -> Any:
    """Make the timer of the tick, which stands still; returns its descriptor, below 0 for none."""
    tables.totals[t.NEXT_TICK_NS] = _NEVER
    tables.facts[t.TIMER_FD] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
    return tables.facts[t.TIMER_FD]


@kernel
def need_ticks(tables: Any) -> None:
    """Tick for one more; the first one lets the ticks begin."""
    tables.totals[t.TICKED] += 1
    if tables.totals[t.TICKED] == 1:
        first = (monotonic_ns(tables.scratch) // TICK_NS + 1) * TICK_NS
        tables.totals[t.NEXT_TICK_NS] = first
        set_timer(tables.facts[t.TIMER_FD], first, TICK_NS, tables.scratch)


@kernel
def need_no_ticks(tables: Any) -> None:
    """Tick for one less; the last one lets the ticks end."""
    tables.totals[t.TICKED] -= 1
    if tables.totals[t.TICKED] == 0:
        tables.totals[t.NEXT_TICK_NS] = _NEVER
        _look_after_streams(tables)


@kernel
def _look_after_streams(tables: Any) -> None:
    """Go off now and then while there are streams, or not at all."""
    pace = tables.facts[t.TICK_NS] if tables.totals[t.RUNNING] != 0 else 0
    first = monotonic_ns(tables.scratch) + pace if pace != 0 else 0
    set_timer(tables.facts[t.TIMER_FD], first, pace, tables.scratch)


@kernel
def begin_stream(tables: Any) -> None:
    """Have one stream more to look after."""
    tables.totals[t.RUNNING] += 1
    if tables.totals[t.RUNNING] == 1 and tables.totals[t.TICKED] == 0:
        _look_after_streams(tables)


@kernel
def end_stream(tables: Any) -> None:
    """Have one stream less to look after."""
    tables.totals[t.RUNNING] -= 1
    if tables.totals[t.RUNNING] == 0 and tables.totals[t.TICKED] == 0:
        _look_after_streams(tables)


@kernel
def _enter(tables: Any, served: Any, count: Any, number: Any) -> None:
    """Put a number behind those that each tick serves; `count` is the word that says how many these are."""
    served[tables.totals[count]] = number
    tables.totals[count] += 1
    need_ticks(tables)


@kernel
def _strike_out(tables: Any, served: Any, count: Any, number: Any) -> None:
    """Take a number out of them; the last one has its place then."""
    last = tables.totals[count] - 1
    for place in range(last):
        if served[place] == number:
            served[place] = served[last]
    tables.totals[count] = last
    need_no_ticks(tables)


@kernel
def join_tick(tables: Any, voices: Any, slot: Any) -> None:
    """Serve a voice from the next tick on."""
    _enter(tables, voices.active, t.VOICES, slot)


@kernel
def leave_tick(tables: Any, voices: Any, slot: Any) -> None:
    """Serve a voice no more."""
    _strike_out(tables, voices.active, t.VOICES, slot)


@kernel
def join_players(tables: Any, voices: Any, number: Any) -> None:
    """Play a player from the next tick on."""
    _enter(tables, voices.playing, t.PLAYING, number)


@kernel
def leave_players(tables: Any, voices: Any, number: Any) -> None:
    """Play a player no more."""
    _strike_out(tables, voices.playing, t.PLAYING, number)
