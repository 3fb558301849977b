"""CPU per relayed packet while its call is recorded, beside the same calls unrecorded, in one run.

    ./build.sh bench            or: python tests/bench/recording_bench.py --calls 20 100 --verbose

The same engine relays the same calls all the time; rounds with and without recordings alternate.
CPU time is that of the whole process, so that whoever writes the files is in it.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from pbx.media import codecs
from pbx.media.protocol import Address, Record, Recorded, StopRecording, Tap
from tests.bench import command_line
from tests.bench.crowd import Crowd, Talk
from tests.bench.relay_bench import cpu_s
from tests.media.engine_process import EngineProcess, Link, stream

PCMU = 0
"""Payload type."""

PACKETS = 100
"""Of a call in a second, both ways."""


@dataclass(slots=True)
class Calls:
    """Calls of a crowd that one engine relays.

    Args:
        crowd: the phones.
        link: to the engine.
        ports: of the engine, in the phones' order.
        folder: for recordings.
        stereo: how they are recorded.
    """

    crowd: Crowd
    link: Link
    ports: list[int]
    folder: Path
    stereo: bool
    recorded: int = 0

    @contextlib.contextmanager
    def recording(self) -> Iterator[list[Recorded]]:
        """Record every call; the list is filled when all recordings have ended."""
        pairs = list(zip(self.ports[::2], self.ports[1::2], strict=True))
        names = range(self.recorded + 1, self.recorded + 1 + len(pairs))
        self.recorded += len(pairs)
        for name, (left, right) in zip(names, pairs, strict=True):
            path = str(self.folder / f"{name}.wav")
            self.link.send(Record(name, path, left, right, stereo=self.stereo))
        self.link.settle()
        ended: list[Recorded] = []
        yield ended
        self.link.send(*(StopRecording(name) for name in names))
        ended += [self.link.expect(Recorded) for _ in names]
        for file in self.folder.iterdir():
            file.unlink()


@contextlib.contextmanager
def relayed(calls: int, *, stereo: bool) -> Iterator[Calls]:
    """Calls of phones that speak G.711, each of which can be recorded."""
    crowd = Crowd(2 * calls)
    with tempfile.TemporaryDirectory() as folder:
        words = ("--first-port", "26000", "--last-port", str(28000 + 4 * calls))
        process = EngineProcess(Path(folder), *words)
        try:
            link = process.connect()
            ports = link.ready.ports[: 2 * calls]
            phones = [Address(*one.getsockname()) for one in crowd.sockets]
            link.send(*(stream(ports[n], ports[n ^ 1], phone) for n, phone in enumerate(phones)))
            link.send(*(Tap(port, [(PCMU, codecs.PCMU)]) for port in ports))
            link.settle()
            crowd.connect(ports)
            files = Path(folder, "recordings")
            files.mkdir()
            yield Calls(crowd, link, ports, files, stereo)
        finally:
            process.end()
            crowd.close()


def threads_s(pid: int) -> dict[str, float]:
    """Return the CPU seconds of each thread of a process so far, by name."""
    seconds: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        spent = int((task / "schedstat").read_text().split()[0]) / 1e9
        seconds[name] = seconds.get(name, 0.0) + spent
    return seconds


@dataclass(frozen=True, slots=True)
class Round:
    """What one round has cost.

    Args:
        us: CPU microseconds per packet, of the whole engine.
        threads: of each of its threads.
        talk: what the phones counted.
    """

    us: float
    threads: dict[str, float]
    talk: Talk


def measure(calls: Calls, seconds: float) -> Round:
    """Let all phones talk."""
    pid = calls.link.ready.pid
    calls.crowd.talk(0.6)  # sources are learnt, caches filled, a first block written
    before, threads_before = cpu_s(pid), threads_s(pid)
    talk = calls.crowd.talk(seconds)
    spent, threads = cpu_s(pid) - before, threads_s(pid)
    to_us = 1e6 / max(talk.received, 1)
    each = {name: (one - threads_before.get(name, 0.0)) * to_us for name, one in threads.items()}
    return Round(spent * to_us, each, talk)


def compare(wanted: argparse.Namespace, number: int) -> None:
    """Print the table of one size."""
    plain: list[Round] = []
    recorded: list[Round] = []
    with relayed(number, stereo=wanted.stereo) as calls:
        for turn in range(wanted.rounds):
            # A B, B A, ...: what the machine does meanwhile falls on both.
            for records in (False, True) if turn % 2 == 0 else (True, False):
                if not records:
                    plain.append(measure(calls, wanted.seconds))
                    continue
                with calls.recording() as ended:
                    recorded.append(measure(calls, wanted.seconds))
                short = [one for one in ended if one.failure or one.seconds < wanted.seconds]
                if short:
                    sys.exit(f"{len(short)} of {number} calls have not been recorded: {short[0]}")
    print(f"\n{number} calls, {wanted.rounds} rounds of {wanted.seconds:g} s each, G.711 20 ms")
    for name, rounds in (("relayed", plain), ("and recorded", recorded)):
        sent = sum(one.talk.sent for one in rounds)
        lost = sent - sum(one.talk.received for one in rounds)
        spread = " ".join(f"{one.us:.2f}" for one in rounds)
        print(
            f"{name:<13}{median(one.us for one in rounds):>7.2f} us/packet   all: {spread}", end=""
        )
        print(f"   sent {sent}, lost {lost}")
        if wanted.verbose:
            for thread in sorted({thread for one in rounds for thread in one.threads}):
                cost = median(one.threads.get(thread, 0.0) for one in rounds)
                if cost >= 0.005:
                    print(f"    {thread:<16}{cost:>7.2f}")
    more_us = median(one.us for one in recorded) - median(one.us for one in plain)
    print(f"a recorded call costs {more_us * PACKETS / 1e4:.3f} % of a core more")
    ratios = [with_it.us / without.us for with_it, without in zip(recorded, plain, strict=True)]
    print(
        f"recorded / relayed = {median(ratios):.3f}   all: {' '.join(f'{one:.3f}' for one in ratios)}"
    )


def main() -> int:
    parser = command_line.in_rounds(__doc__, calls=[20, 100], rounds=11, seconds=1.0)
    parser.add_argument("--stereo", action="store_true", help="a track for each party")
    parser.add_argument("--verbose", action="store_true", help="thread by thread")
    wanted, _ = parser.parse_known_args()
    for number in wanted.calls:
        compare(wanted, number)
    return 0


if __name__ == "__main__":
    command_line.leave(main)
