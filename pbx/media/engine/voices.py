"""The voices as the main thread sees them: their coders and rooms, and what they have counted."""

import secrets
from dataclasses import dataclass

import numpy as np

from pbx.media import codecs, emodel
from pbx.media.engine import ring_row, voice_row
from pbx.media.engine.coder import DEFAULT_OPUS, OpusSettings
from pbx.media.engine.coders import Coders
from pbx.media.engine.kernels import mix
from pbx.media.engine.libraries import Libraries
from pbx.media.engine.line_watch import LineWatch, cleared
from pbx.media.engine.packet_threads import PacketThreads
from pbx.media.engine.rooms import Rooms
from pbx.media.engine.stream_record import (
    MAX_CLOCK,
    ImpossibleError,
    command_record,
    fraction_percent,
    percent,
    trip_ms,
)
from pbx.media.engine.tables import Words
from pbx.media.engine.tone_plans import DTMF_DIGITS
from pbx.media.protocol import (
    LEAST_GAIN_DB,
    MOST_GAIN_DB,
    EndDigit,
    Line,
    SendDigits,
    Voice,
    VoiceCounts,
)

_PTIMES_MS = {codecs.GSM: (20, 40, 60), codecs.OPUS: (10, 20, 40, 60), codecs.L16_48000: (10, 20)}
"""What fits the codec's frames, or a packet."""

_ANY_PTIME_MS = (10, 20, 30, 40, 50, 60)

_DTX_OCTETS = {codecs.OPUS: 2}
_CODES = {digit: code for code, digit in enumerate(DTMF_DIGITS)}
_DIGIT_MS = (40, 10_000)

_AMPLE = 40000
"""Bits per second that Opus never comes to here."""

_STEP = 800
"""Bits per second of Opus, so that packets of 10 to 60 ms have whole octets."""


@dataclass(slots=True)
class _Running:
    """What has been set of one voice."""

    voice: Voice
    decoder: int
    encoder: int
    line: LineWatch | None


