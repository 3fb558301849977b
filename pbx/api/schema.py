"""The control API's words: one JSON object a line, each way, over a Unix socket.

A client sends a `Call` and gets a `Result` or a `Failure` with the same `id`. The console, the
commands and the hardware agent need nothing else of the exchange.
"""

from typing import Any

import msgspec

LINE_LIMIT = 1 << 20
"""Octets in one line; more is refused, so that a broken client costs no memory."""


WATCH_S = 5.0
"""How long ``watch`` waits for something to tell."""

TOPICS = ("calls", "users", "lines", "health", "log")
"""What ``watch`` tells changes of."""

HARDWARE_KINDS = ("sound", "usb", "board")
HARDWARE_EVENTS = ("added", "removed", "pressed", "warning")


class CallBack(msgspec.Struct, frozen=True, kw_only=True):
    """The call-back service (answer to ``callback``): settings in force, and what it does."""

    port: int
    """UDP port; 0: off."""
    application_server: str
    """Whose datagrams are taken; empty: anybody's."""
    caller: str
    """What the first party is shown as the caller's number; empty for none."""
    call_level: int
    most: int
    """Call-backs at once."""
    address: str = ""
    """Where it listens, ``udp 127.0.0.1:5080``; empty where it doesn't."""
    why: str = ""
    """Why it doesn't, where it should."""
    open: int = 0
    """Call-backs that go on."""
    requests: int = 0
    refused: int = 0
    repeated: int = 0
    garbage: int = 0
    """Datagrams that were no messages."""
    foreign: int = 0
    """Datagrams from others, which were dropped."""


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
    callback: CallBack | None = None
    """The call-back service."""
    engine_ticks: int = 0
    """Ticks of 20 ms in which the engine, since it runs, has played and mixed sound; of all its threads."""
    engine_late_ticks: int = 0
    """Those of them that came more than 5 ms too late, or not at all."""
    records_unwritten: int = 0
    """Calls that have ended without their records in the files yet, and notes of others likewise."""


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
    call_level: int = 0
    """What it may call: numbers that need no higher one."""
    outside_number: str = ""
    """What parties outside are shown as its number; empty for `number`."""
    emergency_number: str = ""
    """The same of emergency calls; empty for `outside_number`."""
    most_calls: int = -1
    most_outgoing: int = -1
    """Calls at once; -1 for no limit, 0 for none at all."""
    record: str = "off"
    """Which of its calls are recorded: ``off``, ``all`` or ``outside``."""
    record_by_code: bool = True
    """It may begin and end recordings by the code for that."""


class LineState(msgspec.Struct, frozen=True, kw_only=True):
    """How an external line or a SIP trunk is."""

    phase: str
    """``off``, ``locating`` (DNS is asked), ``asking`` (the server is), ``up`` (registered, or the
    trunk answers), ``down``, ``leaving`` (it signs off)."""
    usable: bool
    """Calls can go out by it as far as anybody knows; an external line is registered."""
    since_s: float
    """For how long `usable` has been so; 0 for a line that is off."""
    trouble: str = ""
    """Why it can't be used: its sentence is ``problem-line-TROUBLE``; empty for nothing."""
    values: dict[str, str] = {}
    """What is put into that sentence, beside the line's name as ``line``."""
    server: str = ""
    """The server in use, as ``udp 192.0.2.1:5060``; empty where it isn't known."""
    rtt_ms: float | None = None
    """Round-trip time to it; None where it hasn't been measured."""
    expires_s: float | None = None
    """After how long the registration ends unless it is refreshed; None for none."""
    next_try_s: float | None = None
    """After how long the server is asked again; None for never."""
    incoming_s: float | None = None
    """How long ago a call came by it last; None for never since the start."""
    identities: list[str] = []
    """Addresses that the carrier says are ours, the first one first."""
    public: str = ""
    """Our address as the server sees it, where a router translates addresses; else empty."""
    prack_refused_s: float | None = None
    """How long ago it asked for PRACK and refused it, whereupon it isn't asked any more; None for
    never, or since the option ``prack`` was set."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An external line or a SIP trunk (answer to ``lines`` is a list of these, by name)."""

    name: str
    kind: str
    """``external-line``, which registers, or ``sip-trunk``."""
    enabled: bool
    has_password: bool
    """The password itself is never told."""
    options: dict[str, Any]
    """All other options by their names, as `pbx.config.line.Line` explains them."""
    chosen: list[str] = []
    """The options that are not as usual."""
    state: LineState | None = None
    """How it is; None where nobody knows."""
    incoming: int = 0
    outgoing: int = 0
    """The calls on it now."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The dial plan (answer to ``plan``), with the lines (answer to ``plan.export``)."""

    version: int
    """Of the configuration; ``plan.set`` takes it, so as not to overrule a later change."""
    tables: dict[str, Any]
    """``basics``, an object, and the tables, each a list of its rows, as
    `pbx.config.dial_plan` explains them; of ``plan.export`` also ``lines``, as
    `pbx.config.line.Line` explains them, without what is as usual. Passwords are in them with the
    parameter ``secrets`` = ``yes`` alone."""


class ReplacedConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that gave way to another one (answer to ``configurations`` is a list)."""

    number: int
    replaced: str
    """When: local time, ISO 8601 with offset."""
    users: list[str]
    """Their numbers."""
    lines: list[str]
    """Their names."""


class ProfileAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider profile asks for."""

    key: str
    """Its name among the options of ``line.add``."""
    label: dict[str, str]
    """What is asked for, by language."""
    default: str
    """The answer where none is given; may name other answers in braces."""
    optional: bool
    secret: bool


class ProfileFact(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a provider."""

    fields: list[str]
    """The line's options that are as they are because of it."""
    says: dict[str, str]
    """By language."""
    rests_on: str
    """Where it is from."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A provider (answer to ``line.profiles`` is a list of these, by name)."""

    name: str
    title: dict[str, str]
    """By language, as are `notes`."""
    kind: str
    asks: list[ProfileAsk]
    facts: list[ProfileFact]
    notes: list[dict[str, str]]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the line doctor says of a step.

    A client says it in its user's language: ``doctor-SLUG`` with `values`.
    """

    step: str
    """``dns``, ``reach``, ``register``, ``authentication``, ``identity``, ``outgoing``, ``incoming`` or
    ``sound``."""
    mark: str
    """``good``, ``note``, ``bad`` or ``skipped``."""
    slug: str
    values: dict[str, str]


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """How far the line doctor is (answer to ``doctor`` and ``doctor.more``)."""

    id: str
    line: str
    findings: list[Finding]
    """All until now."""
    done: bool


class RouteWay(msgspec.Struct, frozen=True, kw_only=True):
    """A way to a number outside."""

    line: str
    called: str
    """The number as the line is told it."""
    caller: str
    """The caller's number as the line is told it."""
    usable: bool = True
    """False: the line can't be used at this moment, and the next way is taken."""
    trouble: str = ""
    """Why not, as `LineState.trouble`."""
    values: dict[str, str] = {}
    """What is put into its sentence, beside the line's name as ``line``."""


class RouteStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of why a number leads where it leads.

    A client says it in its user's language: the sentence `key` with `values`, or else `text`.
    """

    key: str
    values: dict[str, str]
    text: str
    """In English."""


class RouteTest(msgspec.Struct, frozen=True, kw_only=True):
    """Where a number would lead (answer to ``route``)."""

    kind: str
    """``local-user``, ``service``, ``outside``, ``incomplete``, ``unknown`` or ``refused``."""
    number: str
    """After routing."""
    at: str
    """When: ISO 8601 with offset."""
    caller: str
    """The caller's number as a party here would be shown it."""
    emergency: bool
    max_duration_s: float
    """The dial plan's longest call; 0 for no limit of its own."""
    ways: list[RouteWay]
    """To a number outside, in order."""
    steps: list[RouteStep]


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """How one party's sound has come here so far."""

    loss_percent: float
    jitter_ms: float
    """RFC 3550 §6.4.1."""
    mos: float
    """Mean opinion score by the E-model (ITU-T G.107): 1 to 4.5."""
    heard_mos: float = 0.0
    """That of what its phone hears, by the phone's own word (RFC 3611 §4.7.5); 0 unknown."""
    worst_loss_percent: float = 0.0
    """`loss_percent` of the worst second."""
    reordered: int = 0
    """Packets that came behind later ones."""
    delay_ms: float | None = None
    """How long they wait here before they are played; null where they are passed on at once."""
    round_trip_ms: float | None = None
    """Between its phone and here, by RTCP; null unknown."""
    heard_loss_percent: float | None = None
    """What its phone has missed lately of what it is sent, by its reports; null unknown."""
    level_dbov: int | None = None
    """How loud it is now, 0 (loudest) to -127; null where it is passed on."""
    speaks: bool | None = None
    """There is voice in it now; null likewise."""
    late_ticks: int = 0
    """How often the media engine was too late for it, where it plays or mixes it."""


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
    room: str = ""
    """The conference room that the caller is in; empty for none."""
    muted: bool = False
    """Its others don't hear the caller."""
    caller_sound: Sound | None = None
    called_sound: Sound | None = None
    """Null as long as nothing has come, or the media engine doesn't tell."""


class RoomMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a conference room."""

    call: str
    """The call's id."""
    number: str
    name: str
    """Its display name; empty for none."""
    since: str
    """ISO 8601 with offset: when it came in."""
    muted: bool
    """The others don't hear it."""
    gain_db: float
    """How much louder than it speaks the others hear it."""
    level_dbov: int | None = None
    """How loud it speaks now, muted or not: 0 (loudest) to -127; null where the media engine doesn't
    tell."""
    speaks: bool | None = None
    """There is voice in that; null likewise."""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A conference room with somebody in it (answer to ``rooms`` is a list of these)."""

    room: str
    """Its number, as it is dialled behind `services.conference`."""
    locked: bool
    """It has a password."""
    members: list[RoomMember]
    """The first comer first."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """The recording of a call (answer to ``record``)."""

    file: str
    """Its path on the exchange's machine."""


class RecordedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A recording, running or ended."""

    file: str
    """Its name within the folder, ``YYYYMMDD/name.wav``."""
    begun: str
    """Local time, ``2026-11-30T18:30:00``."""
    seconds: float
    """Its length; 0 where it can't be read."""
    octets: int
    caller: str
    called: str
    """As far as a file's name can say it."""
    call: str
    """The call's id, as call records have it."""
    running: bool = False


class Recordings(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded calls (answer to ``recordings``), the newest first."""

    folder: str
    """On the exchange's machine."""
    total: int
    octets: int
    """Of all that were asked for, which `files` may have a part of."""
    files: list[RecordedCall]


class RemovedRecordings(msgspec.Struct, frozen=True, kw_only=True):
    """What has been removed (answer to ``recordings.remove`` and ``recordings.remove_before``)."""

    count: int
    octets: int


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
    "recordings": Recordings,
    "recordings.remove": RemovedRecordings,
    "recordings.remove_before": RemovedRecordings,
    "hangup": None,
    "rooms": list[Room],
    "room.mute": None,
    "room.unmute": None,
    "room.gain": None,
    "room.remove": None,
    "user.add": NewUser,
    "user.remove": None,
    "user.password": NewUser,
    "user.algorithm": None,
    "user.set": None,
    "lines": list[Line],
    "line.add": None,
    "line.set": None,
    "line.remove": None,
    "line.profiles": list[Profile],
    "doctor": Examination,
    "doctor.more": Examination,
    "doctor.stop": None,
    "plan": Plan,
    "plan.export": Plan,
    "plan.set": None,
    "configurations": list[ReplacedConfiguration],
    "configuration.restore": None,
    "configuration.discard": None,
    "callback": CallBack,
    "callback.set": None,
    "route": RouteTest,
    "welcome": Welcome,
    "health": Health,
    "log": list[LogLine],
    "watch": Changes,
    "hardware.note": None,
}
"""Every method and what it answers. ``hangup``, ``record`` and ``record.stop`` take `call`, ``record`` an
optional `stereo` (``yes``, else as the settings say); ``recordings`` takes optionally
`day` (``YYYYMMDD`` or ``YYYY-MM-DD``), `number` (of caller or called), and `most`, how many; ``recordings.remove`` a `file`,
``recordings.remove_before`` the `day` before which all go. ``room.*`` take a `room`'s number and a
`member` of it (its number, the id of its call, or ``all``), ``room.gain`` also `gain_db`. ``user.*`` take `number`, and
``user.add``/``user.password`` an optional `password`, ``user.add`` an optional `display_name`,
``user.algorithm`` an `algorithm` (``MD5`` or ``SHA-256``), ``user.set`` `options`. ``line.*`` take
`name`, ``line.add`` and ``line.set`` `options`, and ``plan.set`` `tables` and an optional `version`:
`options` and `tables` are JSON objects in a text, of which only what changes need be there, a table
whole. Values may be texts of what they are: ``no``, ``12``, ``PCMA,G722``. With the option ``profile``,
the name of one of ``line.profiles``, ``line.add`` takes what that asks for beside. ``doctor`` takes the
`name` of a line and an optional `number` to call; ``doctor.more`` and ``doctor.stop`` its `id`, and
``doctor.more`` answers when there are more findings than `after`, or there will be none. ``route`` takes
`caller` and `called`, for a call from outside the `line` by which it comes, and an optional `at` (local
time, ``HH:MM`` or ISO 8601). ``log`` takes an optional `after` (a line's
number), ``watch`` an optional `mark`. ``hardware.note``, by which the hardware agent tells the log what
it saw, takes `kind` (of `HARDWARE_KINDS`), `event` (of `HARDWARE_EVENTS`), `name`, and optionally
`port`. ``configuration.*`` take the `number` of one of ``configurations``; the one that ``configuration.restore``
replaces is kept in its turn. ``callback.set`` takes `options`: those of ``callback`` from `port` to `most`."""
