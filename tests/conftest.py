"""What holds for every test."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from pbx.locale import choose, language
from tests import tables
from tests.interop.ports import has_ipv6

# Every run tries the same examples, for as long as they take: what a change breaks shows in its own
# run, and a busy machine breaks nothing. `--hypothesis-profile=default` looks for new ones, and
# `./build.sh fuzz` does all the time.
settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """Have programs speak English in the tests, whoever runs them; tables keep to that language."""
    config.stash[tables.SPOKEN] = language()
    if language() != "en":
        for name in ("LC_ALL", "LC_MESSAGES"):
            os.environ.pop(name, None)
        os.environ["LANG"] = "C.UTF-8"


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
