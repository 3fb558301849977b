"""A phone whose machine gets another address; run in a network namespace of its own.

Prints a line per REGISTER that the server has accepted: where it came from, and its Contact.
"""

import asyncio
import subprocess

from hw.softphone.account import Account
from hw.softphone.happenings import Happening, Registered
from hw.softphone.phone import Phone
from hw.softphone.sound import FileEnds, FileSound
from pbx.sip.message import Request, parse_message, response_to

SERVER = "192.0.2.1"
FIRST, SECOND = "192.0.2.10", "192.0.2.20"

LIMIT_S = 60.0


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def have(address: str) -> None:
    """Have this address, from which packets to the server leave."""
    ip("address", "add", f"{address}/32", "dev", "lo")
    ip("route", "replace", "local", SERVER, "dev", "lo", "table", "local", "src", address)


class Registrar(asyncio.DatagramProtocol):
    """A server that accepts everybody."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = parse_message(data)
        assert isinstance(request, Request)
        contact = request.get("Contact") or ""
        print(addr[0], contact.split("@")[1].split(":")[0], flush=True)
        response = response_to(request, 200, "OK", to_tag="t")
        response.add("Contact", f"{contact};expires=300")
        self._transport.sendto(response.encode(), addr)


async def main() -> None:
    registered = asyncio.Event()

    def tell(happening: Happening) -> None:
        if isinstance(happening, Registered):
            registered.set()

    ip("link", "set", "lo", "up")
    ip("address", "add", f"{SERVER}/32", "dev", "lo")
    have(FIRST)
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Registrar, (SERVER, 5060))
    sound = FileSound(FileEnds(None, None, lambda _: None))
    phone = await Phone.open(Account("100", "secret", SERVER), sound, tell)
    for address in (FIRST, SECOND):
        if address == SECOND:
            ip("address", "delete", f"{FIRST}/32", "dev", "lo")
            have(SECOND)
        registered.clear()
        phone.register()
        async with asyncio.timeout(LIMIT_S):
            await registered.wait()
    await phone.close()


if __name__ == "__main__":
    asyncio.run(main())
