"""What may die under a running exchange, and the exchange itself."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.conversation import HIGH_HZ, LOW_HZ, talk, two_phones
from tests.interop.exchange import Exchange
from tests.interop.mariadb import MariaDb
from tests.interop.phones import Phones
from tests.interop.sipp import Load
from tests.interop.tones import assert_pure_tone
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

NewExchange = Callable[..., Exchange]
NewPhone = Callable[..., Baresip]
PhonesOf = Callable[[Exchange], Phones]


def test_a_killed_media_engine_is_replaced(new_exchange: NewExchange, new_phone: NewPhone) -> None:
    exchange = new_exchange()
    caller, callee = two_phones(exchange, new_phone)
    talk(caller, callee)
    heard = caller.heard_s(HIGH_HZ), callee.heard_s(LOW_HZ)
    first = exchange.status().engine_pid

    os.kill(first, signal.SIGKILL)
    killed = time.monotonic()
    until(
        "another media engine runs",
        lambda: exchange.status().engine_pid not in (0, first),
        why_not=exchange.why,
    )

    # The running call gets its sound back ...
    caller.wait_heard(HIGH_HZ, heard[0] + 1)
    callee.wait_heard(LOW_HZ, heard[1] + 1)
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    # ... and a new call has it from its beginning.
    until("a second has passed, for baresip's file names", lambda: time.monotonic() > killed + 1)
    talk(caller, callee)
    assert_pure_tone(caller.recording(), HIGH_HZ, LOW_HZ, at_least_s=0.9)
    assert_pure_tone(callee.recording(), LOW_HZ, HIGH_HZ, at_least_s=0.9)
    assert exchange.status().engine_restarts == 1
    caller.hang_up()
    exchange.wait_records(2)
    exchange.assert_sane()


def test_a_killed_exchange_knows_its_phones_and_its_call_again(
    new_exchange: NewExchange, new_phone: NewPhone
) -> None:
    exchange = new_exchange()
    # They register for so long that no renewal can help.
    caller, callee = two_phones(exchange, new_phone, register_s=3600)
    talk(caller, callee)
    registered = len(callee.events("REGISTER_OK"))

    exchange.wait_journalled()
    exchange.kill()
    exchange.start()

    (contact,) = exchange.users()["101"].contacts
    assert contact.source == f"udp {callee.sip}"
    assert len(callee.events("REGISTER_OK")) == registered
    # The engine has kept the sound, and the exchange is in the call again.
    (running,) = exchange.running_calls()
    assert (running.caller, running.called, running.state) == ("100", "101", "talking")
    caller.hang_up()
    callee.wait_event("CALL_CLOSED")
    exchange.wait_idle()
    (record,) = exchange.wait_records(1)
    assert record.fci["callTag"] == "102"

    talk(caller, callee)
    assert len(callee.events("REGISTER_OK")) == registered
    caller.hang_up()
    records = exchange.wait_records(2)
    assert [(r["caller_number"], r["dialed_number"]) for r in records] == [("100", "101")] * 2
    assert all(record["talk_time"] and record["release_time"] for record in records)
    exchange.assert_sane()


def test_stopping_the_database_under_load_loses_no_call_and_no_record(
    new_exchange: NewExchange,
    phones_of: PhonesOf,
    database: MariaDb,
) -> None:
    exchange = new_exchange(streams=200, top=f'database = "{database.url}"')
    phones = phones_of(exchange)
    assert exchange.status().database == "mysql"
    calls = 400
    callee = phones.callee(scenario.callee(), load=Load(calls=0, limit_s=150, patient=True))
    load = Load(calls, 20, 500, limit_s=120, patient=True)
    caller = phones.caller(scenario.caller(), load=load)

    def wait_calls(count: int) -> None:
        until(f"{count} calls are made", lambda: caller.successful >= count, 60)

    wait_calls(80)
    database.stop()
    until("it is noticed", lambda: not exchange.status().database_ok, 20, why_not=exchange.why)
    wait_calls(240)
    assert exchange.status().records_waiting > 0
    database.start()
    caller.finish(90)
    assert caller.successful == calls
    assert callee.failed == 0

    records = exchange.wait_records(calls)

    def arrived() -> bool:
        return database.query("SELECT COUNT(*) FROM cdr") == [(calls,)]

    until("the database has every record", arrived, 60, why_not=exchange.why)
    rows = database.query("SELECT record_id FROM cdr")
    assert sorted(str(row[0]) for row in rows) == sorted(r["record_id"] for r in records)
    until("none is waiting", lambda: exchange.status().records_waiting == 0)
    assert exchange.status().database_ok
    exchange.assert_sane()


def test_the_exchange_starts_and_connects_calls_without_its_database(
    new_exchange: NewExchange,
    phones_of: PhonesOf,
    database: MariaDb,
) -> None:
    exchange = new_exchange(top=f'database = "{database.url}"')
    phones = phones_of(exchange)
    assert exchange.stop() == 0
    database.stop()
    exchange.start()
    phones.callee(scenario.callee())
    phones.caller(scenario.caller(), load=Load(talk_ms=300)).finish()
    exchange.wait_records(1)
    database.start()
    until(
        "the record arrives",
        lambda: database.query("SELECT COUNT(*) FROM cdr") == [(1,)],
        60,
        why_not=exchange.why,
    )
