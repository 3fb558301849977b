"""Which hosts are addresses, and what it costs to ask."""

import tracemalloc

import pytest

from pbx.sip.numeric_host import numeric, same_host


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("192.0.2.256", None),
        ("example.com", None),
        ("", None),
    ],
)
def test_addresses_and_names(host: str, address: str | None) -> None:
    found = numeric(host)
    assert (None if found is None else str(found)) == address


def test_long_names_fill_no_memory() -> None:
    """One stands in a Via, which anybody may send."""
    tracemalloc.start()
    try:
        for number in range(100):
            assert numeric(f"{number}." + "a" * 60_000) is None
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:DB8:0:0::1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("Trunk.Example.", "trunk.example", True),
        ("192.0.2.1", "trunk.example", False),
        ("a.example", "b.example", False),
    ],
)
def test_hosts_that_are_the_same(one: str, other: str, *, same: bool) -> None:
    assert same_host(one, other) is same
    assert same_host(other, one) is same
