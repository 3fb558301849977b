"""Where a call's sound comes from and goes to; here: files, by a clock of our own."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hw.softphone.g711 import Samples
from hw.softphone.locale import say
from hw.softphone.session import PTIME_MS
from hw.softphone.stream import FRAME, SILENCE
from hw.softphone.wav import WavSink, WavSource
from hw.softphone.words import error_in_words

BACKLOG_S = 0.2
"""So late the clock may be and still catch up; more is left out."""


class Sound(Protocol):
    """Microphone and loudspeaker of the phone, on a thread of their own.

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
        trouble: takes a sentence where the recording can't go on; on any thread.

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
            self._trouble(say("cannot-record", path=self._record, why=error_in_words(error)))
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
                self._trouble(say("cannot-record", path=self._record, why=error_in_words(error)))

    def close(self) -> None:
        """Close both."""
        self.close_source()
        self.close_sink()


class FileSound:
    """Sound from and to files alone.

    On a thread of its own, as a card's is: what is drawn on the screen meanwhile delays no sound.

    Args:
        ends: the files.
    """

    def __init__(self, ends: FileEnds) -> None:
        self._ends = ends
        self.stuck = False
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self, exchange: Callable[[Samples], Samples]) -> None:
        """As `Sound`."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, args=(exchange,), daemon=True)
        self._thread.start()

    def _run(self, exchange: Callable[[Samples], Samples]) -> None:
        due = time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            self._ends.write(exchange(self._ends.read()))
            due = max(due + PTIME_MS / 1000, time.monotonic() - BACKLOG_S)

    def answered(self) -> None:
        """As `Sound`."""
        self._ends.speaking = True

    def stop(self) -> None:
        """As `Sound`."""
        if self._thread is not None:
            self._stopped.set()
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """As `Sound`."""
        self.stop()
        self._ends.close()
