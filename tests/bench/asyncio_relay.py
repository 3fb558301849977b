"""The relay that Python programs usually have: a DatagramProtocol for each leg of each call.

Started as a program of its own by `relay_bench`; prints its ports as soon as they are bound.
"""

import asyncio
import sys
from typing import Any, cast


class Leg(asyncio.DatagramProtocol):
    """One side of a call: learns its phone's address, hands packets to the other side."""

    def __init__(self) -> None:
        self.transport: asyncio.DatagramTransport | None = None
        self.phone: tuple[Any, ...] | None = None
        self.other: Leg | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if self.phone is None:
            self.phone = addr
        other = self.other
        if addr == self.phone and other is not None and other.phone and other.transport:
            other.transport.sendto(data, other.phone)


async def main(calls: int) -> None:
    loop = asyncio.get_running_loop()
    ports: list[int] = []
    for _ in range(calls):
        legs = Leg(), Leg()
        for leg, other in (legs, legs[::-1]):
            leg.other = other
            transport, _ = await loop.create_datagram_endpoint(
                lambda leg=leg: leg,  # type: ignore[misc]
                local_addr=("127.0.0.1", 0),
            )
            ports.append(transport.get_extra_info("sockname")[1])
    print(*ports, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
