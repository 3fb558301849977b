"""A transport that keeps what comes, and peers on real sockets."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable
from typing import Any

from pbx.net.transport import SipTransport
from pbx.sip.flow import Address, Flow

HOSTS = ("127.0.0.1", "127.0.0.2", "::1")

WITHIN_S = 10.0
"""No test waits longer for anything."""


def options(name: str = "x", body: bytes = b"") -> bytes:
    """Return a message that a stream can be cut at; only its first line and length matter here."""
    return (
        f"OPTIONS sip:{name} SIP/2.0\r\nContent-Length: {len(body)}\r\n\r\n".encode("ascii") + body
    )


class Office:
    """A `SipTransport` with what it has told.

    Args:
        port: of the transport.
        limits: further arguments of `SipTransport`.
    """

    def __init__(self, port: int, **limits: Any) -> None:
        self.port = port
        self.received: list[tuple[bytes, Flow]] = []
        self.failures: list[tuple[Flow, str]] = []
        self.needed: set[int] = set()
        self.answer: Callable[[bytes, Flow], None] = lambda data, flow: None
        self.failed: Callable[[Flow, str], None] = lambda flow, why: None
        self._news = asyncio.Event()
        self._clients: list[Client] = []
        self.transport = SipTransport(
            port, self._received, self._failed, lambda: self.needed, **limits
        )

    def _received(self, data: bytes, flow: Flow) -> None:
        self.received.append((data, flow))
        self.answer(data, flow)
        self._news.set()

    def _failed(self, flow: Flow, why: str) -> None:
        self.failures.append((flow, why))
        self.failed(flow, why)
        self._news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until something that has been told makes `done` true."""
        async with asyncio.timeout(WITHIN_S):
            while not done():
                self._news.clear()
                await self._news.wait()

    async def messages(self, count: int) -> list[bytes]:
        """Wait for so many messages, and return all."""
        await self.until(lambda: len(self.received) >= count)
        return [data for data, _ in self.received]

    async def failure(self) -> tuple[Flow, str]:
        """Wait for a flow that failed."""
        await self.until(lambda: bool(self.failures))
        return self.failures[0]

    async def client(self, host: str = "127.0.0.1", **more: Any) -> "Client":
        """Return a TCP connection to the transport, or whatever `more` asks `Client.connect` for."""
        made = await Client.connect(host, **{"port": self.port, **more})
        self._clients.append(made)
        return made

    async def phone(self, host: str = "127.0.0.1", **more: Any) -> "tuple[Client, Flow]":
        """Return a connection (as `client`) that has sent a message, and the flow that it came on."""
        client, before = await self.client(host, **more), len(self.received)
        client.write(options())
        await self.messages(before + 1)
        return client, self.received[before][1]

    def flow(self, remote: int, *, connection: int = 0, local: str = "127.0.0.1") -> Flow:
        """Return a TCP flow to a port on 127.0.0.1."""
        return Flow("tcp", Address(local, self.port), Address("127.0.0.1", remote), connection)

    async def close(self) -> None:
        """Close the transport and every client."""
        for client in self._clients:
            client.close()
        await self.transport.close()


NewOffice = Callable[..., Office]
"""Makes an office; arguments as `SipTransport`'s limits."""


class Client:
    """A peer's end of a TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, host: str, port: int, **more: Any) -> "Client":
        """Connect; arguments as `asyncio.open_connection`'s."""
        return cls(*await asyncio.open_connection(host, port, **more))

    @property
    def address(self) -> Address:
        """Our own address."""
        name = self.writer.get_extra_info("sockname")
        return Address(name[0], name[1])

    def write(self, data: bytes) -> None:
        """Send."""
        self.writer.write(data)

    async def read(self, size: int) -> bytes:
        """Return so many octets."""
        async with asyncio.timeout(WITHIN_S):
            return await self.reader.readexactly(size)

    async def ended(self) -> bytes:
        """Wait for the other side to end the connection; return what still came."""
        rest = b""
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(ConnectionError):
                while piece := await self.reader.read(65536):
                    rest += piece
        return rest

    def close(self) -> None:
        """Drop the connection."""
        self.writer.transport.abort()


class Listener:
    """A phone that takes TCP connections."""

    def __init__(self) -> None:
        self.clients: asyncio.Queue[Client] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._made: list[Client] = []
        self.port = 0

    async def __aenter__(self) -> "Listener":
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        self._made.append(client)
        self.clients.put_nowait(client)

    async def client(self) -> Client:
        """Return the next connection that has been made."""
        async with asyncio.timeout(WITHIN_S):
            return await self.clients.get()

    async def __aexit__(self, *_: object) -> None:
        for client in self._made:
            client.close()
        if self._server is not None:
            self._server.close()


class UdpPeer:
    """A phone's UDP socket."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        name = self._socket.getsockname()
        self.address = Address(name[0], name[1])

    def send(self, data: bytes, host: str, port: int) -> None:
        """Send one datagram."""
        self._socket.sendto(data, (host, port))

    async def receive(self) -> tuple[bytes, Address]:
        """Return the next datagram and where it came from."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self._socket.fileno(), arrived.set)
        try:
            async with asyncio.timeout(WITHIN_S):
                await arrived.wait()
        finally:
            loop.remove_reader(self._socket.fileno())
        data, name = self._socket.recvfrom(70000)
        return data, Address(name[0], name[1])

    def __enter__(self) -> "UdpPeer":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def requested(data: bytes) -> list[str]:
    """Return the names in `options` messages, in their order."""
    return [name.decode() for name in re.findall(rb"OPTIONS sip:(\S+) ", data)]
