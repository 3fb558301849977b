"""What systemd wants to hear of a service (sd_notify(3)): ready, alive, stopping."""

import asyncio
import logging
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


class ServiceNotice:
    """Tells systemd how the exchange is; without effect where nobody asks.

    Args:
        environment: of the process: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC``.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._path = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        # "send a keep-alive [...] every half of the time" (sd_watchdog_enabled(3))
        self._pause_s = int(microseconds) / 2e6 if microseconds.isdigit() else 0.0
        self._timer: asyncio.TimerHandle | None = None

    def ready(self) -> None:
        """The exchange serves; from now on an event loop that stands still is noticed."""
        self._tell("READY=1")
        self._alive()

    def stopping(self) -> None:
        """The exchange ends."""
        self._tell("STOPPING=1")

    def stop(self) -> None:
        """Say nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _alive(self) -> None:
        if self._path and self._pause_s:
            self._tell("WATCHDOG=1")
            self._timer = asyncio.get_running_loop().call_later(self._pause_s, self._alive)

    def _tell(self, what: str) -> None:
        if not self._path:
            return
        # "@" stands for the NUL of an abstract name (unix(7)).
        path = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.setblocking(False)
                end.sendto(what.encode(), path)
        except OSError as error:
            log.warning("systemd can't be told %s: %s", what, error)
