"""Many calls at once, each with sound both ways, and many calls over a bad network."""

from collections import Counter
from collections.abc import Callable
from statistics import median

import pytest

from tests.descriptors import changes, open_files
from tests.interop import scenario
from tests.interop.exchange import Exchange
from tests.interop.lossy import LossyPath, Weather
from tests.interop.phones import Phones
from tests.interop.sipp import Account, Load, register
from tests.interop.talkers import Talkers
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

NewExchange = Callable[..., Exchange]
PhonesOf = Callable[[Exchange], Phones]

CALLS, RATE = 2000, 50
PACKETS = 50
TALK_S = 1.5
"""Longer than the 50 packets take, so that a call's last packet is not too late for its BYE."""

PORTS = 400
"""RTP ports of one side: one comes round again after 8 s."""


def test_two_thousand_calls_with_sound_at_fifty_a_second(
    new_exchange: NewExchange, phones_of: PhonesOf
) -> None:
    exchange = new_exchange(streams=600)
    phones = phones_of(exchange)
    processes = (exchange.status().pid, exchange.status().engine_pid)
    before = [open_files(pid) for pid in processes]
    first = phones.ports.block(4 * PORTS)
    logs = [phones.folder / "caller.log", phones.folder / "callee.log"]
    for log in logs:
        log.touch()
    talkers = Talkers(phones.folder, first, 2 * PORTS, PACKETS, logs)
    phones.closing.callback(talkers.close)
    calling, answering = talkers.ports[:PORTS], talkers.ports[PORTS:]
    callee = phones.callee(
        scenario.callee(), load=Load(calls=0, rtp_ports=answering, limit_s=200, patient=True)
    )
    load = Load(CALLS, RATE, int(1000 * TALK_S), calling, limit_s=200, patient=True)
    caller = phones.caller(scenario.caller(), load=load)
    caller.finish(200)
    assert caller.successful == CALLS
    until("every call ended at the callee", lambda: callee.successful == CALLS)
    assert callee.failed == 0, callee.why()

    report = talkers.report()
    assert report.streams == 2 * CALLS
    assert report.sent == 2 * CALLS * PACKETS
    assert report.received == report.sent, report
    assert report.pairs == report.complete == 2 * CALLS, report

    records = exchange.wait_records(CALLS)
    assert len({record["record_id"] for record in records}) == CALLS
    assert len({record["call_id"] for record in records}) == CALLS
    for lasted_s in ([r.duration_s for r in records], [r.talk_s for r in records]):
        # sipp hangs up when it has the time to: never sooner, but on a busy machine some later.
        assert min(lasted_s) >= TALK_S - 0.5
        assert abs(median(lasted_s) - TALK_S) <= 0.5
    assert Counter(record.fci["cause"] for record in records) == {"16": CALLS}
    exchange.wait_idle()
    assert exchange.status().streams_free == 600
    for pid, own in zip(processes, before, strict=True):
        _wait_closed(pid, own)
    exchange.assert_sane()


def _wait_closed(pid: int, before: Counter[str]) -> None:
    """Wait until a process has no more descriptors than before."""

    def why() -> str:
        return "\n".join(changes(before, open_files(pid)))

    until(f"process {pid} has nothing more open", lambda: not open_files(pid) - before, why_not=why)


BAD = Weather(lost=0.1, twice=0.1, late=0.1)
LOSSY_CALLS = 200


def test_every_call_succeeds_when_a_tenth_of_sip_is_lost_doubled_and_late_each_way(
    new_exchange: NewExchange, phones_of: PhonesOf
) -> None:
    exchange = new_exchange(streams=600)
    phones = phones_of(exchange)
    calling = _behind_bad_path(phones, phones.users.caller, seed=1)
    answering = _behind_bad_path(phones, phones.users.callee, seed=2)
    register(phones.folder, answering)
    callee = phones.callee(
        scenario.callee_over_lossy_path(),
        at=answering,
        load=Load(calls=0, limit_s=200, patient=True),
    )
    load = Load(LOSSY_CALLS, 10, 1000, limit_s=150, patient=True)
    caller = phones.caller(scenario.caller(), at=calling, load=load)
    caller.finish(160)
    assert caller.successful == LOSSY_CALLS

    def ended() -> int:
        return len({line for line in callee.log.read_text().splitlines() if "ended" in line})

    def why() -> str:
        states = f"{ended()} have ended, sipp has {callee.current} now"
        return f"{states}\n{callee.why()}\n{exchange.why()}"

    until("every call ends at the callee", lambda: ended() == LOSSY_CALLS, 40, why_not=why)
    assert callee.failed == 0, callee.why()
    exchange.wait_idle()

    records = exchange.wait_records(LOSSY_CALLS)
    assert len({record["call_id"] for record in records}) == LOSSY_CALLS
    assert all(record["talk_time"] for record in records)
    exchange.assert_sane()


def _behind_bad_path(phones: Phones, user: str, *, seed: int) -> Account:
    """Return an account whose only path to the exchange is a bad one."""
    port, near, far = (phones.ports.one() for _ in range(3))
    path = LossyPath(phones.exchange.port, port, near, far, weather=BAD, seed=seed)
    phones.closing.callback(path.close)
    return Account(user, phones.users.password, port, far, f"127.0.0.1:{near}")
