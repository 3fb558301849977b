"""Keys that a phone tells of by INFO, in calls with a real one that understands telephone-events."""

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.net_phone import NetPhone, Path, converse
from tests.interop.phones import Users
from tests.interop.waiting import until
from tests.media.kernels.sound import sine

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

TALK_S = 12.0
RELAY = ("Content-Type", "application/dtmf-relay")


@pytest.mark.parametrize(
    ("codec", "rate_hz"), [("pcmu", 8000), ("g722/16000/1", 16000)], ids=["passed on", "converted"]
)
def test_a_real_phone_gets_them_as_events(
    exchange: Exchange,
    users: Users,
    new_phone: Callable[..., Baresip],
    closing: ExitStack,
    codec: str,
    rate_hz: int,
) -> None:
    other = new_phone(users.callee, exchange.host, 850.0, codec=codec, rate_hz=rate_hz)
    caller = NetPhone(exchange.port, users.caller, users.password, events=True)
    closing.callback(caller.close)
    caller.call(users.callee)
    other.wait_event("CALL_ESTABLISHED")
    tone = sine(500, round(TALK_S * caller.rate), caller.rate, peak=8000)
    talk = threading.Thread(target=converse, args=([(caller, tone, Path())], []))
    talk.start()
    try:
        until("the caller talks", lambda: caller.sent, 60)
        for digit in "19#":
            mark = other.mark
            body = f"Signal={digit}\r\nDuration=160\r\n".encode()
            assert caller.within("INFO", RELAY, body=body).status == 200
            assert other.wait_event("CALL_DTMF_START", after=mark).param == digit
            other.wait_event("CALL_DTMF_END", after=mark)
    finally:
        talk.join()
    # Each came once
    assert [one.param for one in other.events("CALL_DTMF_START")] == list("19#")
    caller.hang_up()
    other.wait_event("CALL_CLOSED")
    exchange.assert_sane()
