"""Rows of the coder table: opened for voices and taps, and given back when no kernel uses them."""

from collections.abc import Callable, Iterable

from pbx.media.engine import coder
from pbx.media.engine.coder import DEFAULT_OPUS, CoderError, Memory, OpusSettings
from pbx.media.engine.libraries import Libraries
from pbx.media.engine.stream_record import ImpossibleError
from pbx.media.engine.tables import Words
from pbx.media.engine.voice_tables import VoiceTables

_Open = Callable[[Words, Memory], None]


class Coders:
    """The coders of all packet threads.

    Args:
        libraries: the codecs' libraries.
        tables: a packet thread's; the coders are all threads'.
    """

    def __init__(self, libraries: Libraries, tables: VoiceTables) -> None:
        self._libraries = libraries
        self._tables = tables
        self._free = list(range(len(tables.coders) - 1, -1, -1))

    def decoder(self, codec: int, opus_rate: int = DEFAULT_OPUS.rate) -> int:
        """Open a decoder; returns its row.

        Args:
            codec, opus_rate: see `coder.open_decoder`.

        Raises:
            ImpossibleError: the codec is not to be had, or no row is free.
        """
        return self._opened(
            lambda row, memory: coder.open_decoder(self._libraries, codec, row, memory, opus_rate)
        )

    def encoder(self, codec: int, opus: OpusSettings = DEFAULT_OPUS) -> int:
        """Open an encoder; otherwise like `decoder`."""
        return self._opened(
            lambda row, memory: coder.open_encoder(self._libraries, codec, row, memory, opus)
        )

    def _opened(self, opening: _Open) -> int:
        if not self._free:
            raise ImpossibleError("too many codecs change at once")
        row = self._free.pop()
        try:
            opening(self._tables.coders[row], self._tables.memories[row])
        except CoderError as error:
            self._free.append(row)
            raise ImpossibleError(str(error)) from error
        return row

    def free(self, rows: Iterable[int]) -> None:
        """Close coders that no kernel uses any longer; -1 is none."""
        for row in rows:
            if row >= 0:
                coder.close(self._libraries, self._tables.coders[row])
                self._free.append(row)
