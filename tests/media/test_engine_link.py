import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from pbx.media.engine_link import EngineLink, connect
from pbx.media.protocol import (
    Address,
    Command,
    Counts,
    Latched,
    Query,
    Report,
    Unframer,
    frame,
)


class Peer:
    """The other end of the socket, in this process."""

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.connected = asyncio.Event()
        self.reports: asyncio.Queue[Report] = asyncio.Queue()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.connected.set()

    async def link(self, path: Path) -> EngineLink:
        self.server = await asyncio.start_unix_server(self.accept, path)
        link = await connect(path, self.reports.put_nowait)
        await self.connected.wait()
        return link

    async def close(self) -> None:
        self.writer.close()
        self.server.close()
        await self.server.wait_closed()


class TestEngineLink:
    async def test_commands_and_reports(self, tmp_path: Path) -> None:
        peer = Peer()
        link = await peer.link(tmp_path / "s")
        link.send([Query(), Query()])
        expected = frame(Query()) * 2
        assert await peer.reader.readexactly(len(expected)) == expected
        assert Unframer(Command).feed(expected) == [Query(), Query()]
        said = frame(Latched(20000, Address("::1", 5000))) + frame(Counts([]))
        for octet in said:
            peer.writer.write(bytes([octet]))
        assert await peer.reports.get() == Latched(20000, Address("::1", 5000))
        assert await peer.reports.get() == Counts([])
        assert link.answers == 1
        link.close()
        assert await link.closed == "we ended the connection"
        await peer.close()

    async def test_the_process_at_the_other_end(self, tmp_path: Path) -> None:
        peer = Peer()
        link = await peer.link(tmp_path / "s")
        assert link.pid == os.getpid()
        link.close()
        await peer.close()

    async def test_it_ends_the_connection(self, tmp_path: Path) -> None:
        peer = Peer()
        link = await peer.link(tmp_path / "s")
        peer.writer.close()
        assert await link.closed == "it ended the connection"
        assert not link.open
        await peer.close()

    async def test_an_ended_link_does_nothing(self, tmp_path: Path) -> None:
        peer = Peer()
        link = await peer.link(tmp_path / "s")
        link.close("first")
        link.close("second")
        link.send([Query()])
        link.signal(signal.SIGKILL)  # Would be the end of this process.
        await link.kill("third")
        assert await link.closed == "first"
        await peer.close()

    async def test_something_else_listens_there(self, tmp_path: Path) -> None:
        peer = Peer()
        link = await peer.link(tmp_path / "s")
        peer.writer.write(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        assert "does not speak our protocol" in await link.closed
        assert peer.reports.empty()
        await peer.close()

    async def test_nobody_listens(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            await connect(tmp_path / "s", lambda report: None)

    def test_before_it_is_connected(self) -> None:
        async def run() -> None:
            with socket.socket(socket.AF_UNIX) as end:
                link = EngineLink(end, os.getpid(), lambda report: None)
                link.send([Query()])
                link.close()
                assert not link.open

        asyncio.run(run())

    async def test_the_connection_breaks(self) -> None:
        with socket.socket(socket.AF_UNIX) as end:
            link = EngineLink(end, os.getpid(), lambda report: None)
        link.connection_lost(ConnectionResetError("broken"))
        link.connection_lost(None)
        assert await link.closed == "broken"