class Voices:
    """Turns `Voice`, `SendDigits` and `EndDigit` into commands, and keeps what they need.

    Args:
        libraries: the codecs' libraries.
        packets: the packet threads.
        rooms: rows for rooms, shared with the players.
        coders: rows of the coder table, shared with the taps.
    """

    def __init__(
        self, libraries: Libraries, packets: PacketThreads, rooms: Rooms, coders: Coders
    ) -> None:
        self._libraries = libraries
        self._packets = packets
        self._rooms = rooms
        self._coders = coders
        self._running: dict[int, _Running] = {}
        self._ending: dict[int, list[_Running]] = {}
        self._event_types: dict[int, int] = {}

    @property
    def codecs(self) -> list[str]:
        """The encoding names of what a voice can be, and of what goes beside its sound."""
        known = {*self._libraries.codecs, codecs.CN, codecs.TELEPHONE_EVENT}
        return list(dict.fromkeys(one.name for one in codecs.CODECS if one.number in known))

    def voice(self, row: int) -> Voice | None:
        """Return what has been set of a voice; None where the stream is none."""
        running = self._running.get(row)
        return running.voice if running else None

    def stream_set(self, row: int, event_type: int) -> None:
        """Take note of which telephone-events a stream's peer takes; -1 none."""
        self._event_types[row] = event_type

    def set(self, voice: Voice, row: int, partner: int) -> None:
        """Begin or change a voice.

        Args:
            voice: what the exchange wants.
            row: of its stream.
            partner: of its partner's stream; -1 none.

        Raises:
            ImpossibleError: a number is out of its range, or the codec is not to be had.
        """
        _check(voice)
        before = self._running.get(row)
        room = self._rooms.enter(voice.room)
        if before is not None and _coding(before.voice) == _coding(voice):
            decoder, encoder = before.decoder, before.encoder
        else:
            try:
                decoder, encoder = self._open(voice)
            except ImpossibleError:
                self._rooms.leave(voice.room)
                raise
        if before is not None:
            self._rooms.leave(before.voice.room)
        line = _watch(voice, before.line if before else None)
        self._running[row] = _Running(voice, decoder, encoder, line)
        self._packets.command(_record(voice, row, decoder, encoder, room, partner))

    def _open(self, voice: Voice) -> tuple[int, int]:
        """Open the coders of a voice; returns their rows."""
        try:
            opus = opus_settings(voice)
            decoder = self._coders.decoder(voice.codec, opus.rate)
            try:
                return decoder, self._coders.encoder(voice.codec, opus)
            except ImpossibleError:
                self._coders.free([decoder])
                raise
        except ImpossibleError as error:
            raise ImpossibleError(f"port {voice.port}: {error}") from error

    def line(self, row: int, events: int, burst: int) -> Line | None:
        """Return what is news on a voice's line, by a `ring_row.LINE` report."""
        running = self._running.get(row)
        # What is said of the voice before concerns nobody any more
        if running is None or running.line is None or self._ending.get(row):
            return None
        return running.line.heard(events, burst)

    def release(self, row: int) -> None:
        """Take note that the stream is being released."""
        running = self._running.pop(row, None)
        if running is not None:
            self._ending.setdefault(row, []).append(running)

    def stop(self, row: int) -> None:
        """Let a voice be a stream again."""
        self.release(row)
        self._packets.command(command_record(ring_row.STOP_VOICE, row))

    def released(self, row: int) -> None:
        """Take note that its packet thread has ended a voice."""
        running = self._ending[row].pop(0)
        self._rooms.leave(running.voice.room)
        self._coders.free([running.decoder, running.encoder])

    def send_digits(self, message: SendDigits, row: int) -> bool:
        """Send digits as telephone-events; returns False where the peer takes none.

        Raises:
            ImpossibleError: the port is no voice, and its peer takes no telephone-events; or these
                are no digits.
        """
        voice = self.voice(row)
        event_type = voice.event_type if voice else self._event_types[row]
        if voice is None and event_type < 0:
            raise ImpossibleError(f"port {message.port} is no voice")
        codes = [_CODES.get(digit, -1) for digit in message.digits.upper()]
        if not 0 < len(codes) <= voice_row.MOST_DIGITS or -1 in codes:
            raise ImpossibleError(f"{message.digits!r} can't be dialled")
        least, most = _DIGIT_MS
        if not (least <= message.on_ms <= most and 20 <= message.off_ms <= 5000):
            raise ImpossibleError(f"digits of {message.on_ms} and {message.off_ms} ms")
        if event_type < 0:
            return False
        record = command_record(ring_row.SEND_DIGITS, row)
        record[ring_row.SETTINGS] = len(codes)
        for word in range(2):
            packed = sum(
                code << 4 * at for at, code in enumerate(codes[16 * word : 16 * word + 16])
            )
            record[ring_row.SETTINGS + 1 + word] = np.uint64(packed).astype(np.int64)
        record[ring_row.SETTINGS + 3] = message.on_ms
        record[ring_row.SETTINGS + 4] = message.off_ms
        self._packets.command(record)
        return True

    def end_digit(self, message: EndDigit, row: int) -> None:
        """Tell how long a telephone-event lasts, where the peer takes any.

        Raises:
            ImpossibleError: no digit is so long.
        """
        least, most = _DIGIT_MS
        if not least <= message.on_ms <= most:
            raise ImpossibleError(f"a digit of {message.on_ms} ms")
        voice = self.voice(row)
        if voice is not None and voice.event_type >= 0:
            record = command_record(ring_row.END_DIGIT, row)
            record[ring_row.SETTINGS] = message.on_ms
            self._packets.command(record)


