"""CPU of the media engine for listeners of one music: encoded once, and for each of them alone.

    python tests/bench/listeners_bench.py --listeners 50 --seconds 10

Both in one run, in turn: the ratio is the figure to trust.
"""

import argparse
import os
import socket
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from pbx.media import codecs
from pbx.media.protocol import Address, Play, Played, StopPlaying, Voice
from tests.media.engine_process import EngineProcess, Link, stream

CODECS = ((codecs.PCMU, 0), (codecs.G722, 9), (codecs.OPUS, 98))


def cpu_s(pid: int) -> float:
    """Return how much processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    link: Link,
    ports: list[int],
    peer: Address,
    voice: tuple[int, int],
    seconds: float,
    *,
    one: bool,
) -> float:
    """Return microseconds of processor time for each packet sent.

    Args:
        link: to the engine.
        ports: of the listeners.
        peer: where all of them are.
        voice: codec and payload type.
        seconds: how long.
        one: they hear one player in a room; else each has its own.
    """
    codec, payload_type = voice
    link.send(*(stream(port, 0, peer) for port in ports))
    link.send(*(Voice(port, codec, payload_type, room=int(one), speaks=False) for port in ports))
    players = range(1, 2 if one else len(ports) + 1)
    for number in players:
        port = 0 if one else ports[number - 1]
        link.send(Play(number, port, room=int(one), tone="music", level_db=-10.0, times=0))
    link.settle()
    before, sent = cpu_s(link.ready.pid), sum(count.sent for count in link.counts().values())
    time.sleep(seconds)
    used = cpu_s(link.ready.pid) - before
    sent = sum(count.sent for count in link.counts().values()) - sent
    link.send(*(StopPlaying(number) for number in players))
    for _ in players:
        link.expect(Played)
    link.release(*ports)
    return 1e6 * used / sent


def main() -> None:
    """Measure, and print a line for each codec."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--listeners", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket(type=socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        last = 26000 + 4 * wanted.listeners
        engine = EngineProcess(Path(folder), "--first-port", "26000", "--last-port", str(last))
        try:
            link = engine.connect()
            ports, peer = link.ready.ports[: wanted.listeners], Address(*phone.getsockname())
            for voice in CODECS:
                figures: dict[bool, list[float]] = {True: [], False: []}
                for _ in range(wanted.rounds):
                    for one, found in figures.items():
                        found.append(measure(link, ports, peer, voice, wanted.seconds, one=one))
                shared, alone = median(figures[True]), median(figures[False])
                name = codecs.codec(voice[0]).name
                sys.stdout.write(
                    f"{name:6} {len(ports)} listeners: one music {shared:6.2f} us a packet, "
                    f"each its own {alone:6.2f}, ratio {shared / alone:.2f}\n"
                )
        finally:
            engine.end()


if __name__ == "__main__":
    main()
