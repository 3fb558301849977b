"""What is run: each case by every program that it is about, alternating, as often as there are rounds."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.bench.media import harness
from tests.bench.media.harness import Run
from tests.bench.media.programs import (
    ASTERISK,
    ASTERISK_MUSIC,
    C_LOOP,
    OURS,
    OURS_MUSIC,
    RTPENGINE,
)

_MOST_LOSS_PERCENT = 1.0
"""Who loses more hasn't done the work, and isn't cheap but broken."""

_LEAST_OFFERED_PERCENT = 97.0
"""Below it the generator was too slow, and the run tells nothing (the harness' README)."""

_LEAST_RETURNED_PERCENT = 97.0
"""In all that is measured as much comes back as was sent. A mixer that is starved of processor time
leaves packets out, without a gap in their numbers, and would look cheap."""

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured.

    Args:
        name: of it.
        mode: of the harness' `run_media`.
        size: calls, or parties of the conference.
        programs: who does it.
        codec: the callee's, where it is transcoded.
    """

    name: str
    mode: str
    size: int
    programs: tuple[str, ...]
    codec: str = "g722"


CASES = (
    Case("relay 100", "relay", 100, (ASTERISK, OURS, RTPENGINE, C_LOOP)),
    Case("relay 20", "relay", 20, (ASTERISK, OURS, RTPENGINE, C_LOOP)),
    Case("relay 5", "relay", 5, (ASTERISK, OURS, RTPENGINE, C_LOOP)),
    Case("recording 20", "record", 20, (ASTERISK,)),
    Case("conference 50", "conf", 50, (ASTERISK, OURS)),
    Case("conference 10", "conf", 10, (ASTERISK, OURS)),
    Case("G.722", "transcode", 30, (ASTERISK, OURS, RTPENGINE)),
    Case("Opus", "transcode", 30, (ASTERISK, OURS, RTPENGINE), "opus"),
    Case("music 50", "conf", 50, (ASTERISK_MUSIC, OURS_MUSIC)),
)


@dataclass(slots=True)
class Found:
    """All runs so far, by case and program."""

    runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)

    def add(self, case: str, program: str, run: Run) -> None:
        """Keep a run."""
        self.runs.setdefault((case, program), []).append(run)

    @property
    def cases(self) -> set[str]:
        """What has been tried."""
        return {case for case, _ in self.runs}

    def all(self, case: str, program: str, *path: str) -> list[float]:
        """Return a figure of each run that has it.

        Args:
            case, program: which runs.
            path: keys, one inside the other.
        """
        values = []
        for run in self.runs.get((case, program), []):
            value: Any = run
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, int | float):
                values.append(float(value))
        return values

    def median(self, case: str, program: str, *path: str) -> float | None:
        """Return the median of a figure; None where no run has it."""
        values = self.all(case, program, *path)
        return median(values) if values else None


def measure(bench: Any, case: Case, program: str, seconds: float, warm: float, nice: int) -> Run:
    """Return one good run of a case; with `error` where there was none.

    Args:
        bench: the harness' module.
        case: what.
        program: who.
        seconds, warm, nice: as for `harness.options`.
    """

    def once() -> Run:
        peers: list[Any] = []

        def make(*words: Any, **more: Any) -> Any:
            peers.append(new(*words, **more))
            return peers[-1]

        new = bench.P.KNOWN[program]
        bench.P.KNOWN[program] = make
        try:
            run: Run = bench.run_media(
                case.mode, program, case.size, harness.options(seconds, warm, nice, case.codec)
            )
        finally:
            bench.P.KNOWN[program] = new
        if why := fault(run):
            raise RuntimeError(why)
        return {**run, "wakeups_s": _wakeups_s(peers[0])}

    return attempt(once)


def attempt(once: Callable[[], Run]) -> Run:
    """Return the first good run; with `error`, the reason, where all have failed.

    What made it be done again is in `repeated`.
    """
    reasons: list[str] = []
    for _ in range(_ATTEMPTS):
        try:
            run = once()
        except (OSError, RuntimeError, ValueError) as error:
            # ValueError: a generator that has ended answers nothing
            why = str(error)
            print(f"# once more: {why}", file=sys.stderr, flush=True)
            reasons.append(why)
        else:
            return {**run, "repeated": reasons} if reasons else run
    return {"error": reasons[-1], "repeated": reasons[:-1]}


def _wakeups_s(peer: Any) -> float | None:
    """Return how often a second the engine was woken within the window; None of other programs."""
    noted = getattr(peer, "wakeups", [])
    if len(noted) < 2:
        return None
    (began, before), (ended, after) = noted[-2:]
    return float((after - before) / (ended - began))


def fault(run: Run) -> str:
    """Return why a run tells nothing; empty where it does."""
    if "error" in run:
        return f"{run['error']} {run.get('errors', '')}".strip()
    if run["offered_pct"] < _LEAST_OFFERED_PERCENT:
        return f"the generator sent only {run['offered_pct']:.1f} % of its packets"
    if run["dead"] or run["loss_pct"] > _MOST_LOSS_PERCENT:
        return (
            f"{run['loss_pct']:.2f} % of the packets were lost, {run['dead']} phones heard nothing"
        )
    if run["rx"] < _LEAST_RETURNED_PERCENT / 100 * run["tx"]:
        return f"of {run['tx']} packets only {run['rx']} came back"
    return ""
