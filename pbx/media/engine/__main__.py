"""The media engine's process: `python -m pbx.media.engine --socket PATH --first-port N ...`."""

import argparse
import gc
import logging
import os
import secrets
import signal
import sys
from pathlib import Path

from pbx.media.engine.control_socket import BusyError, ControlListener
from pbx.media.engine.engine import MAX_GRACE_S, Engine
from pbx.media.engine.keeper import SIGNALS, keep
from pbx.media.engine.libraries import load_libraries
from pbx.media.engine.loading import Kernels, load_kernels
from pbx.media.engine.packet_threads import MAX_THREADS, PacketThreads
from pbx.media.engine.sockets import NoPortsError, bind_pairs, has_ipv6
from pbx.media.engine.tone_plans import plans

_log = logging.getLogger("pbx.media.engine")

EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_CANTCREAT = 73

_FRESH = "--fresh-kernels"


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is no port")
    return port


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= MAX_GRACE_S:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {MAX_GRACE_S:g} s")
    return seconds


def _threads(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{count} is not between 1 and {MAX_THREADS}")
    return count


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pbx.media.engine",
        description="Relays the media of calls; started and told what to do by the exchange.",
    )
    parser.add_argument("--socket", type=Path, help="Unix socket to listen at")
    parser.add_argument("--first-port", type=_port, default=10000)
    parser.add_argument("--last-port", type=_port, default=10999)
    parser.add_argument(
        "--grace", type=_seconds, default=20.0, help="seconds to live without an exchange"
    )
    parser.add_argument(
        "--threads",
        type=_threads,
        default=min(max(len(os.sched_getaffinity(0)) - 1, 1), MAX_THREADS),
        help="packet threads; one less than there are cores by default",
    )
    parser.add_argument(
        "--real-time", action="store_true", help="relay at SCHED_FIFO, if that's allowed"
    )
    parser.add_argument("--compile", action="store_true", help="compile the kernels and exit")
    parser.add_argument("--verbose", action="store_true", help="log more")
    parser.add_argument(_FRESH, action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args(words)
    if parsed.socket is None and not parsed.compile:
        parser.error("--socket is needed")
    return parsed


def _load(arguments: argparse.Namespace, words: list[str]) -> Kernels:
    try:
        return load_kernels(os.environ, fresh=arguments.fresh_kernels)
    except Exception as error:
        if arguments.fresh_kernels:
            raise
        # numba raises anything on a cache that it can't read, and may be left half loaded.
        _log.error("the compiled kernels cannot be loaded (%r); starting again without", error)
        os.execv(sys.executable, [sys.executable, "-m", "pbx.media.engine", *words, _FRESH])


def _stop_fd() -> int:
    """Return a descriptor that becomes readable at SIGTERM or SIGINT."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    return readable


def main(words: list[str]) -> int:
    """Run an engine; returns the exit code (sysexits.h)."""
    arguments = _arguments(words)
    logging.basicConfig(
        stream=sys.stderr,
        format="%(levelname)s %(message)s",
        level=logging.DEBUG if arguments.verbose else logging.INFO,
    )
    logging.getLogger("numba").setLevel(logging.WARNING)
    if arguments.compile:
        _load(arguments, words)
        return 0
    kernels = _load(arguments, words)
    # Read now, and for all engines to come: where a disk hangs, none may wait for it in a call.
    plans()
    # numba's objects stay for ever: looking through them would keep a new call's commands waiting,
    # and would give each process a copy of what keeper and engine share.
    gc.freeze()
    return keep(lambda: _serve(arguments, kernels))


def _serve(arguments: argparse.Namespace, kernels: Kernels) -> int:
    """Be the engine; returns the exit code."""
    stop_fd = _stop_fd()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    ipv6 = has_ipv6()
    try:
        pairs = bind_pairs(arguments.first_port, arguments.last_port, ipv6=ipv6)
    except NoPortsError as error:
        _log.error("%s", error)
        return EX_UNAVAILABLE
    libraries = load_libraries()
    for sentence in libraries.missing:
        _log.warning("%s", sentence)
    packets = PacketThreads(
        kernels,
        pairs,
        arguments.threads,
        dual_stack=ipv6,
        real_time=arguments.real_time,
        functions=libraries.functions,
        name=secrets.token_urlsafe(12).encode(),
    )
    try:
        listener = ControlListener(arguments.socket)
    except BusyError as error:
        _log.error("%s", error)
        return EX_UNAVAILABLE
    except OSError as error:
        _log.error("cannot listen at %s: %s", arguments.socket, error.strerror or error)
        return EX_CANTCREAT
    failure = Engine(pairs, packets, listener, stop_fd, ipv6, arguments.grace, libraries).run()
    if failure is not None:
        _log.error("%s", failure)
        return EX_SOFTWARE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
