"""The sound card as microphone and loudspeaker, by PortAudio."""

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from hw.softphone.g711 import Samples
from hw.softphone.locale import say
from hw.softphone.resampler import Resampler
from hw.softphone.session import CLOCK_HZ
from hw.softphone.sound import FileEnds, FileSound, Sound
from hw.softphone.stream import FRAME, SILENCE
from pbx.errors import StartError

RATES_HZ = (CLOCK_HZ, 48000, 16000, 44100)
"""Tried in this order: not every card has the telephone's own rate."""

LATENCY_S = 0.06
"""What the card may hold back: a Pi that is busy must not stumble."""

GONE_S = 1.0
"""A card that asks for nothing for so long isn't there any more."""

CLOSE_S = 1.0
"""How long a card's closing is waited for: with one that was just unplugged it may never end."""


@dataclass(frozen=True, slots=True)
class Card:
    """What this machine has for sound.

    Args:
        portaudio: the library.
        rate_hz: at which its microphone and loudspeaker are used.
        listens, plays: it has a microphone, a loudspeaker.
    """

    portaudio: ModuleType
    rate_hz: int
    listens: bool
    plays: bool


class NoCard(Exception):
    """There is no sound card, or nothing to reach it by; the text says why."""


def find_card(*, listen: bool, play: bool) -> Card:
    """Return the default sound card, at the first rate that serves all of what is wanted.

    Args:
        listen, play: whether a microphone, a loudspeaker is wanted; one may be missing.

    Raises:
        NoCard: there is none of what is wanted.
    """
    try:
        # Only here: it looks for cards at once, and the library may be missing.
        import sounddevice
    except OSError as error:
        raise NoCard(say("no-portaudio", why=error)) from error
    why = say("no-card-found")
    part: Card | None = None
    for rate_hz in RATES_HZ:
        fits = {}
        for wanted, kind in ((listen, "input"), (play, "output")):
            try:
                if wanted:
                    check = getattr(sounddevice, f"check_{kind}_settings")
                    check(channels=1, dtype="int16", samplerate=rate_hz)
                fits[kind] = wanted
            except (sounddevice.PortAudioError, ValueError) as error:
                fits[kind] = False
                if sounddevice.query_devices():
                    why = str(error)
        card = Card(sounddevice, rate_hz, fits["input"], fits["output"])
        if (card.listens, card.plays) == (listen, play):
            return card
        if part is None and (card.listens or card.plays):
            part = card
    if part is None:
        raise NoCard(why)
    return part


def choose_sound(ends: FileEnds, trouble: Callable[[str], None]) -> Sound:
    """Return what the phone speaks and hears by: files where they are given, else the card.

    Args:
        ends: the files.
        trouble: takes a sentence where something is missing, or ends in a call.

    Raises:
        StartError: there is no card, and no file.
    """
    if ends.plays and ends.records:
        return FileSound(ends)
    try:
        card = find_card(listen=not ends.plays, play=not ends.records)
    except NoCard as error:
        if not (ends.plays or ends.records):
            raise StartError(say("no-card", why=error), os.EX_UNAVAILABLE) from error
        trouble(say("no-loudspeaker" if ends.plays else "no-microphone"))
        return FileSound(ends)
    if not (card.listens or ends.plays):
        trouble(say("no-microphone"))
    if not (card.plays or ends.records):
        trouble(say("no-loudspeaker"))
    return CardSound(card, ends, trouble)


