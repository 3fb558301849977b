"""What needs one engine that runs for a while: memory, recording on and off, idleness, onset by phase,
and whether it lasts."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import mean, median
from typing import Any

from tests.bench.media.activity import descriptors, drops, pss_kib, switches
from tests.bench.media.cases import fault
from tests.bench.media.harness import Run
from tests.bench.media.programs import OURS, OURS_LARGE

_BASE = 10000
"""The first port of the harness' phones."""

_FEW_CALLS, _CALLS = 20, 100
"""Memory is weighed at both."""

_RECORDED_CALLS = 50
"""The engine records 64 at once."""

_PARTIES = 20
"""As many as the generator has slots: their packets come at every millisecond of the tick."""

_ONSET_S = 2.2
"""Two bursts."""

_LASTING_CALLS, _LASTING_SEATS = 450, 100
"""1000 streams."""

_SEATS_BASE = 14000
"""The first port of those who sit in the conference beside the calls."""


class Session:
    """Our engine and the generator, running.

    Args:
        bench: the harness' module.
        peer: our engine, as a peer of it.
        generator: its.
    """

    def __init__(self, bench: Any, peer: Any, generator: Any) -> None:
        self.bench = bench
        self.peer = peer
        self.generator = generator
        self._calls = 0
        self.loss_pct = 0.0
        """Of the worst window so far."""

    def call(self, count: int) -> None:
        """Let so many more calls begin."""
        first = _BASE + 4 * self._calls
        self._calls += count
        self.generator.bind(self.bench.UAC, first, count, 4)
        self.generator.bind(self.bench.UAS, first + 2, count, 4)
        for port in range(first, first + 4 * count, 4):
            a, b = self.peer.alloc((self.bench.UAC, port), (self.bench.UAS, port + 2))
            self.generator.say(f"flow {port} {a[0]} {a[1]} marker {port + 2}")
            self.generator.say(f"flow {port + 2} {b[0]} {b[1]} marker {port}")

    def measure(self, seconds: float, warm: float) -> Run:
        """Return one window.

        Raises:
            RuntimeError: it tells nothing.
        """
        run: Run = self.bench.measure(self.peer, self.generator, seconds, warm)
        if why := fault(run):
            raise RuntimeError(why)
        self.loss_pct = max(self.loss_pct, run["loss_pct"])
        return run


@contextmanager
def session(bench: Any, nice: int, program: str = OURS) -> Iterator[Session]:
    """Start our engine and the generator; both end with it."""
    folder = tempfile.mkdtemp(prefix="bench-")
    peer = bench.P.make(program, folder, nice=nice)
    generator = None
    try:
        peer.start()
        generator = bench.Gen(1, None, nice)
        yield Session(bench, peer, generator)
    finally:
        if generator:
            generator.close()
        peer.stop()
        shutil.rmtree(folder, ignore_errors=True)


def day(bench: Any, seconds: float, nice: int) -> Run:
    """Return what an engine does from its start to 100 calls.

    Returns:
        `idle_wakeups_s`: of an engine without calls; `pss_mib` at 100 calls; `growth_kib` from call
        to call.

    Raises:
        RuntimeError: one of the windows tells nothing.
    """
    with session(bench, nice) as running:
        engine = running.peer.engine
        before = switches(engine)
        began = time.monotonic()
        time.sleep(seconds)
        idle = (switches(engine) - before) / (time.monotonic() - began)
        memory = []
        for count in (_FEW_CALLS, _CALLS - _FEW_CALLS):
            running.call(count)
            running.measure(seconds / 2, 1.0)
            memory.append(pss_kib(engine))
        return {
            "idle_wakeups_s": idle,
            "pss_mib": memory[1] / 1024,
            "growth_kib": (memory[1] - memory[0]) / (_CALLS - _FEW_CALLS),
            "loss_pct": running.loss_pct,
        }


