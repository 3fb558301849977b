"""Sends on many sockets by one system call, through the thread's io_uring (`uring`).

Half of what a tick's packets take is the way into the kernel and out of it: after each of them the
scheduler may let somebody run whom the packet has woken. What is handed over together goes out
together.
"""

from typing import Any

from pbx.media.engine import tables as t
from pbx.media.engine.native import (
    MSG_DONTWAIT,
    kernel,
    load_32,
    row_of,
    store_32,
    system_call,
    words_at,
)

_ENTER = 426
"""The number of io_uring_enter(2), the same on all processors."""

_GETEVENTS = 1
_SEND = 26
"""IORING_OP_SEND."""

_FAILED = 0x80000000
"""The sign of an answer, of 32 bits."""


@kernel
def can_batch(tables: Any) -> Any:
    """Return whether the thread has a ring."""
    return tables.facts[t.URING_FD] >= 0


@kernel
def put_send(tables: Any, fd: Any, address: Any, octets: Any, number: Any) -> None:
    """Add the sending of a packet by a connected socket to the batch.

    Args:
        tables: the packet thread's, which `can_batch`.
        fd: the socket.
        address, octets: where the packet is, until `send_batch` has returned.
        number: its own in this batch, 0 to 63.
    """
    calls = words_at(tables.facts[t.CALLS_AT], t.CALLS, t.CALL_WORDS)
    call = row_of(calls, tables.totals[t.CALLS_MADE] & (t.CALLS - 1))
    call[0] = _SEND | fd << 32
    call[1] = 0
    call[2] = address
    call[3] = octets | MSG_DONTWAIT << 32
    call[4] = number
    call[5] = call[6] = call[7] = 0
    tables.totals[t.CALLS_MADE] += 1


@kernel
def send_batch(tables: Any, count: Any) -> Any:
    """Hand all that has been put to the kernel.

    Args:
        tables: the packet thread's.
        count: how many there are.

    Returns:
        Those that it has sent, bit n for number n.
    """
    store_32(tables.facts[t.CALLS_TAIL_AT], tables.totals[t.CALLS_MADE])
    fd = tables.facts[t.URING_FD]
    # All of them are done at once, or refused: none waits.
    if system_call(_ENTER, fd, count, count, _GETEVENTS, 0, 0) != count:
        # What it has left would be sent with the next batch, and be another packet by then.
        tables.facts[t.URING_FD] = -1
    answers = words_at(tables.facts[t.ANSWERS_AT], t.ANSWERS, t.ANSWER_WORDS)
    answered = tables.totals[t.ANSWERED]
    sent = 0
    while (load_32(tables.facts[t.ANSWERS_TAIL_AT]) - answered) & 0xFFFFFFFF != 0:
        answer = row_of(answers, answered & (t.ANSWERS - 1))
        if answer[1] & _FAILED == 0:
            sent |= 1 << answer[0]
        answered += 1
    tables.totals[t.ANSWERED] = answered
    store_32(tables.facts[t.ANSWERS_HEAD_AT], answered)
    return sent
