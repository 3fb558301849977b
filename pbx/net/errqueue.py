"""What ICMP tells of datagrams that a UDP socket has sent (Linux's error queue, ip(7), RFC 1122)."""

import os
import socket
import struct
from collections.abc import Iterator

from pbx.sip.flow import Address

# <linux/in.h>, <linux/in6.h>: Python's socket module names neither
_IP_RECVERR = 11
_IPV6_RECVERR = 25

_EXTENDED_ERROR = struct.Struct("=IBBBBII")
"""``struct sock_extended_err``: errno, origin, type, code, padding, info, data."""

_ICMP, _ICMP6 = 2, 3
"""Origins of an error."""

_FRAGMENTATION_NEEDED = 4
_UNREACHABLE = {_ICMP: (3, 12), _ICMP6: (1, 4)}
"""Types of ICMP (RFC 792) and ICMPv6 (RFC 4443): destination unreachable, parameter problem. RFC
3261 §18.4 names them; time exceeded and source quench it has ignored."""

_SPACE = socket.CMSG_SPACE(_EXTENDED_ERROR.size + 28)


def ask_for_errors(udp: socket.socket) -> None:
    """Have the kernel keep what ICMP says of this socket's datagrams.

    Without this an unconnected socket is told nothing. With it, the next operation on the socket
    fails once for each error, whatever it was to do.

    Raises:
        OSError: the kernel lacks it.
    """
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def take_errors(udp: socket.socket) -> Iterator[tuple[Address, str]]:
    """Empty the queue, and yield whom a datagram did not reach, and why.

    A datagram that was too big for some router on its way is left out: the kernel cuts its
    repetition into pieces.
    """
    while True:
        try:
            _, controls, _, destination = udp.recvmsg(0, _SPACE, socket.MSG_ERRQUEUE)
        except OSError:
            # EAGAIN: the queue is empty. Or the socket is closed.
            return
        for _, kind, data in controls:
            if kind not in (_IP_RECVERR, _IPV6_RECVERR) or len(data) < _EXTENDED_ERROR.size:
                continue
            number, origin, type_, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            if type_ not in _UNREACHABLE.get(origin, ()):
                continue
            if (origin, type_, code) != (_ICMP, 3, _FRAGMENTATION_NEEDED):
                yield Address(destination[0], destination[1]), os.strerror(number)
