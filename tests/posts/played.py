"""sipp as a phone that speaks: it makes the calls, and sends RTP packets as a capture file has them.

It says ``a=ptime:20`` and plays packets of any length, as the phones do that the post on call recording
is about. It sends them by a raw socket, which takes root (`may_play`).
"""

import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from tests.interop import scenario
from tests.posts.talking import LEAD_S, Packet, Speech

_FILE = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_ETHERNET = struct.Struct("!6s6sH")
_IP = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_LOOPBACK = b"\x7f\0\0\1"


def may_play() -> bool:
    """Whether programs of this user may have raw sockets."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP).close()
    except PermissionError:
        return False
    return True


def calling(capture: Path) -> str:
    """Return the scenario: call, play a capture file at once, wait for the other side to hang up."""
    return _own_port(
        *scenario.authorized_invite(),
        scenario.expect(180, optional=True),
        *scenario.answered(),
        _play(capture),
        *scenario.hung_up(),
    )


def called(capture: Path) -> str:
    """Return the scenario: answer, play a capture file at once, wait for the other side to hang up."""
    return _own_port(*scenario.callee_answers(), _play(capture), *scenario.hung_up())


def _play(capture: Path) -> str:
    return f'<nop><action><exec play_pcap_audio="{capture}"/></action></nop>'


def _own_port(*steps: str) -> str:
    return scenario.xml(*steps).replace("[field0]", "[auto_media_port]")


def write_capture(path: Path, said: Speech) -> Path:
    """Write what is said as a network analyser saves it (pcap 2.4; Ethernet, IPv4, UDP).

    Each packet stands there `LEAD_S` before its time, as `talk` sends it.
    """
    path.write_bytes(b"".join(_octets(said.packets)))
    return path


def _octets(packets: Iterable[Packet]) -> Iterable[bytes]:
    yield _FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for packet in sorted(packets, key=lambda one: one.at_s):
        size = _UDP.size + len(packet.data)
        frame = b"".join(
            (
                _ETHERNET.pack(bytes(6), bytes(6), 0x0800),
                _IP.pack(0x45, 0, _IP.size + size, 0, 0, 64, 17, 0, _LOOPBACK, _LOOPBACK),
                # sipp sends from and to other ports, and makes its own checksum
                _UDP.pack(4000, 4000, size, 0),
                packet.data,
            )
        )
        seconds, micros = divmod(round(max(packet.at_s - LEAD_S, 0.0) * 1e6), 1_000_000)
        yield _RECORD.pack(seconds, micros, len(frame), len(frame))
        yield frame
