"""The call flows of RFC 3665 and RFC 5359, message by message."""

import pytest

from tests.call.office import Office
from tests.scenarios import rfc3665, rfc5359
from tests.scenarios.player import Player


@pytest.mark.parametrize("title", rfc3665.FIGURES)
def test_rfc3665(title: str) -> None:
    Player(
        Office(),
        rfc3665.FIGURES[title],
        unregistered=rfc3665.unregistered(title),
        natted=rfc3665.natted(title),
    ).play()


@pytest.mark.parametrize("title", rfc5359.FIGURES)
def test_rfc5359(title: str) -> None:
    Player(Office(), rfc5359.FIGURES[title]).play()
