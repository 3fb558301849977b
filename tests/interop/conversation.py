"""Two phones of the first start's users that talk with each other."""

from collections.abc import Callable

from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange

LOW_HZ, HIGH_HZ = 440.0, 880.0
"""What the caller plays, and the callee."""

TALK_S = 1.0


def two_phones(
    exchange: Exchange, new_phone: Callable[..., Baresip], **more: object
) -> tuple[Baresip, Baresip]:
    """Return registered phones of users 100, the caller, and 101."""
    passwords = exchange.passwords()
    callee = new_phone("101", exchange.host, HIGH_HZ, password=passwords["101"], **more)
    caller = new_phone("100", exchange.host, LOW_HZ, password=passwords["100"], **more)
    return caller, callee


def talk(caller: Baresip, callee: Baresip) -> None:
    """Make a call in which each hears the other for `TALK_S`; it goes on."""
    marks = caller.mark, callee.mark
    heard = caller.heard_s(HIGH_HZ), callee.heard_s(LOW_HZ)
    caller.dial(callee.number)
    caller.wait_event("CALL_ESTABLISHED", after=marks[0])
    callee.wait_event("CALL_ESTABLISHED", after=marks[1])
    caller.wait_heard(HIGH_HZ, heard[0] + TALK_S)
    callee.wait_heard(LOW_HZ, heard[1] + TALK_S)
