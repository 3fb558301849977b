"""The loop of the packet thread: it enters here and stays until it is told to stop."""

from typing import Any

import numpy as np

from pbx.media.engine import ring_row
from pbx.media.engine import stream_row as row
from pbx.media.engine import tables as t
from pbx.media.engine.kernels import srtp
from pbx.media.engine.kernels.counting import answer_query
from pbx.media.engine.kernels.hearing import hear_now
from pbx.media.engine.kernels.joining import join_peer, leave_peer
from pbx.media.engine.kernels.keys import forget_keys
from pbx.media.engine.kernels.moving import adopt, move_out
from pbx.media.engine.kernels.playing import start_playing, stop_playing
from pbx.media.engine.kernels.relay import relay, slot_of
from pbx.media.engine.kernels.reporting import report, report_words, tick
from pbx.media.engine.kernels.ring import first, room, taken, waiting
from pbx.media.engine.kernels.seconds import begin as begin_statistics
from pbx.media.engine.kernels.seconds import end_last_second
from pbx.media.engine.kernels.taping import hand_over_due, start_taping, stop_taping
from pbx.media.engine.kernels.tapping import record_staged, set_tap, tap
from pbx.media.engine.kernels.ticking import begin_stream, end_stream, make_timer
from pbx.media.engine.kernels.views import tables_view, voices_view
from pbx.media.engine.kernels.voice_commands import (
    end_digit,
    release_voice,
    send_digits,
    set_voice,
    stop_voice,
)
from pbx.media.engine.kernels.voice_tick import tick_voices
from pbx.media.engine.kernels.watching import is_watched, watch, watch_stream
from pbx.media.engine.native import (
    EINTR,
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    clear,
    entry_kernel,
    epoll_wait,
    errno,
    fetch_ahead,
    fetch_lines_ahead,
    kernel,
    load_32,
    load_acquire,
    monotonic_ns,
    read,
    row_of,
    write,
)

WAKE = -1
"""Data of the command eventfd's epoll entry; all others are socket indices."""

TICK = -2
"""Data of the timer's."""

FOR_EVER = -1

_MOST_BATCHES = 16


@kernel
def _use_sessions(tables: Any, slot: Any, outbound: Any, inbound: Any) -> None:
    """Let a stream use these SRTP sessions from now on, and report those that it used before."""
    sessions = row_of(tables.sessions, slot)
    sending = srtp.replace(sessions, srtp.OUTBOUND, outbound)
    receiving = srtp.replace(sessions, srtp.INBOUND, inbound)
    if sending != 0 or receiving != 0:
        report_words(tables, ring_row.SESSIONS_FREE, slot, sending, receiving)


@kernel
def _leaves_elsewhere(stream: Any, settings: Any) -> Any:
    """Return whether new settings name another address of ours than a stream has now."""
    changed = (stream[row.FLAGS] ^ settings[row.FLAGS - 1]) & row.IPV4
    for word in range(row.CONTROL, row.SETTINGS_END):
        changed |= stream[word] ^ settings[word - 1]
    return changed != 0


@kernel
def _set_stream(tables: Any, voices: Any, command: Any, now: Any) -> None:
    slot = command[ring_row.ROW]
    stream = tables.streams[slot]
    settings = command[ring_row.SETTINGS :]
    fresh = stream[row.STATE] != tables.facts[t.THREAD]
    if fresh:
        for word in range(row.WIDTH):
            stream[word] = 0
        clear(row_of(tables.sessions, slot))
        begin_statistics(row_of(tables.statistics, slot), now)
        forget_keys(voices, slot)
        begin_stream(tables)
    elif stream[row.VOICE] != 0:
        hear_now(tables, voices, slot)
    watched = not fresh and is_watched(stream, stream[row.FLAGS])
    wanted = is_watched(stream, settings[row.FLAGS - 1])
    if watched != wanted:
        watch_stream(tables, EPOLL_CTL_ADD if wanted else EPOLL_CTL_DEL, slot)
    moved = settings[row.GENERATION - 1] > stream[row.GENERATION]
    if moved or _leaves_elsewhere(stream, settings):
        leave_peer(tables, slot)
    if fresh or moved:
        stream[row.LATCHED_RTP] = 0
        stream[row.LATCHED_RTCP] = 0
        stream[row.SEQ_AFTER_JUMP] = -1
        stream[row.TRANSIT] = -1
    if settings[row.SINK - 1] != stream[row.SINK]:
        stream[row.EVENTS_PASSED] = 0
    if fresh or moved or settings[row.TIMEOUT_NS - 1] != stream[row.TIMEOUT_NS]:
        stream[row.LAST_NS] = now
        stream[row.TIMED_OUT] = 0
    for word in range(1, row.SETTINGS_END):
        stream[word] = settings[word - 1]
    _use_sessions(tables, slot, command[ring_row.OUTBOUND], command[ring_row.INBOUND])
    stream[row.STATE] = tables.facts[t.THREAD]


