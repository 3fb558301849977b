"""From a call's facts to its records."""

import datetime
import json

import msgspec
import pytest

from pbx.call.cause import CallTag, by_hang_up, by_server
from pbx.cdr.fci import parse_fci
from pbx.cdr.record import CallEntry, records_of
from pbx.store.record_file import COLUMNS, encode_line, split_lines
from tests.cdr.samples import EPOCH, OFFSET_S, UTC, entry, facts

BYE = by_hang_up(CallTag.CALLER_HUNG_UP, [])
ALL = ("LO", "LT", "OO", "OT")


class AutumnBerlin(datetime.tzinfo):
    """Europe/Berlin around the change of 25 October 2026, 01:00Z."""

    CHANGE = datetime.datetime(2026, 10, 25, 1, tzinfo=UTC)

    def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
        assert when is not None
        summer = when.replace(tzinfo=UTC) - datetime.timedelta(hours=2) < self.CHANGE
        hours = 2 if summer and not when.fold else 1
        return datetime.timedelta(hours=hours)

    def dst(self, when: datetime.datetime | None) -> datetime.timedelta:
        return self.utcoffset(when) - datetime.timedelta(hours=1)

    def tzname(self, when: datetime.datetime | None) -> str:
        return "Europe/Berlin"

    def fromutc(self, when: datetime.datetime) -> datetime.datetime:
        summer = when.replace(tzinfo=UTC) < self.CHANGE
        local = when + datetime.timedelta(hours=2 if summer else 1)
        again = not summer and when.replace(tzinfo=UTC) - self.CHANGE < datetime.timedelta(hours=1)
        return local.replace(fold=int(again))


class TestColumns:
    def test_the_columns_of_an_answered_call(self) -> None:
        zone = datetime.timezone(datetime.timedelta(hours=8))
        (one,) = records_of(entry(), BYE, EPOCH + 16.75, ["LO"])
        assert dict(zip(COLUMNS, one.values(zone), strict=True)) == {
            "record_id": "0123456789abcdef-LO",
            "call_id": "a84b4c76e66710@pc33",
            "cdr_type": "LO",
            "caller_number": "100",
            "dialed_number": "0101",
            "called_number": "101",
            "setup_time": "2027-01-15T16:00:00.000+08:00",
            "alert_time": "2027-01-15T16:00:00.250+08:00",
            "talk_time": "2027-01-15T16:00:04.500+08:00",
            "release_time": "2027-01-15T16:00:16.750+08:00",
            "duration": "12.250",
            "caller_addr": "udp 192.0.2.7:5060",
            "called_addr": "udp 192.0.2.8:5060",
            "route": "local user 101",
            "fci": "callTag=102;cause=16;sip=200;releasedBy=caller;codec=PCMA;pdd=0.250",
        }

    def test_an_unanswered_call_has_no_times_that_never_were(self) -> None:
        cause = by_server(CallTag.NO_ANSWER)
        (one,) = records_of(entry(alert=None, talk=None), cause, EPOCH + 60, ["LO"])
        values = dict(zip(COLUMNS, one.values(UTC), strict=True))
        assert (values["alert_time"], values["talk_time"], values["duration"]) == ("", "", "0.000")
        assert "pdd" not in values["fci"]

    def test_the_machines_own_zone_by_default(self) -> None:
        (one,) = records_of(entry(), BYE, EPOCH, ["LO"])
        told = datetime.datetime.fromisoformat(one.values()[6])
        assert told.timestamp() == EPOCH
        assert told.utcoffset() is not None

    def test_a_clock_set_back_makes_no_negative_duration(self) -> None:
        (one,) = records_of(entry(), BYE, EPOCH, ["LO"])
        assert one.values(UTC)[COLUMNS.index("duration")] == "0.000"


class TestLine:
    def test_it_can_be_split_at_commas_whatever_peers_have_said(self) -> None:
        """As ``awk -F,`` does it, and miniCDR with a million of them."""
        reasons = ["SIP;cause=200", 'Q.850;cause=16;text="Normal call clearing, thank you"']
        call = entry(recordings=("20261123/a.wav", "20261123/b.wav"))
        cause = by_hang_up(CallTag.CALLEE_HUNG_UP, reasons)
        (one,) = records_of(call, cause, EPOCH + 16.75, ["LO"])
        line = encode_line(one.values(UTC))
        assert split_lines(line, len(COLUMNS)) == line.decode().split(",")
        fci = parse_fci(line.decode().rstrip().split(",")[COLUMNS.index("fci")])
        assert fci["recording"] == "20261123/a.wav,20261123/b.wav"
        assert fci["reason"] == ", ".join(reasons)


