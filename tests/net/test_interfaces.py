"""The machine's own addresses, as the kernel knows them."""

import asyncio
import os

import pytest

from pbx.net.interfaces import AddressWatch, alike, local_addresses, own_address


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


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9"])
def test_own_address_towards_a_host(host: str) -> None:
    own = own_address(host)
    assert own is not None
    assert alike(own, host)


def test_no_way_to_a_host() -> None:
    # Connecting to a network address fails (ip(7)): nobody has it
    assert own_address("255.255.255.255") is None


@pytest.mark.parametrize(
    ("one", "other", "can"),
    [
        ("127.0.0.1", "127.0.0.9", True),
        ("192.0.2.1", "198.51.100.1", True),
        ("127.0.0.1", "198.51.100.1", False),
        ("192.0.2.1", "2001:db8::1", False),
        ("::1", "2001:db8::1", False),
    ],
)
def test_addresses_that_are_alike(one: str, other: str, can: bool) -> None:
    assert alike(one, other) is can
