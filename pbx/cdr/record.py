"""Call records: from what call control knows of a call to the columns of its lines."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from pbx.call.cause import CallTag, Cause
from pbx.call.facts import CallFacts
from pbx.call.journal import CallState
from pbx.call.quality import Quality
from pbx.cdr.fci import Fci

# The called side has no session of its own in calls that end so before they get there.
_NEVER_ARRIVED = frozenset(
    {
        CallTag.NO_ROUTE,
        CallTag.NO_RIGHT,
        CallTag.LIMIT,
        CallTag.NOT_REGISTERED,
        CallTag.REQUEST_UNUSABLE,
        CallTag.NO_LINE,
        CallTag.LINE_FULL,
        CallTag.LOOP,
        CallTag.USER_FULL,
    }
)


class CallEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call as the journal keeps it; times are seconds since 1970.

    Args:
        resume: what an answered call needs to go on after a crash of the exchange.

    The others are those of `pbx.call.facts.CallFacts`.
    """

    id: str
    call_id: str
    caller_number: str
    dialed_number: str
    setup_wall_s: float
    called_number: str = ""
    caller_addr: str = ""
    called_addr: str = ""
    route: str = ""
    codec: str = ""
    called_codec: str = ""
    recordings: tuple[str, ...] = ()
    recording_failure: str = ""
    transferred_by: str = ""
    quality: tuple[Quality | None, Quality | None] = (None, None)
    alert_wall_s: float | None = None
    talk_wall_s: float | None = None
    caller_line: str = ""
    called_line: str = ""
    caller_was_called: bool = False
    called_has_called: bool = False
    emergency: bool = False
    max_duration_s: float = 0.0
    resume: CallState | None = None

    @property
    def last_wall_s(self) -> float:
        """When something is known to have happened last."""
        return self.talk_wall_s or self.alert_wall_s or self.setup_wall_s


_SHARED = tuple({each.name for each in fields(CallFacts)} & {*CallEntry.__struct_fields__})
"""What facts and entry both have; the times aren't among it, for their clocks differ."""


def facts_of(entry: CallEntry, offset_s: float) -> CallFacts:
    """Return the facts that `entry_of` was given, on the clock of another start."""

    def time(wall_s: float | None) -> float | None:
        return None if wall_s is None else wall_s - offset_s

    shared: dict[str, Any] = {name: getattr(entry, name) for name in _SHARED}
    return CallFacts(
        **shared,
        setup=entry.setup_wall_s - offset_s,
        alert=time(entry.alert_wall_s),
        talk=time(entry.talk_wall_s),
    )


def entry_of(facts: CallFacts, offset_s: float, resume: CallState | None = None) -> CallEntry:
    """Return the facts on the wall clock.

    Args:
        resume: what the call needs to go on.
        offset_s: what the wall clock, in seconds since 1970, is ahead of the monotonic one.
    """

    def wall_s(time: float | None) -> float | None:
        return None if time is None else time + offset_s

    shared: dict[str, Any] = {name: _clean(getattr(facts, name)) for name in _SHARED}
    return CallEntry(
        **shared,
        setup_wall_s=facts.setup + offset_s,
        alert_wall_s=wall_s(facts.alert),
        talk_wall_s=wall_s(facts.talk),
        resume=resume,
    )


