"""The players as the main thread sees them: tones made, files read, and kept while they are heard."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
from msgspec import structs

from pbx.media.engine import player_row as p
from pbx.media.engine import ring_row, voice_row
from pbx.media.engine.background import Background
from pbx.media.engine.kernels import mix, tones
from pbx.media.engine.packet_threads import PacketThreads
from pbx.media.engine.rooms import Rooms
from pbx.media.engine.sound_file import SoundFile, SoundFileError
from pbx.media.engine.stream_record import ImpossibleError, SilentPortError, command_record
from pbx.media.engine.tone_plans import DTMF_LEVEL, TONES, Step, dtmf, parse_tone, program, tone
from pbx.media.protocol import Play, Played, Report, SendDigits

_TONE_RATE = 8000
_LEVEL_DB = (-60.0, 3.0)
_GAIN_DB = (-40.0, 18.0)

_PIECE_S = 2
"""Seconds of a file's sound that are read at once; then it's another file's turn."""


@dataclass(slots=True)
class _Player:
    """One player.

    Args:
        name: what the exchange calls it; negative for one that it doesn't know of.
        voice: the row of the voice that hears it, -1 none.
        room: the room that hears it, 0 none.
        row: its row of the player table; -1 while its file is being read.
        sound: what it plays; it must not go while it's heard.
        file: where that comes from, shared with others who hear it.
        failure: why it has to end.
    """

    name: int
    voice: int
    room: int
    row: int = -1
    sound: npt.NDArray[Any] | None = None
    file: SoundFile | None = None
    failure: str = ""


