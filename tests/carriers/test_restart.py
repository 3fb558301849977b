"""The exchange dies in a call by a line, and comes back while the media engine keeps the sound."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509

from tests.carriers import steps
from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.conftest import ACCOUNT
from tests.carriers.odd import OddCarrier
from tests.carriers.office import NUMBER, PASSWORD, TONE_HZ, Office
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.net.test_tls_client import Authority
from tests.net.zone import NameServer, Zone

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


def test_a_server_by_tls_proves_its_name_to_the_next_connection(
    new_exchange: NewExchange,
    new_phone: NewPhone,
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
) -> None:
    """Asterisk's Contact has its address, which its certificate isn't good for."""
    name, zone, authority = "sip.telco.example", Zone(), Authority(tmp_path / "authority")
    pair = authority.pair(x509.DNSName(name))
    carrier = AsteriskCarrier(
        tmp_path / "asterisk", ports, name=ACCOUNT, transport="tls", identity=pair
    )
    closing.callback(carrier.close)
    address, _, port = carrier.host.partition(":")
    zone.records[name, "A"] = [address]
    server = NameServer(zone)
    closing.callback(server.close)
    exchange = new_exchange(
        top=f'[tls]\nauthorities = "{authority.file}"',
        sip=f'name_servers = ["127.0.0.1:{server.port}"]',
    )
    exchange.add_user(NUMBER, PASSWORD)
    phone = new_phone(NUMBER, exchange.host, TONE_HZ, password=PASSWORD, register_s=3600)
    office = Office(exchange, phone, tmp_path, ports, closing)
    account = {"user": ACCOUNT, "password": "secret"}
    office.line("telco", server=f"{name}:{port}", transport="tls", **account)
    office.wait_usable("telco")
    office.talk("9030123456")
    call = carrier.called()

    exchange.wait_journalled()
    exchange.kill()
    exchange.start()

    office.hang_up()
    assert call.wait_ended() == "16"
    exchange.assert_sane()
