"""A transport that runs out of descriptors, and what it does then: prints what its second peer gets back.

    python -m tests.net.few_descriptors PORT LOOP

A limit is the whole process': in the tests' own one, calls of others go on meanwhile.
"""

import asyncio
import os
import resource
import socket
import sys

import uvloop

from tests.net.office import WITHIN_S, Office, options

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def main(port: int) -> None:
    """Let one peer connect while no descriptor is left, and another one say something after that."""
    office = Office(port)
    await office.transport.open(["127.0.0.1"])
    office.answer = office.transport.send
    loop = asyncio.get_running_loop()
    spare: list[int] = []
    with socket.socket() as first, socket.socket() as second:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (second.fileno() + 1, hard))
        try:
            while True:
                spare.append(os.dup(first.fileno()))
        except OSError:
            pass
        first.connect(("127.0.0.1", port))
        # Each turn of the loop asks the listening socket.
        for _ in range(100):
            await asyncio.sleep(0)
        for descriptor in spare:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        second.setblocking(False)
        await loop.sock_connect(second, ("127.0.0.1", port))
        await loop.sock_sendall(second, options())
        print((await asyncio.wait_for(loop.sock_recv(second, 1000), WITHIN_S)).decode())
    await office.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=LOOPS[sys.argv[2]]) as runner:
        runner.run(main(int(sys.argv[1])))