class Players:
    """Turns `Play` and `StopPlaying` into commands.

    Args:
        packets: the packet threads.
        rooms: rows for rooms, shared with the voices.
        reader: where files are read.
        report: tells the exchange.
    """

    def __init__(
        self,
        packets: PacketThreads,
        rooms: Rooms,
        reader: Background,
        report: Callable[[Report], None],
    ) -> None:
        self._packets = packets
        self._rooms = rooms
        self._reader = reader
        self._report = report
        self._most = len(packets.voices.players)
        self._free = list(range(self._most - 1, -1, -1))
        self._named: dict[int, _Player] = {}
        self._rows: dict[int, _Player] = {}
        self._own = 0
        self._waiting: dict[int, list[SendDigits]] = {}
        self._files: WeakValueDictionary[tuple[Path, int, int], SoundFile] = WeakValueDictionary()
        self._read_on: set[SoundFile] = set()

    def play(self, message: Play, voice_at: Callable[[int], int]) -> None:
        """Begin to play; what can't be for want of a voice is reported as ended.

        Args:
            message: what the exchange wants.
            voice_at: returns the row of the voice at a port, -1 for port 0; raises `SilentPortError`.

        Raises:
            ImpossibleError: there is no such tone, the name is taken, a number is out of range, or
                raised by `voice_at`.
        """
        if message.player <= 0 or message.player in self._named:
            raise ImpossibleError(f"player {message.player} is there already, or no name")
        if bool(message.tone) == bool(message.path) or not 0 <= message.times < 2**31:
            raise ImpossibleError(f"player {message.player} has nothing to play, or too much")
        if (message.port == 0) == (message.room == 0):
            raise ImpossibleError(f"player {message.player} plays for nobody, or for too many")
        low, high = _LEVEL_DB if message.tone else _GAIN_DB
        if not low <= message.level_db <= high:
            raise ImpossibleError(f"player {message.player}: a level of {message.level_db} dB")
        steps = _steps(message.tone, message.country) if message.tone else ()
        try:
            player = _Player(message.player, voice_at(message.port), message.room)
        except SilentPortError as error:
            self._report(Played(message.player, str(error)))
            return
        if message.tone:
            self._named[player.name] = player
            self._play_tone(player, steps, message.level_db, message.times)
        else:
            self._named[player.name] = player
            self._reader.submit(
                lambda: self._read(player, message), lambda why: self._fail(player, why)
            )

    def dial(self, message: SendDigits, voice: int) -> None:
        """Play digits as tones for a voice whose peer takes no telephone-events.

        They come behind those that are being dialled, 32 in all; what is over is left out.
        """
        waiting = self._waiting.get(voice)
        if waiting is None:
            self._dial(message, voice)
            self._waiting[voice] = []
            return
        left = voice_row.MOST_DIGITS - sum(len(one.digits) for one in waiting)
        if left > 0:
            waiting.append(structs.replace(message, digits=message.digits[:left]))

    def _dial(self, message: SendDigits, voice: int) -> None:
        steps = dtmf(message.digits.upper(), on_ms=message.on_ms, off_ms=message.off_ms)
        if not self._free:
            raise ImpossibleError(f"{self._most} sounds are played already")
        self._own -= 1
        player = _Player(self._own, voice, 0)
        self._named[player.name] = player
        self._play_tone(player, steps, DTMF_LEVEL, 1)

    def end_digit(self, voice: int, on_ms: int) -> None:
        """Let the digit last so long that was the last one to be dialled for a voice."""
        waiting = self._waiting.get(voice)
        if waiting:
            last = waiting.pop()
            if len(last.digits) > 1:
                waiting.append(structs.replace(last, digits=last.digits[:-1]))
            waiting.append(structs.replace(last, digits=last.digits[-1], on_ms=on_ms))
            return
        for player in self._rows.values():
            if player.name < 0 and player.voice == voice and player.sound is not None:
                # The last step is the pause behind it
                samples = player.sound[-2, tones.SAMPLES : tones.SAMPLES + 1]
                self._packets.publish(samples, on_ms * _TONE_RATE // 1000)

    def stop(self, name: int) -> None:
        """End a player; nothing happens where there's none of that name."""
        player = self._named.get(name)
        if player is None:
            return
        if player.row < 0:
            # Still being read: what comes of it finds no player any more.
            self._end(player)
        else:
            self._packets.command(command_record(ring_row.STOP_PLAYING, player.row))

    def stop_for(self, voice: int) -> None:
        """End all that is played for one voice, and what is to be dialled for it."""
        self._waiting.pop(voice, None)
        for player in [one for one in self._named.values() if one.voice == voice]:
            self.stop(player.name)

    def stop_all(self) -> None:
        """End everything: the exchange that wanted it has gone."""
        self._waiting.clear()
        for name in list(self._named):
            self.stop(name)

    def played(self, row: int) -> None:
        """Take note that its packet thread has ended a player."""
        player = self._rows.pop(row)
        self._free.append(row)
        self._rooms.leave(player.room)
        self._end(player, player.failure)
        if player.name < 0 and player.voice in self._waiting:
            self._dial_on(player.voice)

    def _dial_on(self, voice: int) -> None:
        """Dial what has waited for the digits that have just ended."""
        waiting = self._waiting[voice]
        if waiting:
            self._dial(waiting.pop(0), voice)
        else:
            del self._waiting[voice]

    def _end(self, player: _Player, failure: str = "") -> None:
        del self._named[player.name]
        if player.name > 0:
            self._report(Played(player.name, failure))

    def _play_tone(
        self, player: _Player, steps: tuple[Step, ...], level: float, times: int
    ) -> None:
        try:
            words = program(steps, _TONE_RATE, level=level, repeats=times == 0)
        except ValueError as error:
            del self._named[player.name]
            raise ImpossibleError(f"player {player.name}: {error}") from error
        self._begin(player, words, p.TONE_PROGRAM, _TONE_RATE, times, mix.UNITY)

    def _read(self, player: _Player, message: Play) -> Callable[[], None]:
        """Read the begin of a file; returns what to do with it."""
        path = Path(message.path)
        try:
            about = path.stat()
            key = (path, about.st_mtime_ns, about.st_size)
            # Whoever waits hears the same music as the others: one copy is enough.
            file = self._files.get(key) or SoundFile(path)
            if not file.ready:
                file.read_on(_PIECE_S * file.rate)
        except (OSError, ValueError, SoundFileError) as error:
            why = f"{path.name}: {getattr(error, 'strerror', None) or error}"
            return lambda: self._fail(player, why)
        self._files[key] = file
        gain = round(mix.UNITY * 10 ** (message.level_db / 20))

        def begin() -> None:
            if self._is_wanted(player):
                player.file = file
                self._packets.publish(file.published, file.ready)
                self._begin(player, file.samples, p.SAMPLES, file.rate, message.times, gain)
                if file not in self._read_on:
                    self._go_on(file)

        return begin

    def _go_on(self, file: SoundFile) -> None:
        """Have more of a file read as long as somebody hears it."""
        if file.is_whole or not self._who_hear(file):
            self._read_on.discard(file)
            return
        self._read_on.add(file)

        def read() -> Callable[[], None]:
            try:
                file.read_on(_PIECE_S * file.rate)
            except SoundFileError as error:
                return partial(self._break_off, file, str(error))
            return partial(self._have_read, file)

        self._reader.submit(read, partial(self._break_off, file))

    def _have_read(self, file: SoundFile) -> None:
        """Let those who hear a file hear what has been read."""
        self._packets.publish(file.published, file.ready)
        self._go_on(file)

    def _break_off(self, file: SoundFile, why: str) -> None:
        """End those who hear a file that can't be read to its end."""
        self._read_on.discard(file)
        for player in self._who_hear(file):
            player.failure = f"{file.name}: {why}"
            self.stop(player.name)

    def _who_hear(self, file: SoundFile) -> list[_Player]:
        return [one for one in self._rows.values() if one.file is file]

    def _fail(self, player: _Player, why: str) -> None:
        if self._is_wanted(player):
            self._end(player, why)

    def _is_wanted(self, player: _Player) -> bool:
        return self._named.get(player.name) is player

    def _begin(
        self, player: _Player, sound: npt.NDArray[Any], kind: int, rate: int, times: int, gain: int
    ) -> None:
        if not self._free:
            self._end(player, f"{self._most} sounds are played already")
            return
        try:
            room = self._rooms.enter(player.room)
        except ImpossibleError as error:
            self._end(player, str(error))
            return
        player.row, player.sound = self._free.pop(), sound
        self._rows[player.row] = player
        record = command_record(ring_row.PLAY, player.row)
        settings = record[ring_row.SETTINGS - 1 :]
        settings[p.KIND] = kind
        settings[p.ADDRESS] = sound.ctypes.data
        settings[p.LENGTH] = len(sound)
        settings[p.READY_AT] = player.file.published.ctypes.data if player.file else 0
        settings[p.RATE] = rate
        settings[p.TIMES] = times
        settings[p.GAIN] = min(gain, np.iinfo(np.int16).max)
        settings[p.VOICE] = player.voice
        settings[p.ROOM] = room
        # A receiver takes two tones for a key only where there is little else (ITU-T Q.24)
        settings[p.ALONE] = player.name < 0
        self._packets.command(record)


def _steps(name: str, country: str) -> tuple[Step, ...]:
    """Return the steps of a tone's name or notation.

    Raises:
        ImpossibleError: it is neither.
    """
    if name in TONES:
        return tone(country.upper(), name)
    try:
        return parse_tone(name)
    except ValueError as error:
        raise ImpossibleError(f"no tone: {error}") from error
