"""A carrier that sipp plays, and what has come to it."""

import re
import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tests.carriers.office import NUMBER, Office
from tests.interop.plain_sip import Message, compose
from tests.interop.ports import Ports
from tests.interop.sipp import Account, Load, Sipp
from tests.interop.waiting import until

_BLOCK = re.compile(
    r"-{10,} (\d{4}-\d\d-\d\d[ \t]\d\d:\d\d:\d\d\.\d+)\n"
    r"\w+ message (sent|received) .*?:\n\n(.*?)(?=\n-{10,} \d{4}|\Z)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A message that sipp has sent or got.

    Args:
        when_s: by its own clock.
        sent: by itself.
        message: taken apart.
    """

    when_s: float
    sent: bool
    message: Message


def seen(sipp: Sipp) -> list[Seen]:
    """Return the messages of a sipp that traces them, in order."""
    if not sipp.messages.exists():
        return []
    found = []
    for when, way, text in _BLOCK.findall(sipp.messages.read_text(errors="replace")):
        at = datetime.fromisoformat(when.replace("\t", " ")).timestamp()
        data = text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
        found.append(Seen(at, way == "sent", Message.parse(data)))
    return found


class OddCarrier:
    """A carrier with one account; its far end sends all sound back.

    Args:
        folder: for its files.
        ports: where its ports come from.
        text: the scenario; see `tests.carriers.steps`.
        closing: ends it.
        user, password: the account.
        address: of its own.
        name: of its files.
        contact_port: where its Contact leads; 0 for its own port.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        text: str,
        closing: ExitStack,
        *,
        user: str = "+4930555",
        password: str = "secret",
        address: str = "127.0.0.31",
        name: str = "carrier",
        port: int = 0,
        contact_port: int = 0,
    ) -> None:
        self._folder, self._ports, self._closing = folder, ports, closing
        port = port or ports.one()
        self.user, self.password = user, password
        self.host = f"{address}:{port}"
        self.address, self.port = address, port
        account = Account(user, password, port, contact_port or port, "127.0.0.1:9", address)
        sound = ports.block(4)
        # `closing` ends it: some serve all tests of a module, on a machine that may be slow
        load = Load(calls=0, rtp_ports=(sound,), echo=True, traced=True, patient=True, limit_s=3600)
        self.sipp = Sipp(name, folder, text, account, load=load)
        closing.callback(self.sipp.close)

    def answered(self, method: str, status: int, nth: int = 1) -> Seen:
        """Wait until it has answered so many requests of this method with this status."""

        def look() -> Seen | None:
            found = [
                one
                for one in seen(self.sipp)
                if one.sent and one.message.status == status and one.message.method == method
            ]
            return found[nth - 1] if len(found) >= nth else None

        return until(f"the carrier answers {method} {status}", look, why_not=self.sipp.why)

    def got(self, method: str, nth: int = 1) -> Seen:
        """Wait for the `nth` request of this method that has come; return it."""

        def look() -> Seen | None:
            found = self.all(method)
            return found[nth - 1] if len(found) >= nth else None

        return until(f"the carrier gets {method} {nth}", look, why_not=self.sipp.why)

    def all(self, method: str) -> list[Seen]:
        """Return all requests of this method that have come."""
        return [
            one
            for one in seen(self.sipp)
            if not one.sent and one.message.start.startswith(f"{method} ")
        ]

    def go_on(self, nth: int = 1) -> None:
        """Have its call with the `nth` INVITE go on; see `tests.carriers.steps.told_to_go_on`."""
        invite = self.got("INVITE", nth).message
        same = [(name, invite.get(name)) for name in ("from", "call-id")]
        early = next(
            one.message
            for one in seen(self.sipp)
            if one.sent and one.message.call_id == invite.call_id and one.message.status > 100
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.bind((self.address, 0))
            via = f"SIP/2.0/UDP {self.address}:{end.getsockname()[1]};branch=z9hG4bK-go-on"
            headers = [("Via", via), *same, ("To", early.get("to")), ("CSeq", "1 MESSAGE")]
            start = f"MESSAGE sip:{self.address} SIP/2.0"
            end.sendto(compose(start, headers), (self.address, self.port))

    def call(
        self, number: str, text: str, *, server: str, talk_ms: int = 1500, name: str = "calling"
    ) -> Sipp:
        """Start a call of its network's; see `tests.carriers.steps.calling`."""
        own = Account(self.user, self.password, self._ports.one(), 0, server, self.address)
        own = replace(own, contact_port=own.port)
        load = Load(talk_ms=talk_ms, rtp_ports=(self._ports.block(4),), echo=True)
        sipp = Sipp(name, self._folder, text, own, number=number, load=load)
        self._closing.callback(sipp.close)
        return sipp


def connect(office: Office, carrier: OddCarrier, kind: str = "line", **options: object) -> None:
    """Add the line `carrier` to it, whose calls go to the office's phone; wait until it's usable.

    Args:
        office: the exchange.
        carrier: one that takes registrations, where it's a line.
        kind: ``line`` or ``trunk``.
        options: of the line, beside its server and account.
    """
    given = {"destination": NUMBER, **options}
    if kind == "trunk":
        office.trunk("carrier", carrier.host, **given)
    else:
        account = {"user": carrier.user, "password": carrier.password}
        office.line("carrier", server=carrier.host, **{**account, **given})
        carrier.answered("REGISTER", 200)
    office.wait_usable("carrier")
