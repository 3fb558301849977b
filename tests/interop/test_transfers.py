"""Transfers between phones of several makes: what is heard afterwards, by its tone."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.phones import Users
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

LOW_HZ, HIGH_HZ, THIRD_HZ = 440.0, 880.0, 1320.0
TALK_S = 2.0
RINGBACK_HZ = 425.0
"""Of the tone in most countries."""

NewPhone = Callable[..., Baresip]
NewLinphone = Callable[..., Linphone]
NewTalker = Callable[..., PjsuaTalker]


@pytest.fixture
def third(exchange: Exchange, users: Users) -> str:
    """Return a third user of the shared exchange."""
    number = f"9{users.caller}"
    exchange.add_user(number, PASSWORD)
    return number


@pytest.fixture
def new_talker(exchange: Exchange, tmp_path: Path, ports: Ports, closing: ExitStack) -> NewTalker:
    """Return a function that starts a registered pjsua phone."""

    def start(number: str, tone_hz: float, forward_to: str = "") -> PjsuaTalker:
        phone = PjsuaTalker(
            tmp_path / f"pjsua{number}",
            ports,
            number=number,
            password=PASSWORD,
            server=exchange.host,
            tone_hz=tone_hz,
            forward_to=forward_to,
        )
        closing.callback(phone.close)
        return phone

    return start


def test_baresip_transfers_a_linphone(
    exchange: Exchange,
    users: Users,
    third: str,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
) -> None:
    before = len(exchange.records())
    transferor = new_phone(users.callee, exchange.host, HIGH_HZ)
    target = new_phone(third, exchange.host, THIRD_HZ)
    caller = new_linphone(users.caller, exchange, LOW_HZ)
    caller.dial(users.callee)
    caller.wait_heard(HIGH_HZ, TALK_S)
    transferor.command("transfer", f"sip:{third}@{exchange.host}")
    target.wait_event("CALL_ESTABLISHED")
    transferor.wait_event("CALL_CLOSED")
    target.wait_heard(LOW_HZ, TALK_S)
    caller.wait_heard(THIRD_HZ, TALK_S)
    (running,) = exchange.running_calls()
    assert (running.caller, running.called, running.state) == (users.caller, third, "talking")
    caller.hang_up()
    target.wait_event("CALL_CLOSED")
    assert exchange.wait_transferred(before)["transferredBy"] == users.callee
    exchange.assert_sane()


def test_linphone_transfers_a_pjsua(
    exchange: Exchange,
    users: Users,
    third: str,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
    new_talker: NewTalker,
) -> None:
    before = len(exchange.records())
    transferor = new_linphone(users.caller, exchange, LOW_HZ)
    target = new_phone(third, exchange.host, THIRD_HZ)
    kept = new_talker(users.callee, HIGH_HZ)
    transferor.dial(users.callee)
    kept.wait_heard(1, LOW_HZ, TALK_S)
    transferor.command(f"transfer sip:{third}@{exchange.host}")
    target.wait_event("CALL_ESTABLISHED")
    target.wait_heard(HIGH_HZ, TALK_S)
    kept.wait_heard(1, THIRD_HZ, TALK_S)
    kept.command(do="hangup", call=1)
    target.wait_event("CALL_CLOSED")
    assert exchange.wait_transferred(before)["transferredBy"] == users.caller
    exchange.assert_sane()


def test_pjsua_transfers_blind(
    exchange: Exchange,
    users: Users,
    third: str,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
    new_talker: NewTalker,
) -> None:
    """With hold before it, as most phones do."""
    before = len(exchange.records())
    kept = new_linphone(users.callee, exchange, HIGH_HZ)
    target = new_phone(third, exchange.host, THIRD_HZ)
    transferor = new_talker(users.caller, LOW_HZ)
    transferor.dial(users.callee)
    kept.wait_heard(LOW_HZ, TALK_S)
    transferor.command(do="hold", call=1)
    transferor.wait("media", 2)
    transferor.transfer(1, third)
    transferor.wait("transfer", 200)
    transferor.wait("state", "DISCONNECTED")
    target.wait_heard(HIGH_HZ, TALK_S)
    kept.wait_heard(THIRD_HZ, TALK_S)
    kept.hang_up()
    target.wait_event("CALL_CLOSED")
    assert exchange.wait_transferred(before)["transferredBy"] == users.caller
    exchange.assert_sane()


def test_pjsua_transfers_attended(
    exchange: Exchange,
    users: Users,
    third: str,
    new_linphone: NewLinphone,
    new_talker: NewTalker,
) -> None:
    """By Replaces: who transfers has talked with both."""
    before = len(exchange.records())
    kept = new_linphone(users.callee, exchange, HIGH_HZ)
    target = new_talker(third, THIRD_HZ)
    transferor = new_talker(users.caller, LOW_HZ)
    transferor.dial(users.callee)
    kept.wait_heard(LOW_HZ, TALK_S)
    transferor.command(do="hold", call=1)
    transferor.wait("media", 2)
    transferor.dial(third)
    target.wait_heard(1, LOW_HZ, TALK_S)
    transferor.command(do="join", call=1, **{"with": 2})
    transferor.wait("transfer", 200)
    target.wait_heard(1, HIGH_HZ, TALK_S)
    kept.wait_heard(THIRD_HZ, TALK_S)
    kept.hang_up()
    target.wait("state", "DISCONNECTED")
    assert exchange.wait_transferred(before)["transferredBy"] == users.caller
    exchange.assert_sane()


def test_a_busy_target_gives_the_call_back(
    exchange: Exchange,
    users: Users,
    third: str,
    new_linphone: NewLinphone,
    new_talker: NewTalker,
) -> None:
    """Nobody is registered there: who transfers hears so, and both talk on."""
    kept = new_linphone(users.callee, exchange, HIGH_HZ)
    transferor = new_talker(users.caller, LOW_HZ)
    transferor.dial(users.callee)
    kept.wait_heard(LOW_HZ, TALK_S)
    transferor.transfer(1, third)
    transferor.wait("transfer", 480)
    heard = transferor.heard_s(1, HIGH_HZ)
    transferor.wait_heard(1, HIGH_HZ, heard + TALK_S)
    kept.hang_up()
    transferor.wait("state", "DISCONNECTED")
    exchange.wait_idle()
    exchange.assert_sane()


def test_pjsua_forwards(
    exchange: Exchange,
    users: Users,
    third: str,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
    new_talker: NewTalker,
) -> None:
    """By 302, as a phone does that is set to forward every call."""
    before = len(exchange.records())
    new_talker(users.callee, HIGH_HZ, forward_to=third)
    target = new_phone(third, exchange.host, THIRD_HZ)
    caller = new_linphone(users.caller, exchange, LOW_HZ)
    caller.dial(users.callee)
    caller.wait_heard(THIRD_HZ, TALK_S)
    target.wait_heard(LOW_HZ, TALK_S)
    caller.hang_up()
    target.wait_event("CALL_CLOSED")
    exchange.wait_idle()
    (record,) = exchange.wait_records(before + 1)[before:]
    assert (record["dialed_number"], record["called_number"]) == (users.callee, third)
    exchange.assert_sane()


def test_pjsua_picks_up(
    exchange: Exchange,
    users: Users,
    third: str,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
    new_talker: NewTalker,
) -> None:
    """By Replaces, as a phone does whose lamp tells it of the call."""
    rings = new_phone(users.callee, exchange.host, HIGH_HZ, answer="manual")
    picks = new_talker(third, THIRD_HZ)
    caller = new_linphone(users.caller, exchange, LOW_HZ)
    caller.dial(users.callee)
    rings.wait_event("CALL_INCOMING")
    (call,) = until("the call rings", exchange.running_calls)
    picks.dial(users.callee, Replaces=f"{call.id};to-tag=ringing;from-tag=calling")
    rings.wait_event("CALL_CLOSED")
    caller.wait_heard(THIRD_HZ, TALK_S)
    picks.wait_heard(1, LOW_HZ, TALK_S)
    caller.hang_up()
    picks.wait("state", "DISCONNECTED")
    exchange.wait_idle()
    exchange.assert_sane()


def test_into_a_service(
    exchange: Exchange, users: Users, new_linphone: NewLinphone, new_talker: NewTalker
) -> None:
    """The exchange itself answers: the milliwatt is heard by who was transferred."""
    kept = new_linphone(users.callee, exchange, HIGH_HZ)
    transferor = new_talker(users.caller, LOW_HZ)
    transferor.dial(users.callee)
    kept.wait_heard(LOW_HZ, TALK_S)
    transferor.transfer(1, "*45")
    transferor.wait("transfer", 200)
    kept.wait_heard(1004.0, TALK_S)
    kept.hang_up()
    exchange.wait_idle()
    exchange.assert_sane()


def test_who_waits_hears_the_ringing_tone(
    exchange: Exchange,
    users: Users,
    third: str,
    new_phone: NewPhone,
    new_linphone: NewLinphone,
    new_talker: NewTalker,
) -> None:
    """Who transfers hangs up at once, and whom it is transferred to takes its time."""
    kept = new_linphone(users.callee, exchange, HIGH_HZ)
    target = new_phone(third, exchange.host, THIRD_HZ, answer="manual")
    transferor = new_talker(users.caller, LOW_HZ)
    transferor.dial(users.callee)
    kept.wait_heard(LOW_HZ, TALK_S)
    transferor.transfer(1, third)
    transferor.wait("transfer", 180)
    transferor.command(do="hangup", call=1)
    kept.wait_heard(RINGBACK_HZ, 0.8)
    target.command("accept")
    target.wait_heard(HIGH_HZ, TALK_S)
    kept.wait_heard(THIRD_HZ, TALK_S)
    kept.hang_up()
    target.wait_event("CALL_CLOSED")
    exchange.wait_idle()
    exchange.assert_sane()
