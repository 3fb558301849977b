"""The programs that are measured, as the harness' peers: its own, the C loop, and we."""

import os
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.media.activity import packet_threads, switches
from tests.bench.media.anchor import FAULT
from tests.bench.media.asterisk import ETC, asterisk
from tests.bench.media.harness import BUILD, REPOSITORY

OURS, OURS_MUSIC, ASTERISK, ASTERISK_MUSIC = "ours", "ours-music", "asterisk", "asterisk-music"
OURS_LARGE = "ours-large"
"""With ports for more than 1000 streams."""

RTPENGINE, C_LOOP = "rtpengine", "c-loop"

FIRST_PORT, LAST_PORT = 30000, 30999
"""Of our engine: as many streams as an exchange has that nobody has set up otherwise."""

_LARGE_LAST_PORT = 32199

_REAL_TIME = 10
"""The priority, of the unit's LimitRTPRIO."""

_MUSIC_S = 60


class Ours:
    """Our engine, and the part of the exchange that keeps it, behind the harness' `TextRelay`.

    Args:
        peers: the harness' module.
        command: of a line that `join` asks the anchor with: C or M.
        last_port: of its streams.
        run: a folder for its files.
        options: the harness'.
    """

    kind = "relay"

    def __init__(self, peers: Any, command: str, last_port: int, run: str, **options: Any) -> None:
        words = ("-m", "tests.bench.media.anchor", run, str(FIRST_PORT), str(last_port))
        argv = [sys.executable, *words, str(BUILD / "music.wav")]
        self._relay = peers.TextRelay(OURS, argv, run, **options)
        self._relay.env["PYTHONPATH"] = str(REPOSITORY)
        self._peers = peers
        self._command = command
        self._nice = options.get("nice", 0)
        self.wakeups: list[tuple[float, int]] = []
        """When the window began and ended, and how often the engine had been woken by then."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._relay, name)

    def start(self) -> None:
        self._relay.start()
        for pid in self._relay.pids():
            # The engine is in a session of its own, which has its own place in the line.
            self._peers.first_in_line(pid, self._nice)

    @property
    def engine(self) -> list[int]:
        """The processes of the media engine: the one that runs, and the one that keeps it."""
        return [pid for pid in self._relay.pids() if pid != self._relay.proc.pid]

    def take_real_time(self) -> None:
        """Give the packet threads the priority that the service's limits let them ask for (LimitRTPRIO)."""
        for pid in self.engine:
            for thread in packet_threads(pid):
                os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(_REAL_TIME))

    def cpu(self) -> float:
        """As the harness': engine and exchange; it is asked at the begin and the end of a window."""
        self.wakeups.append((time.monotonic(), switches(self.engine)))
        return float(self._relay.cpu())

    def ask(self, line: str, within_s: float = 10.0) -> str:
        """Return the anchor's answer to a line.

        Raises:
            RuntimeError: something has gone wrong there.
        """
        self._relay.s.settimeout(within_s)
        self._relay.s.sendto(line.encode(), self._relay.ctl)
        answer = str(self._relay.s.recv(200).decode())
        if answer.startswith(FAULT):
            raise RuntimeError(answer.removeprefix(FAULT))
        return answer

    def alloc(
        self, a: tuple[str, int], b: tuple[str, int], codec_a: str = "pcmu", codec_b: str = "pcmu"
    ) -> tuple[tuple[str, int], tuple[str, int]]:
        """Anchor a call; returns where its phones send to."""
        one, two = self.ask(f"A {a[0]} {a[1]} {b[0]} {b[1]} {codec_a} {codec_b}").split()
        return ("127.0.0.1", int(one)), ("127.0.0.1", int(two))

    def join(self, phone: tuple[str, int]) -> tuple[str, int]:
        """Connect a phone with the conference, or with music; returns where it sends to."""
        return "127.0.0.1", int(self.ask(f"{self._command} {phone[0]} {phone[1]}"))


_MUSIC_FILES = {
    "extensions.conf": b"[bench]\nexten => _8XXX,1,Answer()\n same => n,MusicOnHold(bench)\n",
    "musiconhold.conf": f"[bench]\nmode = files\ndirectory = {ETC}/music\n".encode(),
}


def _asterisk_music(peers: Any, run: str, **options: Any) -> Any:
    """Return Asterisk that plays its music on hold to whoever calls the conference's number."""
    files = {**_MUSIC_FILES, "music/music.wav": (BUILD / "music.wav").read_bytes()}
    return asterisk(peers, run, files, ["res_musiconhold"], **options)


def register(bench: Any) -> dict[str, str]:
    """Make the harness know our programs; returns the versions of the others' packages.

    Args:
        bench: its module.
    """
    peers = bench.P
    known: dict[str, Callable[..., Any]] = {
        OURS: partial(Ours, peers, "C", LAST_PORT),
        OURS_LARGE: partial(Ours, peers, "C", _LARGE_LAST_PORT),
        OURS_MUSIC: partial(Ours, peers, "M", LAST_PORT),
        ASTERISK_MUSIC: partial(_asterisk_music, peers),
        C_LOOP: lambda run, **more: peers.TextRelay(
            C_LOOP, [str(BUILD / "relay_floor"), "ports"], run, **more
        ),
    }
    peers.KNOWN.update(known)
    write_music(BUILD / "music.wav")
    return {name: _version(peers.CHROOT, name) for name in ("asterisk", "rtpengine-daemon")}


def _version(root: Path, package: str) -> str:
    """Return the version of a Debian package in the peers' root."""
    command = ["chroot", str(root), "dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write_music(path: Path) -> None:
    """Write a minute of chords, which both players are given."""
    rate = 8000
    time_s = np.arange(_MUSIC_S * rate) / rate
    sound = np.zeros(len(time_s))
    for number, hertz in enumerate((262, 330, 392, 523)):
        sound += 3000 * np.sin(2 * np.pi * hertz * time_s) * np.sin(time_s * (1 + number) / 3) ** 2
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sound.astype("<i2").tobytes())
