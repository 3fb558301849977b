"""What routing answers: where a number leads, and step by step why."""

from dataclasses import dataclass
from enum import Enum

from pbx.locale import english
from pbx.routing.origin import Way
from pbx.routing.services import ServiceNumber

RECORDED_LENGTH = 512
"""Characters of an explanation that a call record can hold."""


class RouteKind(Enum):
    """What kind of party a number leads to."""

    LOCAL_USER = "local user"
    SERVICE = "service"
    OUTSIDE = "outside"
    """To a party outside, by one of `RouteDecision.ways`."""
    INCOMPLETE = "incomplete"
    """Nothing was dialled, or the beginning of a number only (RFC 3261 §21.4.22)."""
    UNKNOWN = "unknown"
    REFUSED = "refused"
    """There is such a number, and this party may not call it."""
    NO_LINE = "no line"
    """It is outside, and no line may be used for it now."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the explanation: a sentence in every language.

    Args:
        key: the sentence's, in `pbx.locale`.
        values: what is put in, by name.
    """

    key: str
    values: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return english(self.key, **dict(self.values))


def step(name: str, **values: object) -> Step:
    """Return the step with the sentence ``route-NAME``."""
    return Step(f"route-{name}", tuple((key, str(value)) for key, value in values.items()))


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """Where a call goes.

    Args:
        kind: to what.
        number: the number after routing, of one outside without the out-group prefix; of one that
            leads nowhere, what records may show.
        explanation: step by step which row of which table decided.
        service: which one, where it goes to a service.
        ways: to a party outside, in the order in which they are to be tried; never empty there.
        emergency: an emergency call: no limit may stop it.
        max_duration_s: the dial plan's longest call; 0 for no limit of its own.
        caller: the caller's number as a party of ours is shown it.
    """

    kind: RouteKind
    number: str
    explanation: tuple[Step, ...]
    service: ServiceNumber | None = None
    ways: tuple[Way, ...] = ()
    emergency: bool = False
    max_duration_s: float = 0.0
    caller: str = ""

    @property
    def recorded(self) -> str:
        """The explanation as a call record holds it: in English, not longer than a record allows."""
        words = "; ".join(map(str, self.explanation))
        return words if len(words) <= RECORDED_LENGTH else words[: RECORDED_LENGTH - 3] + "..."
