"""The port pool: RTP and RTCP sockets, bound once at start and kept until the end.

An INVITE is answered with a port that is certainly ours. While no stream uses a pair its gate is
shut: a socket filter drops every packet in the kernel before it takes memory or wakes anybody, so
that neither a flood on idle ports costs anything nor the next call hears the last one's packets.
"""

import contextlib
import ctypes
import errno
import logging
import resource
import socket
import struct
from dataclasses import dataclass

from pbx.media.engine import tape_row

_log = logging.getLogger(__name__)

RECEIVE_BUFFER = 131_072
"""Octets; the kernel doubles it. Some 300 small packets, 6 s of speech, or 100 ms of 20 Mbit/s."""

_DRAIN_LIMIT = 1024
"""Packets; more than the receive buffer holds."""

_STREAM_FDS = 3
"""Descriptors of a stream: two sockets, and its source's own one (`kernels.joining`)."""

_RESERVED_FDS = 64 + 2 * tape_row.TAPES
"""Descriptors for everything that isn't a media socket: recordings first of all."""

_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27

_DROP_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0)
"""Classic BPF: BPF_RET | BPF_K with 0 octets to keep."""

_TAKE_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0xFFFFFFFF)


class NoPortsError(Exception):
    """Not one pair of the range could be bound."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The sockets of one stream.

    Args:
        port: the even port; RTCP's is the next.
        rtp: bound to `port`.
        rtcp: bound to `port` + 1.
    """

    port: int
    rtp: socket.socket
    rtcp: socket.socket

    def shut(self) -> None:
        """Have the kernel drop whatever comes."""
        for one in (self.rtp, self.rtcp):
            # A kernel without socket filters queues the packets; `open` throws them away.
            with contextlib.suppress(OSError):
                _attach(one, _DROP_ALL)

    def open(self) -> None:
        """Let packets come in, from now on: what came before was meant for somebody else."""
        for one in (self.rtp, self.rtcp):
            _drain(one)
            try:
                one.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
            except OSError as error:
                # ENOENT: there is none. QEMU, where it emulates programs, attaches filters and can't
                # take them off.
                if error.errno != errno.ENOENT:
                    with contextlib.suppress(OSError):
                        _attach(one, _TAKE_ALL)

    def close(self) -> None:
        """Give both ports back to the system."""
        self.rtp.close()
        self.rtcp.close()


def _attach(one: socket.socket, filter_code: bytes) -> None:
    program = ctypes.create_string_buffer(filter_code, len(filter_code))
    # struct sock_fprog: 16-bit length, pointer.
    filter_program = struct.pack("HP", 1, ctypes.addressof(program))
    one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_program)


def _drain(one: socket.socket) -> None:
    """Throw away what waits in a socket.

    The receive buffer's size bounds what can be there; a flood must not hold up the caller.
    """
    with contextlib.suppress(OSError):
        for _ in range(_DRAIN_LIMIT):
            one.recv(1, socket.MSG_DONTWAIT)


def has_ipv6() -> bool:
    """Return whether this kernel can bind a dual-stack socket."""
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def bind_pairs(first_port: int, last_port: int, *, ipv6: bool) -> list[Pair]:
    """Bind every pair of the range; pairs that somebody else uses are left out and logged.

    Args:
        first_port: where the range begins; an odd one is skipped.
        last_port: the last port that may be used, for RTP or RTCP.
        ipv6: bind dual-stack sockets.

    Raises:
        NoPortsError: nothing is left.
    """
    ports = range(first_port + first_port % 2, last_port, 2)
    wanted = _STREAM_FDS * len(ports) + _RESERVED_FDS
    allowed = max(_raise_limit(wanted) - _RESERVED_FDS, 0) // _STREAM_FDS
    if allowed < len(ports):
        _log.warning("only %d of %d port pairs: the limit of open files", allowed, len(ports))
        ports = ports[:allowed]
    pairs: list[Pair] = []
    taken: list[int] = []
    why = ""
    for port in ports:
        try:
            pairs.append(_bind_pair(port, ipv6=ipv6))
        except OSError as error:
            taken.append(port)
            why = error.strerror or str(error)
    if not pairs:
        raise NoPortsError(
            f"no RTP port from {first_port} to {last_port} can be used: {why or 'the range is empty'}"
        )
    if taken:
        _log.warning("RTP ports left out: %s (%s)", _in_words(taken), why)
    return pairs


def _in_words(ports: list[int]) -> str:
    """Return even ports as text, neighbours joined: ``10000, 10004-10008``."""
    runs: list[list[int]] = []
    for port in ports:
        if runs and port == runs[-1][-1] + 2:
            runs[-1].append(port)
        else:
            runs.append([port])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)


def _bind_pair(port: int, *, ipv6: bool) -> Pair:
    rtp = _bind(port, ipv6=ipv6)
    try:
        pair = Pair(port, rtp, _bind(port + 1, ipv6=ipv6))
    except OSError:
        rtp.close()
        raise
    pair.shut()
    return pair


def _bind(port: int, *, ipv6: bool) -> socket.socket:
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if ipv6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        made.bind(("::" if ipv6 else "0.0.0.0", port))
    except OSError:
        made.close()
        raise
    return made


def _raise_limit(wanted: int) -> int:
    """Raise the limit of open files to `wanted` if that's allowed; returns what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return soft
    for limit in ((wanted, max(wanted, hard)), (min(wanted, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        except (OSError, ValueError):
            continue
        break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def is_local(host: str) -> bool:
    """Return whether packets may leave from `host`, an address without brackets."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True
