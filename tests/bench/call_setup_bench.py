"""Calls set up and cleared: our exchange beside Kamailio, alternating in one run, both on loopback.

    ./build.sh bench            or: python tests/bench/call_setup_bench.py --rounds 3

sipp plays caller and callee. A call is INVITE with digest (407), ringing, 200, ACK, BYE; no RTP.
Two figures: CPU milliseconds per call of all the server's processes at a steady 50 calls a second,
and calls a second with 20 calls always in progress. Kamailio (transactions, dialogs and call log
in C, one worker) passes the callee's messages on and leaves media alone; ours ends both legs,
rewrites their SDP, moves RTP ports, and writes a call record: read the ratio so. On a machine that
does other work too, the CPU figure is the one to trust.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.kamailio import Kamailio, cpu_of, session_of
from tests.interop import scenario
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.sipp import Load, Sipp, account, register

STEADY_RATE, STEADY_CALLS = 50, 250
CLOSED_LOOP, CLOSED_LOOP_CALLS = 20, 1000
PASSWORD = "secret"


@dataclass(frozen=True, slots=True)
class Server:
    """One program that is measured, running."""

    host: str
    cpu_s: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round found."""

    cpu_ms_per_call: float
    calls_a_second: float


def ours(folder: Path, ports: Ports, stack: ExitStack) -> Server:
    """Start our exchange, with its media engine."""
    exchange = Exchange(folder, ports, streams=200)
    stack.callback(exchange.close)
    exchange.start()
    for number in ("110", "111"):
        exchange.add_user(number, PASSWORD)

    def cpu_s() -> float:
        pids = {*session_of(exchange.pid), *session_of(exchange.status().engine_pid)}
        return sum(cpu_of(pid) for pid in pids)

    return Server(exchange.host, cpu_s)


def kamailio(folder: Path, ports: Ports, stack: ExitStack) -> Server:
    """Start Kamailio."""
    server = Kamailio(folder, ports.one(), PASSWORD)
    stack.callback(server.close)
    return Server(server.host, server.cpu_s)


SERVERS: dict[str, Callable[[Path, Ports, ExitStack], Server]] = {
    "miniSIPServer": ours,
    "Kamailio": kamailio,
}


def measure(start: Callable[[Path, Ports, ExitStack], Server], ports: Ports) -> Figures:
    """Start a server and measure both figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = start(folder / "server", ports, stack)
        callee = account(ports, "111", PASSWORD, server.host)
        register(folder, callee)
        load = Load(calls=0, rate=1000, talk_ms=0, limit_s=120)
        answering = Sipp("callee", folder, scenario.callee(linger_ms=0), callee, load=load)
        stack.callback(answering.close)
        _call(folder, ports, server, stack, Load(50, STEADY_RATE, 0), "warm")

        before = server.cpu_s()
        _call(folder, ports, server, stack, Load(STEADY_CALLS, STEADY_RATE, 0), "steady")
        cpu_ms = 1000 * (server.cpu_s() - before) / STEADY_CALLS

        took_s = _call(
            folder,
            ports,
            server,
            stack,
            Load(CLOSED_LOOP_CALLS, 5000, 0, at_once=CLOSED_LOOP),
            "closed",
        )
        return Figures(cpu_ms, CLOSED_LOOP_CALLS / took_s)


def _call(
    folder: Path, ports: Ports, server: Server, stack: ExitStack, load: Load, name: str
) -> float:
    """Make the calls; return the seconds that they took."""
    who = account(ports, "110", PASSWORD, server.host)
    begin = time.monotonic()
    sipp = Sipp(name, folder, scenario.caller(), who, number="111", load=load)
    stack.callback(sipp.close)
    sipp.finish(90)
    return time.monotonic() - begin


def main() -> int:
    """Print the table and the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=2)
    # build.sh hands the same words to every bench.
    arguments, _ = parser.parse_known_args()
    ports = Ports()
    found: dict[str, list[Figures]] = {name: [] for name in SERVERS}
    for number in range(arguments.rounds):
        names = list(SERVERS) if number % 2 == 0 else list(SERVERS)[::-1]
        for name in names:
            found[name].append(measure(SERVERS[name], ports))
    cpu = {name: median(f.cpu_ms_per_call for f in all_) for name, all_ in found.items()}
    rate = {name: median(f.calls_a_second for f in all_) for name, all_ in found.items()}
    print(f"median of {arguments.rounds} rounds, alternating")
    print(f"{'':16}{'CPU ms a call':>16}{f'calls/s, {CLOSED_LOOP} at once':>24}")
    for name in SERVERS:
        print(f"{name:16}{cpu[name]:16.2f}{rate[name]:24.0f}")
    one, other = SERVERS
    print(
        f"{one} : {other} = {cpu[one] / cpu[other]:.1f} in CPU a call, "
        f"{rate[one] / rate[other]:.2f} in calls a second"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
