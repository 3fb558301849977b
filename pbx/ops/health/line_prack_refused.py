"""A line's carrier asks for PRACK and then refuses it (RFC 3262): a switch of the line's ends that."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return a problem for each line that has done so since the start."""
    return [Problem("line-prack-refused", values={"line": line}) for line in facts.prack_lines]
