"""Calls that come back: two exchanges that send each other one number, round and round."""

from collections.abc import Iterable

from pbx.call.any_call import AnyCall
from pbx.call.call import Call
from pbx.call.party import Party

_LEAST = 3
"""Digits that two numbers need to be the same one with and without a prefix."""


def same_number(one: str, other: str) -> bool:
    """Whether two ways of writing may mean one number: a line may ask for a prefix, or take it away."""
    short, long = sorted((one.removeprefix("+"), other.removeprefix("+")), key=len)
    return short == long or (len(short) >= _LEAST and long.endswith(short))


def comes_back(calls: Iterable[AnyCall], caller: Party, number: str) -> bool:
    """Whether a call that leads outside again is one that we have sent there, and nobody has answered.

    Its Call-ID and its Via are others each time: what stays the same is who calls whom.

    Args:
        calls: those that run.
        caller: who calls, by a line.
        number: where the call leads.
    """
    return any(
        isinstance(call, Call)
        and not call.ended
        and call.callee is None
        and bool(call.facts.called_line)
        and same_number(call.facts.called_number, number)
        and _same_caller(call.caller.party, caller)
        for call in calls
    )


def _same_caller(one: Party, other: Party) -> bool:
    # Of two who hide nobody knows whether they are one: then it is the hops that run out
    return bool(one.number and other.number) and same_number(one.number, other.number)
