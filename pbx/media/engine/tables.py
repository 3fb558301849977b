"""The memory that the main thread and the packet threads share, as numpy arrays.

The stream table is one for all packet threads: a row is written by the thread whose number its
`STATE` holds, and its sink is a row of that same thread (`placement`). All else each thread has for
itself. Of each ring one side writes records and `WRITTEN`, the other only `TAKEN` (`ring_row`).
"""

import os
import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pbx.media.engine import ring_row, statistics_row, stream_row

Words = npt.NDArray[np.int64]

BATCH = 32
"""Packets of one socket in one system call: more than a socket gets between two turns, and few
enough that no other socket waits long."""

PACKET = 2048
"""Octets of the longest packet that is relayed; longer ones are dropped."""

PROTECTED = PACKET + 32
"""Octets of the longest one once it is protected: `kernels.srtp.TRAILER` more."""

STAMP = 32
"""Octets of the control message with a packet's time stamp: struct cmsghdr, struct timespec."""

EVENTS = 128

_MARGIN = 128
"""Octets of a pair of cache lines, which processors fetch together."""

# --- facts: what the kernels must know of this machine, at run time, so that a cache that was built
# on another kind of machine (epoll_event is packed on x86-64 alone) still fits ------------------------
EPOLL_FD = 0
COMMAND_FD = 1
"""Eventfd that wakes the packet thread for commands."""

REPORT_FD = 2
"""Eventfd that wakes the main thread for reports."""

NAME_LENGTH = 3
SOURCE_MASK = 4
"""Bits of an address' first word that belong to host or port."""

HOST_MASK = 5
"""Bits of an address' first word that belong to the host."""

EVENT_SIZE = 6
EVENT_DATA = 7
TICK_NS = 8
DUAL_STACK = 9
TIMER_FD = 10
"""The thread's timerfd (`kernels.ticking`); the packet thread makes it, who ends the thread closes it."""

HEAR_VOICES = 11
"""Address of the compiled `kernels.voice_tick.hear_voices`."""

SERVE_VOICES = 12
"""Address of `serve_voices`."""

THREAD = 13
"""Number of this packet thread, from 1 on: the `STATE` of the rows that are its own."""

WRITER_FD = 14
"""Eventfd that wakes the writer of recordings."""

SELDOM_FD = 15
"""The epoll set of voices' sockets that seldom have anything (`kernels.watching`)."""

URING_FD = 16
"""The thread's io_uring (`uring`); -1: it has none, and the addresses of its parts say nothing."""

CALLS_AT = 17
CALLS_TAIL_AT = 18
ANSWERS_AT = 19
ANSWERS_TAIL_AT = 20
ANSWERS_HEAD_AT = 21

FACTS = 24

CALLS, CALL_WORDS = 64, 8
ANSWERS, ANSWER_WORDS = 128, 2
"""Places of the io_uring's queues, and words of 64 bits in each."""

# --- stop: its own array, so that its cache line is read only -----------------------------------------
STOP = 0
STOP_WRITER = 1

# --- totals: words that only the packet thread writes -------------------------------------------------
RUNNING = 0
"""Rows of the stream table in use."""

REPORTED = 1
"""1 while the main thread has to be woken for reports."""

QUERY_ROW = 2
"""The next row whose counts are owed to a query; -1 none."""

VOICES = 3
"""Voices that run."""

TICKS = 4
LATE_TICKS = 5
"""Ticks that were done more than 5 ms after their time, or not at all."""

NEXT_TICK_NS = 6
"""When the voices' next tick is due; far away while there is none."""

SHARED = 7
"""Packets of this tick that are kept for others (`kernels.shared`)."""

TICKED = 8
"""Voices and players that run."""

POSTED = 9
OUTBOX_END = 10
"""Packets and octets of this tick that are still to be sent (`kernels.outbox`)."""

HEARD_NS = 11
"""When the tick has last looked for what has come to voices."""

CALLS_MADE = 12
ANSWERED = 13
"""Calls that the thread's io_uring has been given in all, and answers that have been read."""

STAGED = 14
STAGE_END = 15
"""Packets that wait to be recorded (`staged_row`), and octets of them."""

TO_WRITE = 16
"""1 while recordings have something for the writer, who hasn't been told."""

WRITE_NS = 17
"""When it may be told again."""

TURN = 18
"""Which streams end their second with the next look after silence (`kernels.seconds`)."""

PLAYING = 19
"""Players that run."""

TOTALS = 20

SESSIONS = 16
"""Words of a stream's row of `sessions`: see `kernels.srtp`."""


class Tables(NamedTuple):
    """All arrays of one packet thread; `kernels.packet_loop` takes them as one argument.

    `fds`, `streams`, `sessions` and `statistics` are all threads'. Row n of `streams`, of N, has the descriptors 2n
    (RTP), 2n + 1 (RTCP) and 2N + n (`kernels.joining`; -1 for none).
    """

    facts: Words
    stop: Words
    totals: Words
    fds: Words
    streams: Words
    commands: Words
    command_cursors: Words
    reports: Words
    report_cursors: Words
    events: npt.NDArray[np.uint8]
    seldom_events: npt.NDArray[np.uint8]
    packets: npt.NDArray[np.uint8]
    names: Words
    read_vectors: Words
    read_headers: Words
    stamps: Words
    write_vectors: Words
    write_headers: Words
    changed: npt.NDArray[np.uint8]
    sessions: Words
    statistics: Words
    scratch: Words