def _clean(value: object) -> object:
    """`value`, a text without the stray bytes that SIP's may hold (PEP 383): JSON takes none."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One line of the call records: a call seen from one of its sides.

    Args:
        record_id: unique for ever.
        cdr_type: ``LO``, ``LT``, ``OO`` or ``OT``: local user or outside, originating or
            terminating.
        alert_wall_s, talk_wall_s: None where it didn't ring, or wasn't answered.
        duration_s: of the talk; 0 where there was none.

    Times are seconds since 1970; the others are those of `CallEntry`.
    """

    record_id: str
    call_id: str
    cdr_type: str
    caller_number: str
    dialed_number: str
    called_number: str
    setup_wall_s: float
    alert_wall_s: float | None
    talk_wall_s: float | None
    release_wall_s: float
    duration_s: float
    caller_addr: str
    called_addr: str
    route: str
    fci: Fci

    def values(self, zone: datetime.tzinfo | None = None) -> list[str]:
        """Return the columns of `pbx.store.record_file.COLUMNS`, in their order.

        Args:
            zone: of the times; None for the machine's own.
        """
        return [
            self.record_id,
            self.call_id,
            self.cdr_type,
            self.caller_number,
            self.dialed_number,
            self.called_number,
            _iso(self.setup_wall_s, zone),
            _iso(self.alert_wall_s, zone),
            _iso(self.talk_wall_s, zone),
            _iso(self.release_wall_s, zone),
            f"{self.duration_s:.3f}",
            self.caller_addr,
            self.called_addr,
            self.route,
            str(self.fci),
        ]

    def file_name(self, zone: datetime.tzinfo | None = None) -> str:
        """Return the name of the file that the record belongs in: by the day of release."""
        return f"CDR_{_local(self.release_wall_s, zone):%Y%m%d}.csv"


def records_of(
    entry: CallEntry,
    cause: Cause,
    release_wall_s: float,
    sides: Iterable[str],
) -> list[CallRecord]:
    """Return the records of a call that has ended: one for each of its sides in `sides`.

    Args:
        cause: why it ended.
        release_wall_s: when it ended, seconds since 1970.
        sides: the `cdr.sides` setting.
    """
    wanted = set(sides)
    answered = entry.talk_wall_s is not None
    pdd_s = None if entry.alert_wall_s is None else entry.alert_wall_s - entry.setup_wall_s
    fci = Fci.of(
        cause,
        answered=answered,
        codec=entry.codec,
        called_codec=entry.called_codec,
        recordings=entry.recordings,
        recording_failure=entry.recording_failure,
        transferred_by=entry.transferred_by,
        lines=_lines_of(entry),
        emergency=entry.emergency,
        quality=entry.quality,
        pdd_s=pdd_s,
    )
    talk_s = 0.0 if entry.talk_wall_s is None else release_wall_s - entry.talk_wall_s
    return [
        CallRecord(
            # named after the call, so that writing it again after a crash is noticed
            record_id=f"{entry.id}-{side}",
            call_id=entry.call_id,
            cdr_type=side,
            caller_number=entry.caller_number,
            dialed_number=entry.dialed_number,
            called_number=entry.called_number,
            setup_wall_s=entry.setup_wall_s,
            alert_wall_s=entry.alert_wall_s,
            talk_wall_s=entry.talk_wall_s,
            release_wall_s=release_wall_s,
            duration_s=max(talk_s, 0.0),
            caller_addr=entry.caller_addr,
            called_addr=entry.called_addr,
            route=entry.route,
            fci=fci,
        )
        for side in _sides_of(entry, cause)
        if side in wanted
    ]


def _sides_of(entry: CallEntry, cause: Cause) -> list[str]:
    """The half-calls that the call had."""
    sides = ["OO" if entry.caller_line else "LO"]
    if entry.called_addr or cause.tag not in _NEVER_ARRIVED:
        sides.append("OT" if entry.called_line else "LT")
    return sides


def _lines_of(entry: CallEntry) -> tuple[str, str]:
    """The lines that parties have called in by, and those that they were called by, which is paid for."""
    sides = (
        (entry.caller_line, not entry.caller_was_called),
        (entry.called_line, entry.called_has_called),
    )
    came_in, went_out = (
        ",".join(line for line, calls_us in sides if line and calls_us is way)
        for way in (True, False)
    )
    return came_in, went_out


def _local(wall_s: float, zone: datetime.tzinfo | None) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(wall_s, datetime.UTC).astimezone(zone)


def _iso(wall_s: float | None, zone: datetime.tzinfo | None) -> str:
    """ISO 8601 with the offset, so that the hour that comes twice in autumn stays clear."""
    return "" if wall_s is None else _local(wall_s, zone).isoformat(timespec="milliseconds")
