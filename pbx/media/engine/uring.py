"""A packet thread's io_uring: sends on many sockets by one system call.

A tick sends a packet to each voice, each by the voice's own socket, which no other call can do at
once. `kernels.batch` fills the ring and hands it to the kernel; here it is made. Linux has what is
asked for since 6.1; where it hasn't, or mustn't (a container's rules), each packet is sent alone.
"""

import ctypes
import mmap
import os

import numpy as np

from pbx.media.engine import tables as t

_SETUP = 425
"""The number of io_uring_setup(2), the same on all processors."""

_SUBMIT_ALL = 1 << 7
"""One that fails doesn't hold up those behind it."""

_SINGLE_ISSUER = 1 << 12
_DEFER_TASKRUN = 1 << 13
"""Nobody but the thread that has made it hands it over, and nothing is done behind its back."""

_SINGLE_MMAP = 1
"""Both queues are in one piece of memory."""

_SQES_OFFSET = 0x10000000

# --- struct io_uring_params, in 32-bit words ----------------------------------------------------------
_WORDS = 30
_SQ_ENTRIES = 0
_CQ_ENTRIES = 1
_FLAGS = 2
_FEATURES = 5
_SQ_TAIL = 11
_SQ_ARRAY = 16
_CQ_TAIL = 21
_CQ_CQES = 25

_CALL = 8 * t.CALL_WORDS
_ANSWER = 8 * t.ANSWER_WORDS


class Uring:
    """One ring; the thread that makes it is the one that uses it.

    Args:
        facts: of the thread's tables, which tell the kernels from now on.

    Raises:
        OSError: this kernel has none, or doesn't let us have it.
    """

    def __init__(self, facts: t.Words) -> None:
        self._facts = facts
        words = np.zeros(_WORDS, np.uint32)
        words[_FLAGS] = _SUBMIT_ALL | _SINGLE_ISSUER | _DEFER_TASKRUN
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(libc.syscall(_SETUP, t.CALLS, ctypes.c_void_p(words.ctypes.data)))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            self._map(words)
        except BaseException:
            os.close(self._fd)
            raise
        facts[t.URING_FD] = self._fd

    def _map(self, words: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> None:
        sizes = words[[_SQ_ENTRIES, _CQ_ENTRIES]].tolist()
        if sizes != [t.CALLS, t.ANSWERS] or not words[_FEATURES] & _SINGLE_MMAP:
            raise OSError("a ring of another shape")
        length = max(words[_SQ_ARRAY] + 4 * t.CALLS, words[_CQ_CQES] + _ANSWER * t.ANSWERS)
        self._queues = np.frombuffer(self._piece(int(length), 0), np.uint8)
        self._calls = np.frombuffer(self._piece(_CALL * t.CALLS, _SQES_OFFSET), np.uint8)
        order = int(words[_SQ_ARRAY])
        # Calls are made in the order of their places.
        self._queues[order : order + 4 * t.CALLS].view(np.uint32)[:] = range(t.CALLS)
        begin = self._queues.ctypes.data
        self._facts[t.CALLS_AT] = self._calls.ctypes.data
        self._facts[t.CALLS_TAIL_AT] = begin + int(words[_SQ_TAIL])
        self._facts[t.ANSWERS_AT] = begin + int(words[_CQ_CQES])
        self._facts[t.ANSWERS_TAIL_AT] = begin + int(words[_CQ_TAIL])
        self._facts[t.ANSWERS_HEAD_AT] = begin + int(words[_CQ_TAIL - 1])

    def _piece(self, length: int, offset: int) -> mmap.mmap:
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        return mmap.mmap(self._fd, length, flags=flags, offset=offset)

    def close(self) -> None:
        """Give it back; the thread has ended."""
        self._facts[t.URING_FD] = -1
        os.close(self._fd)
