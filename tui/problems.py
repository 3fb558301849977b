"""What the exchange's health checks found, in sentences."""

from pbx.api.schema import Problem
from pbx.locale import say as say_of_exchange
from tui.clean import clean
from tui.locale import with_reason


def sentence(problem: Problem) -> str:
    """Return what is wrong; of a problem that this version doesn't know, its name."""
    return _say("problem", problem) or clean(problem.slug)


def remedy(problem: Problem) -> str:
    """Return what to do about it; empty where this version doesn't know."""
    return _say("remedy", problem)


def _say(kind: str, problem: Problem) -> str:
    try:
        return clean(say_of_exchange(f"{kind}-{problem.slug}", **with_reason(problem.values)))
    except LookupError:
        # No such sentence, or a value for it is missing: the exchange is of another version.
        return ""
