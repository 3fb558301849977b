"""The disk refuses call records: they wait in memory, and a power cut would take them."""

from pbx.ops.health.facts import Facts, Problem


def check(facts: Facts) -> list[Problem]:
    """Return the problem, if it is there."""
    if not facts.records_unwritten:
        return []
    return [Problem("records-stuck", values={"count": str(facts.records_unwritten)})]
