"""The HTTP server: provisioning of softphones by QR code, and `/health`.

It runs inside the exchange's event loop. The exchange is a telephone first: a port that is taken,
or clients that misbehave, cost it this server and nothing else.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from pbx.api.provisioning import (
    SipAccount,
    Tokens,
    host_of,
    linphone_xml,
    uri_host,
)
from pbx.api.schema import Health
from pbx.misses import Misses

log = logging.getLogger(__name__)

CONNECTIONS_LIMIT = 64
"""Connections at a time; more would take file descriptors from SIP over TCP."""

CONNECTION_S = 30.0
"""How long a connection may last: each answer is a few hundred octets."""

MISSES_LIMIT = 20
MISSES_WINDOW_S = 60.0
"""Wrong tokens from one address, within a time, after which it isn't listened to until that is over."""

HEADERS_LIMIT = 16 << 10

NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class HttpTarget(Protocol):
    """Knows the users, and how the exchange is."""

    def initial_account(self, number: str) -> SipAccount | None:
        """Return the account of a user whose password is still known, else None."""
        ...

    def health(self) -> Health:
        """Return how the exchange is, in a word, and what to look at."""
        ...


class HttpServer:
    """Serves ``/provision/<token>.xml`` and ``/health``.

    Args:
        target: knows the users and the exchange.
        port: TCP port on all addresses; 0 serves nothing.
    """

    def __init__(self, target: HttpTarget, port: int) -> None:
        self._target = target
        self._port = port
        self._tokens = Tokens()
        self._misses = Misses(MISSES_LIMIT, MISSES_WINDOW_S)
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    def provisioning_url(self, number: str, host: str) -> str:
        """Return the address of the document that sets up a phone for user `number`.

        Args:
            number: a user whose password is still known.
            host: where phones reach the exchange: an IP address (IPv6 without brackets) or name.

        Returns:
            the URL; empty while nothing is served.
        """
        account = self._target.initial_account(number)
        if self._server is None or account is None:
            return ""
        where = f"{uri_host(host)}:{self._port}"
        token = self._tokens.of(number, account.password)
        return f"http://{where}/provision/{token}.xml"

    async def start(self) -> None:
        """Serve; where the port can't be had, say so in the log and go on without."""
        if self._port == 0:
            return
        try:
            listener = _listen(self._port)
        except OSError as error:
            log.warning(
                "HTTP port %d: %s; phones can't be set up by QR code, all else works",
                self._port,
                error.strerror or error,
            )
            return
        # uvicorn tells of every malformed request and of its own start; nobody needs either.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._server = _Server(self._application())
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        self._serving.add_done_callback(self._ended)
        await self._server.ready.wait()

    async def stop(self) -> None:
        """End every connection and close the port."""
        if self._server is None or self._serving is None:
            return
        server, self._server = self._server, None
        server.stopping.set()
        await asyncio.wait([self._serving])

    def _ended(self, serving: "asyncio.Task[None]") -> None:
        if not serving.cancelled() and (error := serving.exception()) is not None:
            log.error("the HTTP server ended", exc_info=error)
        if self._server is not None:
            self._server.ready.set()
            self._server = None

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/provision/{token}.xml", self._provision),
                Route("/health", self._health),
            ]
        )

    async def _health(self, request: Request) -> Response:
        health = self._target.health()
        # No values: they name users, and anybody in the network may ask.
        found = {"status": health.state, "problems": [one.slug for one in health.problems]}
        return JSONResponse(found, 503 if health.state == "failed" else 200, headers=NO_STORE)

    async def _provision(self, request: Request) -> Response:
        source = request.client.host if request.client else ""
        now = asyncio.get_running_loop().time()
        if self._misses.wait_s(source, now):
            retry = {"Retry-After": str(int(MISSES_WINDOW_S)), **NO_STORE}
            return PlainTextResponse("Too many requests", 429, headers=retry)
        number = self._tokens.number(request.path_params["token"])
        account = self._target.initial_account(number) if number is not None else None
        if account is None:
            self._misses.add(source, now)
            return PlainTextResponse("Not found", 404, headers=NO_STORE)
        local: tuple[str, int] = request.scope.get("server") or ("", 0)
        host = host_of(request.headers.get("host", ""), local[0])
        log.info("a phone at %s fetches the account of %s", uri_host(source), account.number)
        body = linphone_xml(account, host)
        return Response(body, media_type="application/xml", headers=NO_STORE)


class _Server(uvicorn.Server):
    """uvicorn without its signals and without its ten wake-ups a second."""

    def __init__(self, application: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=HEADERS_LIMIT,
            )
        )
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the exchange."""
        yield

    async def main_loop(self) -> None:
        """Serve until `stopping`."""
        await self.on_tick(0)
        self.ready.set()
        await self.stopping.wait()
        # A client that keeps its connection open must not hold up the exchange's stop.
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class _Connection(H11Protocol):
    """One client's connection, with an end: uvicorn alone lets silent ones stay."""

    _ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # The access log would tell the tokens.
        self.access_log = False
        if len(self.connections) > CONNECTIONS_LIMIT:
            transport.abort()
            return
        self._ending = self.loop.call_later(CONNECTION_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ending is not None:
            self._ending.cancel()
        super().connection_lost(exc)


def _listen(port: int) -> socket.socket:
    """Return a socket that takes TCP connections to every address, IPv6 and IPv4."""
    dual = socket.has_dualstack_ipv6()
    family, address = (socket.AF_INET6, "::") if dual else (socket.AF_INET, "0.0.0.0")
    listener = socket.create_server(
        (address, port), family=family, dualstack_ipv6=dual, backlog=CONNECTIONS_LIMIT
    )
    listener.setblocking(False)
    return listener
