"""The taps as the main thread sees them: the decoders of streams that are recorded as they pass."""

from collections import defaultdict, deque

from pbx.media import codecs
from pbx.media.engine import ring_row, tap_row
from pbx.media.engine.coders import Coders
from pbx.media.engine.packet_threads import PacketThreads
from pbx.media.engine.stream_record import ImpossibleError, command_record
from pbx.media.protocol import Tap


class Taps:
    """Turns `Tap` into commands, and keeps what they need.

    Args:
        packets: the packet threads.
        coders: rows of the coder table, shared with the voices.
    """

    def __init__(self, packets: PacketThreads, coders: Coders) -> None:
        self._packets = packets
        self._coders = coders
        self._rates: dict[int, int] = {}
        # Of each stream, what its packet thread decodes with now, and what it has been sent since.
        self._decoders: defaultdict[int, deque[tuple[int, ...]]] = defaultdict(lambda: deque([()]))

    def rate(self, row: int) -> int:
        """Return the highest rate of what a stream may carry; 0 where it has no tap."""
        return self._rates.get(row, 0)

    def set(self, tap: Tap, row: int) -> None:
        """Begin or change the tap of a stream.

        Raises:
            ImpossibleError: a codec is not to be had, or there are none or too many.
        """
        found = [
            codecs.codec(codec) for _, codec in tap.formats if 1 <= codec <= len(codecs.CODECS)
        ]
        wrong = not 0 < len(tap.formats) <= tap_row.MOST or len(found) < len(tap.formats)
        if wrong or not all(0 <= number <= 127 for number, _ in tap.formats):
            raise ImpossibleError(f"port {tap.port}: a tap of {tap.formats}")
        decoders: list[int] = []
        try:
            for codec in found:
                decoders.append(self._coders.decoder(codec.number))
        except ImpossibleError as error:
            self._coders.free(decoders)
            raise ImpossibleError(f"port {tap.port}: {error}") from error
        record = command_record(ring_row.TAP, row)
        record[ring_row.SETTINGS] = len(found)
        settings = record[ring_row.SETTINGS + 1 :]
        for place, ((number, _), codec) in enumerate(zip(tap.formats, found, strict=True)):
            wanted = settings[place * tap_row.FORMAT :]
            wanted[tap_row.TYPE] = number
            wanted[tap_row.DECODER] = decoders[place]
            wanted[tap_row.RATE] = codec.pcm_rate
            wanted[tap_row.CLOCK] = codec.rtp_clock
        self._decoders[row].append(tuple(decoders))
        self._rates[row] = max(codec.pcm_rate for codec in found)
        self._packets.command(record)

    def release(self, row: int) -> None:
        """Take note that the stream is being released."""
        self._rates.pop(row, None)
        self._decoders[row].append(())

    def changed(self, row: int) -> None:
        """Take note that its packet thread has set a tap, or ended its stream."""
        self._coders.free(self._decoders[row].popleft())
