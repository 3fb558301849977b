"""The exchange dies in a call by a line, and comes back while the media engine keeps the sound."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.carriers import steps
from tests.carriers.odd import OddCarrier
from tests.carriers.office import NUMBER, PASSWORD, TONE_HZ, Office
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports

pytestmark = pytest.mark.interop

NewCarrier = Callable[..., OddCarrier]
NewExchange = Callable[..., Exchange]
NewPhone = Callable[..., Baresip]

NOWHERE = "@127.0.0.39:9"
"""Nobody listens there."""


def test_who_wants_a_password_for_the_bye_is_hung_up_on(
    new_carrier: NewCarrier,
    new_exchange: NewExchange,
    new_phone: NewPhone,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
) -> None:
    """All that such a carrier is told goes to its outbound proxy, for its Contact leads nowhere."""
    call = [*steps.taken(), *steps.connected(), *steps.hung_up_with_proof()]
    text = steps.carrier(*call, registering=steps.registrar())
    carrier = new_carrier(text.replace("@[local_ip]:[contact_port]", NOWHERE))
    exchange = new_exchange()
    exchange.add_user(NUMBER, PASSWORD)
    phone = new_phone(NUMBER, exchange.host, TONE_HZ, password=PASSWORD, register_s=3600)
    office = Office(exchange, phone, tmp_path, ports, closing)
    account = {"user": carrier.user, "password": carrier.password}
    office.line("carrier", server="carrier.invalid", proxy=carrier.host, **account)
    office.wait_usable("carrier")
    office.talk("9030123456")

    exchange.wait_journalled()
    exchange.kill()
    exchange.start()

    office.hang_up()
    carrier.answered("BYE", 200)
    exchange.assert_sane()
