"""A caller and a callee played by sipp, registered where they need be."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.sipp import Account, Load, Sipp, account, register

_SIPPS = {"udp": "u1", "tcp": "t1"}
"""sipp's words for transports."""


@dataclass(frozen=True, slots=True)
class Users:
    """Two numbers that no other test uses, and their password."""

    caller: str
    callee: str
    password: str


@dataclass(frozen=True, slots=True)
class Phones:
    """Makes sipp phones of one exchange's users, and ends them; all by UDP, or by TCP."""

    exchange: Exchange
    users: Users
    folder: Path
    ports: Ports
    closing: ExitStack
    transport: str = "udp"

    def callee(
        self,
        text: str,
        *,
        name: str = "callee",
        load: Load | None = None,
        at: Account | None = None,
    ) -> Sipp:
        """Register the callee's user from a new port and start sipp there, with scenario `text`."""
        return self._start(name, text, at or self.registered(self.users.callee), load=load)

    def registered(self, number: str) -> Account:
        """Register a user from a new port."""
        who = account(self.ports, number, self.users.password, self.exchange.host)
        register(self.folder, who, transport=_SIPPS[self.transport])
        return who

    def caller(
        self,
        text: str,
        *,
        number: str = "",
        name: str = "caller",
        load: Load | None = None,
        at: Account | None = None,
    ) -> Sipp:
        """Start the caller's sipp, which dials `number`, or else the callee's number."""
        who = at or account(self.ports, self.users.caller, self.users.password, self.exchange.host)
        return self._start(name, text, who, number=number or self.users.callee, load=load)

    def _start(
        self, name: str, text: str, who: Account, *, number: str = "", load: Load | None = None
    ) -> Sipp:
        way = _SIPPS[self.transport]
        sipp = Sipp(name, self.folder, text, who, number=number, load=load, transport=way)
        self.closing.callback(sipp.close)
        return sipp
