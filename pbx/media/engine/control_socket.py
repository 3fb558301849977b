"""The Unix socket that the exchange talks to the engine on."""

import errno
import os
import socket
from pathlib import Path

from pbx.media.protocol import Command, Report, Unframer, frame

MAX_UNSENT = 8 << 20
"""Octets that the exchange may leave unread; beyond that it is taken for dead."""

_READ = 1 << 16


class BusyError(Exception):
    """Another engine listens at this path."""


class ControlListener:
    """Listens at a path for exchanges; only this user may connect.

    Args:
        path: of the socket; a left-over one of an engine that died is replaced.

    Raises:
        BusyError: an engine listens there.
        OSError: no socket can be made at `path`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _remove_left_over(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(before)
        self._socket.listen(4)
        self._inode = path.stat().st_ino

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def accept(self) -> "ExchangeLink | None":
        """Return the next exchange's connection; None if it has gone already."""
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return None
        connection.setblocking(False)
        return ExchangeLink(connection)

    def close(self) -> None:
        """Stop listening; removes the path unless somebody else has taken it over."""
        self._socket.close()
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass


def _remove_left_over(path: Path) -> None:
    # Connecting with the wrong type tells whether somebody is bound there, and disturbs nobody.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        answer = probe.connect_ex(str(path))
    if answer == errno.ECONNREFUSED and path.is_socket():
        path.unlink(missing_ok=True)
    elif answer in {0, errno.EPROTOTYPE}:
        raise BusyError(f"another media engine listens at {path}")


class ExchangeLink:
    """One connection of an exchange: messages in and out, never waiting.

    Args:
        connection: non-blocking.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._unframer = Unframer(Command)
        self._unsent = bytearray()
        self.greeted = False
        """The exchange has said Hello."""

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether reports wait for room in the socket."""
        return bool(self._unsent)

    def receive(self) -> list[object]:
        """Return the messages that have come.

        Raises:
            ConnectionError: the exchange has gone.
            ValueError: it does not speak this protocol.
        """
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "it has closed the connection")
        return self._unframer.feed(data)

    def send(self, report: Report) -> None:
        """Send `report`, now or as soon as there is room.

        Raises:
            ConnectionError: the exchange has gone, or reads nothing any more.
        """
        self._unsent += frame(report)
        self.flush()
        if len(self._unsent) > MAX_UNSENT:
            raise ConnectionAbortedError(errno.ECONNABORTED, "it does not read its reports")

    def flush(self) -> None:
        """Send what waits, as far as there is room.

        Raises:
            ConnectionError: the exchange has gone.
        """
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            del self._unsent[:sent]

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
