"""An exchange for the console's tests: what `tests.api.fakes` has, and a day's worth of trouble."""

import datetime

from msgspec import structs

from pbx.api.schema import Contact, LineState, LogLine, NewUser, Problem, RunningCall, User
from pbx.config.line import Line
from pbx.config.user_rights import UserRights
from tests.api.fakes import FakeExchange

NOON = datetime.datetime(
    2026, 11, 25, 12, 0, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=8))
)

URL = "http://192.168.178.100:8080/linphone/{number}/q3V9c0Zk1yXw"

STEERING = "\x1b[2Jevil\x9b31m[bold]:smile:[/bold][@click=app.quit]x[/]"
"""What a phone may say of itself, and what must not happen then."""


IMS = Line(
    name="ims",
    kind="external-line",
    server="ims.example",
    user="+861012345678",
    password="line-secret",
    description=f"总机 {STEERING}",
    most=4,
)
PEER = Line(name="peer", kind="sip-trunk", server="192.0.2.9")
SPARE = Line(name="spare", kind="external-line", server="sip.example", user="u", enabled=False)
REGISTERED = LineState(
    phase="up",
    usable=True,
    since_s=60.0,
    server="udp 192.0.2.7:5060",
    rtt_ms=12.4,
    expires_s=540.0,
    incoming_s=3605.0,
    identities=["sip:+861012345678@ims.example"],
)
SILENT = LineState(
    phase="down",
    usable=False,
    since_s=60.0,
    trouble="silent",
    values={"server": "udp 192.0.2.9:5060"},
    next_try_s=12.0,
)


def noon() -> datetime.datetime:
    """Return the time at which the tests' clock stands."""
    return NOON


class Office(FakeExchange):
    """Three users, 101 with two phones, two calls, three lines, a log; it tells of changes."""

    def __init__(self) -> None:
        super().__init__()
        self.provisioning_url = lambda number: URL.format(number=number)
        self.phones = {
            "100": [contact("udp 192.0.2.7:5062", "Linphone/5.1 (Debian)", 598.4)],
            "101": [
                contact("tcp [2001:db8:0:1::4711]:5060", "Yealink SIP-T31P 124.86.0.40", 3599.0),
                contact("udp 192.0.2.9:5060", STEERING, 60.0),
            ],
        }
        self.states = {"100": "talking", "101": "ringing"}
        self.calls_now = [
            call("c1", "100", "+4930123456", "talking", "2026-11-25T11:57:19+08:00", 150.0),
            call("c2", "0791 555", "101", "ringing", "2026-11-25T11:59:56+08:00", 0.0),
        ]
        self.configured.kept = {line.name: line for line in (IMS, PEER, SPARE)}
        self.configured.states = {"ims": REGISTERED, "peer": SILENT}
        self.configured.calls = {"ims": (1, 1)}
        self.examined.lines = {"ims", "peer"}
        for level, text in (
            ("info", "phone of 100 registered from udp 192.0.2.7:5062"),
            ("warning", f"phone of 101 says {STEERING!r}"),
            ("error", 'the database does not answer: (2003, "Can\'t connect to MySQL server")'),
        ):
            self.say(level, text)

    def users(self) -> list[User]:
        self._ask("users")
        return [
            User(
                number=number,
                display_name=self.names.get(number, ""),
                state=self.states.get(number, "offline"),
                contacts=self.phones.get(number, []),
                **structs.asdict(self.configured.rights.get(number, UserRights())),
            )
            for number in sorted(self.passwords)
        ]

    async def calls(self) -> list[RunningCall]:
        self._ask("calls")
        return list(self.calls_now)

    def hangup(self, call_id: str) -> None:
        self.running = {one.id: (one.caller, one.called) for one in self.calls_now}
        super().hangup(call_id)
        self.calls_now = [one for one in self.calls_now if one.id != call_id]
        self.board.changed("calls")

    async def add_user(self, number: str, password: str | None, display_name: str) -> NewUser:
        return self._scanned(await super().add_user(number, password, display_name))

    async def remove_user(self, number: str) -> None:
        await super().remove_user(number)
        self.board.changed("users")

    async def set_password(self, number: str, password: str | None) -> NewUser:
        return self._scanned(await super().set_password(number, password))

    def _scanned(self, user: NewUser) -> NewUser:
        self.board.changed("users")
        url = self.provisioning_url(user.number)
        return NewUser(number=user.number, password=user.password, provisioning_url=url)

    def say(self, level: str, text: str) -> None:
        """Write a line into the log."""
        number = len(self.lines) + 1
        when = f"2026-11-25T11:5{number % 10}:00+08:00"
        self.lines.append(LogLine(number=number, when=when, level=level, text=text))
        self.board.changed("log")

    def trouble(self, *problems: Problem) -> None:
        """Have problems, the worst first."""
        self.problems = list(problems)
        self.board.changed("health")


DISK_FULL = Problem(slug="disk-full", severity="attention", values={"percent": "96%"})
DATABASE_AWAY = Problem(
    slug="database-away",
    severity="attention",
    values={
        "why": "(2003, \"Can't connect to MySQL server on '127.0.0.1' ([Errno 111])\")",
        "count": "7",
    },
)
NO_ENGINE = Problem(slug="no-engine", severity="failed", values={})
OF_TOMORROW = Problem(slug="flux-low", severity="attention", values={"percent": "3"})


def contact(source: str, user_agent: str, expires_s: float) -> Contact:
    """Return a phone."""
    transport, _, address = source.partition(" ")
    return Contact(
        uri=f"sip:phone@{address};transport={transport}",
        source=source,
        user_agent=user_agent,
        expires_s=expires_s,
    )


def call(name: str, caller: str, called: str, state: str, since: str, talk_s: float) -> RunningCall:
    """Return a call."""
    return RunningCall(
        id=name, caller=caller, called=called, state=state, since=since, talk_s=talk_s
    )
