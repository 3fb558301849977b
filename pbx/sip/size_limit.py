"""Requests that are too large for a datagram go over TCP (RFC 3261 §18.1.1)."""

from dataclasses import replace

from pbx.sip.flow import Flow

LARGEST_DATAGRAM = 1300
"""Octets. "If a request is within 200 bytes of the path MTU, or if it is larger than 1300 bytes and
the path MTU is unknown, the request MUST be sent using an RFC 2914 [43] congestion controlled
transport protocol, such as TCP." (§18.1.1)"""


def by_tcp(size: int, flow: Flow) -> Flow | None:
    """Return the path by TCP for a request that is too large for `flow`; None where it isn't.

    Behind a NAT a phone can't be connected to: its mapping is one of datagrams. There fragments
    are the only way.

    Args:
        size: the request's, octets.
        flow: the path that it would have had.
    """
    if size <= LARGEST_DATAGRAM or flow.transport != "udp" or flow.only_way:
        return None
    return replace(flow, transport="tcp")
