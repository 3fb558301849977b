"""SIP over TLS on real sockets: the handshake, what spoils it, and whom that touches."""

import asyncio
import logging
import random
import socket
import ssl
import warnings
from pathlib import Path
from typing import Any

import pytest

from pbx.config.data_folder import DataFolder
from pbx.config.settings import TlsSettings
from pbx.locale import choose
from pbx.net.certificate import own_identity
from pbx.net.stream import BACKLOG_LIMIT
from pbx.net.transport import StreamPort
from pbx.sip.flow import Address, Flow
from tests.net.office import HOSTS, Client, NewOffice, Office, options, requested

HELLO = bytes.fromhex("1603010200010001fc0303")
"""How a TLS handshake begins."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """A data folder with a certificate."""
    folder = DataFolder(tmp_path_factory.mktemp("data"))
    own_identity(TlsSettings(), folder, HOSTS)
    return folder


class SecureOffice:
    """An office with TLS, and the way in for phones that check its certificate."""

    def __init__(self, office: Office, port: int, certificate: Path) -> None:
        self.office = office
        self.port = port
        self.context = ssl.create_default_context(cafile=certificate)

    async def client(self, host: str = "127.0.0.1") -> Client:
        return await self.office.client(host, **self._secure(host))

    async def phone(self, host: str = "127.0.0.1") -> tuple[Client, Flow]:
        return await self.office.phone(host, **self._secure(host))

    async def plain(self) -> Client:
        """Return a TCP connection to the TLS port that has said nothing yet."""
        return await self.office.client(port=self.port)

    def _secure(self, host: str) -> dict[str, Any]:
        return {"port": self.port, "ssl": self.context, "server_hostname": host}


@pytest.fixture
def new_secure(new_office: NewOffice, folder: DataFolder, tls_port: int) -> Any:
    """Return a function that makes a secure office, not yet open."""

    def make(**limits: Any) -> SecureOffice:
        identity = own_identity(TlsSettings(), folder, HOSTS)
        office = new_office(more=[StreamPort("tls", tls_port, identity.context)], **limits)
        return SecureOffice(office, tls_port, folder.tls / "certificate.pem")

    return make


@pytest.fixture
async def secure(new_secure: Any) -> SecureOffice:
    """A secure office that listens on all of `HOSTS`."""
    made: SecureOffice = new_secure()
    await made.office.transport.open(HOSTS)
    return made


class TestConnection:
    """What works over TCP works over TLS."""

    @pytest.mark.parametrize("host", HOSTS)
    async def test_certificate_is_good_for_each_address(
        self, secure: SecureOffice, host: str
    ) -> None:
        client, flow = await secure.phone(host)
        assert flow.transport == "tls"
        assert flow.local == Address(host, secure.port)
        assert flow.remote == client.address
        secure.office.transport.send(b"answer", flow)
        assert await client.read(6) == b"answer"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_versions(self, secure: SecureOffice, version: ssl.TLSVersion) -> None:
        secure.context.minimum_version = secure.context.maximum_version = version
        client, flow = await secure.phone()
        spoken = client.writer.get_extra_info("ssl_object").version()
        assert spoken == version.name.replace("_", ".")
        secure.office.transport.send(b"answer", flow)
        assert await client.read(6) == b"answer"

    async def test_old_version_is_refused(self, secure: SecureOffice) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            secure.context.minimum_version = ssl.TLSVersion.TLSv1
            secure.context.maximum_version = ssl.TLSVersion.TLSv1_1
        secure.context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError):
            await secure.client()

    async def test_messages_come_and_go_however_large(self, secure: SecureOffice) -> None:
        client, flow = await secure.phone()
        messages = [options(str(number), b"x" * 200 * number) for number in range(100)]
        client.write(b"".join(messages))
        await secure.office.messages(101)
        assert [data for data, _ in secure.office.received[1:]] == messages
        data = random.Random(5246).randbytes(BACKLOG_LIMIT)
        secure.office.transport.send(data, flow)
        assert await client.read(len(data)) == data

    async def test_ping_pong(self, secure: SecureOffice) -> None:
        client = await secure.client()
        for _ in range(3):
            client.write(b"\r\n\r\n")
            assert await client.read(2) == b"\r\n"

    async def test_slow_reader_is_dropped_alone(self, secure: SecureOffice) -> None:
        slow, slow_flow = await secure.phone()
        good, good_flow = await secure.phone()
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(600):
            secure.office.transport.send(bytes(BACKLOG_LIMIT // 16), slow_flow)
        assert (await secure.office.failure()) == (slow_flow, "the peer does not read")
        secure.office.transport.send(b"hello", good_flow)
        assert await good.read(5) == b"hello"

    async def test_phone_that_goes(self, secure: SecureOffice) -> None:
        client, flow = await secure.phone()
        client.writer.close()
        assert await secure.office.failure() == (flow, "the peer closed the connection")

    async def test_close_delivers_what_is_queued(self, secure: SecureOffice) -> None:
        """To a plain socket: uvloop's own clients lose what comes just before the end."""
        data = random.Random(7).randbytes(900_000)

        def read_all() -> bytes:
            with (
                socket.create_connection(("127.0.0.1", secure.port)) as plain,
                secure.context.wrap_socket(plain, server_hostname="127.0.0.1") as end,
            ):
                end.sendall(options())
                # A connection that ended without close_notify would raise (RFC 8446 §6.1).
                return b"".join(iter(lambda: end.recv(65536), b""))

        reading = asyncio.create_task(asyncio.to_thread(read_all))
        await secure.office.messages(1)
        secure.office.transport.send(data, secure.office.received[0][1])
        await secure.office.transport.close()
        assert await reading == data
        assert secure.office.failures == []


