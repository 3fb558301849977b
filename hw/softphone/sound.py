"""Where a call's sound comes from and goes to; here: files, by a clock of our own."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hw.softphone.g711 import Samples
from hw.softphone.locale import say
from hw.softphone.session import PTIME_MS
from hw.softphone.stream import FRAME, SILENCE
from hw.softphone.wav import WavSink, WavSource

BACKLOG_S = 0.2
"""So late the clock may be and still catch up; more is left out."""


class Sound(Protocol):
    """Microphone and loudspeaker of the phone.

    Attributes:
        stuck: a library may never return from being closed: the program must end without that.
    """

    stuck: bool

    def start(self, exchange: Callable[[Samples], Samples]) -> None:
        """Begin: `exchange` takes 20 ms from the microphone and returns 20 ms for the loudspeaker.

        Raises:
            StartError: that is impossible.
        """

    def answered(self) -> None:
        """From now on somebody listens."""

    def stop(self) -> None:
        """End what `start` began; nothing happens where it didn't."""

    def close(self) -> None:
        """Give everything back."""


class FileEnds:
    """The files that stand for microphone and loudspeaker, each where it is wanted.

    Args:
        play: the microphone's, from the answer on, once.
        record: the loudspeaker's, from the first sound on.
        trouble: takes a sentence where the recording can't go on.

    Raises:
        StartError: a file can't be used.
    """

    def __init__(
        self, play: Path | None, record: Path | None, trouble: Callable[[str], None]
    ) -> None:
        self._source = WavSource(play) if play is not None else None
        try:
            self._sink = WavSink(record) if record is not None else None
        except BaseException:
            self.close_source()
            raise
        self._record = record
        self._trouble = trouble
        self.speaking = False

    @property
    def plays(self) -> bool:
        """A file is the microphone."""
        return self._source is not None

    @property
    def records(self) -> bool:
        """A file is the loudspeaker."""
        return self._record is not None

    def read(self) -> Samples:
        """Return the next 20 ms; silence before the answer and after the end."""
        return self._source.read(FRAME) if self._source and self.speaking else SILENCE

    def write(self, heard: Samples) -> None:
        """Keep 20 ms."""
        if self._sink is None:
            return
        try:
            self._sink.write(heard)
        except OSError as error:
            self._trouble(say("cannot-record", path=self._record, why=error.strerror))
            with contextlib.suppress(OSError):
                self._sink.close()
            self._sink = None

    def close_source(self) -> None:
        """Close the file that is played."""
        if self._source is not None:
            self._source.close()

    def close_sink(self) -> None:
        """Close the file that is recorded."""
        sink, self._sink = self._sink, None
        if sink is not None:
            try:
                sink.close()
            except OSError as error:
                self._trouble(say("cannot-record", path=self._record, why=error.strerror))

    def close(self) -> None:
        """Close both."""
        self.close_source()
        self.close_sink()


class FileSound:
    """Sound from and to files alone.

    Args:
        ends: the files.
    """

    def __init__(self, ends: FileEnds) -> None:
        self._ends = ends
        self.stuck = False
        self._task: asyncio.Task[None] | None = None

    def start(self, exchange: Callable[[Samples], Samples]) -> None:
        """As `Sound`."""
        self._task = asyncio.get_running_loop().create_task(self._run(exchange))

    async def _run(self, exchange: Callable[[Samples], Samples]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._ends.write(exchange(self._ends.read()))
            due = max(due + PTIME_MS / 1000, loop.time() - BACKLOG_S)
            await asyncio.sleep(max(0.0, due - loop.time()))

    def answered(self) -> None:
        """As `Sound`."""
        self._ends.speaking = True

    def stop(self) -> None:
        """As `Sound`."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """As `Sound`."""
        self.stop()
        self._ends.close()
