"""All SIP sockets of the exchange: which one a message leaves by, and what arrives."""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import ssl
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from pbx.errors import StartError
from pbx.locale import say
from pbx.net.interfaces import alike, own_address
from pbx.net.stream import FIRST_MESSAGE_S, HALF_MESSAGE_S, LINGER_S, StreamConnection
from pbx.net.tls import TlsConnection
from pbx.net.udp import UdpSocket
from pbx.net.websocket import WebSocketFraming
from pbx.sip.flow import Address, Flow

log = logging.getLogger(__name__)

CONNECT_S = 5.0
"""How long a TCP connection may take to come up."""

CONNECTIONS_LIMIT = 512
"""Connections at once, of all kinds; a home or small office has 30 phones."""

HOST_LIMIT = 64
"""Those of one host that nothing needs, or not yet: 30 phones behind one address, each twice, after a
power cut."""


@dataclass(frozen=True, slots=True)
class StreamPort:
    """A port for connections, beside the one of UDP and TCP.

    Args:
        kind: ``tls``, ``ws`` or ``wss``: the `Flow.transport` of what comes.
        number: the port, on every local address.
        context: the exchange's certificate and key, for ``tls`` and ``wss``.
        origins: for ``ws`` and ``wss``: see `WebSocketFraming`.
    """

    kind: str
    number: int
    context: ssl.SSLContext | None = None
    origins: Sequence[str] = ()

    @property
    def is_web(self) -> bool:
        """True where messages come in WebSocket frames."""
        return self.kind in ("ws", "wss")


