"""One connection to a media engine: frames out, reports in."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from pbx.media.protocol import Command, Counts, Report, Unframer, frame

SOCKET_PATH_LIMIT = 107
"""Octets of a Unix socket's path: sun_path has 108, the last of them NUL (unix(7))."""

_DEATH_S = 1.0
"""How long a killed process may take until its connections end."""

_PEER_CREDENTIALS = struct.Struct("3i")


class EngineLink(asyncio.Protocol):
    """The exchange's end of the socket, from connecting until either side ends it.

    Args:
        end: the connected socket.
        pid: the process at the other end.
        on_report: called with each report, in the event loop.
    """

    def __init__(self, end: socket.socket, pid: int, on_report: Callable[[Report], None]) -> None:
        self.pid = pid
        self._end = end
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended; says why."""
        self.answers = 0
        """How many `Query` have been answered."""
        self._on_report = on_report
        self._unframer = Unframer(Report)
        self._transport: asyncio.Transport | None = None
        self._why = ""

    @property
    def open(self) -> bool:
        """True until the connection has ended, from our side or from the other."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, commands: Iterable[Command]) -> None:
        """Send `commands`; without effect when the connection has ended. It never waits."""
        if self._transport is None or not self.open:
            return
        data = b"".join(frame(command) for command in commands)
        if not self._transport.get_write_buffer_size():
            # uvloop's transport writes at the end of the loop's turn, after the answers to the
            # phones; but the engine must know of a stream before a phone does.
            # Where it fails, the transport finds out why.
            with contextlib.suppress(OSError):
                data = data[self._end.send(data) :]
        if data:
            self._transport.write(data)

    def close(self, why: str = "we ended the connection") -> None:
        """End the connection; the engine goes on relaying for its grace time."""
        if self._transport is not None and self.open:
            self._why = why
            self._transport.abort()

    async def kill(self, why: str) -> None:
        """End the engine itself, by a signal that it can't put off; return when it is gone."""
        if self.open:
            self._why = why
            self.signal(signal.SIGKILL)
            await asyncio.wait([self.closed], timeout=_DEATH_S)
            self.close(why)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the engine; without effect when the connection has ended.

        As long as the connection is open its process id can't be another's.
        """
        if self.open:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio.Protocol)."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Cut `data` into reports; a side that doesn't speak our protocol is left."""
        try:
            messages = self._unframer.feed(data)
        except ValueError as error:
            self.close(f"it does not speak our protocol: {error}")
            return
        for message in messages:
            report = cast(Report, message)
            if isinstance(report, Counts):
                self.answers += 1
            self._on_report(report)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end (asyncio.Protocol)."""
        if not self.closed.done():
            self.closed.set_result(self._why or str(exc or "it ended the connection"))


async def connect(path: Path, on_report: Callable[[Report], None]) -> EngineLink:
    """Connect to the engine that listens at `path`.

    Raises:
        OSError: nobody listens there.
    """
    loop = asyncio.get_running_loop()
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.setblocking(False)
        await loop.sock_connect(end, str(path))
        size = _PEER_CREDENTIALS.size
        credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, _, _ = _PEER_CREDENTIALS.unpack(credentials)
        _, link = await loop.create_unix_connection(
            lambda: EngineLink(end, pid, on_report), sock=end
        )
    except BaseException:
        end.close()
        raise
    return link
