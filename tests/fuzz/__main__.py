"""Coverage-guided fuzzing of everything that peers write: ``./build.sh fuzz --minutes 60``.

Each target gets its share of the time, in a process of its own that libFuzzer watches: an exception, an
input that takes seconds, or memory that grows ends it and leaves the input in ``build/fuzz``.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.corpus_file import keep, kept
from tests.fuzz.targets import TARGETS

WORK = Path("build/fuzz")
SLOWEST_S = 5
"""What one input may take: the longest message takes a hundredth of that, instrumented."""
MEMORY_MB = 700
"""What a process may grow to; the exchange itself starts at a fifth of it."""
LONGEST = dict.fromkeys(("message", "body", "xml", "sdp", "framing", "exchange"), 4096)


def _write(folder: Path, inputs: list[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def _libfuzzer(target: str, *arguments: str) -> int:
    again = (WORK / f"again-{target}").absolute()
    again.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.fuzz.one {target} "$@"\n')
    again.chmod(0o755)
    with (WORK / f"{target}.log").open("ab") as log:
        done = subprocess.run(
            [str(again), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "FUZZ_AGAIN": str(again)},
            check=False,
        )
    return done.returncode


def _fuzz(target: str, seconds: int) -> bool:
    """Fuzz a target for a while; return whether nothing was found."""
    work = WORK / target
    _write(work, kept(target))
    (WORK / f"{target}.log").unlink(missing_ok=True)
    code = _libfuzzer(
        target,
        str(work),
        f"-max_total_time={seconds}",
        f"-timeout={SLOWEST_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={LONGEST.get(target, 1024)}",
        f"-artifact_prefix={WORK / target}-",
        "-print_final_stats=1",
    )
    found = sorted(WORK.glob(f"{target}-*"))
    log = (WORK / f"{target}.log").read_text(errors="replace")
    runs, peak = (_statistic(log, name) for name in ("number_of_executed_units", "peak_rss_mb"))
    sizes = re.findall(r"\brss: (\d+)Mb", log)
    memory = f"memory {sizes[0]}, {sizes[len(sizes) // 2]}, at most {peak} MB" if sizes else ""
    print(f"{target}: {runs} inputs, {len(found)} found; {memory}", flush=True)
    for path in found:
        print(f"  {path}: {path.read_bytes()[:200]!r}", flush=True)
    return code == 0 and not found


def _statistic(log: str, name: str) -> str:
    """What libFuzzer says at its end; «?» where it has not come to that."""
    found = re.findall(rf"stat::{name}:\s+(\d+)", log)
    return found[-1] if found else "?"


def _merge(target: str) -> None:
    """Keep the smallest set of inputs that reaches all that was reached, as regression."""
    least = WORK / f"least-{target}"
    least.mkdir(exist_ok=True)
    for path in least.iterdir():
        path.unlink()
    code = _libfuzzer(target, "-merge=1", str(least), str(WORK / target))
    inputs = [path.read_bytes() for path in least.iterdir()]
    if code == 0 and inputs:
        keep(target, inputs)
    else:
        print(f"{target}: nothing could be merged, see {WORK / target}.log", flush=True)


def main() -> int:
    """Fuzz; return 1 where something was found."""
    parser = argparse.ArgumentParser(prog="./build.sh fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument(
        "--keep", action="store_true", help="take new inputs into tests/fuzz/corpus"
    )
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all by default")
    arguments = parser.parse_args()
    targets = arguments.targets or list(TARGETS)
    for name in set(targets) - TARGETS.keys():
        parser.error(f"there is no target {name}")
    WORK.mkdir(parents=True, exist_ok=True)
    clean = True
    for target in targets:
        clean &= _fuzz(target, max(1, round(60 * arguments.minutes / len(targets))))
        if arguments.keep:
            _merge(target)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
