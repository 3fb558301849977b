"""Wrong answers counted: who is listened to, and for how long not."""

from pbx.misses import REMEMBERED, Misses


def test_who_guesses_waits() -> None:
    misses = Misses(3, 60.0)
    for count in (1, 2, 3):
        assert misses.wait_s("a", 10.0) == 0
        assert misses.add("a", 10.0) == count
    assert misses.wait_s("a", 69.0) == 1
    assert misses.wait_s("b", 69.0) == 0
    assert misses.too_many(69.0) == ["a"]
    assert misses.wait_s("a", 70.0) == 0
    assert misses.too_many(70.0) == []
    assert misses.add("a", 70.0) == 1
    assert misses.wait_s("a", 70.0) == 0


def test_memory_has_an_end() -> None:
    misses = Misses(1, 60.0)
    for number in range(REMEMBERED + 1):
        misses.add(number, 0.0)
    assert [misses.wait_s(number, 0.0) for number in (0, 1)] == [0, 60]