class SipTransport:
    """Sends and receives for the endpoint; every call is made on the event loop.

    Args:
        port: UDP and TCP port on every local address.
        receive: takes each message and its flow.
        failed: told of a flow that can't be used, and why.
        needed: names the connections that a registration or a call needs. When there are too
            many, the one of the others that has been idle for longest makes room for a new one.
        more: ports for TLS and WebSocket.
        tls: what we connect to TLS peers with; None for not at all.
        connections_limit: connections at once.
        host_limit: those of one host, or IPv6 network, that aren't needed.
        first_message_s: how long whoever connects may take for its first message.
        half_message_s: how long a message that has begun may take to come whole.
        connect_s: how long a connection of ours may take to come up.
    """

    def __init__(
        self,
        port: int,
        receive: Callable[[bytes, Flow], None],
        failed: Callable[[Flow, str], None],
        needed: Callable[[], Collection[int]],
        *,
        more: Sequence[StreamPort] = (),
        tls: ssl.SSLContext | None = None,
        connections_limit: int = CONNECTIONS_LIMIT,
        host_limit: int = HOST_LIMIT,
        first_message_s: float = FIRST_MESSAGE_S,
        half_message_s: float = HALF_MESSAGE_S,
        connect_s: float = CONNECT_S,
    ) -> None:
        self._port = port
        self._receive = receive
        self._failed = failed
        self._needed = needed
        self._more = more
        self._tls = tls
        self._connections_limit = connections_limit
        self._host_limit = host_limit
        self._first_message_s = first_message_s
        self._half_message_s = half_message_s
        self._connect_s = connect_s
        self._udp: dict[str, UdpSocket] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._more_servers: dict[tuple[str, str], asyncio.Server] = {}
        self._connections: dict[int, StreamConnection] = {}
        # By transport, address, and what the peer had to prove
        self._by_remote: dict[tuple[str, Address, str], int] = {}
        self._connecting: dict[tuple[str, Address, str], list[tuple[bytes, Flow]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._serial = 0
        self._closing = False
        self._all_closed = asyncio.Event()

    @property
    def addresses(self) -> list[str]:
        """What phones can register at: ``udp 192.0.2.1:5060``."""
        listening = [
            (transport, host, self._port) for transport in ("udp", "tcp") for host in self._udp
        ]
        listening += [
            (port.kind, host, port.number)
            for port in self._more
            for host in self._udp
            if (port.kind, host) in self._more_servers
        ]
        return [f"{transport} {Address(host, port)}" for transport, host, port in listening]

    @property
    def hosts(self) -> list[str]:
        """The local addresses that it listens on, in the order of `open` or the last `follow`."""
        return list(self._udp)

    def own_address(self, transport: str, host: str) -> Address | None:
        """Return our own address and listening port towards a numeric host: for Via and Contact.

        None where there is no way there, or none from an address that we listen on.
        """
        own = own_address(host)
        if own is not None and own not in self._udp:
            # Told to listen on others only: those are what answers can come to.
            own = next((one for one in self._udp if alike(one, host)), None)
        ports = (port.number for port in self._more if port.kind == transport)
        return None if own is None else Address(own, next(ports, self._port))

    # ---------------------------------------------------------------- listening

    async def open(self, hosts: Iterable[str]) -> None:
        """Listen on every address of `hosts`; one that the machine doesn't have is left out.

        Raises:
            StartError: the machine has none of them, or another program has the port.
        """
        for host in _canonical(hosts):
            try:
                await self._open_one(host)
            except _NoSuchAddress:
                log.warning("this machine has no address %s now", host)
            else:
                await self._open_more(host)
        if not self._udp:
            raise StartError(say("no-address"), 69)

    async def follow(self, hosts: Iterable[str]) -> None:
        """Listen on addresses that have come, and stop on those that have gone.

        One call at a time; a connection on an address that has gone ends by itself.
        """
        wanted = _canonical(hosts)
        for host in self._udp.keys() - wanted:
            self._servers.pop(host).close()
            for port in self._more:
                if (port.kind, host) in self._more_servers:
                    self._more_servers.pop((port.kind, host)).close()
            self._udp.pop(host).close()
            log.info("no longer listening on %s", Address(host, self._port))
        for host in wanted:
            try:
                if host not in self._udp:
                    await self._open_one(host)
                    log.info("listening on %s", Address(host, self._port))
                await self._open_more(host)
            except _NoSuchAddress:
                log.debug("this machine has no address %s now", host)
            except StartError as error:
                log.error("%s", error.sentence)
        self._udp = {host: self._udp[host] for host in wanted if host in self._udp}

    async def _open_one(self, host: str) -> None:
        local = Address(host, self._port)
        loop = asyncio.get_running_loop()
        try:
            udp = UdpSocket.open(local, self._receive, self._failed)
        except OSError as error:
            raise _cannot_listen("UDP", local, error) from error
        try:
            server = await loop.create_server(self._accepted, host, self._port)
        except BaseException as error:
            udp.close()
            if isinstance(error, OSError):
                raise _cannot_listen("TCP", local, error) from error
            raise
        self._udp[host], self._servers[host] = udp, server

    async def _open_more(self, host: str) -> None:
        """Listen on the further ports, too; where that can't be, all else works without."""
        loop = asyncio.get_running_loop()
        for port in self._more:
            if (port.kind, host) in self._more_servers:
                continue
            accepted = partial(self._connection, self._first_message_s, port)
            try:
                server = await loop.create_server(accepted, host, port.number)
            except OSError as error:
                local = Address(host, port.number)
                log.error("%s", _cannot_listen(port.kind.upper(), local, error).sentence)
            else:
                self._more_servers[port.kind, host] = server

    # ---------------------------------------------------------------- sending

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message on `flow`."""
        if flow.transport == "udp":
            self._send_udp(data, flow)
            return
        number = flow.connection or self._by_remote.get(_peer_of(flow), 0)
        connection = self._connections.get(number)
        if connection is not None:
            connection.send(data)
        elif flow.connection:
            self._failed(flow, "the connection is gone")
        elif flow.transport == "tls" and self._tls is None:
            self._failed(flow, "there is nobody whom we trust over TLS")
        elif not flow.is_stream:
            # RFC 7118 §5: nobody listens in a browser.
            self._failed(flow, "over WebSocket a phone is reached by its own connection only")
        else:
            self._connect_and_send(data, flow)

    def _send_udp(self, data: bytes, flow: Flow) -> None:
        udp = self._udp.get(flow.local.host) or self._any_udp(flow.remote.host)
        if udp is None:
            self._failed(flow, "no local address of the peer's kind")
        else:
            udp.send(data, flow)

    def _any_udp(self, remote: str) -> UdpSocket | None:
        """A socket for a flow whose own address has gone (a new DHCP lease)."""
        version = ipaddress.ip_address(remote).version
        for host, udp in self._udp.items():
            if ipaddress.ip_address(host).version == version:
                return udp
        return None

    def _connect_and_send(self, data: bytes, flow: Flow) -> None:
        waiting = self._connecting.setdefault(_peer_of(flow), [])
        waiting.append((data, flow))
        if len(waiting) == 1:
            task = asyncio.get_running_loop().create_task(self._connect(flow))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, flow: Flow) -> None:
        """Connect to a flow's peer, and send what waits for it."""
        loop = asyncio.get_running_loop()
        # From the address that the peer knows us by, where that is still ours.
        ours = flow.local.host if flow.local.host in self._udp else None
        remote, number, why = flow.remote, 0, ""
        made = partial(self._made_tls, flow) if flow.transport == "tls" else self._made
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await loop.create_connection(
                    made, remote.host, remote.port, local_addr=(ours, 0) if ours else None
                )
            number = connection.number
        except TimeoutError:
            why = f"no connection within {self._connect_s:g} s"
        except OSError as error:
            why = error.strerror or str(error)
        finally:
            waiting = self._connecting.pop(_peer_of(flow))
        for data, wanted in waiting:
            # It may be gone again, and must not be made again and again.
            if number in self._connections:
                self._connections[number].send(data)
            else:
                self._failed(wanted, why or "the connection ended at once")

    # ---------------------------------------------------------------- connections

    def _accepted(self) -> StreamConnection:
        return self._connection(self._first_message_s, StreamPort("tcp", self._port))

    def _made(self) -> StreamConnection:
        return self._connection(None, StreamPort("tcp", self._port))

    def _made_tls(self, flow: Flow) -> StreamConnection:
        assert self._tls is not None
        self._serial += 1
        return TlsConnection(
            self._tls,
            self._serial,
            flow.local.port,
            self._receive,
            self._opened,
            self._closed,
            # For the handshake
            self._connect_s,
            self._half_message_s,
            kind="tls",
            peer=flow.name or flow.remote.host,
            name=flow.name,
        )

    def _connection(self, first_message_s: float | None, port: StreamPort) -> StreamConnection:
        self._serial += 1
        kind = StreamConnection if port.context is None else partial(TlsConnection, port.context)
        return kind(
            self._serial,
            port.number,
            self._receive,
            self._opened,
            self._closed,
            first_message_s,
            self._half_message_s,
            kind=port.kind,
            framing=WebSocketFraming(port.origins) if port.is_web else None,
        )

    def _opened(self, connection: StreamConnection) -> None:
        if self._closing:
            connection.close("the exchange stops")
            return
        same = [one for one in self._connections.values() if one.source == connection.source]
        if len(same) >= self._host_limit:
            spare = self._spare(same)
            if len(spare) >= self._host_limit:
                self._drop_idle(spare, "too many connections of one host")
        if len(self._connections) >= self._connections_limit:
            spare = self._spare(self._connections.values())
            if not spare:
                connection.close("too many connections")
                return
            self._drop_idle(spare, "too many connections")
        self._connections[connection.number] = connection
        self._by_remote[_peer_of(connection.flow)] = connection.number

    def _spare(self, among: Iterable[StreamConnection]) -> list[StreamConnection]:
        needed = self._needed()
        return [one for one in among if one.number not in needed]

    def _drop_idle(self, spare: Iterable[StreamConnection], why: str) -> None:
        """Drop the connection that has been idle for longest, whether it ever spoke or not.

        A phone that has just come, and is about to register, has not been idle for long.
        """
        missed = min(spare, key=lambda one: one.heard)
        missed.close("it makes room for another one")
        self._closed(missed, why)

    def _closed(self, connection: StreamConnection, why: str) -> None:
        flow = connection.flow
        if self._connections.pop(flow.connection, None) is None:
            return
        peer = _peer_of(flow)
        if self._by_remote.get(peer) == flow.connection:
            del self._by_remote[peer]
        if not self._connections:
            self._all_closed.set()
        if not self._closing:
            self._failed(flow, why)

    async def close(self) -> None:
        """Close every socket; what has been sent is delivered first where it can be."""
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        for server in (*self._servers.values(), *self._more_servers.values()):
            server.close()
        sockets = list(self._udp.values())
        self._udp.clear()
        self._servers.clear()
        self._more_servers.clear()
        self._all_closed.clear()
        for connection in list(self._connections.values()):
            connection.finish("the exchange stops")
        for udp in sockets:
            udp.close()
        if self._connections:
            # Each one ends by itself after LINGER_S.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), 2 * LINGER_S)


class _NoSuchAddress(StartError):
    """The machine doesn't have the address, or not yet."""


def _peer_of(flow: Flow) -> tuple[str, Address, str]:
    """What a connection is found by, where a flow names none."""
    return flow.transport, flow.remote, flow.name


def _canonical(hosts: Iterable[str]) -> list[str]:
    return [str(ipaddress.ip_address(host)) for host in hosts]


def _cannot_listen(kind: str, local: Address, error: OSError) -> StartError:
    why = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        return StartError(say("port-in-use", kind=kind, address=local), 69)
    unknown = error.errno == errno.EADDRNOTAVAIL
    failure = _NoSuchAddress if unknown else StartError
    return failure(say("cannot-listen", kind=kind, address=local, why=why), 69)
