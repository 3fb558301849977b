"""What is measured on the running box, and the report of it."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boot_test.box import Box

# Run on the box as root: one line of JSON.
_MEMORY = r"""
import json, pathlib
def fields(path):
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {name: int(rest.split()[0]) for name, rest in pairs if rest.split()[-1:] == ["kB"]}
rows = []
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        sums = fields(folder / "smaps_rollup")
    except OSError:
        continue
    if words:
        rows.append({"words": words[:80], "rss_kb": sums["Rss"], "pss_kb": sums["Pss"]})
info = fields(pathlib.Path("/proc/meminfo"))
print(json.dumps({"rows": rows, "total_kb": info["MemTotal"], "available_kb": info["MemAvailable"]}))
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Who uses the board's memory.

    Args:
        processes: name, resident and proportional size in kB, the largest first.
        used_kb: what the system could not give to a new program.
    """

    processes: list[tuple[str, int, int]]
    used_kb: int

    def of(self, *names: str) -> int:
        """Return the proportional size in kB of the processes whose command line holds a name."""
        return sum(pss for words, _, pss in self.processes if any(name in words for name in names))


def memory(box: Box, password: str) -> Memory:
    """Measure every process of the box."""
    box.run("cat >/tmp/memory.py", text=_MEMORY)
    data: dict[str, Any] = json.loads(box.root("python3 -I /tmp/memory.py", password))
    rows = sorted(data["rows"], key=lambda row: -row["pss_kb"])
    processes = [(row["words"], row["rss_kb"], row["pss_kb"]) for row in rows]
    return Memory(processes, data["total_kb"] - data["available_kb"])


def written_kb(box: Box) -> int:
    """Return how many kB the box has written to its card since it was started."""
    return int(box.run("cat /sys/block/vda/stat").split()[6]) // 2


def read_kb(box: Box) -> int:
    """Return how many kB the box has read from its card since it was started."""
    return int(box.run("cat /sys/block/vda/stat").split()[2]) // 2


@dataclass(slots=True)
class Report:
    """Lines for people, in the order in which they were found."""

    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """Print a line and keep it."""
        self.lines.append(line)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def table(self, rows: Memory, most: int = 15) -> None:
        """Add the largest processes."""
        self.add(f"  {'RSS MB':>8} {'PSS MB':>8}  process")
        for words, rss, pss in rows.processes[:most]:
            self.add(f"  {rss / 1024:8.1f} {pss / 1024:8.1f}  {words}")

    def write(self, path: Path) -> None:
        """Write all lines to a file."""
        path.write_text("\n".join(self.lines) + "\n")
