"""What holds for every test."""

from collections.abc import Iterator

import pytest

from pbx.locale import choose


@pytest.fixture(autouse=True)
def _language_of_the_environment() -> Iterator[None]:
    """A program run inside a test chooses its language; the next test begins without one."""
    choose("")
    yield
    choose("")