def recording(bench: Any, seconds: float, rounds: int, nice: int) -> Run:
    """Return what it costs to record calls that are passed on.

    Returns:
        `off_us`, `on_us`: CPU a packet, without and with all calls recorded, in turns.

    Raises:
        RuntimeError: one of the windows tells nothing.
    """
    with session(bench, nice) as running:
        running.call(_RECORDED_CALLS)
        costs: dict[bool, list[float]] = {False: [], True: []}
        # Many short turns: what the machine does meanwhile is more than what is looked for.
        for number in range(4 * rounds):
            # off on, on off, ...: so that it falls on both.
            for on in (False, True) if number % 2 == 0 else (True, False):
                if on:
                    running.peer.ask("R")
                costs[on].append(running.measure(seconds / 2, 1.0)["us_per_packet"])
                if on:
                    running.peer.ask("S", within_s=60)
        return {
            "off_us": median(costs[False]),
            "on_us": median(costs[True]),
            "loss_pct": running.loss_pct,
        }


def onset(bench: Any, nice: int) -> Run:
    """Return how late a conference's parties hear one of them begin to speak.

    Everybody speaks in turn, because how late depends on when in the tick the packets come.

    Returns:
        `mean_ms`, over the speakers; `least_ms` and `most_ms`: of one speaker.

    Raises:
        RuntimeError: a window tells nothing, or nobody was heard.
    """
    with session(bench, nice) as running:
        ports = range(_BASE, _BASE + 2 * _PARTIES, 2)
        running.generator.bind(bench.UAC, _BASE, _PARTIES)
        ends = [running.peer.join((bench.UAC, port)) for port in ports]
        found = []
        for speaker in ports:
            for port, (host, to) in zip(ports, ends, strict=True):
                profile = "pcmu-burst" if port == speaker else "pcmu-noise"
                running.generator.say(f"flow {port} {host} {to} {profile} {speaker}")
            run = running.measure(_ONSET_S, 1.2)
            if not run["onset_us"]["n"]:
                raise RuntimeError(f"nobody hears port {speaker}")
            found.append(run["onset_us"]["p50"] / 1000)
        return {
            "mean_ms": mean(found),
            "least_ms": min(found),
            "most_ms": max(found),
            "loss_pct": running.loss_pct,
        }


def lasting(bench: Any, seconds: float, nice: int) -> Run:
    """Return what becomes of 1000 streams, 900 of them relayed and 100 in one conference.

    Args:
        bench: the harness' module.
        seconds: how long they last.
        nice: of the engine and the generator.

    Returns:
        `unsent`: packets that the engine has not sent on; `dropped`: packets that came while a queue of
        the engine's sockets was full; `lost`: packets that the generator has not got back, which may be
        its own fault; `late_percent`: ticks that were done more than 5 ms too late;
        `growth_mib`: of the engine's memory; `descriptors`: that it has more than before.

    Raises:
        RuntimeError: the generator could not keep up.
    """
    with session(bench, nice, OURS_LARGE) as running:
        # As installed. Ticks must come on time; what a packet costs is measured without it.
        running.peer.take_real_time()
        running.call(_LASTING_CALLS)
        ports = range(_SEATS_BASE, _SEATS_BASE + 2 * _LASTING_SEATS, 2)
        running.generator.bind(bench.UAC, _SEATS_BASE, _LASTING_SEATS)
        for port in ports:
            host, to = running.peer.join((bench.UAC, port))
            running.generator.say(f"flow {port} {host} {to} pcmu-noise {port}")
        running.measure(5.0, 5.0)
        engine = running.peer.engine
        before = _counts(running), pss_kib(engine), descriptors(engine), drops(engine)
        run = running.measure(seconds, 0.0)
        after = _counts(running), pss_kib(engine), descriptors(engine), drops(engine)
        ticks, late, _, _, unsent = (b - a for a, b in zip(before[0], after[0], strict=True))
        return {
            "unsent": unsent,
            "dropped": after[3] - before[3],
            "lost": run["lost"],
            "loss_pct": run["loss_pct"],
            "late_percent": 100 * late / ticks,
            "growth_mib": (after[1] - before[1]) / 1024,
            "descriptors": after[2] - before[2],
            "us_per_packet_in": run["us_per_packet"],
        }


def _counts(running: Session) -> list[int]:
    return [int(number) for number in running.peer.ask("Q").split()]
