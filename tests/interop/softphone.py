"""`minisipphone`, as a script starts it."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.interop.exchange import command
from tests.interop.program import Program
from tests.interop.tones import Recording, heard_seconds, read_recording, write_tone
from tests.interop.waiting import until


class Softphone:
    """One run of `minisipphone call` or `minisipphone answer`.

    Args:
        folder: its own folder.
        arguments: the command line, as a person types it.
        tone_hz: what it plays; 0: it has no microphone.
        password: in its environment; empty: none.
        rate_hz: sampling rate of the file that it plays.
        record: a file is its loudspeaker.
        env: more of its environment.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        tone_hz: float = 0,
        password: str = "",
        rate_hz: int = 8000,
        record: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._heard = folder / "heard.wav"
        argv = [command("minisipphone"), *arguments]
        if record:
            argv += ["--record", str(self._heard)]
        if tone_hz:
            write_tone(folder / "tone.wav", tone_hz, 60.0, rate_hz)
            argv += ["--play", str(folder / "tone.wav")]
        own = {"XDG_CONFIG_HOME": str(folder), "MINISIPPHONE_PASSWORD": password}
        self.program = Program(
            "minisipphone", argv, folder, env={**own, **(env or {})}, prompt=True
        )

    def wait_said(self, line: str, within_s: float = 30.0) -> str:
        """Return the first line that begins with a match of this pattern."""
        found = until(
            f"minisipphone says {line}",
            lambda: re.search(rf"(?m)^{line}.*", self.program.said()),
            within_s,
            why_not=self.program.last_words,
        )
        return found.group()

    def wait_heard(self, tone_hz: float, seconds: float, within_s: float = 30.0) -> None:
        """Wait until it has heard so much of the tone."""
        until(
            f"minisipphone hears {seconds:g} s of {tone_hz:g} Hz",
            lambda: self._heard.exists() and heard_seconds(self._heard, tone_hz) >= seconds,
            within_s,
            why_not=self.program.last_words,
        )

    def recording(self) -> Recording:
        """Return what it has heard."""
        return read_recording(self._heard)

    def ended(self, within_s: float = 30.0) -> int:
        """Wait for its end; return its exit code. It must not have failed with a traceback."""
        code = self.program.wait(within_s)
        assert "Traceback" not in self.program.said(), self.program.said()
        return code