@kernel
def _release_stream(tables: Any, voices: Any, slot: Any, now: Any) -> None:
    stream = tables.streams[slot]
    if stream[row.STATE] != tables.facts[t.THREAD]:
        return
    release_voice(tables, voices, slot, now, 1)
    watch_stream(tables, EPOLL_CTL_DEL, slot)
    leave_peer(tables, slot)
    _use_sessions(tables, slot, 0, 0)
    stream[row.STATE] = 0
    end_stream(tables)
    end_last_second(stream, row_of(tables.statistics, slot), now)
    # Last: the next call may have the row in another thread.
    report(tables, ring_row.RELEASED, slot)


@kernel
def _obey_voices(tables: Any, voices: Any, command: Any, now: Any) -> None:
    operation = command[ring_row.OPERATION]
    if operation == ring_row.SET_VOICE:
        set_voice(tables, voices, command)
    elif operation == ring_row.STOP_VOICE:
        stop_voice(tables, voices, command[ring_row.ROW], now)
    elif operation == ring_row.PLAY:
        start_playing(tables, voices, command)
    elif operation == ring_row.STOP_PLAYING:
        stop_playing(tables, voices, command[ring_row.ROW])
    elif operation == ring_row.SEND_DIGITS:
        send_digits(tables, voices, command, now)
    elif operation == ring_row.END_DIGIT:
        end_digit(voices, command)
    elif operation == ring_row.TAP:
        set_tap(tables, voices, command)
    elif operation == ring_row.RECORD:
        start_taping(tables, voices, command, now)
    elif operation == ring_row.STOP_RECORDING:
        stop_taping(tables, voices, command[ring_row.ROW])
    elif operation == ring_row.MOVE_OUT:
        move_out(tables, voices, command)
    elif operation == ring_row.ADOPT:
        adopt(tables, voices, command)


@kernel
def _rearm(tables: Any) -> None:
    for slot in range(tables.streams.shape[0]):
        if tables.streams[slot, row.STATE] == tables.facts[t.THREAD]:
            tables.streams[slot, row.TIMED_OUT] = 0


@kernel
def _obey(tables: Any, voices: Any, now: Any) -> None:
    """Carry out the commands that are there; each one only once its reports will find room."""
    while tables.totals[t.QUERY_ROW] < 0:
        if waiting(tables.command_cursors) <= 0:
            return
        command = tables.commands[first(tables.commands, tables.command_cursors)]
        operation = command[ring_row.OPERATION]
        if operation == ring_row.MOVE_OUT or operation == ring_row.ADOPT:
            # All threads tick at the same time: a voice that goes after it here has had its tick, and
            # one that comes gets its next one here.
            tick_voices(tables, voices)
        if room(tables.reports, tables.report_cursors) < ring_row.MOST_REPORTS:
            return
        # What has come before belongs to what was before.
        record_staged(tables, voices)
        if operation == ring_row.SET:
            _set_stream(tables, voices, command, now)
        elif operation == ring_row.RELEASE:
            _release_stream(tables, voices, command[ring_row.ROW], now)
        elif operation == ring_row.QUERY:
            tables.totals[t.QUERY_ROW] = 0
            answer_query(tables, voices)
        elif operation == ring_row.PROBE:
            tables.totals[t.QUERY_ROW] = tables.streams.shape[0]
            answer_query(tables, voices)
        elif operation == ring_row.REARM:
            _rearm(tables)
        else:
            _obey_voices(tables, voices, command, now)
        taken(tables.command_cursors)


@kernel
def _wait_ms(tables: Any) -> Any:
    """Return how long the loop may sleep; packets, commands and the timer wake it."""
    owed = waiting(tables.command_cursors) > 0 or tables.totals[t.QUERY_ROW] >= 0
    return 1 if owed else FOR_EVER


@kernel
def _wake_main(tables: Any) -> None:
    if tables.totals[t.REPORTED] != 0:
        tables.totals[t.REPORTED] = 0
        tables.scratch[0] = 1
        write(tables.facts[t.REPORT_FD], tables.scratch.ctypes.data, 8)


