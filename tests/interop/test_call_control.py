"""Calls that go on at another phone, that are asked for elsewhere, and in which texts are written."""

import wave
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
from tests.interop.raw import RawPeer
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

LOW_HZ, HIGH_HZ, THIRD_HZ = 440.0, 880.0, 1320.0
TALK_S = 1.0


@pytest.fixture
def new_talker(
    exchange: Exchange, tmp_path: Path, ports: Ports, closing: ExitStack
) -> Callable[..., PjsuaTalker]:
    """Return a function that starts a registered pjsua phone."""

    def start(name: str, number: str, tone_hz: float) -> PjsuaTalker:
        phone = PjsuaTalker(
            tmp_path / name,
            ports,
            number=number,
            password=PASSWORD,
            server=exchange.host,
            tone_hz=tone_hz,
            plain=True,
        )
        closing.callback(phone.close)
        return phone

    return start


def _seconds(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


def test_pjsua_takes_its_own_call_over(
    exchange: Exchange, users: Users, new_talker: Callable[..., PjsuaTalker]
) -> None:
    """From another phone of the user's, by Replaces; texts go within the call, which is recorded."""
    before = len(exchange.records())
    other = new_talker("other", users.callee, HIGH_HZ)
    desk = new_talker("desk", users.caller, LOW_HZ)
    desk.dial(users.callee)
    other.wait_heard(1, LOW_HZ, TALK_S)
    desk.command(do="say", call=1, text="first")
    other.wait("text", "first")
    desk.wait("delivered", 200)
    other.command(do="say", call=1, text="second")
    desk.wait("text", "second")
    (call,) = exchange.running_calls()
    exchange.minisip("record", call.id)
    desk.wait_heard(1, HIGH_HZ, desk.heard_s(1, HIGH_HZ) + TALK_S)

    mobile = new_talker("mobile", users.caller, THIRD_HZ)
    mobile.dial(users.callee, Replaces=f"{call.id};to-tag=calling;from-tag=ringing")
    desk.wait("state", "DISCONNECTED")
    other.wait_heard(1, THIRD_HZ, TALK_S)
    mobile.wait_heard(1, HIGH_HZ, TALK_S)
    mobile.command(do="say", call=1, text="third")
    other.wait("text", "third")
    (call,) = exchange.running_calls()
    assert (call.caller, call.called, call.recording) == (users.caller, users.callee, True)
    other.command(do="hangup", call=1)
    mobile.wait("state", "DISCONNECTED")
    exchange.wait_idle()
    records = exchange.wait_records(before + 2)[before:]
    files = [exchange.folder / "record" / record.fci["recording"] for record in records]
    assert files[1].name == f"{files[0].stem}-part2.wav"
    until("the files are whole", lambda: min(map(_seconds, files)) > 0.5, why_not=exchange.why)
    exchange.assert_sane()


def test_click_to_dial(
    exchange: Exchange,
    users: Users,
    new_phone: Callable[..., Baresip],
    new_linphone: Callable[..., Linphone],
    closing: ExitStack,
) -> None:
    """A program asks for a call by REFER: baresip, the user's own phone, then linphone is rung."""
    before = len(exchange.records())
    target = new_linphone(users.callee, exchange, HIGH_HZ)
    own = new_phone(users.caller, exchange.host, LOW_HZ)
    screen = RawPeer(exchange.port, users.caller, PASSWORD)
    closing.callback(screen.close)
    referring = f"Refer-To: <sip:{users.callee}@{exchange.host}>"
    uri = f"sip:{users.caller}@{exchange.host}"
    answer = screen.ask("REFER", uri, referring, "Refer-Sub: false", "Supported: norefersub")
    assert answer is not None
    assert (answer.status, answer.header("Refer-Sub")) == (202, "false")
    own.wait_event("CALL_ESTABLISHED")
    own.wait_heard(HIGH_HZ, TALK_S)
    target.wait_heard(LOW_HZ, TALK_S)
    target.hang_up()
    own.wait_event("CALL_CLOSED")
    exchange.wait_idle()
    (record,) = exchange.wait_records(before + 1)[before:]
    assert (record["caller_number"], record["called_number"]) == (users.caller, users.callee)
    assert record.talk_s > 0
    exchange.assert_sane()
