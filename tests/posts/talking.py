"""Phones that send PCMU in packets of any length, whatever anybody's SDP says, and what is said.

What they say is noise made of G.711's own values: each sample is found again, or is missing.
"""

import heapq
import itertools
import random
import select
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from pbx.api.schema import Recording, Recordings
from pbx.media.engine.file_row import HEADER
from tests.app.phone import Phone
from tests.interop.exchange import Exchange
from tests.interop.net_phone import punctual
from tests.interop.program import find
from tests.interop.waiting import until
from tests.media.kernels import twins_g711
from tests.media.kernels.sound import Sound
from tests.media.wav_files import read_wav

RATE = 8000
LEAD_S = 0.8
"""So much is sent ahead, that a busy machine makes no packet late; a second would be another time line."""

_VALUES = np.array([twins_g711.decode_ulaw(code) for code in range(256)], np.int16)
_QUIET = np.flatnonzero(np.abs(_VALUES.astype(np.int32)) < 6000).astype(np.uint8)
"""Codes of which two together don't clip."""

_HEADER = struct.Struct("!BBHII")
_STREAMS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet.

    Args:
        at_s: when it is sent, from the beginning of the talk.
        data: the packet.
    """

    at_s: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Speech:
    """What a party says.

    Args:
        codes: in mu-law.
        packets: that it is sent in.
    """

    codes: bytes
    packets: list[Packet]

    @property
    def sound(self) -> Sound:
        """The samples."""
        return _VALUES[np.frombuffer(self.codes, np.uint8)]


def speech(sizes_ms: Sequence[int], seconds: float) -> Speech:
    """Return noise that nobody else says, in packets of these lengths in turn.

    Args:
        sizes_ms: of packets; the last one takes what is left.
        seconds: of it all.
    """
    number = next(_STREAMS)
    codes = np.random.default_rng(number).choice(_QUIET, int(RATE * seconds)).tobytes()
    packets: list[Packet] = []
    at = 0
    for sequence, size_ms in enumerate(itertools.cycle(sizes_ms)):
        payload = codes[at : at + RATE * size_ms // 1000]
        if not payload:
            break
        header = _HEADER.pack(0x80, 0, sequence, at, 0x5000_0000 + number)
        packets.append(Packet(at / RATE, header + payload))
        at += len(payload)
    return Speech(codes, packets)


def through_a_bad_network(said: Speech, size_ms: int) -> tuple[Speech, Sound]:
    """Return what is left of a speech of two seconds, and how that sounds: lost packets are silence.

    Others come up to 150 ms late, and overtake each other.

    Args:
        said: the speech.
        size_ms: of each of its packets.
    """
    chance = random.Random(1)
    # In the first half second the track's place is looked for
    lost = set(chance.sample(range(20, len(said.packets)), 15)) | {40, 41, 42}
    brought = [
        replace(packet, at_s=packet.at_s + chance.uniform(0.0, 0.15) * (number > 0))
        for number, packet in enumerate(said.packets)
        if number not in lost
    ]
    assert [one.at_s for one in brought] != sorted(one.at_s for one in brought)
    heard, size = said.sound.copy(), RATE * size_ms // 1000
    for number in lost:
        heard[number * size : (number + 1) * size] = 0
    return replace(said, packets=brought), heard


class Mouth:
    """A phone's socket for sound.

    Args:
        rtp: the socket, bound.
    """

    def __init__(self, rtp: socket.socket) -> None:
        self.rtp = rtp
        self.to = ("127.0.0.1", 0)
        """Where it sends."""
        self.got: list[bytes] = []
        """The packets that have come."""

    def take_in(self) -> None:
        """Keep what has come."""
        with suppress(BlockingIOError):
            while True:
                self.got.append(self.rtp.recv(2048, socket.MSG_DONTWAIT))

    @property
    def sizes_ms(self) -> list[int]:
        """How long the packets were that have come."""
        return [(len(one) - _HEADER.size) * 1000 // RATE for one in self.got]


class TalkingPhone(Phone):
    """A phone of one user of an exchange.

    Args:
        exchange: whose user it is.
        number, password: the user's.
        ptime_ms: what its SDP asks for; 0: nothing.
    """

    def __init__(
        self, exchange: Exchange, number: str, password: str, *, ptime_ms: int = 20
    ) -> None:
        super().__init__(exchange.port, number, password)
        self._ptime_ms = ptime_ms
        self.mouth = Mouth(self.rtp)

    @property
    def sdp(self) -> bytes:
        """PCMU, in packets of the length that it says it likes."""
        more = f"a=ptime:{self._ptime_ms}\r\n" if self._ptime_ms else ""
        return super().sdp + more.encode()


class RecordedFile:
    """What a running call is recorded to.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def wait_running(self) -> None:
        """Wait until what is said is recorded: the engine has begun when the first block is there."""
        until(f"{self.path} grows", lambda: self._size() > HEADER)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def whole(self, *sounds: Sound) -> list[Sound]:
        """Wait until sounds are in its tracks, of which one may have them all; return what sox reads."""
        tracks = until(f"it is in {self.path}", lambda: self._whole(sounds))
        return by_sox(self.path, len(tracks))

    def _whole(self, sounds: Sequence[Sound]) -> list[Sound] | None:
        tracks, _ = read_wav(self.path)
        for sound, track in zip(sounds, itertools.cycle(tracks), strict=False):
            # What is in the file doesn't change any more
            at, alike = likeness(sound[: RATE // 2], track)
            if alike < 0.5 or len(track) < at + len(sound):
                return None
        return tracks


class Recorded(RecordedFile):
    """A running call of an exchange, which is recorded from a moment on.

    Args:
        exchange: the exchange.
        called: the number, which nobody else has dialled.
    """

    def __init__(self, exchange: Exchange, called: str) -> None:
        super().__init__(Path())
        self._exchange = exchange
        (self.id,) = [one.id for one in exchange.running_calls() if one.called == called]

    def begin(self, *, stereo: bool) -> None:
        """Have it recorded from now on."""
        given = "yes" if stereo else "no"
        said = self._exchange.call("record", call=self.id, stereo=given)
        self.path = Path(msgspec.json.decode(said, type=Recording).file)


def recorded_by_itself(exchange: Exchange, caller: str, called: str) -> RecordedFile:
    """Wait until the call between two numbers is recorded, as one of their users wants; return its file."""

    def found() -> list[Path]:
        said = msgspec.json.decode(exchange.call("recordings", number=caller), type=Recordings)
        return [Path(said.folder, one.file) for one in said.files if one.called == called]

    (path,) = until(f"{caller} to {called} is recorded", found, 30, why_not=exchange.why)
    until(f"{path} is there", path.exists)
    return RecordedFile(path)


def by_sox(path: Path, tracks: int = 2) -> list[Sound]:
    """Return the tracks of a file as a program reads it that shares nothing with us."""
    argv = [find("sox"), str(path), "-t", "raw", "-"]
    done = subprocess.run(argv, capture_output=True, timeout=30, check=True)
    assert done.stderr == b""
    return [*np.frombuffer(done.stdout, "<i2").reshape(-1, tracks).T]


def talk(*speeches: tuple[Mouth, Speech]) -> None:
    """Have all that is said sent `LEAD_S` before its time; take in what comes meanwhile."""
    due = [
        (packet.at_s, next(_STREAMS), mouth, packet)
        for mouth, said in speeches
        for packet in said.packets
    ]
    heapq.heapify(due)
    mouths = {mouth.rtp.fileno(): mouth for mouth, _ in speeches}
    begun = time.monotonic()
    with punctual():
        while due:
            while due and due[0][0] - LEAD_S <= time.monotonic() - begun:
                _, _, mouth, packet = heapq.heappop(due)
                mouth.rtp.sendto(packet.data, mouth.to)
            wait_s = due[0][0] - LEAD_S - (time.monotonic() - begun) if due else 0.0
            for ready in select.select(list(mouths), [], [], max(wait_s, 0.0))[0]:
                mouths[ready].take_in()


def likeness(sound: Sound, track: Sound) -> tuple[int, float]:
    """Return where in a track a sound is found best, and the correlation of both there."""
    if len(track) < len(sound):
        return -1, 0.0
    size = len(track) + len(sound)
    spectrum = np.fft.rfft(track, size) * np.conj(np.fft.rfft(sound, size))
    places = np.fft.irfft(spectrum, size)[: len(track) - len(sound) + 1]
    at = int(np.argmax(places))
    there = track[at : at + len(sound)].astype(np.float64)
    if not there.any():
        return -1, 0.0
    return at, float(np.corrcoef(sound, there)[0, 1])


def assert_said(sound: Sound, track: Sound) -> int:
    """Assert that a track has every sample of a sound, in its place; return where it begins."""
    at, alike = likeness(sound, track)
    assert alike > 0.99
    assert np.array_equal(track[at : at + len(sound)], sound)
    return at


def assert_mixed(track: Sound, *sounds: Sound) -> None:
    """Assert that a track is the sum of two sounds, each whole, and each without a seam."""
    places = [likeness(sound, track)[0] for sound in sounds]
    for own, other in ((0, 1), (1, 0)):
        # What is left of the mix without the one party is the other
        rest = track.astype(np.int32)
        rest[places[other] : places[other] + len(sounds[other])] -= sounds[other]
        there = rest[places[own] : places[own] + len(sounds[own])]
        assert np.array_equal(there, sounds[own])
