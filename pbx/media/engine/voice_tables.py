"""The memory of voices, taps, players, rooms and recordings, as numpy arrays.

What isn't used is never touched, and so takes no memory. The main thread writes coder rows that no
voice has yet, and headers of recordings; `files` says itself who writes what (`file_row`), and what is
ready of `queues` is the writer's, with `wakes`; all else is the packet threads'. Rows of
streams, players and recordings are in tables for all threads, each row one thread's at a time; rooms and
what a packet or a tick needs are each thread's own.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pbx.media.engine import (
    coder_row,
    file_row,
    player_row,
    staged_row,
    tap_row,
    tape_row,
    voice_row,
)
from pbx.media.engine.kernels import resample, shared
from pbx.media.engine.tables import Words, lone

Sound = npt.NDArray[np.int16]

PACKET = 2048
"""Octets of the longest packet that is made."""

POSTED = 64
OUTBOX = 16 * PACKET
"""Packets, and octets of them, that are sent together."""

_TRAILER = 64
"""A protected packet is longer than it was made."""

# --- words of a room's row -------------------------------------------------------------------------
ROOM_TICK = 0
"""The tick that it was mixed in."""

ROOM_LIMITER = 1
"""Of what all hear who aren't heard; it recovers within a second, whoever comes next."""

ROOM_WIDTH = 2


class VoiceTables(NamedTuple):
    """All arrays of one packet thread's voices; kernels take them as one argument.

    `voices`, `sound`, `payloads` and `taps` have a row for each stream, `heard` another for each player.
    """

    functions: Words
    voices: Words
    sound: Sound
    payloads: npt.NDArray[np.uint8]
    coders: Words
    memories: Sound
    players: Words
    player_sound: Sound
    player_windows: Sound
    rooms: Words
    heard: Sound
    taps: Words
    tapped: Sound
    staged: Words
    stage: npt.NDArray[np.uint8]
    tapes: Words
    tracks: Sound
    files: Words
    headers: npt.NDArray[np.uint8]
    queues: Sound
    wakes: Words
    active: Words
    playing: Words
    members: Words
    chosen: Words
    loudness: Words
    total: npt.NDArray[np.int32]
    common: Sound
    spare: Sound
    outbox: npt.NDArray[np.uint8]
    posted: Words
    shared: Words
    shared_sound: Sound
    shared_payloads: npt.NDArray[np.uint8]
    name: npt.NDArray[np.uint8]


def make_voice_tables(streams: int, functions: Words, name: bytes) -> VoiceTables:
    """Return the tables of the first packet thread.

    Args:
        streams: rows of its stream table.
        functions: `libraries.Libraries.functions`.
        name: the canonical name in RTCP (RFC 3550 §6.5.1).
    """
    players = player_row.players(streams)
    rows = streams + players
    return VoiceTables(
        functions=functions,
        voices=np.zeros((streams, voice_row.WIDTH), np.int64),
        sound=np.zeros((streams, voice_row.SOUND), np.int16),
        payloads=np.zeros((streams, voice_row.PAYLOADS), np.uint8),
        # Twice: a voice that changes its codec has its old coders until it has the new ones.
        coders=np.zeros((4 * streams, coder_row.WIDTH), np.int64),
        memories=np.zeros((4 * streams, coder_row.MEMORY), np.int16),
        players=np.zeros((players, player_row.WIDTH), np.int64),
        player_sound=np.zeros((players, voice_row.FRAME), np.int16),
        player_windows=np.zeros((players, resample.WINDOW), np.int16),
        heard=np.zeros((rows, voice_row.FRAME), np.int16),
        taps=np.zeros((streams, tap_row.WIDTH), np.int64),
        tapes=np.zeros((tape_row.TAPES, tape_row.WIDTH), np.int64),
        tracks=np.zeros((tape_row.TAPES, 2 * tape_row.RING), np.int16),
        files=_no_files(),
        headers=np.zeros((tape_row.TAPES, file_row.HEADER), np.uint8),
        queues=np.zeros((tape_row.TAPES, 2 * tape_row.QUEUE), np.int16),
        wakes=np.zeros(1, np.int64),
        name=np.frombuffer(name, np.uint8).copy(),
        **_own_tables(streams, players),
    )


def voice_tables_beside(first: VoiceTables) -> VoiceTables:
    """Return the tables of another packet thread for the same streams.

    Args:
        first: of `make_voice_tables`.
    """
    return first._replace(**_own_tables(len(first.voices), len(first.players)))


def _own_tables(streams: int, players: int) -> dict[str, Any]:
    """Return what each packet thread has for itself."""
    rows = streams + players
    return {
        "rooms": np.zeros((rows, ROOM_WIDTH), np.int64),
        "active": lone(streams),
        "playing": lone(players),
        "members": lone(rows),
        "chosen": lone(rows),
        # Of those in `chosen`, in -dBov, where somebody is told.
        "loudness": lone(rows),
        "total": lone(voice_row.FRAME, np.int32),
        "common": lone(voice_row.FRAME, np.int16),
        "spare": lone(4 * voice_row.FRAME, np.int16),
        "outbox": lone(OUTBOX + _TRAILER, np.uint8),
        "posted": np.zeros((POSTED, 4), np.int64),
        # One for all streams: a packet after the other, it stays in the processor's cache.
        "tapped": lone(voice_row.LINE_SAMPLES, np.int16),
        "staged": np.zeros((staged_row.MOST, staged_row.WIDTH), np.int64),
        "stage": lone(staged_row.OCTETS, np.uint8),
        "shared": np.zeros((shared.ENTRIES, shared.WIDTH), np.int64),
        "shared_sound": np.zeros((shared.ENTRIES, voice_row.PACKING_SAMPLES), np.int16),
        "shared_payloads": np.zeros((shared.ENTRIES, PACKET), np.uint8),
    }


def _no_files() -> Words:
    files = np.zeros((tape_row.TAPES, file_row.WIDTH), np.int64)
    files[:, file_row.FD] = file_row.NOT_YET
    return files
