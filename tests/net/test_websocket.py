"""SIP over WebSocket on real sockets: a client library that we did not write, and raw octets."""

import asyncio
import os
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError
from websockets.frames import CloseCode
from websockets.typing import Origin, Subprotocol

from pbx.config.data_folder import DataFolder
from pbx.config.settings import TlsSettings
from pbx.locale import choose
from pbx.net.certificate import own_identity
from pbx.net.transport import StreamPort
from pbx.sip.flow import Address, Flow
from pbx.sip.grammar import MAX_MESSAGE_BYTES
from tests.net.office import HOSTS, WITHIN_S, Client, NewOffice, Office, options

SIP = Subprotocol("sip")

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: pbx\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)
"""RFC 6455 §1.2's, whose answer has s3pPLMBiTxaQ9kYGzzhZRbK+xOo= in it."""


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """Return one frame as a client sends it (RFC 6455 §5.2)."""
    length, mask = len(payload), os.urandom(4)
    head = bytes((0x80 * fin | opcode,))
    if length < 126:
        head += bytes((0x80 * masked | length,))
    else:
        head += bytes((0x80 * masked | 126,)) + struct.pack("!H", length)
    if not masked:
        return head + payload
    return head + mask + bytes(each ^ mask[at % 4] for at, each in enumerate(payload))


class WebOffice:
    """An office with WebSocket ports, and ways in."""

    def __init__(self, office: Office, port: int, secure: ssl.SSLContext | None = None) -> None:
        self.office = office
        self.port = port
        self.secure = secure

    @asynccontextmanager
    async def client(self, host: str = "127.0.0.1", **more: Any) -> AsyncIterator[ClientConnection]:
        """Yield a connection of the `websockets` library's own client."""
        scheme = "wss" if self.secure else "ws"
        name = f"[{host}]" if ":" in host else host
        chosen = {"subprotocols": [SIP], "proxy": None, "ssl": self.secure, **more}
        async with connect(f"{scheme}://{name}:{self.port}/", **chosen) as client:
            yield client

    async def flow_of(self, client: ClientConnection) -> Flow:
        """Return the flow that a client's message comes by."""
        before = len(self.office.received)
        await client.send(options().decode())
        await self.office.messages(before + 1)
        return self.office.received[before][1]

    async def raw(self, *, shaken: bool = True) -> Client:
        """Return a plain TCP connection to the port, after the handshake or before."""
        client = await self.office.client(port=self.port)
        if shaken:
            client.write(HANDSHAKE)
            answer = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WITHIN_S)
            assert answer.startswith(b"HTTP/1.1 101 ")
        return client


@pytest.fixture
async def web(new_office: NewOffice, tls_port: int) -> WebOffice:
    """An office that listens for WebSocket on all of `HOSTS`."""
    office = new_office(more=[StreamPort("ws", tls_port)])
    await office.transport.open(HOSTS)
    return WebOffice(office, tls_port)


@pytest.fixture
async def secure_web(new_office: NewOffice, tls_port: int, tmp_path: Path) -> WebOffice:
    """The same with TLS."""
    folder = DataFolder(tmp_path)
    identity = own_identity(TlsSettings(), folder, HOSTS)
    office = new_office(more=[StreamPort("wss", tls_port, identity.context)])
    await office.transport.open(HOSTS)
    trusting = ssl.create_default_context(cafile=folder.tls / "certificate.pem")
    return WebOffice(office, tls_port, trusting)


