"""Which hosts are addresses, and what it costs to ask."""

import tracemalloc

import pytest

from pbx.sip.numeric_host import numeric


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
