"""Where a number would lead, in words, a line each: for `minisip route` and the console."""

from pbx.api.schema import RouteStep, RouteTest, RouteWay
from pbx.locale import say as say_of_exchange
from tui.clean import clean
from tui.locale import say, with_reason
from tui.report import duration

KINDS = ("local-user", "service", "outside", "incomplete", "refused", "no-line")


def in_words(answer: RouteTest, called: str, line: str = "") -> list[str]:
    """Return the question, the steps with their numbers, and what becomes of the call.

    Args:
        called: the number as it was asked for.
        line: the one that the call comes in by; empty for a user's call.
    """
    numbered = [f"{number} {sentence}" for number, sentence in steps(answer)]
    return [title(answer, called), *numbered, *outcome(answer, line)]


def title(answer: RouteTest, called: str) -> str:
    """Return the question."""
    return clean(say("route-title", called=called, at=answer.at.replace("T", " ")[:16]))


def steps(answer: RouteTest) -> list[tuple[str, str]]:
    """Return the number and the sentence of each step."""
    return [(f"{number:3}.", clean(_sentence(each))) for number, each in enumerate(answer.steps, 1)]


def outcome(answer: RouteTest, line: str = "") -> list[str]:
    """Return what becomes of the call."""
    kind = answer.kind if answer.kind in KINDS else "unknown"
    told = [say(f"route-{kind}", number=answer.number, count=len(answer.ways))]
    if kind == "unknown" and line:
        told.append(say("route-unled", line=line))
    told += [_trouble(way) for way in answer.ways if not way.usable]
    if answer.emergency:
        told.append(say("route-emergency"))
    if answer.max_duration_s:
        told.append(say("route-longest", time=duration(answer.max_duration_s)))
    return [clean(line) for line in told]


def _trouble(way: RouteWay) -> str:
    """Return why a line can't be used now."""
    try:
        return say_of_exchange(
            f"problem-line-{way.trouble}", line=way.line, **with_reason(way.values)
        )
    except (KeyError, IndexError):
        return say("route-unusable", line=way.line)


def _sentence(step: RouteStep) -> str:
    """Return a step in the user's language; in English where this program doesn't know it."""
    try:
        return say_of_exchange(step.key, **step.values)
    except (KeyError, IndexError):
        return step.text
