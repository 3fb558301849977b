"""A program in a pseudo-terminal of its own, as at a login."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.interop.program import before_others

LIMIT_S = 60.0

ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_78=>])")


class Terminal:
    """What the program has written, and the keys that it gets."""

    def __init__(self, process: asyncio.subprocess.Process, end: int) -> None:
        self.process = process
        self._end = end
        self._written = bytearray()
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(end, self._read)

    @property
    def raw(self) -> bytes:
        """All that was written since `forget`."""
        return bytes(self._written)

    @property
    def text(self) -> str:
        """The same without what steers the terminal."""
        return ESCAPES.sub(b"", self.raw).decode(errors="replace")

    @property
    def makes_signals(self) -> bool:
        """Ctrl-C and its like are signals, not keys."""
        flags: int = termios.tcgetattr(self._end)[3]
        return bool(flags & termios.ISIG)

    def forget(self) -> None:
        """Look only at what is written from now on."""
        self._written.clear()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._end, keys)

    async def until(self, seen: str | Callable[[], bool]) -> None:
        """Wait until a text has been written, or until something is so."""
        try:
            async with asyncio.timeout(LIMIT_S):
                while not (seen in self.text if isinstance(seen, str) else seen()):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"not seen: {seen!r}\n{self.text}") from None

    async def ended(self) -> int:
        """Wait for the end of the program, and return its exit code."""
        async with asyncio.timeout(LIMIT_S):
            code = await self.process.wait()
        self._read()
        assert "Traceback" not in self.text
        return code

    def close(self) -> None:
        """Hang up."""
        asyncio.get_running_loop().remove_reader(self._end)
        os.close(self._end)

    def _read(self) -> None:
        # EIO: the program has closed its end.
        with contextlib.suppress(OSError):
            self._written += os.read(self._end, 1 << 16)
            self._more.set()
            return
        asyncio.get_running_loop().remove_reader(self._end)


@asynccontextmanager
async def terminal(
    *command: str,
    socket: Path,
    size: tuple[int, int] = (80, 24),
    env: Mapping[str, str] | None = None,
    prompt: bool = False,
) -> AsyncIterator[Terminal]:
    """Run a Python module with arguments in a terminal of `size` (columns, lines).

    Args:
        prompt: as `Program` has it.
    """
    end, other = pty.openpty()
    os.set_blocking(end, False)
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    wanted = {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "MINISIP_SOCKET": str(socket)}
    kept = {"PATH": os.environ["PATH"], "HOME": str(socket.parent)}
    process = await asyncio.create_subprocess_exec(
        "setsid",
        "--ctty",
        sys.executable,
        "-m",
        *command,
        stdin=other,
        stdout=other,
        stderr=other,
        env={**kept, **wanted, **(env or {})},
    )
    os.close(other)
    if prompt:
        before_others(process.pid)
    shown = Terminal(process, end)
    try:
        yield shown
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        shown.close()
