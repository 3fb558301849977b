"""A stage for calls whose end is looked at: an exchange, phones that sipp plays, and what they heard."""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pbx.api.schema import RunningCall
from tests.carriers.odd import seen
from tests.interop import scenario
from tests.interop.exchange import Exchange, Record
from tests.interop.phones import Phones, Users
from tests.interop.ports import Ports
from tests.interop.scenario import expect, xml
from tests.interop.sipp import Account, Load, Sipp, account, register
from tests.interop.waiting import until
from tests.journal import TALKING, journal_lines
from tests.posts.outside import Outside

PASSWORD = "secret"

CALLER, CALLEE, THIRD = "300", "301", "302"
"""Users whose phones sipp plays."""

OTHER_CALLEE, PHONELESS = "303", "304"
"""One more of them, and a user without a phone."""

NEVER_CALLS, NEVER_CALLED = "305", "306"
"""Users that may make no call, and that may take part in none."""

SIPS_CALLER, SIPS_CALLEE, SIPS_LONELY = "307", "308", "309"
"""Users whose phones PJSIP plays, by sips."""

TALKER = "320"
"""One whose phone it plays by sip, and whose sound is looked at."""

REGISTERED_S = 120.0
"""Registrations are renewed after so long: they last for 300 seconds."""

_JOURNALLED = {"ringing": b'"alert_wall_s":', "talking": TALKING}
"""What the journal's line of a call in this state has in it."""


@dataclass(frozen=True, slots=True)
class Played:
    """What has become of a call.

    Args:
        record: of its caller.
        status: the final failure response that the caller got; 0 for none.
        told: the Reason headers with which the parties were told of the end that they hadn't
            brought about.
    """

    record: Record
    status: int
    told: list[str]


@dataclass(slots=True)
class Site:
    """An exchange and what is there for many tests.

    Args:
        exchange: running.
        ports: where ports come from.
        callback_port: of its call-back service; 0 for none.
        outside: its lines; None for none.
    """

    exchange: Exchange
    ports: Ports
    callback_port: int = 0
    outside: Outside | None = None
    accounts: dict[str, tuple[Account, float]] = field(default_factory=dict)
    """Of phones, and since when each is registered."""

    def __post_init__(self) -> None:
        sipps, others = (CALLER, CALLEE, THIRD, OTHER_CALLEE), (SIPS_CALLER, SIPS_CALLEE)
        for number in (*sipps, PHONELESS, *others, SIPS_LONELY, TALKER):
            self.add_user(number)

    def add_user(self, number: str, **limits: int) -> None:
        """Add a user with these limits."""
        self.exchange.call("user.add", number=number, password=PASSWORD)
        if limits:
            self.exchange.call("user.set", number=number, options=json.dumps(limits))


