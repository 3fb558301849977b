"""A real engine process with a control connection, and phones that are UDP sockets."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pbx.media.protocol import (
    VERSION,
    Address,
    Command,
    Counts,
    Hello,
    Query,
    Ready,
    Release,
    Released,
    Report,
    Stream,
    StreamCounts,
    Unframer,
    frame,
)
from tests.interop.ports import Ports

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 90.0
"""Only a broken engine waits so long; the first start of all compiles."""

PORTS = 20
"""Ports of one engine."""

T = TypeVar("T")


def free_block(ports: int = PORTS) -> int:
    """Return the first of so many free ports, which no other test that runs now has."""
    with Ports() as source:
        return source.block(ports)


def until(what: Callable[[], T | None], deadline_s: float = DEADLINE_S) -> T:
    """Return the first answer of `what` that is true."""
    end = time.monotonic() + deadline_s
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.002)


class EngineProcess:
    """One engine in its own process; `stderr` collects in a file."""

    def __init__(
        self,
        folder: Path,
        *more: str,
        first_port: int = 0,
        stderr: int = -1,
        under: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        self.path = folder / "media.sock"
        self._log = folder / "engine.log"
        first = first_port or (20000 if "--first-port" in more else free_block())
        last = first + PORTS - 1
        words = ("--first-port", str(first), "--last-port", str(last), *_threads(more), *more)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *under,
                    *(sys.executable, "-m", "pbx.media.engine", "--socket", str(self.path)),
                    *words,
                ],
                stderr=log if stderr < 0 else stderr,
                cwd=REPOSITORY,
                env={**os.environ, **environment},
            )
        self._links: list[Link] = []

    @property
    def log(self) -> str:
        return self._log.read_text()

    def connect(self, grace_s: float = 20.0) -> "Link":
        """Connect and greet; the engine's answer is in `link.ready`."""
        link = Link(self.connect_raw())
        self._links.append(link)
        link.greet(grace_s)
        return link

    def connect_raw(self) -> socket.socket:
        def attempt() -> socket.socket | None:
            assert self.process.poll() is None, self.log
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self.path))
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                return None
            return connection

        return until(attempt)

    def close_links(self, *, but: "Link") -> None:
        """Close all connections but one, without which the engine would end after its grace time."""
        for link in self._links:
            if link is not but:
                link.close()
        self._links = [but]

    def wait(self) -> int:
        """Return the exit code, once it has one."""
        return self.process.wait(DEADLINE_S)

    def end(self) -> None:
        for link in self._links:
            link.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(DEADLINE_S)
        finally:
            self.process.kill()
            self.process.wait()


class Link:
    """The exchange's side of the control socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.connection.settimeout(DEADLINE_S)
        self._unframer = Unframer(Report)
        self.waiting: list[Any] = []
        self.ready = Ready(0, 0, [], [], False)

    @property
    def peer_pid(self) -> int:
        """The process that listens at the other end."""
        size = struct.calcsize("3i")
        credentials = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", credentials)[0])

    def greet(self, grace_s: float = 20.0) -> None:
        """Be an exchange that has just begun."""
        self.send(Hello(VERSION, grace_s))
        self.ready = self.expect(Ready)

    def send(self, *commands: Command) -> None:
        self.connection.sendall(b"".join(map(frame, commands)))

    def poll(self, timeout_s: float) -> bool:
        """Take in what has come within the time; False if nothing has."""
        self.connection.settimeout(timeout_s)
        try:
            data = self.connection.recv(1 << 16)
        except TimeoutError:
            return False
        if not data:
            raise EOFError
        self.waiting += self._unframer.feed(data)
        return True

    def expect(self, kind: type[T]) -> T:
        """Return the next report of a kind; others stay in `waiting`."""
        end = time.monotonic() + DEADLINE_S
        while True:
            for report in self.waiting:
                if isinstance(report, kind):
                    self.waiting.remove(report)
                    return report
            left = end - time.monotonic()
            assert left > 0, f"no {kind.__name__}, but {self.waiting}"
            self.poll(left)

    def said(self, kind: type[T]) -> list[T]:
        """Take out the reports of a kind that have come up to now."""
        self.settle()
        found = [report for report in self.waiting if isinstance(report, kind)]
        self.waiting = [report for report in self.waiting if not isinstance(report, kind)]
        return found

    def counts(self) -> dict[int, StreamCounts]:
        self.send(Query())
        return {one.port: one for one in self.expect(Counts).streams}

    def late_ticks(self) -> int:
        """Ticks so far that a busy machine has not let the engine have in time."""
        self.send(Query())
        return self.expect(Counts).late_ticks

    def release(self, *ports: int) -> dict[int, StreamCounts]:
        self.send(Release(list(ports)))
        ended = [self.expect(Released).counts for _ in ports]
        return {one.port: one for one in ended}

    def until_closed(self) -> None:
        """Read until the engine has closed the connection."""
        with contextlib.suppress(EOFError, ConnectionError):
            while self.poll(DEADLINE_S):
                pass
            raise AssertionError("the connection is still open")

    def settle(self) -> None:
        """Return once every command before has been carried out."""
        self.counts()

    def close(self) -> None:
        self.connection.close()


class Phone:
    """A peer's RTP socket, and the RTCP one above it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.rtp, self.rtcp = _pair(host)
        self.port = self.rtp.getsockname()[1]
        self._sequence = 0

    @property
    def address(self) -> Address:
        return Address(self.host, self.port)

    @property
    def rtcp_address(self) -> Address:
        return Address(self.host, self.port + 1)

    def say(self, port: int, payload: bytes = b"x" * 160, *, host: str = "") -> bytes:
        """Send the next RTP packet to a port of the engine; returns it."""
        packet = rtp(self._sequence, payload)
        self._sequence += 1
        self.rtp.sendto(packet, (host or self.host, port))
        return packet

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        rtp_socket = socket.socket(family, socket.SOCK_DGRAM)
        rtcp_socket = socket.socket(family, socket.SOCK_DGRAM)
        for one in (rtp_socket, rtcp_socket):
            one.settimeout(DEADLINE_S)
        rtp_socket.bind((host, 0))
        try:
            rtcp_socket.bind((host, rtp_socket.getsockname()[1] + 1))
        except (OSError, OverflowError):
            rtp_socket.close()
            rtcp_socket.close()
            continue
        return rtp_socket, rtcp_socket


