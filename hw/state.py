"""From what is known of the exchange to the one state that the lamp shows."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

NO_ADDRESS = "no-address"
"""The health check that finds the machine without a network."""

BOOT_S = 120.0
"""How long after the agent's start a silent exchange is taken for one that is starting."""


class State(Enum):
    """The states, named as the sentences `state-NAME` are."""

    BOOTING = "booting"
    READY = "ready"
    RINGING = "ringing"
    TALKING = "talking"
    NO_NETWORK = "no-network"
    ATTENTION = "attention"
    FAILED = "failed"
    STOPPING = "stopping"
    UNPLUG = "unplug"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides what the lamp shows.

    Args:
        answered: the exchange has answered at least once since the agent's start.
        answers: it answers now.
        age_s: seconds since the agent's start.
        problems: what its health checks found: slug and severity.
        ringing, talking: there is such a call.
        stopping: the machine is being shut down.
        unplug: it is as far as it gets while this program runs.
    """

    answered: bool = False
    answers: bool = False
    age_s: float = 0.0
    problems: frozenset[tuple[str, str]] = frozenset()
    ringing: bool = False
    talking: bool = False
    stopping: bool = False
    unplug: bool = False

    def has(self, slug: str) -> bool:
        """Whether the health check `slug` found something."""
        return any(found == slug for found, _ in self.problems)


_ROWS: tuple[tuple[State, Callable[[Facts], bool]], ...] = (
    (State.UNPLUG, lambda facts: facts.unplug),
    (State.STOPPING, lambda facts: facts.stopping),
    (
        State.BOOTING,
        lambda facts: not facts.answers and not facts.answered and facts.age_s < BOOT_S,
    ),
    (State.FAILED, lambda facts: not facts.answers),
    # Without an address no call can be made either, but it says what to look at: the cable.
    (State.NO_NETWORK, lambda facts: facts.has(NO_ADDRESS)),
    (State.FAILED, lambda facts: any(severity == "failed" for _, severity in facts.problems)),
    (State.ATTENTION, lambda facts: bool(facts.problems)),
    # A phone that rings asks for a person, one that is talked on doesn't.
    (State.RINGING, lambda facts: facts.ringing),
    (State.TALKING, lambda facts: facts.talking),
    (State.READY, lambda facts: True),
)
"""The first row that holds decides."""


def state_of(facts: Facts) -> State:
    """Return the state to show."""
    return next(state for state, holds in _ROWS if holds(facts))