@kernel
def _serve(tables: Any, voices: Any, socket: Any, came: Any) -> Any:
    """Pass on what has come to a socket, and record it or keep it for that; returns the packets."""
    received = relay(tables, voices, socket, came)
    slot = slot_of(tables, socket)
    if tables.streams[slot, row.TAPPED] != 0 and socket != 2 * slot + 1:
        tap(tables, voices, slot, received, came)
    return received


@kernel
def _serve_and_join(tables: Any, voices: Any, socket: Any, came: Any) -> None:
    """Serve a socket; where it has made the source known, the source gets a socket for itself."""
    received = _serve(tables, voices, socket, came)
    slot = slot_of(tables, socket)
    if received == 0 or socket != 2 * slot or not join_peer(tables, slot):
        return
    # What has come before must not be overtaken; a flood must not hold up the others.
    for _ in range(_MOST_BATCHES):
        if _serve(tables, voices, socket, monotonic_ns(tables.scratch)) == 0:
            return


@kernel
def _socket_of(tables: Any, index: Any) -> Any:
    """Return what event `index` tells of."""
    event = tables.events.ctypes.data + index * tables.facts[t.EVENT_SIZE]
    return np.int64(load_32(event + tables.facts[t.EVENT_DATA]))


@kernel
def _fetch_stream_ahead(tables: Any, socket: Any) -> None:
    if socket >= 0:
        fetch_ahead(tables.fds.ctypes.data + 8 * socket)
        stream = row_of(tables.streams, slot_of(tables, socket))
        fetch_lines_ahead(stream.ctypes.data, 8 * row.WIDTH)


@kernel
def _fetch_sink_ahead(tables: Any, socket: Any) -> None:
    sink = tables.streams[slot_of(tables, socket), row.SINK] if socket >= 0 else -1
    if sink >= 0:
        fetch_ahead(tables.fds.ctypes.data + 8 * (2 * tables.streams.shape[0] + sink))
        fetch_lines_ahead(row_of(tables.streams, sink).ctypes.data, 8 * row.WIDTH)


@kernel
def _fetch_ahead(tables: Any, index: Any, ready: Any) -> None:
    """Have fetched what the next sockets' packets are judged and counted by, while others are served."""
    if index + 2 < ready:
        _fetch_stream_ahead(tables, _socket_of(tables, index + 2))
    if index + 1 < ready:
        _fetch_sink_ahead(tables, _socket_of(tables, index + 1))


@entry_kernel
def packet_loop(tables_at: Any, voices_at: Any) -> Any:
    """Relay until `stop` is set; returns 0, or an error number where the kernel has refused.

    Args:
        tables_at: address of the description (`view`) of a `Tables`, whose descriptors must stay
            open until this has returned.
        voices_at: of a `VoiceTables`.
    """
    tables = tables_view(tables_at)
    voices = voices_view(voices_at)
    if watch(tables, EPOLL_CTL_ADD, tables.facts[t.COMMAND_FD], WAKE) != 0:
        return errno()
    timer = make_timer(tables)
    if timer < 0 or watch(tables, EPOLL_CTL_ADD, timer, TICK) != 0:
        return errno()
    now = monotonic_ns(tables.scratch)
    next_tick = now + tables.facts[t.TICK_NS]
    events = tables.events.ctypes.data
    while load_acquire(tables.stop.ctypes.data) == 0:
        ready = epoll_wait(tables.facts[t.EPOLL_FD], events, t.EVENTS, _wait_ms(tables))
        if ready < 0 and errno() != EINTR:
            return errno()
        now = monotonic_ns(tables.scratch)
        for index in range(ready):
            _fetch_ahead(tables, index, ready)
            socket = _socket_of(tables, index)
            if socket == WAKE:
                read(tables.facts[t.COMMAND_FD], tables.scratch.ctypes.data, 8)
                continue
            came = monotonic_ns(tables.scratch)
            if came >= tables.totals[t.NEXT_TICK_NS]:
                # Before all sockets that wait: hundreds of packets are no reason to be late.
                tick_voices(tables, voices)
                came = monotonic_ns(tables.scratch)
            elif socket == TICK and read(timer, tables.scratch.ctypes.data, 8) == 8:
                next_tick = now
            if socket != TICK:
                _serve_and_join(tables, voices, socket, came)
        _obey(tables, voices, now)
        answer_query(tables, voices)
        if now >= next_tick:
            tick(tables, now)
            record_staged(tables, voices)
            hand_over_due(tables, voices, now)
            next_tick = now + tables.facts[t.TICK_NS]
        _wake_main(tables)
    return 0