class TestSides:
    def test_both_half_calls_between_local_users(self) -> None:
        both = records_of(entry(), BYE, EPOCH, ALL)
        assert [one.cdr_type for one in both] == ["LO", "LT"]
        assert len({one.record_id for one in both}) == 2
        assert len({one.call_id for one in both}) == 1

    def test_only_the_sides_that_are_switched_on(self) -> None:
        assert [one.cdr_type for one in records_of(entry(), BYE, EPOCH, ["LT", "OO"])] == ["LT"]
        assert records_of(entry(), BYE, EPOCH, []) == []

    def test_outside_parties(self) -> None:
        call = msgspec.structs.replace(entry(), caller_line="trunk", called_line="ims")
        assert [one.cdr_type for one in records_of(call, BYE, EPOCH, ALL)] == ["OO", "OT"]

    @pytest.mark.parametrize(
        "tag",
        [
            CallTag.NO_ROUTE,
            CallTag.NO_RIGHT,
            CallTag.LIMIT,
            CallTag.NOT_REGISTERED,
            CallTag.REQUEST_UNUSABLE,
        ],
    )
    def test_a_call_that_never_arrived_has_no_called_side(self, tag: CallTag) -> None:
        call = entry(called_addr="", alert=None, talk=None)
        records = records_of(call, by_server(tag), EPOCH, ALL)
        assert [one.cdr_type for one in records] == ["LO"]

    def test_a_phone_that_rang_was_reached(self) -> None:
        call = entry(called_addr="", talk=None)
        assert len(records_of(call, by_server(CallTag.NO_ANSWER), EPOCH, ALL)) == 2


class TestDays:
    def test_the_day_of_release_in_local_time(self) -> None:
        before = records_of(entry(), BYE, EPOCH + 16 * 3600 - 1, ["LO"])[0]
        after = records_of(entry(), BYE, EPOCH + 16 * 3600, ["LO"])[0]
        assert before.file_name(UTC) == "CDR_20270115.csv"
        assert after.file_name(UTC) == "CDR_20270116.csv"
        east = datetime.timezone(datetime.timedelta(hours=9))
        assert before.file_name(east) == "CDR_20270116.csv"

    def test_the_hour_that_comes_twice(self) -> None:
        zone = AutumnBerlin()
        change = AutumnBerlin.CHANGE.timestamp()
        call = entry_at(change - 60)
        (one,) = records_of(call, BYE, change + 60, ["LO"])
        values = dict(zip(COLUMNS, one.values(zone), strict=True))
        assert values["talk_time"] == "2026-10-25T02:59:00.000+02:00"
        assert values["release_time"] == "2026-10-25T02:01:00.000+01:00"
        assert values["duration"] == "120.000"


def entry_at(talk_wall_s: float) -> CallEntry:
    return msgspec.structs.replace(entry(), talk_wall_s=talk_wall_s)


class TestEntry:
    def test_times_are_on_the_wall_clock(self) -> None:
        call = entry(talk=None)
        assert (call.setup_wall_s, call.alert_wall_s, call.talk_wall_s) == (
            EPOCH,
            EPOCH + 0.25,
            None,
        )

    def test_what_is_known_last(self) -> None:
        assert entry().last_wall_s == EPOCH + 4.5
        assert entry(talk=None).last_wall_s == EPOCH + 0.25
        assert entry(talk=None, alert=None).last_wall_s == EPOCH

    def test_stray_bytes_of_a_message_do_no_harm(self) -> None:
        call = entry(call_id="a\udcffb")
        assert call.call_id == "a\ufffdb"
        assert json.loads(msgspec.json.encode(call))["call_id"] == "a\ufffdb"

    def test_facts_are_not_changed(self) -> None:
        before = facts()
        entry()
        assert facts() == before
        assert OFFSET_S + before.setup == EPOCH
