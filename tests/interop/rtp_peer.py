"""The RTP of many calls at once: talks where sipp's log says, and counts what comes back.

Run as a program of its own, so that pytest's thread does not make it late:
``python -m tests.interop.rtp_peer FIRST_PORT COUNT PACKETS LOG...`` binds COUNT ports from
FIRST_PORT in steps of two. Each line ``talk PORT IP PORT`` that appears in a log starts a
stream of PACKETS packets of PCMU, one every 20 ms, from that port to that address; the first one
20 ms later, since a phone has to record a packet's worth of sound before it can send it. The end
of standard input ends it; it then prints a `Report` as JSON.
"""

import heapq
import json
import selectors
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

PTIME_S = 0.02

_RTP = struct.Struct("!BBHII")
_MARK = struct.Struct("!II")
_PAYLOAD = 160


@dataclass(frozen=True, slots=True)
class Report:
    """What all streams together have seen; a *pair* is two streams that hear each other.

    Args:
        streams: streams that talked.
        sent, received: packets.
        pairs: streams that heard exactly one other stream, which heard exactly this one.
        complete: streams that heard every packet of their other side, once and in order.
        faults: what went wrong, in words, the first few.
        late_ms: the latest that this program itself sent a packet.
    """

    streams: int
    sent: int
    received: int
    pairs: int
    complete: int
    faults: list[str]
    late_ms: float


@dataclass(slots=True)
class _Stream:
    number: int
    port: int
    to: tuple[str, int]
    sent: int = 0
    other: int = -1
    heard: list[int] = field(default_factory=list)


class _Peer:
    def __init__(self, first: int, count: int, packets: int, logs: list[Path]) -> None:
        self._packets = packets
        self._logs = [log.open() for log in logs]
        self._streams: list[_Stream] = []
        # By port: who was heard, in the order of first packets, and the counts in their packets.
        # The other end may talk before our own log line is read, so calls are told apart later.
        self._heard: dict[int, dict[int, list[int]]] = {}
        self._due: list[tuple[float, int]] = []
        self._late_s = 0.0
        self._faults: list[str] = []
        self._sockets: dict[int, socket.socket] = {}
        self._ready = selectors.DefaultSelector()
        for port in range(first, first + 2 * count, 2):
            end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            end.bind(("", port))
            end.setblocking(False)
            self._sockets[port] = end
            self._heard[port] = {}
            self._ready.register(end, selectors.EVENT_READ, port)

    def run(self) -> Report:
        self._ready.register(sys.stdin, selectors.EVENT_READ, 0)
        print("ready", flush=True)
        next_look = 0.0
        while True:
            now = time.monotonic()
            if now >= next_look:
                self._read_logs(now)
                next_look = now + 0.004
            self._send_due(now)
            next_due = min(self._due[0][0], next_look) if self._due else next_look
            for key, _ in self._ready.select(max(0.0, next_due - time.monotonic())):
                if key.data == 0:
                    return self._report()
                self._receive(key.data)

    def _read_logs(self, now: float) -> None:
        for log in self._logs:
            while line := log.readline():
                if not line.endswith("\n"):
                    log.seek(log.tell() - len(line))
                    break
                if line.startswith("talk "):
                    _, own, host, port = line.split()
                    self._start(int(own), (host, int(port)), now)

    def _start(self, port: int, to: tuple[str, int], now: float) -> None:
        stream = _Stream(len(self._streams), port, to)
        self._streams.append(stream)
        heapq.heappush(self._due, (now + PTIME_S, stream.number))

    def _send_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            when, number = heapq.heappop(self._due)
            stream = self._streams[number]
            self._late_s = max(self._late_s, now - when)
            count = stream.sent
            header = _RTP.pack(0x80, 0, count, count * _PAYLOAD, 0x10000 + number)
            mark = _MARK.pack(number, count)
            packet = header + mark + bytes([0xFF]) * (_PAYLOAD - len(mark))
            try:
                self._sockets[stream.port].sendto(packet, stream.to)
            except OSError as error:
                self._fault(f"stream {number} could not send: {error}")
            stream.sent += 1
            if stream.sent < self._packets:
                heapq.heappush(self._due, (when + PTIME_S, number))

    def _receive(self, port: int) -> None:
        heard = self._heard[port]
        while True:
            try:
                packet = self._sockets[port].recv(2048)
            except OSError:
                return
            if len(packet) != _RTP.size + _PAYLOAD:
                self._fault(f"port {port} got {len(packet)} octets")
                continue
            other, count = _MARK.unpack_from(packet, _RTP.size)
            heard.setdefault(other, []).append(count)

    def _fault(self, text: str) -> None:
        if len(self._faults) < 20:
            self._faults.append(text)

    def _assign(self) -> None:
        """Give the n-th call on a port whom that port heard as n-th."""
        calls: dict[int, list[_Stream]] = {}
        for stream in self._streams:
            calls.setdefault(stream.port, []).append(stream)
        for port, heard in self._heard.items():
            streams = calls.get(port, [])
            if len(heard) != len(streams):
                self._fault(f"port {port} had {len(streams)} calls and heard {len(heard)} others")
            for stream, (other, counts) in zip(streams, heard.items(), strict=False):
                stream.other, stream.heard = other, counts

    def _report(self) -> Report:
        self._assign()
        pairs = complete = 0
        whole = list(range(self._packets))
        for stream in self._streams:
            if stream.other < 0 or self._streams[stream.other].other != stream.number:
                self._fault(f"stream {stream.number} heard stream {stream.other}, which did not")
                continue
            pairs += 1
            if stream.heard == whole:
                complete += 1
            else:
                missing = sorted(set(whole) - set(stream.heard))
                self._fault(
                    f"port {stream.port} heard {len(stream.heard)} packets, without {missing}"
                )
        return Report(
            streams=len(self._streams),
            sent=sum(stream.sent for stream in self._streams),
            received=sum(len(c) for heard in self._heard.values() for c in heard.values()),
            pairs=pairs,
            complete=complete,
            faults=self._faults,
            late_ms=1000 * self._late_s,
        )


def _main(arguments: list[str]) -> None:
    first, count, packets = (int(argument) for argument in arguments[:3])
    peer = _Peer(first, count, packets, [Path(name) for name in arguments[3:]])
    print(json.dumps(asdict(peer.run())), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