class CardSound:
    """Sound of and for the card, by its own clock, on a thread of PortAudio's.

    Args:
        card: what there is.
        ends: files in place of what is not the card's.
        trouble: told where the card has gone.
    """

    def __init__(self, card: Card, ends: FileEnds, trouble: Callable[[str], None]) -> None:
        self._card = card
        self._ends = ends
        self._trouble = trouble
        self._instead = FileSound(ends)
        self._stream: Any = None
        self._watch: asyncio.Task[None] | None = None
        self.stuck = False

    def start(self, exchange: Callable[[Samples], Samples]) -> None:
        """As `Sound`."""
        work = _Work(self._card, self._ends, exchange)
        portaudio = self._card.portaudio
        kind, callback = {
            (True, True): ("Stream", work.both),
            (False, True): ("OutputStream", work.loudspeaker),
            (True, False): ("InputStream", work.microphone),
        }[self._card.listens, self._card.plays]
        stream = None
        try:
            stream = getattr(portaudio, kind)(
                samplerate=self._card.rate_hz,
                blocksize=self._card.rate_hz * FRAME // CLOCK_HZ,
                channels=1,
                dtype="int16",
                latency=LATENCY_S,
                callback=callback,
            )
            stream.start()
        except portaudio.PortAudioError as error:
            if stream is not None:
                self._give_back(stream)
            # The call goes on, if without what the card would have done.
            self._trouble(say("card-failed", why=error))
            self._instead.start(exchange)
            return
        self._stream = stream
        self._watch = asyncio.get_running_loop().create_task(self._watch_over(work, exchange))

    async def _watch_over(self, work: "_Work", exchange: Callable[[Samples], Samples]) -> None:
        """Go on without a card that was unplugged: not every kind of it says so."""
        blocks = -1
        while work.blocks != blocks:
            blocks = work.blocks
            await asyncio.sleep(GONE_S)
        stream, self._stream = self._stream, None
        self._give_back(stream, wait_s=0.0)
        self._trouble(say("card-gone"))
        self._instead.start(exchange)

    def _give_back(self, stream: Any, wait_s: float | None = None) -> None:
        """Close a stream on a thread, and wait for that `CLOSE_S` (or `wait_s`) and no longer."""
        closing = threading.Thread(target=stream.close, args=(True,), daemon=True)
        closing.start()
        closing.join(CLOSE_S if wait_s is None else wait_s)
        self.stuck = self.stuck or closing.is_alive()

    def answered(self) -> None:
        """As `Sound`."""
        self._ends.speaking = True

    def stop(self) -> None:
        """As `Sound`."""
        self._instead.stop()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        stream, self._stream = self._stream, None
        if stream is not None:
            self._give_back(stream)

    def close(self) -> None:
        """As `Sound`."""
        self.stop()
        self._ends.close()


class _Work:
    """What PortAudio's thread does for one call; blocks of the card's rate against frames of ours.

    Args:
        card: whose rate it is.
        ends: files in place of what is not the card's.
        exchange: as `Sound.start` has it.
    """

    def __init__(self, card: Card, ends: FileEnds, exchange: Callable[[Samples], Samples]) -> None:
        other = card.rate_hz != CLOCK_HZ
        self._down = Resampler(card.rate_hz, CLOCK_HZ) if other else None
        self._up = Resampler(CLOCK_HZ, card.rate_hz) if other else None
        self._ends = ends
        self._exchange = exchange
        self._spoken: Samples = SILENCE[:0]
        self._heard: Samples = SILENCE[:0]
        self.blocks = 0
        """How often the card has asked."""

    def both(self, indata: Any, outdata: Any, frames: int, time: Any, status: Any) -> None:
        """Take a block from the microphone, and give one to the loudspeaker."""
        self._listen(indata)
        outdata[:, 0] = self._play(frames, self._frame)

    def loudspeaker(self, outdata: Any, frames: int, time: Any, status: Any) -> None:
        """Give a block to the loudspeaker; a file, or nobody, speaks."""
        self.blocks += 1
        outdata[:, 0] = self._play(frames, self._ends.read)

    def microphone(self, indata: Any, frames: int, time: Any, status: Any) -> None:
        """Take a block from the microphone; what is heard goes to a file, or nowhere."""
        self._listen(indata)
        while len(self._spoken) >= FRAME:
            self._ends.write(self._exchange(self._frame()))

    def _listen(self, indata: Any) -> None:
        self.blocks += 1
        spoken: Samples = indata[:, 0]
        if self._down is not None:
            spoken = self._down.convert(spoken)
        self._spoken = np.concatenate([self._spoken, spoken])

    def _frame(self) -> Samples:
        """Return 20 ms from the microphone; silence where they aren't there yet."""
        if len(self._spoken) < FRAME:
            return SILENCE
        frame, self._spoken = self._spoken[:FRAME], self._spoken[FRAME:]
        return frame

    def _play(self, count: int, read: Callable[[], Samples]) -> Samples:
        while len(self._heard) < count:
            heard = self._exchange(read())
            if self._up is not None:
                heard = self._up.convert(heard)
            self._heard = np.concatenate([self._heard, heard])
        samples, self._heard = self._heard[:count], self._heard[count:]
        return samples
