"""The table: each network, each program, what was heard, and whether ours is as good as the best."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import fmean

from tests.bench.networks.judging import Figures
from tests.bench.networks.programs import KINDS, OURS, PROGRAMS

MOST_WORSE = 0.1
"""MOS by which ours may be below the best of the others."""

_HEAD = """\
| sound | network | program | whole % | pure % | wrong % | longest hole ms | mouth to ear ms | MOS | ours - best | MOS, silence unconcealed |
|---|---|---|---|---|---|---|---|---|---|---|"""


@dataclass
class Found:
    """All talks that were judged, by kind, network and program."""

    talks: dict[tuple[str, str], dict[str, list[Figures]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, kind: str, network: str, program: str, figures: Figures) -> None:
        self.talks[kind, network][program].append(figures)

    def means(self, kind: str, network: str) -> dict[str, Figures]:
        """Return what the programs have, over all seeds: means, and the longest hole."""
        found = self.talks[kind, network]
        return {program: _mean(found[program]) for program in PROGRAMS if program in found}

    def difference(self, kind: str, network: str) -> float | None:
        """Return our MOS less the best of the others'; None where one of them is missing."""
        means = self.means(kind, network)
        if means.keys() != set(PROGRAMS):
            return None
        return means[OURS].mos - max(means[one].mos for one in PROGRAMS if one != OURS)

    @property
    def good(self) -> bool:
        """Whether ours is nowhere worse than it may be; what was not measured isn't good."""
        all_of_them = [self.difference(*which) for which in self.talks]
        return bool(all_of_them) and all(
            one is not None and one >= -MOST_WORSE for one in all_of_them
        )


def _mean(talks: list[Figures]) -> Figures:
    return Figures(
        whole=fmean(one.whole for one in talks),
        pure=fmean(one.pure for one in talks),
        wrong=fmean(one.wrong for one in talks),
        hole_ms=max(one.hole_ms for one in talks),
        delay_ms=fmean(one.delay_ms for one in talks),
        mos=fmean(one.mos for one in talks),
        silence_mos=fmean(one.silence_mos for one in talks),
    )


def markdown(found: Found) -> str:
    """Return the table."""
    rows = [_HEAD]
    for kind, network in sorted(found.talks, key=lambda which: KINDS.index(which[0])):
        difference = found.difference(kind, network)
        for program, one in found.means(kind, network).items():
            last = _verdict(difference) if program == OURS else ""
            rows.append(
                f"| {kind} | {network} | {program} | {100 * one.whole:.1f} | {100 * one.pure:.1f} |"
                f" {100 * one.wrong:.1f} | {one.hole_ms:.0f} | {one.delay_ms:.0f} |"
                f" {one.mos:.2f} | {last} | {one.silence_mos:.2f} |"
            )
    return "\n".join(rows)


def _verdict(difference: float | None) -> str:
    if difference is None:
        return "NOT MEASURED"
    return f"{difference:+.2f}" + (" WORSE" if difference < -MOST_WORSE else "")