class TestRfc7118Section4_1:
    """The handshake: both sides name the sub-protocol ``sip``."""

    @pytest.mark.parametrize("host", HOSTS)
    async def test_sip_is_agreed_on(self, web: WebOffice, host: str) -> None:
        async with web.client(host) as client:
            assert client.subprotocol == "sip"
            flow = await web.flow_of(client)
        assert flow.transport == "ws"
        assert flow.reliable
        assert not flow.is_stream
        assert flow.local == Address(host, web.port)

    async def test_one_of_several(self, web: WebOffice) -> None:
        async with web.client(subprotocols=[Subprotocol("msrp"), SIP]) as client:
            assert client.subprotocol == "sip"

    @pytest.mark.parametrize("offered", [None, [Subprotocol("msrp")]])
    async def test_nothing_else_is(self, web: WebOffice, offered: list[Subprotocol] | None) -> None:
        with pytest.raises((InvalidStatus, NegotiationError)) as caught:
            async with web.client(subprotocols=offered):
                pass
        assert isinstance(caught.value, InvalidStatus)
        assert caught.value.response.status_code == 400

    async def test_the_answer_is_rfc_6455s(self, web: WebOffice) -> None:
        client = await web.raw(shaken=False)
        client.write(HANDSHAKE)
        answer = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), WITHIN_S)
        assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
        assert b"\r\nSec-WebSocket-Protocol: sip\r\n" in answer

    async def test_handshake_octet_by_octet_and_a_message_at_its_heels(
        self, web: WebOffice
    ) -> None:
        client = await web.raw(shaken=False)
        for number in range(len(HANDSHAKE) - 1):
            client.write(HANDSHAKE[number : number + 1])
            await client.writer.drain()
        client.write(HANDSHAKE[-1:] + frame(1, options("a")))
        assert await web.office.messages(1) == [options("a")]

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            (b"GET / HTTP/1.1\r\nHost: pbx\r\n\r\n", b"HTTP/1.1 426 "),
            (HANDSHAKE.replace(b"GET", b"PUT"), b"HTTP/1.1 "),
            (HANDSHAKE.replace(b"Version: 13", b"Version: 8"), b"HTTP/1.1 400 "),
            (HANDSHAKE.replace(b"dGhl", b"\xc3\xa9\xff"), b"HTTP/1.1 "),
        ],
        ids=["a browser's page", "another method", "an old version", "a bad key"],
    )
    async def test_refused_in_http(self, web: WebOffice, asked: bytes, status: bytes) -> None:
        client = await web.raw(shaken=False)
        client.write(asked)
        assert (await client.ended()).startswith(status)

    @pytest.mark.parametrize("asked", [options(), b"\x16\x03\x01\0\n\n", b"x" * 100_000])
    async def test_what_is_no_http_ends_that_connection(self, web: WebOffice, asked: bytes) -> None:
        async with web.client() as honest:
            flow = await web.flow_of(honest)
            client = await web.raw(shaken=False)
            client.write(asked)
            await client.ended()
            web.office.transport.send(b"SIP", flow)
            assert await honest.recv() == "SIP"


class TestOrigins:
    """Whose pages may connect (RFC 6455 §10.2)."""

    @pytest.fixture
    async def choosy(self, new_office: NewOffice, tls_port: int) -> WebOffice:
        office = new_office(more=[StreamPort("ws", tls_port, None, ["https://example.org"])])
        await office.transport.open(HOSTS)
        return WebOffice(office, tls_port)

    @pytest.mark.parametrize("origin", [None, Origin("https://example.org")])
    async def test_welcome(self, choosy: WebOffice, origin: Origin | None) -> None:
        async with choosy.client(origin=origin) as client:
            await choosy.flow_of(client)

    @pytest.mark.parametrize("origin", ["https://example.com", "http://example.org", "null"])
    async def test_refused(self, choosy: WebOffice, origin: str) -> None:
        with pytest.raises(InvalidStatus) as caught:
            async with choosy.client(origin=Origin(origin)):
                pass
        assert caught.value.response.status_code == 403

    async def test_without_the_setting_all_are_welcome(self, web: WebOffice) -> None:
        async with web.client(origin=Origin("https://anywhere.example")) as client:
            await web.flow_of(client)


class TestRfc7118Section4_2:
    """A message is what one frame, or one chain of frames, holds; text and binary alike."""

    async def test_text_and_binary(self, web: WebOffice) -> None:
        async with web.client() as client:
            await client.send(options("a").decode())
            await client.send(options("b"))
            assert await web.office.messages(2) == [options("a"), options("b")]

    async def test_without_content_length(self, web: WebOffice) -> None:
        message = b"OPTIONS sip:a SIP/2.0\r\n\r\n"
        async with web.client() as client:
            await client.send(message.decode())
            assert await web.office.messages(1) == [message]

    async def test_two_messages_in_a_frame_are_one(self, web: WebOffice) -> None:
        """What lies after the first one is cut off above, as in a datagram (RFC 3261 §18.3)."""
        async with web.client() as client:
            await client.send(options("a") + options("b"))
            assert await web.office.messages(1) == [options("a") + options("b")]

    async def test_a_chain_with_a_ping_in_it(self, web: WebOffice) -> None:
        message = options("a", b"body")
        client = await web.raw()
        client.write(frame(1, message[:9], fin=False) + frame(9, b"?"))
        assert await client.read(3) == b"\x8a\x01?"
        client.write(frame(0, message[9:20], fin=False) + frame(0, message[20:]))
        assert await web.office.messages(1) == [message]

    async def test_frames_cut_anywhere(self, web: WebOffice) -> None:
        client = await web.raw()
        stream = frame(1, options("a")) + frame(2, options("b", b"x" * 300))
        for number in range(len(stream)):
            client.write(stream[number : number + 1])
            await client.writer.drain()
        assert await web.office.messages(2) == [options("a"), options("b", b"x" * 300)]

    async def test_answers_are_text_where_they_can_be(self, web: WebOffice) -> None:
        async with web.client() as client:
            flow = await web.flow_of(client)
            for data in ("SIP ä 电".encode(), b"SIP \xff", bytes(70_000)):
                web.office.transport.send(data, flow)
            assert await client.recv() == "SIP ä 电"
            assert await client.recv() == b"SIP \xff"
            assert await client.recv() == "\0" * 70_000

    async def test_empty_lines_before_and_instead_of_a_message(self, web: WebOffice) -> None:
        async with web.client() as client:
            for text in ("", "\r\n", "\r\n" + options("a").decode()):
                await client.send(text)
            assert await web.office.messages(1) == [options("a")]


