"""What health checks look at, and what they find."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from pbx.lines.state import Trouble


class Severity(Enum):
    """How bad a problem is."""

    ATTENTION = "attention"
    """A person should look at it; calls work."""
    FAILED = "failed"
    """No call can be made."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a person should look at.

    Args:
        slug: the check that found it; names its sentence and its remedy.
        severity: how bad it is.
        values: what is put into the sentence.
    """

    slug: str
    severity: Severity = Severity.ATTENTION
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether no call can be made."""
        return self.severity is Severity.FAILED


@dataclass(frozen=True, slots=True)
class Facts:
    """The exchange at one moment.

    Args:
        wall_s: the wall clock, seconds since 1970.
        addresses: where phones can register: ``udp 192.0.2.1:5060`` ...
        engine_pid: the media engine's process id; 0 for none.
        engine_deaths: how many media engines have died in the last hour.
        late_ticks_percent: how many of a hundred ticks of the media engine came too late in the last minutes.
        database_ok: the main database answers.
        database_why: what it said last, where it doesn't.
        database_left: a newer version's database that is not in use; empty for none.
        records_waiting: call records that it has not taken yet.
        records_unwritten: call records and journal entries that the disk has refused.
        disk_used: the part of the data folder's file system that is in use, 0 to 1.
        tls_why: why there is no TLS, where there should be; else empty.
        lost: users whose last registration ran out, and how many seconds ago.
        guessing: addresses from which too many wrong passwords have come: some of theirs aren't
            looked at now.
        prack_refused: contacts that ask for PRACK and refuse it, and how many seconds ago they did.
        lines: external lines and SIP trunks that can't be used, and why.
        shadowed: numbers of ours that are emergency numbers, and so can't be called.
        services_refused: numbers of services that are off, because they are emergency numbers, by
            the setting's name.
        no_emergency_numbers: calls can go outside, and no number is an emergency number.
        nowhere: destinations of lines that are nobody's numbers, by line.
        prack_lines: lines that ask for PRACK and refuse it.
        emergency_calls: who is in an emergency call, and the number.
        callback_open: the port on which the call-back service listens to anybody; 0 for none.
        callback_failure: the port that the call-back service can't have, and why; None where it can.
        recording_failure: why a call couldn't be recorded lately; empty since one could.
        announcement_failure: the path of a file that is to announce recordings and can't be played, and
            what the system says of it, empty where it is no such file; None for none.
        recording_stays: a recording that should go and can't be removed, and why; None for none.
        recordings_lack_mb: megabytes that must be free for recordings and aren't, where one has been
            refused or ended for that; else 0.
        clock_moved_days: by how many days the clock was set lately, where recordings don't go by their
            age for that; else 0.
        replaced: how many users and lines a configuration has that gave way to another one and is
            kept, by its number.
    """

    wall_s: float
    addresses: tuple[str, ...]
    engine_pid: int
    engine_deaths: int
    database_ok: bool
    database_why: str
    database_left: str
    records_waiting: int
    records_unwritten: int
    disk_used: float
    tls_why: str
    lost: Mapping[str, float]
    prack_refused: Mapping[str, float]
    lines: Mapping[str, Trouble]
    shadowed: tuple[str, ...]
    services_refused: Mapping[str, str]
    no_emergency_numbers: bool
    nowhere: Mapping[str, str]
    prack_lines: tuple[str, ...]
    emergency_calls: tuple[tuple[str, str], ...]
    guessing: tuple[str, ...] = ()
    callback_open: int = 0
    callback_failure: tuple[int, str] | None = None
    recording_failure: str = ""
    announcement_failure: tuple[str, str] | None = None
    recording_stays: tuple[str, str] | None = None
    recordings_lack_mb: int = 0
    clock_moved_days: int = 0
    replaced: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    late_ticks_percent: float = 0.0
