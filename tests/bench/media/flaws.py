"""What is said under the table: the runs that lost packets, were done again, or told nothing.

Medians hide them, and who loses packets has less to do.
"""

from collections.abc import Iterator, Sequence

from tests.bench.media.cases import Found
from tests.bench.media.harness import Run


def flaws(found: Found) -> str:
    """Return a list, one line for each case and program that had such runs."""
    lines = [
        f"- {case}, {program}: {'; '.join(said)}"
        for (case, program), runs in found.runs.items()
        if (said := [*_of(runs)])
    ]
    return "\n".join(["Runs with flaws:", *lines] if lines else ["No run lost a packet or failed."])


def _of(runs: Sequence[Run]) -> Iterator[str]:
    count = len(runs)
    losses = [loss for run in runs if (loss := float(run.get("loss_pct", 0))) > 0]
    if losses:
        yield f"{len(losses)} of {count} lost packets, {max(losses):.3f} % at the most"
    reasons = [str(why) for run in runs for why in run.get("repeated", [])]
    if reasons:
        yield f"done again {len(reasons)} times: {', '.join(dict.fromkeys(reasons))}"
    yield from (f"failed: {run['error']}" for run in runs if "error" in run)
