"""The machine's own addresses, as the kernel knows them."""

import asyncio
import os

from pbx.net.interfaces import AddressWatch, local_addresses


def test_loopback_is_found_and_comes_last() -> None:
    addresses = local_addresses()
    assert "127.0.0.1" in addresses
    others = [text for text in addresses if not text.startswith("127.") and text != "::1"]
    assert addresses[: len(others)] == others


async def address(verb: str) -> None:
    """Let the loopback interface have 127.77.0.1, or no longer."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    ip = await asyncio.create_subprocess_exec(
        *sudo, "ip", "address", verb, "127.77.0.1/8", "dev", "lo"
    )
    assert await ip.wait() == 0


async def test_a_new_address_is_noticed() -> None:
    changed = asyncio.Event()
    watch = AddressWatch(changed.set)
    watch.start()
    try:
        await address("add")
        try:
            await asyncio.wait_for(changed.wait(), 10)
            assert "127.77.0.1" in local_addresses()
        finally:
            await address("del")
    finally:
        watch.stop()
    assert "127.77.0.1" not in local_addresses()
