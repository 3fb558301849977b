"""Keys that come as tones, in a converted call with a real phone that understands telephone-events."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest

from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.net_phone import NetPhone, Path, converse
from tests.interop.phones import Users
from tests.interop.tones import read_recording
from tests.interop.waiting import until
from tests.media.kernels.sound import sine
from tests.media.keypad import dialled, key, keys_in

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

LONG_S = 1.5


def test_a_real_phone_is_told_of_each_once_and_for_how_long(
    exchange: Exchange,
    users: Users,
    new_phone: Callable[..., Baresip],
    closing: ExitStack,
) -> None:
    other = new_phone(users.caller, exchange.host, 850.0, codec="g722/16000/1", rate_hz=16000)
    # It says nothing of telephone-events
    gateway = NetPhone(exchange.port, users.callee, users.password)
    closing.callback(gateway.close)
    gateway.register()
    other.dial(users.callee)
    gateway.pick_up()
    other.wait_event("CALL_ESTABLISHED")
    rate = gateway.rate
    said = [
        sine(500, 3 * rate, rate, peak=8000),
        dialled("19", rate, on_ms=100, off_ms=300),
        key("#", round(1000 * LONG_S), rate),
        sine(500, 3 * rate, rate, peak=8000),
    ]
    talk = threading.Thread(target=converse, args=([(gateway, np.concatenate(said), Path())], []))
    talk.start()
    try:

        def has_begun() -> bool:
            return "#" in [one.param for one in other.events("CALL_DTMF_START")]

        until("the last key begins", has_begun, 60, why_not=other.why)
        begun, mark = time.monotonic(), other.mark
        other.wait_event("CALL_DTMF_END", after=mark)
        assert time.monotonic() - begun == pytest.approx(LONG_S, abs=0.4)
    finally:
        talk.join()
    assert [one.param for one in other.events("CALL_DTMF_START")] == list("19#")
    other.hang_up()
    gateway.answer(gateway.request("BYE"), 200)
    # It has heard the talk, and no tone that it could take for a key
    assert other.heard_s(500) > 2
    for path in other.recordings():
        heard = read_recording(path)
        sound = np.rint(heard.samples * 32767).astype(np.int16)
        assert [one for one in keys_in(sound, heard.rate_hz) if one[1] >= 40] == []
    exchange.assert_sane()