class TestBadHandshake:
    """What is no TLS is dropped with a line in the log, and nobody else notices."""

    @pytest.mark.parametrize(
        "garbage",
        [
            options(),
            b"GET / HTTP/1.1\r\n\r\n",
            HELLO + bytes(600),
            b"\x80" + bytes(300),
            random.Random(8446).randbytes(100_000),
        ],
        ids=["sip", "http", "broken-hello", "ssl-2", "noise"],
    )
    async def test_garbage(
        self, secure: SecureOffice, garbage: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        honest, flow = await secure.phone()
        guilty = await secure.plain()
        guilty.write(garbage)
        await guilty.ended()
        await secure.office.failure()
        (line,) = [record for record in caplog.records if record.levelno >= logging.INFO]
        assert "no TLS with it" in line.getMessage()
        assert line.exc_info is None
        secure.office.transport.send(b"still there", flow)
        assert await honest.read(11) == b"still there"
        assert requested(b"".join(data for data, _ in secure.office.received)) == ["x"]

    async def test_garbage_after_the_handshake(self, secure: SecureOffice) -> None:
        client, _ = await secure.phone()
        client.write(b"GET / HTTP/1.1\r\n\r\n")
        await client.ended()

    async def test_phone_that_does_not_trust_the_certificate(
        self, secure: SecureOffice, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        context = ssl.create_default_context()

        def distrust() -> None:
            # A plain socket sends the alert; asyncio's connections don't.
            with (
                socket.create_connection(("127.0.0.1", secure.port)) as end,
                pytest.raises(ssl.SSLCertVerificationError),
            ):
                context.wrap_socket(end, server_hostname="127.0.0.1")

        await asyncio.to_thread(distrust)
        await secure.office.failure()
        assert "unknown ca" in caplog.text

    @pytest.mark.parametrize("said", [b"", HELLO, HELLO + bytes(100)])
    async def test_stalled_handshake_ends(self, new_secure: Any, said: bytes) -> None:
        secure: SecureOffice = new_secure(first_message_s=0.2)
        await secure.office.transport.open(HOSTS)
        stalled = [await secure.plain() for _ in range(5)]
        for one in stalled:
            one.write(said)
        honest, flow = await secure.phone()
        secure.office.transport.send(b"meanwhile", flow)
        assert await honest.read(9) == b"meanwhile"
        for one in stalled:
            await one.ended()
        secure.office.transport.send(b"afterwards", flow)
        assert await honest.read(10) == b"afterwards"

    async def test_shaken_hands_and_not_a_word(self, new_secure: Any) -> None:
        secure: SecureOffice = new_secure(first_message_s=0.2)
        await secure.office.transport.open(HOSTS)
        await (await secure.client()).ended()

    async def test_stalled_handshakes_count_and_make_room(self, new_secure: Any) -> None:
        secure: SecureOffice = new_secure(connections_limit=3)
        await secure.office.transport.open(HOSTS)
        stalled = [await secure.plain() for _ in range(3)]
        phones = [await secure.phone() for _ in range(3)]
        for one in stalled:
            await one.ended()
        for client, flow in phones:
            secure.office.transport.send(b"x", flow)
            assert await client.read(1) == b"x"


class TestPort:
    """Without its port there is no TLS, and all else is as ever."""

    async def test_addresses(self, secure: SecureOffice) -> None:
        told = secure.office.transport.addresses
        assert [one for one in told if one.startswith("tls ")] == [
            f"tls 127.0.0.1:{secure.port}",
            f"tls 127.0.0.2:{secure.port}",
            f"tls [::1]:{secure.port}",
        ]

    async def test_port_in_use(
        self, new_secure: Any, tls_port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        choose("en")
        secure: SecureOffice = new_secure()
        with socket.create_server(("127.0.0.1", tls_port)):
            await secure.office.transport.open(["127.0.0.1"])
        assert f"The TLS port 127.0.0.1:{tls_port} is in use" in caplog.text
        assert not any(one.startswith("tls ") for one in secure.office.transport.addresses)
        await secure.office.phone()
        # Free again: the next change of addresses brings it.
        await secure.office.transport.follow(["127.0.0.1", "127.0.0.2"])
        await secure.phone("127.0.0.1")
        await secure.phone("127.0.0.2")

    async def test_address_that_goes(self, secure: SecureOffice) -> None:
        await secure.office.transport.follow(["127.0.0.1"])
        with pytest.raises(ConnectionRefusedError):
            await secure.client("127.0.0.2")
        await secure.phone("127.0.0.1")
