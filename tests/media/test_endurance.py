"""Calls leave nothing behind in a real engine; `./build.sh bench media --only calls` makes 10 000."""

from tests.media.many_calls import make_calls

CALLS = 600

GROWTH_KIB = 3072
"""What the allocators may keep, who take a MiB at a time: a leak of 5 KiB a call would be more, and an SRTP
session that isn't closed takes ten."""


def test_nothing_is_left_behind() -> None:
    left = make_calls(CALLS)
    assert left.descriptors == []
    assert left.refused == [], (
        "of ports, voices, coders, rooms, players or recordings some are missing"
    )
    assert left.growth_kib < GROWTH_KIB