@dataclass(frozen=True, slots=True)
class Stage:
    """A site for one test.

    Args:
        site: the exchange, and its lines.
        folder: the test's own.
        closing: ends what the test starts.
    """

    site: Site
    folder: Path
    closing: ExitStack

    @property
    def exchange(self) -> Exchange:
        """The exchange."""
        return self.site.exchange

    @property
    def outside(self) -> Outside:
        """Its lines."""
        assert self.site.outside is not None
        return self.site.outside

    def account(self, number: str) -> Account:
        """Return an account that is registered."""
        own, since = self.site.accounts.get(number, (None, 0.0))
        if own is None or time.monotonic() > since + REGISTERED_S:
            own = own or account(self.site.ports, number, PASSWORD, self.exchange.host)
            register(self.folder, own)
            self.site.accounts[number] = own, time.monotonic()
        return own

    def callee(self, text: str, number: str = CALLEE, *, echo: bool = False) -> Sipp:
        """Start a phone that plays a scenario, and perhaps sends all sound back."""
        load = Load(talk_ms=200, patient=True)
        if echo:
            load = replace(
                load, echo=True, rtp_ports=(self.closing.enter_context(Ports()).block(4),)
            )
        at = self.account(number)
        return self._phones(CALLER, number).callee(text, name=f"callee-{number}", at=at, load=load)

    def caller(
        self,
        text: str,
        number: str = CALLEE,
        *,
        by: str = CALLER,
        name: str = "caller",
        talk_ms: int = 200,
    ) -> Sipp:
        """Start a phone that calls a number and plays a scenario."""
        load = Load(talk_ms=talk_ms, patient=True)
        return self._phones(by, number).caller(text, name=f"{name}-{by}", load=load)

    def _phones(self, caller: str, callee: str) -> Phones:
        users = Users(caller, callee, PASSWORD)
        return Phones(
            self.exchange,
            users,
            self.folder,
            self.closing.enter_context(Ports()),
            self.closing,
        )

    def record(self, sipp: Sipp) -> Record:
        """Wait for the record of the call that a phone has made."""

        def look() -> Record | None:
            name = call_id(sipp)
            return next((one for one in self.exchange.records() if one["call_id"] == name), None)

        return until(f"a record of {sipp.name}", look, why_not=self.exchange.why)

    def record_of(self, caller: str) -> Record:
        """Wait for the record of the last call that a user has made."""

        def look() -> Record | None:
            found = [one for one in self.exchange.records() if one["caller_number"] == caller]
            return found[-1] if found and not self._calls_of(caller) else None

        return until(f"a record of {caller}", look, why_not=self.exchange.why)

    def wait_state(self, state: str, caller: str = CALLER) -> str:
        """Wait until the caller's only call is in this state; return its name."""

        def look() -> str:
            calls = self._calls_of(caller)
            return calls[0].id if [one.state for one in calls] == [state] else ""

        return until(f"the call of {caller} is {state}", look, why_not=self.exchange.why)

    def _calls_of(self, caller: str) -> list[RunningCall]:
        return [one for one in self.exchange.running_calls() if one.caller == caller]

    def hang_up(self, state: str, caller: str = CALLER) -> None:
        """End the caller's only call when it is in this state."""
        self.exchange.call("hangup", call=self.wait_state(state, caller))

    def kill_exchange(self, state: str) -> None:
        """Kill the exchange when `CALLER`'s only call is in this state and in the journal so."""
        call, sign = self.wait_state(state).encode(), _JOURNALLED[state]

        def noted() -> bool:
            return bool(journal_lines(self.exchange.folder, call, sign))

        until(f"the journal has the call as {state}", noted, why_not=self.exchange.why)
        self.exchange.kill()


# ---------------------------------------------------------------- what the phones heard


def call_id(sipp: Sipp) -> str:
    """Return the name that a phone has given its call."""
    messages = seen(sipp)
    return messages[0].message.get("call-id") if messages else ""


def final(sipp: Sipp) -> tuple[int, list[str]]:
    """Return the failure response to a phone's INVITE, and its Reason headers; 0 where it has none."""
    for one in seen(sipp):
        message = one.message
        # 407 asks for a password
        if one.sent or message.method != "INVITE" or message.status in (0, 407):
            continue
        if message.status >= 200:
            answered = message.status < 300
            return (0, []) if answered else (message.status, message.all("reason"))
    return 0, []


def told(*sipps: Sipp) -> list[str]:
    """Return the Reason headers of the BYEs and CANCELs that phones got; each got one."""
    reasons = []
    for sipp in sipps:
        ends = [
            one.message
            for one in seen(sipp)
            if not one.sent and one.message.start.startswith(("BYE ", "CANCEL "))
        ]
        assert ends, sipp.why()
        reasons += ends[0].all("reason") or [""]
    return reasons


# ---------------------------------------------------------------- scenarios

HUNG_UP = scenario.hung_up(linger_ms=50)
ANSWERS = xml(*scenario.callee_answers(), *HUNG_UP)
RINGS_UNTIL_CANCELLED = scenario.callee_cancelled()


def dials(*steps: str, **invite: Any) -> str:
    """Return: call, hear it ring, and go on with `steps`; arguments as for `authorized_invite`."""
    return xml(
        *scenario.authorized_invite(**invite),
        expect(180, optional=True),
        expect(183, optional=True),
        *steps,
    )


def refused(status: int, **invite: Any) -> str:
    """Return: call and get this final response; arguments as for `authorized_invite`."""
    return dials(expect(status), scenario.ack_refusal(cseq=2), **invite)


TALKS = dials(*scenario.answered(), *HUNG_UP)
"""Call and talk until the other side hangs up."""