def lone(count: int, kind: npt.DTypeLike = np.int64) -> npt.NDArray[Any]:
    """Return zeros of one thread's own, in cache lines that no other thread's words are in.

    Args:
        count: elements.
        kind: their type.
    """
    margin = _MARGIN // np.dtype(kind).itemsize
    return np.zeros(count + 2 * margin, kind)[margin : margin + count]


def make_tables(fds: list[int], *, dual_stack: bool, tick_ns: int = 100_000_000) -> Tables:
    """Return the tables of the first packet thread over these sockets.

    Args:
        fds: RTP and RTCP sockets in turn.
        dual_stack: the sockets are AF_INET6 ones; False: AF_INET.
        tick_ns: how often silence is looked for, in nanoseconds.
    """
    facts = lone(FACTS)
    _fill_facts(facts, dual_stack=dual_stack, tick_ns=tick_ns)
    streams = np.zeros((len(fds) // 2, stream_row.WIDTH), np.int64)
    sessions = np.zeros((len(streams), SESSIONS), np.int64)
    statistics = np.zeros((len(streams), statistics_row.WIDTH), np.int64)
    fds = [*fds, *([-1] * len(streams))]
    return _own_tables(facts, np.array(fds, np.int64), streams, sessions, statistics)


def tables_beside(first: Tables, thread: int) -> Tables:
    """Return the tables of another packet thread over the same sockets.

    Args:
        first: of `make_tables`.
        thread: the thread's number, from 2 on.
    """
    facts = lone(FACTS)
    facts[:] = first.facts
    facts[THREAD] = thread
    return _own_tables(facts, first.fds, first.streams, first.sessions, first.statistics)


def _own_tables(
    facts: Words, fds: Words, streams: Words, sessions: Words, statistics: Words
) -> Tables:
    tables = Tables(
        facts=facts,
        stop=lone(8),
        totals=lone(TOTALS),
        fds=fds,
        streams=streams,
        commands=np.zeros((ring_row.COMMANDS, ring_row.WIDTH), np.int64),
        command_cursors=lone(ring_row.CURSORS),
        reports=np.zeros((ring_row.REPORTS, ring_row.WIDTH), np.int64),
        report_cursors=lone(ring_row.CURSORS),
        events=lone(EVENTS * 16, np.uint8),
        seldom_events=lone(EVENTS * 16, np.uint8),
        packets=np.zeros((BATCH, PACKET), np.uint8),
        names=np.zeros((BATCH, 4), np.int64),
        read_vectors=np.zeros((BATCH, 2), np.int64),
        read_headers=np.zeros((BATCH, 8), np.int64),
        stamps=np.zeros((BATCH, STAMP // 8), np.int64),
        write_vectors=np.zeros((BATCH, 2), np.int64),
        write_headers=np.zeros((BATCH, 8), np.int64),
        changed=np.zeros((BATCH, PROTECTED), np.uint8),
        sessions=sessions,
        statistics=statistics,
        scratch=lone(8),
    )
    _fill_headers(tables)
    tables.totals[QUERY_ROW] = -1
    return tables


def _fill_facts(facts: Words, *, dual_stack: bool, tick_ns: int) -> None:
    # sockaddr_in6: family 2, port 2, flow 4, address 16, scope 4; sockaddr_in: 2, 2, address 4.
    octets = bytes(2) + b"\xff\xff" + (bytes(4) if dual_stack else b"\xff" * 4)
    host = bytes(4) + (bytes(4) if dual_stack else b"\xff" * 4)
    facts[NAME_LENGTH] = 28 if dual_stack else 16
    facts[SOURCE_MASK] = int.from_bytes(octets, sys.byteorder, signed=True)
    facts[HOST_MASK] = int.from_bytes(host, sys.byteorder, signed=True)
    facts[DUAL_STACK] = dual_stack
    packed = os.uname().machine == "x86_64"
    facts[EVENT_SIZE] = 12 if packed else 16
    facts[EVENT_DATA] = 4 if packed else 8
    facts[TICK_NS] = tick_ns
    facts[TIMER_FD] = -1
    facts[URING_FD] = -1
    facts[THREAD] = 1


def _fill_headers(tables: Tables) -> None:
    """Point the message headers at their buffers, once and for all.

    Words of `struct mmsghdr` (the same on x86-64 and aarch64): name, name length, vector, vectors,
    control, control length, flags, length.
    """
    for index in range(BATCH):
        tables.read_vectors[index] = tables.packets[index].ctypes.data, PACKET
        tables.read_headers[index, 0] = tables.names[index].ctypes.data
        tables.read_headers[index, 1] = tables.facts[NAME_LENGTH]
        tables.read_headers[index, 2] = tables.read_vectors[index].ctypes.data
        tables.read_headers[index, 3] = 1
        # Its length stays 0 where nothing is stamped.
        tables.read_headers[index, 4] = tables.stamps[index].ctypes.data
        tables.write_headers[index, 1] = tables.facts[NAME_LENGTH]
        tables.write_headers[index, 2] = tables.write_vectors[index].ctypes.data
        tables.write_headers[index, 3] = 1
