"""Speaking, by the real espeak-ng and aplay; the sound ends in a file in place of a card."""

from pathlib import Path

import numpy as np
import pytest

from hw.voice import output_cards, speak
from tests.interop.program import find

RATE = 22050
"""Samples a second of espeak-ng."""

# A card named Good that writes to a file, and no other.
ALSA = """
pcm.sysdefault {{
    @args [ CARD ]
    @args.CARD {{ type string }}
    type plug
    slave.pcm {{ @func concat strings [ "card_" $CARD ] }}
}}
pcm.card_Good {{
    type file
    slave.pcm {{ type null }}
    file "{sound}"
    format raw
}}
"""


@pytest.fixture
def sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the card Good plays into."""
    find("espeak-ng")
    find("aplay")
    path = tmp_path / "sound.raw"
    config = tmp_path / "alsa.conf"
    config.write_text(ALSA.format(sound=path))
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
    return path


def spoken_s(sound: Path) -> float:
    """How many seconds of the file are loud."""
    if not sound.exists():
        return 0.0
    samples = np.fromfile(sound, dtype="<i2").astype(float)
    frames = samples[: len(samples) // 441 * 441].reshape(-1, 441)
    return float(np.count_nonzero(np.sqrt((frames**2).mean(axis=1)) > 300)) * 441 / RATE


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The address is 1 9 2 dot 0 dot 2 dot 1 2."),
        ("zh", "地址是 1 9 2 点 0 点 2 点 1 2。"),
    ],
)
async def test_it_is_heard(sound: Path, language: str, text: str) -> None:
    assert await speak(text, language, ["Good"])
    assert spoken_s(sound) > 2.0


async def test_a_card_that_does_not_play_is_passed_over(sound: Path) -> None:
    assert await speak("Ready.", "en", ["Absent", "Good"])
    assert spoken_s(sound) > 0.2


async def test_no_card_plays(sound: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert not await speak("Ready.", "en", ["Absent"])
    assert "cannot speak: aplay" in caplog.text
    assert spoken_s(sound) == 0


async def test_no_card_at_all() -> None:
    assert not await speak("Ready.", "en", [])


async def test_no_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not await speak("Ready.", "en", ["Good"])
    assert "cannot speak: espeak-ng: No such file or directory" in caplog.text


async def test_a_program_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("hw.voice.SPEECH_S", 0.2)
    assert not await speak("Ready.", "en", ["Good"])
    assert "cannot speak: espeak-ng takes too long" in caplog.text


def card(root: Path, number: int, name: str, place: str, *, plays: bool) -> None:
    """Make a sound card as sysfs shows one."""
    device = root / "devices" / place / f"card{number}"
    device.mkdir(parents=True)
    (device / "id").write_text(f"{name}\n")
    folder = root / "class"
    folder.mkdir(exist_ok=True)
    (folder / f"card{number}").symlink_to(device)
    (folder / f"pcmC{number}D0{'p' if plays else 'c'}").mkdir()


def test_cards_that_play_those_on_usb_first(tmp_path: Path) -> None:
    card(tmp_path, 0, "vc4hdmi0", "platform/hdmi", plays=True)
    card(tmp_path, 1, "Headphones", "platform/audio", plays=True)
    card(tmp_path, 2, "Webcam", "pci/usb1/1-2", plays=False)
    card(tmp_path, 3, "Device", "pci/usb1/1-1", plays=True)
    (tmp_path / "class/pcmC3D1p").mkdir()
    assert output_cards(tmp_path / "class") == ["Device", "vc4hdmi0", "Headphones"]


def test_no_sound_system(tmp_path: Path) -> None:
    assert output_cards(tmp_path / "absent") == []
