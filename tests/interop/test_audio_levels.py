"""Levels in packets' headers (RFC 6464), as baresip tells and reads them."""

from collections.abc import Callable

import pytest

from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.phones import Users
from tests.interop.tones import LEVEL_DB, assert_pure_tone
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

TONE_HZ, OTHER_HZ = 450.0, 850.0
SINE_DB = -3.01
"""dBov of the loudest sine (RFC 6465 appendix A: 0 dBov is a square wave's)."""

MILLIWATT_HZ, MILLIWATT_DB = 1004.0, -3.14

NewPhone = Callable[..., Baresip]


def _call(phone: Baresip, number: str) -> None:
    phone.dial(number)
    phone.wait_event("CALL_ESTABLISHED")


def _is_told(phone: Baresip, level_db: float) -> None:
    """It is told of what it hears: a level in dB of the loudest sine."""

    def right() -> bool:
        told = phone.level_told()
        return told is not None and abs(told - level_db - SINE_DB) < 1.0

    until(f"it is told of {level_db} dB", right, why_not=phone.why)


def test_it_is_told_how_loud_its_own_echo_is(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    phone = new_phone(users.caller, exchange.host, TONE_HZ, levels=True)
    _call(phone, "*43")
    _is_told(phone, LEVEL_DB)
    # The header extensions of both ways stand between nobody and the sound.
    phone.wait_heard(TONE_HZ, 3.0)
    phone.hang_up()
    exchange.wait_idle()
    heard = phone.recording().talking(TONE_HZ)
    last = heard.part(heard.seconds - 2.0, heard.seconds)
    assert_pure_tone(last, TONE_HZ, OTHER_HZ, at_least_s=1.9)
    exchange.assert_sane()


def test_it_is_told_how_loud_the_milliwatt_is(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    phone = new_phone(users.caller, exchange.host, TONE_HZ, levels=True)
    _call(phone, "*45")
    _is_told(phone, MILLIWATT_DB)
    phone.hang_up()
    exchange.wait_idle()


def test_in_a_room_beside_one_that_has_not_asked(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    asks = new_phone(users.caller, exchange.host, TONE_HZ, levels=True)
    other = new_phone(users.callee, exchange.host, OTHER_HZ)
    for phone in (asks, other):
        _call(phone, f"*6*{users.caller}")
    _is_told(asks, LEVEL_DB)
    asks.wait_heard(OTHER_HZ, 2.0)
    other.wait_heard(TONE_HZ, 2.0)
    assert other.level_told() is None
    for phone in (asks, other):
        phone.hang_up()
    exchange.wait_idle()


def test_two_that_speak_with_each_other(
    exchange: Exchange, users: Users, new_phone: NewPhone
) -> None:
    """What is relayed is told by who has sent it."""
    one = new_phone(users.caller, exchange.host, TONE_HZ, levels=True)
    other = new_phone(users.callee, exchange.host, OTHER_HZ, levels=True)
    _call(one, users.callee)
    for phone in (one, other):
        _is_told(phone, LEVEL_DB)
    one.hang_up()
    exchange.wait_idle()
