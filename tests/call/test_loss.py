"""A basic call over a network that loses and repeats messages: RFC 3261 §17, §13.3.1.4, §18."""

import random
from collections.abc import Callable

import pytest

from tests.call.office import Office
from tests.call.softphone import SoftPhone

MESSAGES = 3 + 7 + 6
"""What a call takes without loss: a challenge, RFC 3665 §3.1 with the caller, and the same with the
callee, which rings at once and so needs no 100."""


class Network:
    """Counts the messages of a call, and treats the chosen ones as told."""

    def __init__(self, copies: Callable[[int], int]) -> None:
        self.count = 0
        self._copies = copies

    def __call__(self, data: bytes) -> int:
        self.count += 1
        return self._copies(self.count - 1)


RELIABLY = MESSAGES + 2 + 2
"""The same with a reliable provisional response on each side, its PRACK, and the PRACK's answer."""


def run(copies: Callable[[int], int] = lambda number: 1, *, early: bool = False) -> int:
    """100 calls 101, which answers; 100 hangs up. Return how many messages that took.

    With `early` 101 is heard before its answer, by reliable provisional responses.
    """
    office = Office()
    alice, bob = SoftPhone(office, "100", early=early), SoftPhone(office, "101", early=early)
    office.advance(60)
    network = office.wire = Network(copies)
    alice.call("101")
    office.advance(120)
    assert "Accepted" in alice.log
    # A BYE may overtake the ACK
    assert bob.log in (["Confirmed", "HungUp"], ["HungUp"])
    assert alice.idle
    assert bob.idle
    office.assert_empty()
    (facts,) = office.ended
    assert facts.talk is not None
    assert office.cause() == ("CALLER_HUNG_UP", 16)
    return network.count


class TestRfc3261Section17:
    """Whatever gets lost is repeated, whatever is repeated is absorbed."""

    def test_nothing_is_lost(self) -> None:
        assert run() == MESSAGES

    @pytest.mark.parametrize("lost", range(MESSAGES))
    def test_one_message_is_lost(self, lost: int) -> None:
        run(lambda number: 0 if number == lost else 1)

    @pytest.mark.parametrize("repeated", range(MESSAGES))
    def test_one_message_comes_twice(self, repeated: int) -> None:
        run(lambda number: 2 if number == repeated else 1)

    @pytest.mark.parametrize("first", range(MESSAGES))
    def test_three_messages_in_a_row_are_lost(self, first: int) -> None:
        run(lambda number: 0 if first <= number < first + 3 else 1)

    def test_every_message_comes_twice(self) -> None:
        run(lambda number: 2)

    @pytest.mark.parametrize("seed", range(20))
    def test_a_fifth_of_all_messages_is_lost(self, seed: int) -> None:
        dice = random.Random(seed)
        run(lambda number: 0 if dice.random() < 0.2 else 1)

    @pytest.mark.parametrize("seed", range(10))
    def test_a_tenth_is_lost_and_a_tenth_comes_twice(self, seed: int) -> None:
        dice = random.Random(seed)
        run(lambda number: dice.choice([0, 2, *[1] * 8]))


class TestRfc3262:
    """The same with reliable provisional responses, which hold the answer back."""

    def test_nothing_is_lost(self) -> None:
        assert run(early=True) == RELIABLY

    @pytest.mark.parametrize("lost", range(RELIABLY))
    def test_one_message_is_lost(self, lost: int) -> None:
        run(lambda number: 0 if number == lost else 1, early=True)

    def test_every_message_comes_twice(self) -> None:
        run(lambda number: 2, early=True)

    @pytest.mark.parametrize("first", range(RELIABLY))
    def test_three_messages_in_a_row_are_lost(self, first: int) -> None:
        run(lambda number: 0 if first <= number < first + 3 else 1, early=True)

    @pytest.mark.parametrize("seed", range(10))
    def test_a_tenth_is_lost_and_a_tenth_comes_twice(self, seed: int) -> None:
        dice = random.Random(seed)
        run(lambda number: dice.choice([0, 2, *[1] * 8]), early=True)


class TestNobodyThere:
    """A phone that goes silent in the middle: the exchange gives up by itself."""

    @pytest.mark.parametrize("last", range(1, MESSAGES))
    def test_the_network_fails_after_some_messages(self, last: int) -> None:
        office = Office()
        alice, _ = SoftPhone(office, "100"), SoftPhone(office, "101")
        office.wire = Network(lambda number: 1 if number < last else 0)
        alice.call("101")
        office.advance(200)
        office.exchange.stop(office.now)
        office.pump()
        office.advance(120)
        office.assert_empty()