def _watch(voice: Voice, before: LineWatch | None) -> LineWatch | None:
    """Return what watches a voice's line, which goes on where it was watched before."""
    country = voice.country.upper()
    if not voice.line or (before is not None and before.country == country):
        return before if voice.line else None
    return LineWatch(voice.port, country)


def pcm_rate(voice: Voice) -> int:
    """Return the samples per second that a voice is decoded to."""
    return voice.rate or codecs.codec(voice.codec).pcm_rate


def opus_settings(voice: Voice) -> OpusSettings:
    """Return how Opus is encoded for a voice.

    A variable rate may be a tenth above its aim for long, which is more than the peer takes where
    that is little: it gets a constant one, of whole octets in packets of any length.
    """
    limited = 0 < voice.bitrate < _AMPLE
    most = DEFAULT_OPUS.bitrate
    return OpusSettings(
        rate=voice.rate or DEFAULT_OPUS.rate,
        plays_hz=voice.plays_hz or DEFAULT_OPUS.plays_hz,
        fec=voice.fec,
        bitrate=min(voice.bitrate // _STEP * _STEP, most) if limited else most,
        constant=limited,
    )


def _coding(voice: Voice) -> tuple[int, int, int, bool, int]:
    """Return all that coders are opened with."""
    return voice.codec, voice.rate, voice.plays_hz, voice.fec, voice.bitrate


def _check(voice: Voice) -> None:
    codec = codecs.codec(voice.codec) if 1 <= voice.codec <= len(codecs.CODECS) else None
    if codec is None or not codec.pcm_rate:
        raise ImpossibleError(f"port {voice.port}: codec {voice.codec} carries no speech")
    if voice.ptime_ms not in _PTIMES_MS.get(voice.codec, _ANY_PTIME_MS):
        raise ImpossibleError(f"port {voice.port}: {codec.name} in packets of {voice.ptime_ms} ms")
    if voice.rate and (voice.codec != codecs.OPUS or voice.rate not in codecs.OPUS_RATES):
        raise ImpossibleError(f"port {voice.port}: {codec.name} at {voice.rate} Hz")
    if not 0 <= voice.plays_hz <= MAX_CLOCK:
        raise ImpossibleError(f"port {voice.port}: a peer that plays {voice.plays_hz} Hz")
    least, most = codecs.OPUS_BITRATES
    if voice.bitrate and not least <= voice.bitrate <= most:
        raise ImpossibleError(f"port {voice.port}: {voice.bitrate} bit/s")
    types = (voice.payload_type, voice.event_type, voice.noise_type)
    told = (voice.told_type, voice.told_event_type, voice.told_noise_type)
    if not all(-1 <= one <= 127 for one in types + told) or voice.payload_type < 0:
        raise ImpossibleError(f"port {voice.port}: payload types {types}, told {told}")
    numbers = (voice.level_in, voice.level_out, voice.speakers_out)
    same = voice.level_out != 0 and voice.level_out == voice.speakers_out
    if not all(0 <= one <= voice_row.MOST_EXTENSIONS for one in numbers) or same:
        raise ImpossibleError(f"port {voice.port}: header extensions {numbers}")
    if not 0 <= voice.event_clock <= MAX_CLOCK:
        raise ImpossibleError(f"port {voice.port}: telephone-events of {voice.event_clock} Hz")
    if not LEAST_GAIN_DB <= voice.gain_db <= MOST_GAIN_DB:
        raise ImpossibleError(f"port {voice.port}: a gain of {voice.gain_db} dB")
    if not 0 <= voice.room < 2**63 or (voice.room and voice.partner):
        raise ImpossibleError(f"port {voice.port}: room {voice.room}, partner {voice.partner}")
    if voice.partner == voice.port:
        raise ImpossibleError(f"port {voice.port} is its own partner")


def _record(voice: Voice, row: int, decoder: int, encoder: int, room: int, partner: int) -> Words:
    codec = codecs.codec(voice.codec)
    ie, bpl = emodel.impairment(voice.codec)
    record = command_record(ring_row.SET_VOICE, row)
    settings = record[ring_row.SETTINGS - 1 :]
    settings[voice_row.DECODER] = decoder
    settings[voice_row.ENCODER] = encoder
    settings[voice_row.PAYLOAD_TYPE] = voice.payload_type
    settings[voice_row.CLOCK] = codec.rtp_clock
    settings[voice_row.RATE] = pcm_rate(voice)
    settings[voice_row.PACKET] = voice.ptime_ms * pcm_rate(voice) // 1000
    settings[voice_row.EVENT_TYPE] = voice.event_type
    settings[voice_row.EVENT_CLOCK] = voice.event_clock or codec.rtp_clock
    settings[voice_row.NOISE_TYPE] = voice.noise_type
    settings[voice_row.TOLD_TYPE] = voice.told_type
    settings[voice_row.TOLD_EVENT_TYPE] = voice.told_event_type
    settings[voice_row.TOLD_NOISE_TYPE] = voice.told_noise_type
    settings[voice_row.ROOM] = room
    settings[voice_row.PARTNER] = partner
    settings[voice_row.FLAGS] = (
        (voice_row.SPEAKS if voice.speaks else 0)
        | (voice_row.LISTENS if voice.listens else 0)
        | (voice_row.ECHO if voice.echo else 0)
        | (voice_row.INBAND if voice.inband else 0)
        | (voice_row.METRICS if voice.metrics else 0)
        | (voice_row.DTX if voice.dtx else 0)
        | (voice_row.WATCHED if voice.line else 0)
        | (voice_row.HIDES_KEYS if voice.hides_keys else 0)
        | voice.level_in << voice_row.LEVEL_IN_SHIFT
        | voice.level_out << voice_row.LEVEL_OUT_SHIFT
        | voice.speakers_out << voice_row.SPEAKERS_OUT_SHIFT
    )
    settings[voice_row.GAIN] = round(mix.UNITY * 10 ** (voice.gain_db / 20))
    settings[voice_row.CODEC_IE] = round(10 * ie)
    settings[voice_row.CODEC_BPL] = round(10 * bpl)
    settings[voice_row.DTX_OCTETS] = _DTX_OCTETS.get(voice.codec, 0)
    if voice.line:
        turns, beside = cleared(voice.country.upper()).turns(pcm_rate(voice))
        settings[voice_row.LINE_TURNS], settings[voice_row.LINE_BESIDE] = turns, beside
    settings[voice_row.SSRC] = secrets.randbits(32)
    settings[voice_row.SEQUENCE] = secrets.randbits(16)
    settings[voice_row.TIMESTAMP] = secrets.randbits(32)
    return record


def voice_counts(record: Words, port: int) -> VoiceCounts:
    """Return what a VOICE_COUNTED record says of the voice at `port`."""

    def word(column: int) -> int:
        return int(record[column])

    return VoiceCounts(
        port=port,
        level_dbov=-word(ring_row.LEVEL),
        delay_ms=word(ring_row.DELAY_US) / 1000,
        concealed_ms=word(ring_row.CONCEALED_US) / 1000,
        late=word(ring_row.LATE),
        resyncs=word(ring_row.RESYNCS),
        loss_percent=percent(word(ring_row.MISSING), word(ring_row.EXPECTED)),
        worst_loss_percent=percent(word(ring_row.WORST_MISSING), word(ring_row.WORST_EXPECTED)),
        round_trip_ms=trip_ms(word(ring_row.ROUND_TRIP_NS)),
        peer_loss_percent=fraction_percent(word(ring_row.PEER_LOSS_256)),
        mos=max(word(ring_row.MOS_100), 0) / 100,
        peer_mos=word(ring_row.PEER_MOS_10) / 10,
        speaks=word(ring_row.SPEAKS) != 0,
        late_ticks=word(ring_row.LATE_TICKS),
    )
