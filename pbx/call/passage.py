"""The way between two phones through the media engine: passed on or converted, and recorded.

As long as something is played to a party, their sound ends in the engine, though it need not be
converted: what is passed on, nothing can be put into.
"""

from collections.abc import Callable, Collection, Iterable

from pbx.call.keypad import Keypad
from pbx.media import codecs, protocol
from pbx.media.conversion import note_sound, tap, voices
from pbx.media.session import LegMedia, bridge

_ON_MS = 80
_OFF_MS = 60
"""Of a digit that is passed on, at the least: done with before the next one comes, however fast they are."""

HELD_MS = 10_000
"""Of one whose end nobody has told of yet."""


class Passage:
    """What one call between phones has in the media engine.

    Args:
        tell: takes commands for the engine.
        coded: encoding names of what it can code now.
    """

    def __init__(
        self,
        tell: Callable[[list[protocol.Command]], None],
        coded: Callable[[], Collection[str]],
    ) -> None:
        self._tell = tell
        self._coded = coded
        self._parties: tuple[LegMedia, ...] = ()
        self._recording = 0
        self._voices: dict[int, protocol.Voice] = {}
        self._keypads: dict[int, Keypad] = {}
        self._players: set[int] = set()
        self._plays = False

    @property
    def codecs(self) -> tuple[str, ...]:
        """The caller's codec and the callee's, where they are two; else nothing."""
        names = tuple(codecs.codec(one.codec).name for one in self._voices.values())
        return names if len(set(names)) == 2 else ()

    def connect(self, caller: LegMedia, callee: LegMedia, *, timed: bool) -> None:
        """Join two parties' media as they have agreed; what has ended is released first.

        Args:
            caller, callee: of the legs.
            timed: as for `bridge`.
        """
        known = {one.port for leg in (caller, callee) for one in leg.everything()}
        # The callee's first: what the caller has sent meanwhile must find its way.
        for party in (caller, callee):
            note_sound(party)
        streams = bridge(callee, caller, timed=timed)
        self.release([*caller.take_released(), *callee.take_released()])
        self._parties = caller, callee
        self._keypads = {}  # Who has sent events may have agreed to none now
        self._set(streams, known)

    def _set(self, streams: list[protocol.Stream], known: set[int]) -> None:
        """Let the engine follow.

        Args:
            streams: those that it doesn't know yet, or knows otherwise.
            known: the ports of those that it has known before.
        """
        wanted = self._wanted()
        ended = [protocol.StopVoice(port) for port in self._voices if port not in wanted]
        changed = [one for port, one in wanted.items() if self._voices.get(port) != one]
        self._voices = wanted
        # What waits in the sockets is heard, not passed on: so voices come before streams.
        early = [one for one in changed if {one.port, one.partner} <= known]
        late = [one for one in changed if one not in early]
        taps = self._taps() if self._recording else []
        self._tell([*ended, *early, *streams, *late, *taps])

    def _wanted(self) -> dict[int, protocol.Voice]:
        """The voices that the parties need, by their ports."""
        if not self._parties:
            return {}
        caller, callee = self._parties
        wanted = voices(caller, callee, self._coded(), always=self._plays)
        return {one.port: one for one in wanted}

    def release(self, ports: Iterable[int]) -> None:
        """End streams, and with them their voices."""
        gone = list(ports)
        for port in gone:
            self._voices.pop(port, None)
        if gone:
            self._tell([protocol.Release(gone)])

    def leave(self, party: LegMedia) -> None:
        """End a party's voice, but not its stream: another call goes on with it."""
        ended = [port for port in party.ports if self._voices.pop(port, None)]
        if ended:
            self._tell([protocol.StopVoice(port) for port in ended])

    def everything(self) -> list[protocol.Command]:
        """Return what an engine must be told when it has the streams; it plays nothing any more."""
        self._players.clear()
        self._plays = False
        self._voices = self._wanted()
        # One that has outlived the exchange may have been playing
        relayed = [one.sound_port for one in self._parties if one.sound_port not in self._voices]
        return [
            *self._voices.values(),
            *(protocol.StopVoice(port) for port in relayed if port and self._recording),
        ]

    # ---------------------------------------------------------------- what is played

    def play(
        self,
        player: int,
        port: int,
        *,
        tone: str = "",
        path: str = "",
        level_db: float = 0.0,
        times: int = 1,
    ) -> bool:
        """Let a party hear something beside the other one.

        Args:
            player: a name that no other player has now.
            port: of the party's sound.
            tone, path, level_db, times: as in `protocol.Play`.

        Returns:
            False where the engine can't code what it hears.
        """
        if port not in self._voices and not self._plays:
            self._plays = True
            self._set([], self._ports)
        if port not in self._voices:
            self._relay_again()
            return False
        self._players.add(player)
        self._tell(
            [protocol.Play(player, port, path=path, tone=tone, level_db=level_db, times=times)]
        )
        return True

    def stop_playing(self) -> None:
        """End what is played."""
        self._tell([protocol.StopPlaying(player) for player in sorted(self._players)])

    def played(self, report: protocol.Played) -> bool:
        """Take note that a player has ended; False where it is none of this call."""
        if report.player not in self._players:
            return False
        self._players.discard(report.player)
        self._relay_again()
        return True

    def _relay_again(self) -> None:
        """Pass sound on that had ended in the engine for what was played."""
        if self._plays and not self._players:
            self._plays = False
            self._set([], self._ports)

    @property
    def sound_ports(self) -> list[int]:
        """The ports of both parties' sound; of those that have none, nothing."""
        return [port for port in (one.sound_port for one in self._parties) if port]

    @property
    def _ports(self) -> set[int]:
        return {one.port for party in self._parties for one in party.everything()}

    # ---------------------------------------------------------------- what is recorded

    @property
    def recording(self) -> int:
        """The engine's name of the recording that runs; 0 for none."""
        return self._recording

    def record(self, name: int, path: str, *, stereo: bool) -> bool:
        """Record both parties into a new file, to the end of the call or of `stop_recording`.

        Args:
            name: of the recording, as in `protocol.Record`.
            path: of the file.
            stereo: the caller left and the callee right, instead of both in one track.

        Returns:
            False where the engine can't read what is passed on.
        """
        taps = self._taps()
        ports = [one.port for one in taps] or list(self._voices)
        if len(ports) != 2:
            return False
        self._recording = name
        left, right = ports
        self._tell([*taps, protocol.Record(name, path, left, right, stereo)])
        return True

    def stop_recording(self) -> None:
        """End the recording; its file is whole when `Recorded` comes."""
        if self._recording:
            self._tell([protocol.StopRecording(self._recording)])
            self._recording = 0

    def recorded(self, report: protocol.Recorded) -> bool:
        """Take note that a recording has ended by itself; False where it is none of this call."""
        if report.recording != self._recording:
            return False
        self._recording = 0
        return True

    def resume_recording(self, name: int) -> None:
        """Take note, before anything is connected, of what an exchange before has begun."""
        self._recording = name

    def keep_recording(self, going_on: Collection[int], running: Collection[int]) -> bool:
        """Take note of the recordings that go on in an engine; False where that has lost ours.

        Args:
            going_on: the recordings.
            running: the ports of its streams; ours aren't there in an engine that is new.
        """
        if self._recording in going_on or not self._recording:
            return True
        self._recording = 0
        return all(one.sound_port in running for one in self._parties)

    def _taps(self) -> list[protocol.Tap]:
        """What the engine must know to record what it passes on; nothing where it converts."""
        if self._voices:
            return []
        taps = [tap(media, self._coded()) for media in self._parties]
        return [one for one in taps if one is not None]

    def converts(self, port: int) -> bool:
        """Return True for the port of a party whose sound ends in the engine."""
        return port in self._voices

    def takes_events(self, port: int) -> bool:
        """Whether the partner of a party with this port takes telephone-events from a voice."""
        voice = self._voices.get(port)
        partner = self._voices.get(voice.partner) if voice else None
        return partner is not None and partner.event_type >= 0

    def is_new_sound(self, digit: protocol.Digit, now: float) -> bool:
        """Take a key that was heard in a party's sound; False where INFO has told of it."""
        return self._keypad(digit.port).by_sound(digit.digit, now, inband=digit.inband)

    def is_new(self, port: int, digit: str, now: float) -> bool:
        """Take a key that a party has told of by INFO; False where its sound has told of it.

        Args:
            port: of the party's sound.
            digit: as in `events.Dialled`.
        """
        return self._keypad(port).by_info(digit, now)

    def dial(self, port: int, digit: str, *, tones: bool, on_ms: int) -> int:
        """Let the engine tell a party's partner of a key.

        Args:
            port: of the party's sound, whose key it is.
            digit: as in `events.Dialled`.
            tones: as tones, where the partner takes no telephone-events.
            on_ms: how long it lasts; `HELD_MS`: until `end_digit`. What is passed on has one length.

        Returns:
            The port of the partner's sound; 0 where the engine can't tell it.
        """
        hearer = self._hearer(port, tones=tones)
        if not hearer or digit == "!":
            return 0
        lasts = _length(on_ms) if self._voices else _ON_MS
        self._tell([protocol.SendDigits(hearer, digit, lasts, _OFF_MS)])
        return hearer

    def end_digit(self, hearer: int, on_ms: int) -> None:
        """Let the last key last so long that a party was told of by `dial`.

        Args:
            hearer: what that has returned.
            on_ms: how long the key was held down.
        """
        if hearer in self._voices:
            self._tell([protocol.EndDigit(hearer, _length(on_ms))])

    def _hearer(self, port: int, *, tones: bool) -> int:
        """Return by which port the engine can tell a party's partner of a key; 0 for none."""
        if not self._voices:
            return next((one.event_port for one in self._parties if one.sound_port != port), 0)
        voice = self._voices.get(port)
        partner = self._voices.get(voice.partner) if voice else None
        return partner.port if partner and (partner.event_type >= 0 or tones) else 0

    def _keypad(self, port: int) -> Keypad:
        return self._keypads.setdefault(port, Keypad())


def _length(on_ms: int) -> int:
    return min(max(on_ms, _ON_MS), HELD_MS)