class TestKeepAlive:
    """By CRLF (RFC 5626 §4.4.1), as JsSIP and SIP.js do it, and by WebSocket's own ping."""

    async def test_crlf(self, web: WebOffice) -> None:
        async with web.client() as client:
            for _ in range(3):
                await client.send("\r\n\r\n")
                assert await client.recv() == "\r\n"
        assert web.office.received == []

    async def test_ping(self, web: WebOffice) -> None:
        async with web.client() as client:
            await asyncio.wait_for(await client.ping(), WITHIN_S)


class TestSecure:
    """The same over TLS."""

    @pytest.mark.parametrize("host", HOSTS)
    async def test_both_ways(self, secure_web: WebOffice, host: str) -> None:
        office = secure_web.office
        async with secure_web.client(host) as client:
            flow = await secure_web.flow_of(client)
            assert flow.transport == "wss"
            office.transport.send(b"SIP answer", flow)
            assert await client.recv() == "SIP answer"
        await office.failure()

    async def test_the_certificate_is_checked(self, secure_web: WebOffice) -> None:
        stranger = ssl.create_default_context()
        with pytest.raises(ssl.SSLError):
            async with secure_web.client(ssl=stranger):
                pass

    async def test_addresses(self, secure_web: WebOffice) -> None:
        told = secure_web.office.transport.addresses
        assert [one for one in told if one.startswith("wss ")] == [
            f"wss 127.0.0.1:{secure_web.port}",
            f"wss 127.0.0.2:{secure_web.port}",
            f"wss [::1]:{secure_web.port}",
        ]


class TestEnd:
    """How a connection ends, and who is told."""

    async def test_peer_closes(self, web: WebOffice) -> None:
        async with web.client() as client:
            flow = await web.flow_of(client)
            await client.close()
            assert client.close_code == CloseCode.NORMAL_CLOSURE
        assert await web.office.failure() == (flow, "the peer closed the connection")
        web.office.transport.send(b"x", flow)
        assert web.office.failures[1:] == [(flow, "the connection is gone")]

    async def test_peer_closes_before_it_has_been_let_in(self, web: WebOffice) -> None:
        client = await web.raw(shaken=False)
        client.write(HANDSHAKE + frame(1, options()) + frame(8, struct.pack("!H", 1000)))
        await client.ended()
        _, why = await web.office.failure()
        assert why == "the peer closed the connection"

    async def test_peer_vanishes(self, web: WebOffice) -> None:
        client = await web.raw()
        client.write(frame(1, options()))
        await web.office.messages(1)
        client.close()
        flow, why = await web.office.failure()
        assert flow.transport == "ws"
        assert why

    async def test_we_stop(self, web: WebOffice) -> None:
        async with web.client() as client:
            flow = await web.flow_of(client)
            web.office.transport.send(b"SIP bye", flow)
            await web.office.transport.close()
            assert await client.recv() == "SIP bye"
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == CloseCode.GOING_AWAY

    async def test_no_connection_is_made_to_a_browser(self, web: WebOffice) -> None:
        flow = Flow("ws", Address("127.0.0.1", web.port), Address("127.0.0.1", 9))
        web.office.transport.send(b"x", flow)
        why = "over WebSocket a phone is reached by its own connection only"
        assert web.office.failures == [(flow, why)]


