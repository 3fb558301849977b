"""Which state is shown when several could be."""

import pytest

from hw.state import BOOT_S, Facts, State, state_of

NO_NETWORK = frozenset({("no-address", "failed")})
CLOCK = frozenset({("clock-unsure", "attention")})
ENGINE = frozenset({("no-engine", "failed")})


def here(problems: frozenset[tuple[str, str]] = frozenset(), **facts: bool) -> Facts:
    """Facts of a machine whose exchange answers."""
    return Facts(answered=True, answers=True, problems=problems, **facts)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (Facts(), State.BOOTING),
        (Facts(age_s=BOOT_S), State.FAILED),
        (Facts(answered=True), State.FAILED),
        (here(), State.READY),
        (here(ringing=True), State.RINGING),
        (here(talking=True), State.TALKING),
        (here(ringing=True, talking=True), State.RINGING),
        (here(CLOCK), State.ATTENTION),
        (here(frozenset({("of-tomorrow", "attention")})), State.ATTENTION),
        (here(CLOCK, ringing=True, talking=True), State.ATTENTION),
        (here(NO_NETWORK), State.NO_NETWORK),
        (here(frozenset({("no-address", "attention")})), State.NO_NETWORK),
        (here(NO_NETWORK | CLOCK | ENGINE, talking=True), State.NO_NETWORK),
        (here(ENGINE), State.FAILED),
        (here(ENGINE | CLOCK, ringing=True), State.FAILED),
        (here(ENGINE, stopping=True), State.STOPPING),
        (Facts(stopping=True), State.STOPPING),
        (Facts(stopping=True, unplug=True), State.UNPLUG),
        (here(unplug=True), State.UNPLUG),
    ],
)
def test_state(facts: Facts, state: State) -> None:
    assert state_of(facts) is state
