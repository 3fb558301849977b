"""Speaking a sentence aloud: espeak-ng makes the sound, aplay plays it.

Both are programs of their own, so that a sound driver that hangs hangs neither the lamp nor the
button, and a sound card that has just been plugged in is found.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)

SOUND_CARDS = Path("/sys/class/sound")

VOICES = {"en": "en", "zh": "cmn"}
"""espeak-ng's names for the languages."""

WORDS_PER_MINUTE = "130"
SPEECH_S = 60.0
"""How long it may take to make or to play a sentence."""


def output_cards(folder: Path = SOUND_CARDS) -> list[str]:
    """Return the ids of the sound cards that can play, those on USB first.

    A person who plugs one in wants to hear it; an HDMI output is there even without a screen.
    """
    found = []
    for pcm in sorted(folder.glob("pcmC*D*p")):
        card = folder / f"card{pcm.name.removeprefix('pcmC').partition('D')[0]}"
        with contextlib.suppress(OSError):
            name = (card / "id").read_text().strip()
            on_usb = "/usb" in str(card.resolve())
            if (not on_usb, name) not in found:
                found.append((not on_usb, name))
    return [name for _, name in sorted(found, key=lambda card: card[0])]


async def speak(text: str, language: str, cards: Sequence[str]) -> bool:
    """Say `text` on the first of `cards` that plays.

    Args:
        text: what to say.
        language: ``en`` or ``zh``.
        cards: ids of sound cards, as ALSA knows them.

    Returns:
        Whether it was said to the end.
    """
    if not cards:
        return False
    sound = await _run(
        ["espeak-ng", "-v", VOICES[language], "-s", WORDS_PER_MINUTE, "--stdout", text], b""
    )
    if not sound:
        return False
    for card in cards:
        played = await _run(["aplay", "--quiet", "-D", f"sysdefault:CARD={card}", "-"], sound)
        if played is not None:
            return True
    return False


async def _run(argv: Sequence[str], given: bytes) -> bytes | None:
    """Run a program with `given` as its input; return its output, None where it failed."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        log.info("cannot speak: %s: %s", argv[0], error.strerror)
        return None
    try:
        async with asyncio.timeout(SPEECH_S):
            output, complaint = await process.communicate(given)
    except TimeoutError:
        log.warning("cannot speak: %s takes too long", argv[0])
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        log.info("cannot speak: %s: %s", " ".join(argv[:4]), last)
        return None
    return output
