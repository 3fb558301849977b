"""A media engine that relays nothing, and misbehaves as its first argument says.

It runs as a process of its own: ``python -m tests.media.fake_engine MODE --socket PATH ...``.
It echoes each `Stream` as `Latched`, so that a test sees what has arrived.
"""

import argparse
import os
import signal
import socket
import sys
import threading
from pathlib import Path

from pbx.media.protocol import (
    VERSION,
    Address,
    Command,
    Counts,
    Hello,
    Latched,
    Query,
    Ready,
    Refused,
    Release,
    Report,
    Stream,
    Unframer,
    frame,
)


class FakeEngine:
    def __init__(self, options: argparse.Namespace) -> None:
        self.mode: str = options.mode
        self.ports = list(range(options.first_port, options.last_port, 2))
        self.streams: list[int] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(options.socket)
        self.listener.listen()

    def serve(self) -> None:
        """Talk to one exchange after the other."""
        while True:
            connection, _ = self.listener.accept()
            with connection:
                if self.mode == "hasty":
                    connection.sendall(frame(Counts([])))
                self.talk(connection)

    def talk(self, connection: socket.socket) -> None:
        unframer = Unframer(Command)
        while data := connection.recv(65536):
            for command in unframer.feed(data):
                if self.mode == "garbage":
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n")
                if self.mode == "dies-at-hello":
                    os._exit(9)
                if isinstance(command, Stream) and self.mode == "leaves":
                    return
                for report in self.answer(command):
                    connection.sendall(frame(report))

    def answer(self, command: object) -> list[Report]:
        match command:
            case Hello():
                return self.greet()
            case Query():
                return [Counts([])]
            case Stream():
                self.streams.append(command.port)
                return [Latched(command.port, Address(command.local, command.port))]
            case Release():
                gone = [port for port in command.ports if port in self.streams]
                self.streams = [port for port in self.streams if port not in gone]
                return [Refused(f"released {gone}")]
        return []

    def greet(self) -> list[Report]:
        match self.mode:
            case "silent":
                return []
            case "refuses":
                return [Refused("no such version")]
            case "old":
                return [Ready(VERSION + 1, os.getpid(), self.ports, [], True)]
        early = Counts([])
        ready = Ready(VERSION, os.getpid(), self.ports, list(self.streams), True)
        return [early, ready]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--first-port", type=int, required=True)
    parser.add_argument("--last-port", type=int, required=True)
    options = parser.parse_args()
    if options.mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.mode == "deaf":
        threading.Event().wait()
    if options.mode == "dies":
        sys.exit("ERROR no port could be bound")
    if options.mode == "dies-silently":
        sys.exit(3)
    deaths = Path(options.socket + ".deaths")
    if deaths.exists() and (left := int(deaths.read_text())):
        deaths.write_text(str(left - 1))
        sys.exit("not yet")
    if options.mode == "talks":
        print("x" * 100_000, "at length", file=sys.stderr)
        print("Traceback (most recent call last):", file=sys.stderr)
        print("INFO caf\xe9", file=sys.stderr, flush=True)
    FakeEngine(options).serve()


if __name__ == "__main__":
    main()
