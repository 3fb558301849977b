"""What can become of a call besides being answered: each seen by both phones."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop import scenario
from tests.interop.exchange import Exchange, Record
from tests.interop.phones import Phones
from tests.interop.sipp import Load, account, register
from tests.interop.talkers import Talkers
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

PACKETS = 25

OVER_BOTH = pytest.mark.parametrize("phones", ["udp", "tcp"], indirect=True)
"""Transports of sipp's."""


def _record_of(phones: Phones) -> Record:
    """Return the one record of the test's caller."""
    (record,) = phones.exchange.wait_records(1, naming=phones.users.caller)
    return record


@pytest.mark.parametrize(
    ("status", "number", "cause"),
    [("486 Busy Here", 486, "17"), ("603 Decline", 603, "21"), ("480 Not Now", 480, "")],
)
def test_the_callee_refuses(phones: Phones, status: str, number: int, cause: str) -> None:
    callee = phones.callee(scenario.callee_refusing(status))
    caller = phones.caller(scenario.caller_refused(number))
    caller.finish()
    callee.finish()
    fci = _record_of(phones).fci
    assert fci["callTag"]
    assert fci["cause"] == cause or not cause
    phones.exchange.wait_idle()


def test_the_callees_reason_is_the_cause(phones: Phones) -> None:
    """The Reason of a refusal goes into the record and decides the status to the caller."""
    extra = ['Reason: Q.850;cause=34;text="No circuit"']
    phones.callee(scenario.callee_refusing("486 Busy Here", extra=extra))
    phones.caller(scenario.caller_refused(503)).finish()
    assert _record_of(phones).fci["cause"] == "34"


@OVER_BOTH
def test_the_caller_gives_up_while_it_rings(phones: Phones) -> None:
    callee = phones.callee(scenario.callee_cancelled())
    caller = phones.caller(scenario.caller_cancelling(), load=Load(talk_ms=200))
    caller.finish()
    callee.finish()
    assert _record_of(phones)["talk_time"] == ""
    phones.exchange.wait_idle()


def test_an_unregistered_callee_is_unavailable(phones: Phones) -> None:
    phones.caller(scenario.caller_refused(480)).finish()
    _record_of(phones)


def test_an_unknown_number_is_not_found(phones: Phones) -> None:
    phones.caller(scenario.caller_refused(404), number="9999999").finish()
    assert _record_of(phones).fci["cause"] == "1"


def test_nobody_answers(
    new_exchange: Callable[..., Exchange], phones_of: Callable[[Exchange], Phones]
) -> None:
    phones = phones_of(new_exchange(calls="no_answer_s = 2.0"))
    callee = phones.callee(scenario.callee_cancelled())
    caller = phones.caller(scenario.caller_refused(480))
    caller.finish()
    callee.finish()
    assert _record_of(phones).fci["cause"] == "19"
    phones.exchange.wait_idle()


def test_the_first_phone_that_answers_wins(phones: Phones) -> None:
    """Two phones of one user ring together; the other one is cancelled."""
    slow = account(phones.ports, phones.users.callee, phones.users.password, phones.exchange.host)
    quick = account(phones.ports, phones.users.callee, phones.users.password, phones.exchange.host)
    register(phones.folder, slow)
    register(phones.folder, quick)
    phones.exchange.wait_contacts(phones.users.callee, 2)
    loser = phones.callee(scenario.callee_cancelled(), name="loser", at=slow)
    winner = phones.callee(
        scenario.callee_answering_later(), name="winner", at=quick, load=Load(talk_ms=300)
    )
    phones.caller(scenario.caller(), load=Load(talk_ms=1000)).finish()
    loser.finish()
    winner.finish()
    assert 0.5 <= _record_of(phones).duration_s <= 1.5
    phones.exchange.wait_idle()