def _threads(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return how many packet threads `ENGINE_THREADS` asks for, where a test doesn't say itself."""
    wanted = os.environ.get("ENGINE_THREADS", "")
    return ("--threads", wanted) if wanted and "--threads" not in words else ()


def rtp(sequence: int, payload: bytes = b"x" * 160, *, ssrc: int = 7, timestamp: int = -1) -> bytes:
    """Return an RTP packet of PCMU (RFC 3550 §5.1)."""
    stamp = sequence * 160 if timestamp < 0 else timestamp
    return struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload


def rtcp(ssrc: int = 7) -> bytes:
    """Return a receiver report without blocks (RFC 3550 §6.4.2)."""
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc)


def stream(port: int, sink: int, remote: Address | None, **changes: Any) -> Stream:
    """Return a stream of an ordinary phone on loopback."""
    settings: dict[str, Any] = {
        "local": "127.0.0.1" if remote is None or ":" not in remote.host else "::1",
        "remote_rtcp": None,
        "rtcp_mux": False,
        "send": True,
        "latch": True,
        "timeout_s": 0.0,
        "generation": 0,
    }
    return Stream(port=port, sink=sink, remote_rtp=remote, **{**settings, **changes})


def stand_still(link: Link, for_s: float = 0.25) -> None:
    """Stop an engine for a while, as a machine does that is too busy: its ticks are late."""
    os.kill(link.ready.pid, signal.SIGSTOP)
    try:
        end = time.monotonic() + for_s
        until(lambda: time.monotonic() >= end)
    finally:
        os.kill(link.ready.pid, signal.SIGCONT)


@contextlib.contextmanager
def stumbling(link: Link, *stalls_s: float) -> Iterator[None]:
    """Have an engine stand still for so long each, and go on for a tenth of a second in between."""

    def stumble() -> None:
        for for_s in stalls_s:
            stand_still(link, for_s)
            time.sleep(0.1)

    stalls = threading.Thread(target=stumble)
    stalls.start()
    try:
        yield
    finally:
        stalls.join()


@contextlib.contextmanager
def running(
    *more: str,
    first_port: int = 0,
    stderr: int = -1,
    under: tuple[str, ...] = (),
    **environment: str,
) -> Iterator[EngineProcess]:
    """Start an engine, `under` another command if need be; end it and its folder at the end."""
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        engine = EngineProcess(
            Path(folder), *more, first_port=first_port, stderr=stderr, under=under, **environment
        )
        try:
            yield engine
        finally:
            engine.end()


def connect_phones(link: Link, a: Phone, b: Phone) -> tuple[int, int]:
    """Set up a call; returns the ports that `a` and `b` talk to."""
    one, two = link.ready.ports[:2]
    link.send(stream(one, two, a.address), stream(two, one, b.address))
    link.settle()
    return one, two


def silent(receiver: socket.socket) -> bool:
    """Whether nothing has come."""
    receiver.setblocking(False)
    try:
        receiver.recv(4096)
    except BlockingIOError:
        return True
    finally:
        receiver.settimeout(DEADLINE_S)
    return False
