"""Linphone itself sets itself up from our document and registers with what it read there."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from pbx.api.http import HttpServer
from pbx.api.provisioning import SipAccount
from tests.api.fakes import FakeExchange
from tests.interop.program import find

WITHIN_S = 30.0

SECRET = "s3cr<&>t"


class Registrar(asyncio.DatagramProtocol):
    """Challenges every REGISTER without credentials and accepts every other."""

    def __init__(self) -> None:
        self.accepted: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own datagram transport is no asyncio.DatagramTransport by type.
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        start, *lines = data.decode().split("\r\n")
        if not start.startswith("REGISTER "):
            return
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        status, extra = "200 OK", ""
        if "Authorization" in headers:
            self.accepted.put_nowait(headers | {"start": start})
        else:
            status = "401 Unauthorized"
            extra = 'WWW-Authenticate: Digest realm="minisipserver",nonce="n",algorithm=MD5,qop="auth"\r\n'
        same = "".join(
            f"{name}: {headers[name]}\r\n" for name in ("Via", "From", "Call-ID", "CSeq")
        )
        to = f"To: {headers['To']};tag=t\r\n"
        answer = f"SIP/2.0 {status}\r\n{same}{to}{extra}Content-Length: 0\r\n\r\n"
        self._transport.sendto(answer.encode(), source)


class Provisioned(FakeExchange):
    """An exchange whose users register at `port`."""

    port = 0

    def initial_account(self, number: str) -> SipAccount | None:
        return SipAccount(number, '前台 "A"', SECRET, "minisipserver", self.port)


@asynccontextmanager
async def linphone(home: Path, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    (home / ".local/share/linphone").mkdir(parents=True)
    rc = home / "linphonerc"
    rc.write_text(f"[sip]\nsip_port=-1\nsip_tcp_port=-1\n[misc]\nconfig-uri={url}\n")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        find("linphonec"),
        "-c",
        rc,
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HOME": os.fspath(home)},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.interop
async def test_linphone_registers_with_what_it_fetched(folder: Path, port: int) -> None:
    loop = asyncio.get_running_loop()
    transport, registrar = await loop.create_datagram_endpoint(
        Registrar, local_addr=("127.0.0.1", 0)
    )
    exchange = Provisioned()
    exchange.port = registrar.port
    server = HttpServer(exchange, port)
    await server.start()
    url = server.provisioning_url("100", "127.0.0.1")
    try:
        async with asyncio.timeout(WITHIN_S), linphone(folder, url) as phone:
            register = await registrar.accepted.get()
            shown, _ = await phone.communicate(b"proxy list\nquit\n")
    finally:
        transport.close()
        await server.stop()
    assert register["start"] == f"REGISTER sip:127.0.0.1:{registrar.port} SIP/2.0"
    assert register["From"].startswith('"前台 \\"A\\"" <sip:100@127.0.0.1')
    assert 'username="100"' in register["Authorization"]
    assert f'response="{expected_response(register)}"' in register["Authorization"]
    assert f"sip address: <sip:127.0.0.1:{registrar.port};transport=udp>" in shown.decode()
    # A phone that kept the address would ask again at each start, and get an error some day.
    assert "config-uri=http" not in (folder / "linphonerc").read_text()


def expected_response(register: dict[str, str]) -> str:
    """The digest that only the password in the document makes (RFC 7616 §3.4.1)."""
    given = dict(
        part.strip().replace('"', "").split("=", 1)
        for part in register["Authorization"].removeprefix("Digest ").split(",")
    )
    ha1 = md5(f"100:minisipserver:{SECRET}")
    ha2 = md5(f"REGISTER:{given['uri']}")
    return md5(f"{ha1}:{given['nonce']}:{given['nc']}:{given['cnonce']}:{given['qop']}:{ha2}")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
