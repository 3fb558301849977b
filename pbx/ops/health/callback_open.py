"""The call-back service listens to anybody: miniSIPServer's makers warn of that, and so do we."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    port = facts.callback_open
    return [Problem("callback-open", values={"port": str(port)})] if port else []
