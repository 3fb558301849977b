"""CPU per relayed packet: the media engine beside a plain asyncio relay, alternating in one run.

    ./build.sh bench            or: python tests/bench/relay_bench.py --calls 5 100 --rounds 3

On a machine that does other work too, CPU time per packet is the figure to trust; the delay is
what the phones saw, with all that the machine did meanwhile.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from pbx.media.protocol import Address
from tests.bench import command_line
from tests.bench.crowd import Crowd, Talk
from tests.media.engine_process import REPOSITORY, EngineProcess, stream

PACKETS_PER_CALL_S = 100


@contextlib.contextmanager
def engine(crowd: Crowd) -> Iterator[int]:
    """The media engine with a call for every two phones; yields the process id of what relays."""
    phones = [Address(*one.getsockname()) for one in crowd.sockets]
    with tempfile.TemporaryDirectory() as folder:
        words = ("--first-port", "26000", "--last-port", str(28000 + 2 * len(phones)))
        process = EngineProcess(Path(folder), *words)
        try:
            link = process.connect()
            ports = link.ready.ports[: len(phones)]
            link.send(*(stream(ports[n], ports[n ^ 1], phone) for n, phone in enumerate(phones)))
            link.settle()
            crowd.connect(ports)
            yield link.ready.pid
        finally:
            process.end()


@contextlib.contextmanager
def plain_asyncio(crowd: Crowd) -> Iterator[int]:
    """`asyncio_relay` with a call for every two phones; yields its process id."""
    program = [sys.executable, "-m", "tests.bench.asyncio_relay", str(len(crowd.sockets) // 2)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True)
    try:
        assert process.stdout is not None
        crowd.connect([int(word) for word in process.stdout.readline().split()])
        yield process.pid
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


Relay = Callable[[Crowd], contextlib.AbstractContextManager[int]]

RELAYS: dict[str, Relay] = {"media engine": engine, "plain asyncio": plain_asyncio}


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process so far, by the kernel's own clock of it."""
    return time.clock_gettime(~pid << 3 | 2)


def measure(relay: Relay, calls: int, seconds: float) -> tuple[float, Talk]:
    """Return the CPU microseconds per packet that was relayed, and what the phones counted."""
    crowd = Crowd(2 * calls)
    try:
        with relay(crowd) as pid:
            crowd.talk(0.3)  # sources are learnt, caches filled
            before = cpu_s(pid)
            talk = crowd.talk(seconds)
            return (cpu_s(pid) - before) / max(talk.received, 1) * 1e6, talk
    finally:
        crowd.close()


def compare(calls: int, rounds: int, seconds: float) -> None:
    """Print the table of one size."""
    runs: dict[str, list[tuple[float, Talk]]] = {name: [] for name in RELAYS}
    for turn in range(rounds):
        # A B, B A, ...: what the machine does meanwhile falls on both.
        for name in sorted(RELAYS, reverse=bool(turn % 2)):
            runs[name].append(measure(RELAYS[name], calls, seconds))
    print(
        f"\n{calls} calls, {2 * calls} phones, {rounds} rounds of {seconds:g} s each, G.711 20 ms"
    )
    print(f"{'relay':<15}{'us/packet':>10}{'all rounds':>22}{'calls/core':>11}", end="")
    print(f"{'p50 ms':>8}{'p99 ms':>8}{'sent':>8}{'lost':>6}")
    for name, results in runs.items():
        cost = median(us for us, _ in results)
        talks = [talk for _, talk in results]
        delays = np.concatenate([talk.delays_ms for talk in talks])
        sent, received = sum(talk.sent for talk in talks), sum(talk.received for talk in talks)
        spread = " ".join(f"{us:.1f}" for us, _ in results)
        p50, p99 = np.percentile(delays, [50, 99]) if received else (0.0, 0.0)
        print(
            f"{name:<15}{cost:>10.2f}{spread:>22}{1e6 / PACKETS_PER_CALL_S / cost:>11.0f}", end=""
        )
        print(f"{p50:>8.2f}{p99:>8.2f}{sent:>8}{sent - received:>6}")
    ours, theirs = (median(us for us, _ in runs[name]) for name in RELAYS)
    print(f"media engine / plain asyncio = {ours / theirs:.2f}")


def main() -> int:
    parser = command_line.in_rounds(__doc__, calls=[5, 100], rounds=3, seconds=1.5)
    wanted, _ = parser.parse_known_args()
    for calls in wanted.calls:
        compare(calls, wanted.rounds, wanted.seconds)
    return 0


if __name__ == "__main__":
    command_line.leave(main)
