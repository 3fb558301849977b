"""The phone's machine gets another address: from DHCP, or in another network."""

import asyncio
import sys

from tests.hw.softphone.moving_phone import FIRST, LIMIT_S, SECOND


async def test_it_is_registered_from_the_new_one() -> None:
    program = ["unshare", "-rn", sys.executable, "-m", "tests.hw.softphone.moving_phone"]
    process = await asyncio.create_subprocess_exec(
        *program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(2 * LIMIT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    # At the end it leaves the server.
    assert out.decode().splitlines() == [
        f"{FIRST} {FIRST}",
        f"{SECOND} {SECOND}",
        f"{SECOND} {SECOND}",
    ]