def test_busy_on_one_phone_still_rings_the_other(phones: Phones) -> None:
    busy = account(phones.ports, phones.users.callee, phones.users.password, phones.exchange.host)
    free = account(phones.ports, phones.users.callee, phones.users.password, phones.exchange.host)
    register(phones.folder, busy)
    register(phones.folder, free)
    phones.callee(scenario.callee_refusing("486 Busy Here"), name="busy", at=busy)
    answering = phones.callee(
        scenario.callee_answering_later(), name="free", at=free, load=Load(talk_ms=500)
    )
    phones.caller(scenario.caller(), load=Load(talk_ms=500)).finish()
    answering.finish()


def _talkers(phones: Phones) -> tuple[Talkers, Load, Load]:
    """Start the RTP of one call's both ends, and return what sipp needs to know of it."""
    first = phones.ports.block(4)
    logs = [phones.folder / "caller.log", phones.folder / "callee.log"]
    for log in logs:
        log.touch()
    talkers = Talkers(phones.folder, first, 2, PACKETS, logs)
    phones.closing.callback(talkers.close)
    caller, callee = (Load(talk_ms=1500, rtp_ports=[port]) for port in talkers.ports)
    return talkers, caller, callee


@OVER_BOTH
@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        pytest.param(scenario.caller(), scenario.callee(), id="plain"),
        pytest.param(
            scenario.caller_with_early_media(), scenario.callee_with_early_media(), id="early-media"
        ),
        pytest.param(
            scenario.caller_with_late_offer(), scenario.callee_of_late_offer(), id="late-offer"
        ),
    ],
)
def test_sound_flows_however_it_is_agreed(phones: Phones, caller: str, callee: str) -> None:
    talkers, caller_load, callee_load = _talkers(phones)
    answering = phones.callee(callee, load=callee_load)
    calling = phones.caller(caller, load=caller_load)
    calling.finish()
    answering.finish()
    report = talkers.report()
    assert report.streams == 2, report
    assert report.complete == 2, report


def test_a_stopped_exchange_says_goodbye(
    new_exchange: Callable[..., Exchange], phones_of: Callable[[Exchange], Phones]
) -> None:
    exchange = new_exchange()
    phones = phones_of(exchange)
    callee = phones.callee(scenario.callee())
    caller = phones.caller(scenario.caller_waiting_for_bye())
    until(
        "the call is answered",
        lambda: [c for c in exchange.running_calls() if c.state == "talking"],
        why_not=exchange.why,
    )
    assert exchange.program is not None
    exchange.program.signal(signal.SIGTERM)
    caller.finish()
    callee.finish()
    assert exchange.program.wait(15) == 0
    (record,) = exchange.records()
    assert record["talk_time"]
    assert record.fci["callTag"]
    assert "Traceback" not in exchange.log()


def test_a_hung_up_call_by_command_ends_on_both_sides(phones: Phones) -> None:
    callee = phones.callee(scenario.callee())
    caller = phones.caller(scenario.caller_waiting_for_bye())
    exchange = phones.exchange
    calls = until(
        "the call is answered",
        lambda: [
            c
            for c in exchange.running_calls()
            if c.state == "talking" and c.caller == phones.users.caller
        ],
        why_not=exchange.why,
    )
    exchange.call("hangup", call=calls[0].id)
    caller.finish()
    callee.finish()


def test_registrations_survive_a_restart(
    new_exchange: Callable[..., Exchange], phones_of: Callable[[Exchange], Phones], tmp_path: Path
) -> None:
    exchange = new_exchange()
    phones = phones_of(exchange)
    who = account(phones.ports, phones.users.callee, phones.users.password, exchange.host)
    register(tmp_path, who)
    before = exchange.users()[phones.users.callee].contacts
    assert exchange.stop() == 0
    exchange.start()
    after = exchange.users()[phones.users.callee].contacts
    assert [c.uri for c in after] == [c.uri for c in before]
    callee = phones.callee(scenario.callee(), at=who)
    phones.caller(scenario.caller(), load=Load(talk_ms=300)).finish()
    callee.finish()
