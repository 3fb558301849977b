"""Which sound the phone takes, by what PortAudio says; real sound: tests/interop/test_softphone.py."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from hw.softphone import card as card_module
from hw.softphone.card import Card, CardSound, NoCard, choose_sound, find_card
from hw.softphone.sound import FileEnds, FileSound
from pbx.errors import StartError
from tests.interop.tones import write_tone


class PortAudioError(Exception):
    """As sounddevice has it."""


def machine(
    monkeypatch: pytest.MonkeyPatch, *, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> None:
    """Have a machine whose card takes these rates."""

    def check(rates: tuple[int, ...]) -> Callable[..., None]:
        def checked(*, channels: int, dtype: str, samplerate: int) -> None:
            if samplerate not in rates:
                raise PortAudioError("Invalid sample rate")

        return checked

    library = ModuleType("sounddevice")
    library.__dict__.update(
        PortAudioError=PortAudioError,
        check_input_settings=check(inputs),
        check_output_settings=check(outputs),
        query_devices=lambda: [*inputs, *outputs],
    )
    monkeypatch.setitem(sys.modules, "sounddevice", library)


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    write_tone(path, 500.0, 0.1)
    return path


def chosen(
    play: Path | None = None, record: Path | None = None
) -> tuple[FileSound | CardSound, list[str]]:
    told: list[str] = []
    sound = choose_sound(FileEnds(play, record, told.append), told.append)
    assert isinstance(sound, FileSound | CardSound)
    sound.close()
    return sound, told


class TestFinding:
    def test_the_telephones_own_rate_where_the_card_has_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine(monkeypatch, inputs=(8000, 48000), outputs=(8000, 48000))
        assert find_card(listen=True, play=True).rate_hz == 8000

    def test_else_one_that_it_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        machine(monkeypatch, inputs=(44100,), outputs=(44100,))
        assert find_card(listen=True, play=True).rate_hz == 44100

    def test_one_that_serves_both_sides_where_an_earlier_one_serves_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine(monkeypatch, inputs=(48000,), outputs=(8000, 48000))
        card = find_card(listen=True, play=True)
        assert (card.rate_hz, card.listens, card.plays) == (48000, True, True)

    def test_the_first_that_serves_one_side_where_none_serves_both(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine(monkeypatch, inputs=(44100,), outputs=(48000, 16000))
        card = find_card(listen=True, play=True)
        assert (card.rate_hz, card.listens, card.plays) == (48000, False, True)

    def test_a_library_that_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def load(*_: object) -> None:
            raise OSError("PortAudio library not found")

        monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
        monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
        monkeypatch.setattr("builtins.__import__", _without_sounddevice(load))
        with pytest.raises(NoCard, match="libportaudio2"):
            find_card(listen=True, play=True)


def _without_sounddevice(load: Callable[..., None]) -> Callable[..., object]:
    real = __import__

    def imported(name: str, *rest: object) -> object:
        if name == "sounddevice":
            load()
        return real(name, *rest)  # type: ignore[arg-type]

    return imported


class TestChoosing:
    def test_no_card_and_no_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        machine(monkeypatch, inputs=(), outputs=())
        with pytest.raises(StartError, match="There is no sound card .*--play and --record") as no:
            chosen()
        assert no.value.exit_code == 69

    def test_no_card_and_a_file_for_one_side(
        self, monkeypatch: pytest.MonkeyPatch, tone: Path, tmp_path: Path
    ) -> None:
        machine(monkeypatch, inputs=(), outputs=())
        sound, told = chosen(play=tone)
        assert isinstance(sound, FileSound)
        assert told[0].startswith("There is no loudspeaker")
        sound, told = chosen(record=tmp_path / "out.wav")
        assert isinstance(sound, FileSound)
        assert told[0].startswith("There is no microphone")

    def test_two_files_need_no_card(
        self, monkeypatch: pytest.MonkeyPatch, tone: Path, tmp_path: Path
    ) -> None:
        monkeypatch.setitem(sys.modules, "sounddevice", None)
        sound, told = chosen(tone, tmp_path / "out.wav")
        assert (type(sound), told) == (FileSound, [])

    def test_a_machine_without_a_microphone_can_listen(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A Raspberry Pi 4 with headphones
        machine(monkeypatch, inputs=(), outputs=(48000,))
        sound, told = chosen()
        assert isinstance(sound, CardSound)
        (sentence,) = told
        assert sentence.startswith("There is no microphone")

    def test_a_whole_card(self, monkeypatch: pytest.MonkeyPatch) -> None:
        machine(monkeypatch, inputs=(48000,), outputs=(48000,))
        sound, told = chosen()
        assert (type(sound), told) == (CardSound, [])


class BenchStream:
    """A stream of a card.

    Args:
        refuses: the card can be opened, and not started.
        gone: the card has been unplugged: closing does not return.
    """

    def __init__(self, *, refuses: bool = False, gone: bool = False) -> None:
        self._refuses = refuses
        self._gone = gone
        self.let_go = threading.Event()
        self.closed = threading.Event()

    def start(self) -> None:
        if self._refuses:
            raise PortAudioError("Unanticipated host error")

    def close(self, ignore_errors: bool = True) -> None:
        if self._gone:
            self.let_go.wait(30)
        self.closed.set()


def sound_on(stream: BenchStream) -> tuple[CardSound, list[str]]:
    """Return the sound of a card that has this stream, and what it complains of."""
    library = ModuleType("sounddevice")
    library.__dict__.update(PortAudioError=PortAudioError, Stream=lambda **_: stream)
    told: list[str] = []
    ends = FileEnds(None, None, told.append)
    return CardSound(Card(library, 8000, True, True), ends, told.append), told


class TestGivingBack:
    """Async: the card is watched by the event loop."""

    async def test_a_card_that_is_there_is_closed_with_the_call(self) -> None:
        stream = BenchStream()
        sound, told = sound_on(stream)
        sound.start(lambda spoken: spoken)
        sound.stop()
        assert stream.closed.is_set()
        assert (sound.stuck, told) == (False, [])

    async def test_a_call_ends_though_its_card_was_just_unplugged(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(card_module, "CLOSE_S", 0.05)
        stream = BenchStream(gone=True)
        sound, _ = sound_on(stream)
        sound.start(lambda spoken: spoken)
        sound.stop()
        # Still being closed, and the phone goes on
        assert not stream.closed.is_set()
        assert sound.stuck
        stream.let_go.set()
        assert stream.closed.wait(30)

    async def test_a_card_that_cannot_be_started_is_given_back(self) -> None:
        stream = BenchStream(refuses=True)
        sound, told = sound_on(stream)
        sound.start(lambda spoken: spoken)
        assert stream.closed.wait(30)
        sound.close()
        (sentence,) = told
        assert "Unanticipated host error" in sentence
