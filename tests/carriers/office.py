"""The exchange whose lines are tested, and its phones."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.carriers.lines import add_line, set_line, state, wait_usable
from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange, Record
from tests.interop.ports import Ports
from tests.interop.sipp import Account, Load, Sipp
from tests.interop.waiting import until

NUMBER, SECOND, PASSWORD = "200", "201", "secret"
"""Of the phone, and of a user whom sipp plays."""

TONE_HZ = 440.0
"""What the phone plays, and hears again from the far end of each call."""


def plain(number: str) -> str:
    """Return a number of a record without the mark that keeps it from being a formula."""
    return number.removeprefix("'")


class Office:
    """A test's view of the shared exchange: what it configures is gone afterwards.

    Args:
        exchange: the exchange; its users are there.
        phone: of `NUMBER`, which answers by itself.
        folder: for files.
        ports: where ports come from.
        closing: ends what the test started.
    """

    def __init__(
        self, exchange: Exchange, phone: Baresip, folder: Path, ports: Ports, closing: ExitStack
    ) -> None:
        self.exchange = exchange
        self.phone = phone
        self.folder = folder
        self.ports = ports
        self.closing = closing
        self._before = len(exchange.records())
        self._lines: list[str] = []
        self._heard = phone.heard_s(TONE_HZ)

    # ---------------------------------------------------------------- configuration

    def line(self, name: str, **options: Any) -> None:
        """Add an external line of an account."""
        self._add(name, {"kind": "external-line", **options})

    def trunk(self, name: str, server: str, **options: Any) -> None:
        """Add a SIP trunk."""
        self._add(name, {"kind": "sip-trunk", "server": server, **options})

    def _add(self, name: str, options: dict[str, Any]) -> None:
        add_line(self.exchange, name, **options)
        self._lines.append(name)

    def change(self, name: str, **options: Any) -> None:
        """Give a line other options."""
        set_line(self.exchange, name, **options)

    def wait_usable(self, name: str) -> None:
        """Wait until a line is registered, or a trunk has answered."""
        wait_usable(self.exchange, name)
        if state(self.exchange, name).phase == "asking":
            until(f"trunk {name} answers", lambda: state(self.exchange, name).phase == "up")

    def user(self, **options: Any) -> None:
        """Give the phone's user other rights and numbers, until the test is over."""
        self.exchange.call("user.set", number=NUMBER, options=json.dumps(options))

    def plan(self, **tables: Any) -> None:
        """Give the dial plan other tables, until the test is over."""
        self.exchange.call("plan.set", tables=json.dumps(tables))

    def restore(self) -> None:
        """Take away what was configured, and end what goes on."""
        for call in self.exchange.running_calls():
            self.exchange.call("hangup", call=call.id)
        self.exchange.wait_idle()
        empty: dict[str, Any] = dict.fromkeys(
            ("analyze_called", "analyze_caller", "incoming", "number_change", "routes"), []
        )
        self.plan(basics={"default_route": ""}, **empty)
        self.user(most_outgoing=-1, emergency_number="")
        for name in self._lines:
            self.exchange.call("line.remove", name=name)
        self.exchange.assert_sane()

    # ---------------------------------------------------------------- calls

    def dial(self, number: str) -> None:
        """Have the phone call a number."""
        self._heard = self.phone.heard_s(TONE_HZ)
        self.phone.dial(number)

    def wait_sound(self, seconds: float = 0.5) -> None:
        """Wait until the phone has heard itself for so long since it dialled, or was called."""
        self.phone.wait_heard(TONE_HZ, self._heard + seconds)

    def talk(self, number: str) -> None:
        """Call a number, and hear the own tone come back."""
        self.dial(number)
        self.wait_sound()

    def hang_up(self) -> None:
        """Have the phone end its call."""
        self.phone.hang_up()
        self.exchange.wait_idle()

    def caller(self, number: str, text: str = "", *, talk_ms: int = 1000, name: str = "") -> Sipp:
        """Start a sipp that calls a number as `SECOND`; see `scenario.caller`."""
        own = Account(SECOND, PASSWORD, self.ports.one(), 0, self.exchange.host)
        own = Account(own.user, own.password, own.port, own.port, own.server)
        load = Load(talk_ms=talk_ms, rtp_ports=(self.ports.block(4),), echo=True)
        text = text or scenario.caller()
        sipp = Sipp(name or f"caller-{own.port}", self.folder, text, own, number=number, load=load)
        self.closing.callback(sipp.close)
        return sipp

    def records(self, calls: int = 1) -> list[Record]:
        """Wait for the records of so many calls of the test; each has one of each side."""

        def found() -> list[Record]:
            records = self.exchange.records()[self._before :]
            return records if len({one["call_id"] for one in records}) >= calls else []

        return until(f"records of {calls} calls", found, why_not=self.exchange.why)

    def record(self, cdr_type: str) -> Record:
        """Wait for the record of one side (LO, LT, OO, OT) of the test's only call."""

        def found() -> list[Record]:
            return [one for one in self.records() if one["cdr_type"] == cdr_type]

        (one,) = until(f"the record {cdr_type}", found, why_not=self.exchange.why)
        return one
