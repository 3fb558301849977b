"""Calls as call control tells of them."""

import datetime
from dataclasses import replace

from pbx.call.cause import CallTag, Cause, by_hang_up, by_server
from pbx.call.facts import CallFacts
from pbx.cdr.record import CallEntry, CallRecord, entry_of, records_of

UTC = datetime.UTC

EPOCH = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""

OFFSET_S = EPOCH - 1000.0
"""The monotonic clock said 1000 then."""

FACTS = CallFacts(
    id="0123456789abcdef",
    call_id="a84b4c76e66710@pc33",
    caller_number="100",
    dialed_number="0101",
    setup=1000.0,
    called_number="101",
    caller_addr="udp 192.0.2.7:5060",
    called_addr="udp 192.0.2.8:5060",
    route="local user 101",
    codec="PCMA",
    alert=1000.25,
    talk=1004.5,
    release=1016.75,
    cause=by_hang_up(CallTag.CALLER_HUNG_UP, []),
)


def facts(**changes: object) -> CallFacts:
    """An answered call of 12.25 s, with `changes`."""
    return replace(FACTS, **changes)  # type: ignore[arg-type]


def entry(**changes: object) -> CallEntry:
    return entry_of(facts(**changes), OFFSET_S)


def record(number: int = 0, wall_s: float = EPOCH, **changes: object) -> CallRecord:
    """The `number`th caller's record of a call released at `wall_s`."""
    one = entry(id=f"{number:016x}", **changes)
    cause: Cause = by_server(CallTag.ADMINISTRATOR)
    return records_of(one, cause, wall_s, ["LO"])[0]
