"""Asterisk's own control connection (AMI): actions, and events as they come."""

import contextlib
import itertools
import queue
import socket
import threading

from tests.interop.waiting import until

Message = dict[str, str]


class Ami:
    """A connection to Asterisk, logged in.

    Args:
        port: where it listens on loopback.
        user, secret: as its ``manager.conf`` has them.
    """

    def __init__(self, port: int, user: str, secret: str) -> None:
        self._link = until("Asterisk opens its control port", lambda: _try_connect(port), 30)
        self._answers: queue.Queue[Message] = queue.Queue()
        self._ids = itertools.count(1)
        self.events: list[Message] = []
        """All that it has told."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.ask("Login", Username=user, Secret=secret)

    def _read(self) -> None:
        # Where we end the connection while Asterisk tells something, it may answer by a reset
        with (
            contextlib.suppress(ConnectionError),
            self._link.makefile("r", encoding="utf-8", errors="replace") as lines,
        ):
            lines.readline()  # its greeting
            message: Message = {}
            for line in lines:
                name, colon, value = line.strip().partition(": ")
                if colon or name.endswith(":"):
                    name = name.removesuffix(":")
                    # What a command prints has a field for each line
                    message[name] = f"{message[name]}\n{value}" if name in message else value
                elif message:
                    kept = self._answers.put if "Response" in message else self.events.append
                    kept(message)
                    message = {}

    def ask(self, action: str, **fields: str) -> Message:
        """Carry out an action; return its answer, which must not be an error."""
        own = str(next(self._ids))
        lines = {"Action": action, "ActionID": own, **fields}
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._link.sendall(text.encode() + b"\r\n")
        answer: Message = {}
        while answer.get("ActionID") != own:
            try:
                answer = self._answers.get(timeout=30)
            except queue.Empty:
                raise AssertionError(f"Asterisk did not answer {action} {fields}") from None
        assert answer["Response"] != "Error", f"{action} {fields}: {answer}"
        return answer

    def find(self, kind: str, **fields: str) -> list[Message]:
        """Return the events of a kind with these values, oldest first."""
        wanted = {"Event": kind, **fields}.items()
        return [event for event in list(self.events) if wanted <= event.items()]

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()
        self._reader.join(5)


def _try_connect(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port))
    except OSError:
        return None
