"""The telephone network of the tests of T7: lines whose far ends sipp plays, and their dial plan."""

import json
import socket
from contextlib import ExitStack
from pathlib import Path

from tests.carriers import steps
from tests.carriers.lines import add_line, set_line, wait_trouble, wait_usable
from tests.carriers.odd import OddCarrier
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports

OPEN, RINGING, SILENT, CLOSED, DEAD = "open", "ringing", "silent", "closed", "dead"
REFUSING, BUSY = "refusing", "busy"
"""Lines: one that takes calls, one where nobody answers them, one that says nothing, one whose
program has ended, one that never was there, one that refuses calls, and one whose far end does."""

PREFIX = {
    OPEN: "61",
    RINGING: "62",
    SILENT: "63",
    CLOSED: "64",
    DEAD: "65",
    REFUSING: "69",
    BUSY: "60",
}
"""What leads to them."""

INCOMPLETE, FORBIDDEN, SHORT = "66", "67", "68"
"""Of numbers that have six digits, that nobody may call, and that may be talked with for a second."""

_KEEP_ALIVE_S = 3600
"""No line is asked whether it lives after the beginning: calls are to find out who is gone."""

_ADDRESS = {
    OPEN: "127.0.0.61",
    RINGING: "127.0.0.62",
    SILENT: "127.0.0.63",
    CLOSED: "127.0.0.64",
    REFUSING: "127.0.0.66",
    BUSY: "127.0.0.67",
}

_SCENARIO = {
    RINGING: steps.carrier(*steps.taken(), *steps.cancelled()),
    REFUSING: steps.carrier(*steps.taken(), *steps.ending("503 Service Unavailable")),
    BUSY: steps.carrier(*steps.taken(), *steps.ending("486 Busy Here", "Reason: Q.850;cause=34")),
}


class Outside:
    """The lines of one exchange.

    Args:
        exchange: with its users.
        folder: for files.
        ports: where ports come from.
        closing: ends what is started.
        caller: who calls by the lines. A line may add a prefix to a number, so another number's end
            may be a user's, but none may call with a user's own.
        destination: the user whom calls by the line `OPEN` go to; others go where they want to.
    """

    def __init__(
        self,
        exchange: Exchange,
        folder: Path,
        ports: Ports,
        closing: ExitStack,
        *,
        caller: str,
        destination: str,
    ) -> None:
        self._exchange, self._closing = exchange, closing
        self.carriers = {
            name: OddCarrier(
                folder,
                ports,
                _SCENARIO.get(name, steps.FAR_END),
                closing,
                address=address,
                name=name,
                user=caller,
            )
            for name, address in _ADDRESS.items()
        }
        servers = {name: carrier.host for name, carrier in self.carriers.items()}
        servers[DEAD] = f"127.0.0.65:{ports.one()}"
        for name, server in servers.items():
            add_line(exchange, name, kind="sip-trunk", server=server, keep_alive_s=_KEEP_ALIVE_S)
        set_line(exchange, OPEN, destination=destination)
        rows = [{"prefix": prefix, "route": name} for name, prefix in PREFIX.items()] + [
            {"prefix": PREFIX[RINGING], "source": RINGING, "route": OPEN},
            {"prefix": INCOMPLETE, "route": OPEN, "least": 6},
            {"prefix": FORBIDDEN, "route": OPEN, "level": 3},
            {"prefix": SHORT, "route": OPEN, "max_duration_s": 1.0},
        ]
        tables = {
            "analyze_called": rows,
            "routes": [{"name": name, "lines": [name]} for name in servers],
            "basics": {"default_route": OPEN},
        }
        exchange.call("plan.set", tables=json.dumps(tables))
        for name in self.carriers:
            self.carriers[name].answered("OPTIONS", 200)
            wait_usable(exchange, name)
        wait_trouble(exchange, "unreachable", DEAD)

    def change(self, name: str, **options: float | str) -> None:
        """Give a line other options."""
        set_line(self._exchange, name, **options)

    def die(self, name: str, *, silent: bool) -> None:
        """End a line's program; where it's to be silent, nobody hears of that."""
        carrier = self.carriers[name]
        carrier.sipp.close()
        if silent:
            hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._closing.callback(hole.close)
            hole.bind((carrier.address, carrier.port))
