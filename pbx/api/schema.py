"""The control API's words: one JSON object a line, each way, over a Unix socket.

A client sends a `Call` and gets a `Result` or a `Failure` with the same `id`. The console, the
commands and the hardware agent need nothing else of the exchange.
"""

import msgspec

LINE_LIMIT = 1 << 20
"""Octets in one line; more is refused, so that a broken client costs no memory."""


WATCH_S = 5.0
"""How long ``watch`` waits for something to tell."""

TOPICS = ("calls", "users", "health", "log")
"""What ``watch`` tells changes of."""

HARDWARE_KINDS = ("sound", "usb", "board")
HARDWARE_EVENTS = ("added", "removed", "pressed", "warning")


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the exchange is (answer to ``status``)."""

    version: str
    pid: int
    uptime_s: float
    addresses: list[str]
    """Where phones reach it: ``udp 192.0.2.1:5060`` ..."""
    database: str
    """``sqlite`` or ``mysql``."""
    database_ok: bool
    records_waiting: int
    """Call records that the database has not taken yet."""
    users: int
    users_registered: int
    calls: int
    calls_total: int
    engine_pid: int
    """0 while there is no media engine."""
    engine_restarts: int
    streams_free: int
    certificate: str = ""
    """The SHA-256 fingerprint of the TLS certificate, ``AB:CD:...``; empty without TLS."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One phone of a local user."""

    uri: str
    source: str
    """``udp 192.0.2.7:5060``."""
    user_agent: str
    expires_s: float


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A local user (answer to ``users`` is a list of these)."""

    number: str
    display_name: str
    state: str
    """``offline``, ``idle``, ``ringing`` or ``talking``."""
    contacts: list[Contact]


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """How one party's sound has come here so far."""

    loss_percent: float
    jitter_ms: float
    """RFC 3550 §6.4.1."""
    mos: float
    """Mean opinion score by the E-model (ITU-T G.107): 1 to 4.5."""
    heard_mos: float = 0.0
    """That of what its phone hears, by the phone's own word (RFC 3611 §4.7.5); 0 unknown."""


class RunningCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has not ended (answer to ``calls`` is a list of these)."""

    id: str
    caller: str
    called: str
    state: str
    """``calling``, ``ringing`` or ``talking``."""
    since: str
    """ISO 8601 with offset: when the caller began."""
    talk_s: float
    codec: str = ""
    """What the caller speaks: ``PCMA`` ...; empty before the answer."""
    called_codec: str = ""
    """What the called phone speaks where that is another codec and the call is converted; else empty."""
    recording: bool = False
    caller_sound: Sound | None = None
    called_sound: Sound | None = None
    """Null as long as nothing has come, or the media engine doesn't tell."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """The recording of a call (answer to ``record``)."""

    file: str
    """Its path on the exchange's machine."""


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user as just made, or given another password: the only time that it can be read."""

    number: str
    password: str
    provisioning_url: str = ""
    """What Linphone's «Scan QR code» reads, for a quarter of an hour; empty where HTTP is off."""


class WelcomeUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user that still has the password of the first start."""

    number: str
    password: str
    provisioning_url: str
    """What Linphone's «Scan QR code» reads; empty where HTTP is off."""


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a person needs to register the first phones (answer to ``welcome``)."""

    addresses: list[str]
    users: list[WelcomeUser]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should look at.

    A client says it in its user's language: ``problem-SLUG`` and ``remedy-SLUG`` with `values`.
    """

    slug: str
    """Which health check found it: ``no-engine``, ``database-away`` ..."""
    severity: str
    """``attention``, or ``failed`` where no call can be made."""
    values: dict[str, str]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the exchange is, in a word (answer to ``health``)."""

    state: str
    """``ready``, ``attention`` or ``failed``: the worst of the problems."""
    problems: list[Problem]
    """The worst first."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the exchange's log (answer to ``log`` is a list of these, the oldest first)."""

    number: int
    """Counts up; the next ``log`` call asks for lines after the last one."""
    when: str
    """ISO 8601 with offset."""
    level: str
    """``info``, ``warning`` or ``error``."""
    text: str


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed (answer to ``watch``, given when there is something to tell).

    A client asks again with the `mark` that it got; without a mark everything counts as changed.
    """

    mark: str
    topics: list[str]
    """Of ``calls``, ``users``, ``health`` and ``log``; empty after `WATCH_S` without a change."""


class Call(msgspec.Struct, frozen=True):
    """A request: ``{"id":1,"method":"user.add","params":{"number":"103"}}``."""

    id: int
    method: str
    params: dict[str, str] = {}


class Result(msgspec.Struct, frozen=True):
    """The answer to a call; `result` is the struct (or list) that the method names."""

    id: int
    result: msgspec.Raw


class Failure(msgspec.Struct, frozen=True):
    """A call that could not be carried out: a stable `code` and a sentence."""

    id: int
    code: str
    error: str


METHODS: dict[str, object] = {
    "status": Status,
    "users": list[User],
    "calls": list[RunningCall],
    "record": Recording,
    "record.stop": None,
    "hangup": None,
    "user.add": NewUser,
    "user.remove": None,
    "user.password": NewUser,
    "user.algorithm": None,
    "welcome": Welcome,
    "health": Health,
    "log": list[LogLine],
    "watch": Changes,
    "hardware.note": None,
}
"""Every method and what it answers. ``hangup``, ``record`` and ``record.stop`` take `call`, ``record`` an
optional `stereo` (``yes`` or ``no``); ``user.*`` take `number`, and
``user.add``/``user.password`` an optional `password`, ``user.add`` an optional `display_name`,
``user.algorithm`` an `algorithm` (``MD5`` or ``SHA-256``). ``log`` takes an optional `after` (a line's
number), ``watch`` an optional `mark`. ``hardware.note``, by which the hardware agent tells the log what
it saw, takes `kind` (of `HARDWARE_KINDS`), `event` (of `HARDWARE_EVENTS`), `name`, and optionally
`port`."""