class TestAbuse:
    """What breaks RFC 6455 ends its own connection, with a word to the peer, and no other."""

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            (frame(1, options(), masked=False), CloseCode.PROTOCOL_ERROR),
            (frame(3, b""), CloseCode.PROTOCOL_ERROR),
            (frame(0, b"x"), CloseCode.PROTOCOL_ERROR),
            (frame(1, b"OPT", fin=False) + frame(1, b"x"), CloseCode.PROTOCOL_ERROR),
            (frame(9, b"x", fin=False), CloseCode.PROTOCOL_ERROR),
            (frame(9, b"x" * 126), CloseCode.PROTOCOL_ERROR),
            (b"\xf1" + frame(1, b"x")[1:], CloseCode.PROTOCOL_ERROR),
            (frame(1, b"OPTIONS sip:\xff SIP/2.0\r\n\r\n"), CloseCode.INVALID_DATA),
            (b"\x82\xff" + bytes(5) + b"\1\0\1" + bytes(4), CloseCode.MESSAGE_TOO_BIG),
            (b"\x82\xff\xff" + bytes(11), CloseCode.MESSAGE_TOO_BIG),
        ],
        ids=[
            "not masked",
            "an opcode that is none",
            "a chain's middle alone",
            "a message in a message",
            "half a ping",
            "a big ping",
            "reserved bits",
            "text that is not UTF-8",
            "more than 64 KiB",
            "a length beyond all bounds",
        ],
    )
    async def test_told_and_ended(self, web: WebOffice, said: bytes, code: CloseCode) -> None:
        async with web.client() as honest:
            flow = await web.flow_of(honest)
            client = await web.raw()
            client.write(said)
            rest = await client.ended()
            assert rest[:1] == b"\x88"
            assert struct.unpack("!H", rest[2:4])[0] == code
            web.office.transport.send(b"SIP", flow)
            assert await honest.recv() == "SIP"

    async def test_a_message_beyond_the_limit(self, web: WebOffice) -> None:
        async with web.client() as client:
            await client.send(options("x", bytes(MAX_MESSAGE_BYTES)))
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == CloseCode.MESSAGE_TOO_BIG
        assert web.office.received == []

    async def test_a_chain_beyond_the_limit(self, web: WebOffice) -> None:
        client = await web.raw()
        client.write(frame(2, b"OPTIONS ", fin=False))
        client.write(frame(0, bytes(60_000), fin=False) * 2)
        rest = await client.ended()
        assert struct.unpack("!H", rest[2:4])[0] == CloseCode.MESSAGE_TOO_BIG

    async def test_what_is_no_sip(self, web: WebOffice) -> None:
        async with web.client() as client:
            await client.send("hello")
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == CloseCode.GOING_AWAY

    @pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost", HANDSHAKE])
    async def test_silent_ones_do_not_stay(
        self, new_office: NewOffice, tls_port: int, said: bytes
    ) -> None:
        office = new_office(more=[StreamPort("ws", tls_port)], first_message_s=0.1)
        await office.transport.open(HOSTS)
        client = await WebOffice(office, tls_port).raw(shaken=False)
        client.write(said)
        await client.ended()

    @pytest.mark.parametrize(
        "half", [frame(1, options())[:20], frame(1, b"OPTIONS", fin=False)], ids=["frame", "chain"]
    )
    async def test_half_messages(self, new_office: NewOffice, tls_port: int, half: bytes) -> None:
        office = new_office(more=[StreamPort("ws", tls_port)], half_message_s=0.1)
        await office.transport.open(HOSTS)
        client = await WebOffice(office, tls_port).raw()
        client.write(frame(1, options()) + half)
        _, why = await office.failure()
        assert why == "a message's rest never came"

    @pytest.mark.parametrize(("opcode", "cut"), [(9, 1), (9, 8), (10, 3)])
    async def test_a_control_frame_in_two_pieces_is_no_half_message(
        self, new_office: NewOffice, tls_port: int, opcode: int, cut: int
    ) -> None:
        office = new_office(more=[StreamPort("ws", tls_port)], half_message_s=1.0)
        await office.transport.open(HOSTS)
        web = WebOffice(office, tls_port)
        client, late = await web.raw(), await web.raw()
        client.write(frame(1, options()))
        await office.messages(1)
        _, flow = office.received[0]
        split = frame(opcode, b"alive")
        # The pong says that what came with its ping has been read
        client.write(frame(9, b"") + split[:cut])
        assert await client.read(2) == frame(10, b"", masked=False)
        client.write(split[cut:])
        if opcode == 9:
            assert await client.read(7) == frame(10, b"alive", masked=False)
        late.write(frame(1, options()) + frame(1, options())[:20])
        await late.ended()
        office.transport.send(b"x", flow)
        assert await client.read(3) == frame(1, b"x", masked=False)

    async def test_slow_reader_is_dropped_alone(self, web: WebOffice) -> None:
        async with web.client() as honest:
            flow = await web.flow_of(honest)
            slow = await web.raw()
            slow.write(frame(1, options()))
            await web.office.messages(2)
            slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
            _, stalled = web.office.received[1]
            while not web.office.failures:
                web.office.transport.send(bytes(100_000), stalled)
                await asyncio.sleep(0)
            assert web.office.failures == [(stalled, "the peer does not read")]
            web.office.transport.send(b"SIP", flow)
            assert await honest.recv() == "SIP"


async def test_port_in_use(
    new_office: NewOffice, tls_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    choose("en")
    office = new_office(more=[StreamPort("ws", tls_port)])
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", tls_port)
    async with server:
        await office.transport.open(["127.0.0.1"])
    assert f"The WS port 127.0.0.1:{tls_port} is in use" in caplog.text
    await office.phone()
