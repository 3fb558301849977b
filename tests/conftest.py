"""What holds for every test."""

from collections.abc import Iterator

import pytest

from pbx.locale import choose
from tests.interop.ports import has_ipv6


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what needs IPv6 where the machine has none, and say so."""
    case = getattr(item, "callspec", None)
    if case is not None and "::1" in case.params.values() and not has_ipv6():
        pytest.skip("this machine has no IPv6")


@pytest.fixture(autouse=True)
def _language_of_the_environment() -> Iterator[None]:
    """A program run inside a test chooses its language; the next test begins without one."""
    choose("")
    yield
    choose("")
