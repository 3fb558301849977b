"""What a call carries besides its session description, and numbers that aren't whole, with sipp."""

import pytest

from tests.interop import scenario
from tests.interop.phones import Phones
from tests.interop.sipp import Load

pytestmark = pytest.mark.interop


def test_a_caller_that_tells_its_place_is_put_through(phones: Phones) -> None:
    callee = phones.callee(scenario.callee())
    caller = phones.caller(scenario.caller_with_a_place(), load=Load(talk_ms=300))
    caller.finish()
    callee.finish()
    phones.exchange.wait_idle()


def test_the_beginning_of_a_number_is_incomplete(phones: Phones) -> None:
    number = phones.users.callee
    phones.caller(scenario.caller_refused(484), number=number[: len(number) - 1]).finish()
    (record,) = phones.exchange.wait_records(1, naming=phones.users.caller)
    assert record.fci["cause"] == "28"
