"""What the exchange knows of its configuration: frozen, swapped in one step, never waited for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pbx.config.dial_plan import DialPlan
from pbx.config.line import UNLIMITED, Line

_NO_PLAN = DialPlan()


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A local user: a number that phones register as.

    Args:
        number: 1 to 20 digits.
        display_name: what called parties see; empty for what the phone itself says.
        ha1_md5, ha1_sha256: H(number:realm:password), in hexadecimal (RFC 7616 §3.4.2). The
            password itself is kept nowhere.
        algorithm: the one that the user is challenged with: ``MD5`` or ``SHA-256``.
        enabled: False: the user may neither register nor call.
        realm: of the two digests; under another realm the user needs a new password.
        call_level: what the user may call: numbers that need no higher one.
        outside_number: what parties outside are shown as the caller's number; empty for `number`.
        emergency_number: the same of emergency calls; empty for `outside_number`.
        most_calls, most_outgoing: calls at once; -1 for no limit, 0 for none at all.
        record: which of the user's calls are recorded: see `pbx.config.recording.USER_CHOICES`.
        record_by_code: the user may begin and end recordings by the code for that.
    """

    number: str
    display_name: str
    ha1_md5: str = field(repr=False)
    ha1_sha256: str = field(repr=False)
    algorithm: str = "MD5"
    enabled: bool = True
    realm: str = ""
    call_level: int = 0
    outside_number: str = ""
    emergency_number: str = ""
    most_calls: int = UNLIMITED
    most_outgoing: int = UNLIMITED
    record: str = "off"
    record_by_code: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The configuration at one moment.

    Args:
        version: rises by one with every change that a person makes.
        users: local users by number.
        lines: external lines and SIP trunks by name.
        plan: the dial plan.
        callback: what has been chosen of the call-back service's settings, by their names.
    """

    version: int
    users: Mapping[str, LocalUser]
    lines: Mapping[str, Line] = field(default_factory=dict)
    plan: DialPlan = _NO_PLAN
    callback: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        version: int,
        users: Iterable[LocalUser],
        lines: Iterable[Line] = (),
        plan: DialPlan = _NO_PLAN,
        callback: Mapping[str, object] = MappingProxyType({}),
    ) -> "Snapshot":
        """Return the snapshot with these users, lines, dial plan and call-back service."""
        return cls(
            version,
            MappingProxyType({user.number: user for user in users}),
            MappingProxyType({line.name: line for line in lines}),
            plan,
            MappingProxyType({**callback}),
        )


@dataclass(frozen=True, slots=True)
class BindingRow:
    """One registered contact of a user, as it is kept over a restart.

    Args:
        number: the user.
        contact: the contact's URI, as registered.
        instance: ``+sip.instance`` (RFC 5626 §4.1); empty for none.
        call_id, cseq: of the REGISTER that made it.
        transport: ``udp``, ``tcp`` or ``tls``.
        source_host, source_port: where the REGISTER came from.
        local_host, local_port: our own address that it came to.
        connection: number of the TCP or TLS connection; 0 for UDP. Says nothing after a restart.
        path: Route values that reach the contact (RFC 3327).
        user_agent: what the phone calls itself.
        q: the contact's preference as text, 0 to 1; empty for none.
        reg_id: which of the phone's flows it is (RFC 5626 §4.2); 0 for none.
        behind_nat: only the packets' source reaches the phone.
        features: further Contact parameters as text (RFC 3840 §6).
        expires_wall_s: when it ends, seconds since 1970.
    """

    number: str
    contact: str
    call_id: str
    cseq: int
    transport: str
    source_host: str
    source_port: int
    local_host: str
    local_port: int
    expires_wall_s: float
    connection: int = 0
    instance: str = ""
    path: tuple[str, ...] = ()
    user_agent: str = ""
    q: str = ""
    reg_id: int = 0
    behind_nat: bool = False
    features: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A user as just made, or given another password: the only time that it can be read."""

    number: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How the main database is.

    Args:
        database: ``sqlite`` or ``mysql``.
        ok: False: it does not answer; calls go on.
        why: what it said last, for people; empty while all is well.
        records_waiting: call records that it has not taken yet.
    """

    database: str
    ok: bool
    why: str
    records_waiting: int
