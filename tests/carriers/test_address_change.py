"""The machine's address changes while a line is registered: two network namespaces and a cable."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.conftest import ACCOUNT
from tests.carriers.lines import add_line, wait_usable
from tests.carriers.nat import HOME, INSIDE, NEXT_HOME, HomeNetwork, inside
from tests.carriers.office import NUMBER, PASSWORD, TONE_HZ
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.waiting import until

pytestmark = pytest.mark.interop


def test_the_line_registers_at_once_and_calls_go_on(
    network: HomeNetwork,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
    new_exchange: Callable[..., Exchange],
    new_phone: Callable[..., Baresip],
) -> None:
    """The registration before holds for minutes yet: it wasn't time for another one."""
    with inside(network.router):
        carrier = AsteriskCarrier(tmp_path / "carrier", ports, name=ACCOUNT, address=INSIDE)
    closing.callback(carrier.close)
    exchange = new_exchange(addresses=())
    add_line(
        exchange,
        kind="external-line",
        server=carrier.host,
        user=ACCOUNT,
        password="secret",
        destination=NUMBER,
    )

    def contacts() -> list[str]:
        """Where the carrier has known the line to be, oldest first."""
        return [event["URI"] for event in carrier.ami.find("ContactStatus", AOR=ACCOUNT)]

    assert (wait_usable(exchange).expires_s or 0) > 200
    # Asterisk tells of it only after it has answered
    until("the carrier tells where the line is", contacts)
    assert contacts()[-1].endswith(f"@{HOME}:{exchange.port}")
    network.move()
    until(
        "the carrier knows the new address",
        lambda: any(one.endswith(f"@{NEXT_HOME}:{exchange.port}") for one in contacts()),
        30,
        why_not=lambda: f"{contacts()}\n{exchange.why()}",
    )
    wait_usable(exchange)
    exchange.add_user(NUMBER, PASSWORD)
    phone = new_phone(NUMBER, exchange.host, TONE_HZ, password=PASSWORD)
    phone.dial("9030123456")
    phone.wait_heard(TONE_HZ, 1.0)
    phone.hang_up()
    exchange.wait_idle()
    heard = phone.heard_s(TONE_HZ)
    carrier.wait_state(carrier.call("491719"), "Up")
    phone.wait_heard(TONE_HZ, heard + 1.0)
    phone.hang_up()
    exchange.wait_idle()
    exchange.assert_sane()
