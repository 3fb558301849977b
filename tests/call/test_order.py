"""A basic call whose datagrams overtake each other: RFC 3261 §17, §12.2.2, §13.3.1.4, §18."""

import random
from collections.abc import Callable

import pytest

from tests.call.detours import Detours
from tests.call.office import Office
from tests.call.softphone import SoftPhone
from tests.call.test_loss import MESSAGES

STALE_S = 0.8
"""More than T1: the repetition comes first, and then what was meant."""
LATE_S = 0.3


def run(delay_s: Callable[[int], float], copies: Callable[[int], int] = lambda number: 1) -> None:
    """100 calls 101, which answers; somebody hangs up, and nothing is left."""
    office = Office()
    alice, bob = SoftPhone(office, "100"), SoftPhone(office, "101")
    office.advance(60)
    detours = Detours(office, delay_s)
    office.wire = lambda data: copies(detours.count)
    alice.call("101")
    office.advance(200)
    assert detours.count >= MESSAGES
    assert "Accepted" in alice.log
    assert alice.idle
    assert bob.idle
    office.assert_empty()
    (facts,) = office.ended
    assert facts.talk is not None
    assert office.cause() == ("CALLER_HUNG_UP", 16)


class TestRfc3261Section17:
    @pytest.mark.parametrize("delay_s", [LATE_S, STALE_S, 5.0, 40.0])
    @pytest.mark.parametrize("late", range(MESSAGES))
    def test_one_message_is_overtaken(self, late: int, delay_s: float) -> None:
        run(lambda number: delay_s if number == late else 0)

    @pytest.mark.parametrize("first", range(MESSAGES - 1))
    def test_two_messages_change_places(self, first: int) -> None:
        run(lambda number: LATE_S if number == first else 0.1 if number == first + 1 else 0)

    @pytest.mark.parametrize("seed", range(30))
    def test_every_message_takes_its_own_time(self, seed: int) -> None:
        dice = random.Random(seed)
        run(lambda number: dice.random())

    @pytest.mark.parametrize("seed", range(15))
    def test_the_same_with_some_twice_and_some_lost(self, seed: int) -> None:
        dice = random.Random(seed)
        run(lambda number: dice.random() / 2, lambda number: dice.choice([0, 2, *[1] * 8]))
