"""External lines register with servers that we did not write, and come back whatever happens."""

import contextlib
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from pbx.api.schema import Health
from pbx.config.data_folder import DataFolder
from pbx.config.settings import TlsSettings
from pbx.net.certificate import own_identity
from tests.carriers import steps
from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.ims import Ims, Subscription
from tests.carriers.lines import add_line, set_line, state, wait_trouble, wait_usable
from tests.carriers.odd import OddCarrier
from tests.carriers.side_door import SideDoor
from tests.interop.exchange import Exchange
from tests.interop.kamailio import Kamailio, head
from tests.interop.ports import Ports
from tests.interop.waiting import until
from tests.net.zone import NameServer, Zone

pytestmark = pytest.mark.interop

NewExchange = Callable[..., Exchange]

SERVER = "127.0.0.51"
TRANSPORTS = ("udp", "tcp", "tls")

_REGISTRAR = """\
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", {expires_s})
modparam("tls", "config", "{folder}/tls.cfg")
request_route {{
    xlog("L_ERR", "registrar: $rm $ru from $proto:$si, $fU, expires $hdr(Expires)\\n");
    if (is_method("REGISTER")) {{
        {closes}
        if (!pv_www_authenticate("telco.invalid", "secret", "0")) {{
            www_challenge("telco.invalid", "1");
            exit;
        }}
        save("location");
        exit;
    }}
    sl_send_reply("200", "OK");
}}
"""

_TLS = """\
[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = {folder}/key.pem
certificate = {folder}/certificate.pem
"""


class Registrar:
    """Kamailio as a registrar, over each transport.

    Args:
        folder: for its files.
        ports: where its ports come from.
        expires_s: what it grants.
        closes: it closes its connections behind each answer.
    """

    def __init__(
        self, folder: Path, ports: Ports, *, expires_s: int = 4, closes: bool = False
    ) -> None:
        self._own = {"expires_s": expires_s, "closes": "set_reply_close();" if closes else ""}
        self.identity = DataFolder(folder / "identity")
        self.identity.path.mkdir(parents=True)
        own_identity(TlsSettings(), self.identity, [SERVER])
        self._folder, self.port = folder, ports.block(4)
        self._said = ""

    def host(self, transport: str) -> str:
        """Where it is."""
        return f"{SERVER}:{self.port + 2 if transport == 'tls' else self.port}"

    def start(self) -> None:
        """Start it, once more perhaps: it knows nobody then."""
        (self._folder / "tls.cfg").write_text(_TLS.format(folder=self.identity.tls))
        listen = [f"{one}:{self.host(one)}" for one in TRANSPORTS]
        modules = "tls sl pv textops siputils xlog auth usrloc registrar"
        config = head(listen, modules) + _REGISTRAR.format(folder=self._folder, **self._own)
        self._kamailio = Kamailio(self._folder / "run", config, self.port)

    def stop(self) -> None:
        """End it."""
        self._said += self._kamailio.program.said()
        self._kamailio.close()

    def said(self) -> str:
        """Return what it has printed since its last start."""
        return self._kamailio.program.said()


@pytest.fixture
def exchange(new_exchange: NewExchange) -> Exchange:
    return new_exchange()


def test_over_each_transport_it_stays_registered_and_survives_a_restart_of_the_server(
    tmp_path: Path, ports: Ports, closing: ExitStack, new_exchange: NewExchange
) -> None:
    registrar = Registrar(tmp_path / "registrar", ports)
    registrar.start()
    closing.callback(registrar.stop)
    trusts = f'[tls]\nauthorities = "{registrar.identity.tls}/certificate.pem"'
    exchange = new_exchange(top=trusts)
    for transport in TRANSPORTS:
        add_line(
            exchange,
            transport,
            kind="external-line",
            server=registrar.host(transport),
            domain="telco.invalid",
            transport=transport,
            user=f"user-{transport}",
            password="secret",
        )
    for transport in TRANSPORTS:
        good = wait_usable(exchange, transport)
        assert good.server == f"{transport} {registrar.host(transport)}"
        assert (good.expires_s or 99) <= 4

    def registered(transport: str) -> int:
        """How often, challenges left out."""
        line = f"registrar: REGISTER sip:telco.invalid from {transport}:127.0.0.1, user-{transport}"
        return registrar.said().count(line) // 2

    def refreshed() -> bool:
        return all(registered(one) >= 2 for one in TRANSPORTS)

    until("all are refreshed in time", refreshed, why_not=registrar.said)
    registrar.stop()
    for transport in TRANSPORTS:
        trouble = wait_trouble(exchange, "unreachable", transport)
        assert not trouble.usable
    registrar.start()
    for transport in TRANSPORTS:
        wait_usable(exchange, transport)
    assert exchange.stop() == 0
    farewells = [line for line in registrar.said().split("\n") if "expires 0" in line]
    assert all(any(f"user-{one}," in line for line in farewells) for one in TRANSPORTS)
    assert "Traceback" not in exchange.log()


def test_a_server_that_closes_its_connection_behind_each_answer(
    tmp_path: Path, ports: Ports, closing: ExitStack, exchange: Exchange
) -> None:
    """Its challenge, too: neither is it asked without a pause, nor is a password taken for wrong."""
    registrars = {}
    # A server for each line: by a connection that both had, one would lose what the other's answer ends
    for name, password in (("right", "secret"), ("wrong", "guessed")):
        registrar = Registrar(tmp_path / name, ports, expires_s=600, closes=True)
        registrar.start()
        closing.callback(registrar.stop)
        registrars[name] = registrar
        add_line(
            exchange,
            name,
            kind="external-line",
            server=registrar.host("tcp"),
            domain="telco.invalid",
            transport="tcp",
            user=name,
            password=password,
        )

    def asked(name: str) -> int:
        return registrars[name].said().count(f", {name}, expires")

    wait_usable(exchange, "right")
    refused = wait_trouble(exchange, "password", "wrong")
    assert (refused.next_try_s or 0) > 100
    assert asked("wrong") == 2
    assert "cannot be reached" not in exchange.log()
    # It stands by its yes, and is asked again at once: it might have been restarted; then less often
    until(
        "the next question waits",
        lambda: asked("right") > 2 and 0 < (state(exchange, "right").next_try_s or 0) <= 10,
        15,
        why_not=registrars["right"].said,
    )
    assert state(exchange, "right").usable
    assert asked("right") <= 4
    exchange.assert_sane()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_ims(
    tmp_path: Path, ports: Ports, closing: ExitStack, exchange: Exchange, transport: str
) -> None:
    """By an outbound proxy, with the whole address as name; the domain itself has no address."""
    subscription = Subscription()
    ims = Ims(tmp_path / "ims", ports, subscription, f"127.0.0.23:{ports.one()}")
    closing.callback(ims.close)
    add_line(
        exchange,
        kind="external-line",
        server=subscription.domain,
        proxy=ims.proxy,
        transport=transport,
        user=subscription.user,
        auth_name=subscription.auth_name,
        password=subscription.password,
    )
    good = wait_usable(exchange)
    assert good.server == f"{transport} {ims.proxy}"
    assert good.identities[0] == f"sip:{subscription.user}@{subscription.domain}"
    assert good.rtt_ms is not None
    assert 500 < (good.expires_s or 0) <= 600
    # A wrong password is told as such, and another one is tried at once.
    set_line(exchange, password="wrong")
    wait_trouble(exchange, "password")
    set_line(exchange, password=subscription.password)
    wait_usable(exchange)
    assert exchange.stop() == 0
    until(
        "the registrar hears that the line signs off",
        lambda: ims.said().count("registrar: REGISTER") >= 7,
        10,
        why_not=ims.said,
    )
    assert "Traceback" not in exchange.log()


def test_asterisk_as_the_carrier(
    tmp_path: Path, ports: Ports, closing: ExitStack, exchange: Exchange
) -> None:
    asterisk = AsteriskCarrier(tmp_path / "asterisk", ports, name="4930555")
    closing.callback(asterisk.close)
    add_line(
        exchange,
        kind="external-line",
        server=asterisk.host,
        user="4930555",
        password="secret",
        keep_alive="options",
        keep_alive_s=1,
    )
    wait_usable(exchange)
    # Its answers to OPTIONS ask for credentials: somebody is there all the same.
    until("it is asked again", lambda: asterisk.why().count("OPTIONS sip:") >= 2)
    assert state(exchange).usable
    exchange.minisip("line", "disable", "telco")
    asterisk.wait("ContactStatus", ContactStatus="Removed", AOR="4930555")
    exchange.assert_sane()


def test_asterisk_as_a_trunks_peer(tmp_path: Path, ports: Ports, exchange: Exchange) -> None:
    asterisk = AsteriskCarrier(tmp_path / "asterisk", ports, name="pbx", peer=exchange.host)
    with contextlib.closing(asterisk):
        add_line(exchange, "peer", kind="sip-trunk", server=asterisk.host, keep_alive_s=1)
        until("it answers", lambda: state(exchange, "peer").phase == "up", why_not=asterisk.why)
    wait_trouble(exchange, "unreachable", "peer")
    exchange.assert_sane()


def test_each_refusal_has_its_sentence(
    tmp_path: Path, ports: Ports, closing: ExitStack, exchange: Exchange
) -> None:
    """All at once: no line waits for another one."""
    says = {
        "forbidden": ("403 Forbidden", 150, 300),
        "unknown-account": ("404 Not Found", 150, 300),
        "unavailable": ("503 Service Unavailable", 15, 30),
    }
    for number, (slug, (status, *_)) in enumerate(says.items()):
        text = steps.carrier(registering=steps.refused(status))
        carrier = OddCarrier(
            tmp_path / slug, ports, text, closing, name=slug, address=f"127.0.0.{61 + number}"
        )
        add_line(exchange, slug, kind="external-line", server=carrier.host, user="1", password="x")
    # Nobody is there: by a trunk that's known after four seconds.
    dumb = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    closing.callback(dumb.close)
    dumb.bind(("127.0.0.64", 0))
    server = f"127.0.0.64:{dumb.getsockname()[1]}"
    add_line(exchange, "silent", kind="sip-trunk", server=server)
    for slug, (_, least_s, longest_s) in says.items():
        bad = wait_trouble(exchange, slug, slug)
        assert least_s - 20 <= (bad.next_try_s or 0) <= longest_s
        assert bad.values["server"].startswith("udp 127.0.0.6")
    wait_trouble(exchange, "silent", "silent")
    shown = exchange.minisip("line", "show", "forbidden")
    assert "forbids this account to register (403 Forbidden)" in shown
    told = msgspec.json.decode(exchange.call("health"), type=Health).problems
    wrong = {one.slug for one in told} - {"no-address"}
    assert wrong == {f"line-{slug}" for slug in (*says, "silent")}
    exchange.assert_sane()


def test_answers_from_another_address(
    tmp_path: Path, ports: Ports, closing: ExitStack, exchange: Exchange
) -> None:
    text = steps.carrier(registering=steps.registrar())
    carrier = OddCarrier(tmp_path / "carrier", ports, text, closing)
    door = SideDoor(carrier.host, ports.one(), answers_from="127.0.0.33")
    closing.callback(door.close)
    add_line(
        exchange,
        kind="external-line",
        server=door.host,
        user=carrier.user,
        password=carrier.password,
    )
    assert wait_usable(exchange).server == f"udp {door.host}"
    exchange.assert_sane()


def test_dns_that_stalls_touches_nothing_else(
    tmp_path: Path, ports: Ports, closing: ExitStack, new_exchange: NewExchange
) -> None:
    dumb = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    closing.callback(dumb.close)
    dumb.bind(("127.0.0.1", 0))
    exchange = new_exchange(sip=f'name_servers = ["127.0.0.1:{dumb.getsockname()[1]}"]')
    carrier = OddCarrier(
        tmp_path / "carrier", ports, steps.carrier(registering=steps.registrar()), closing
    )
    add_line(exchange, "stalled", kind="external-line", server="telco.invalid", user="1")
    until("DNS is asked", lambda: dumb.recv(4096))
    add_line(
        exchange,
        kind="external-line",
        server=carrier.host,
        user=carrier.user,
        password=carrier.password,
    )
    wait_usable(exchange, within_s=4.0)
    assert state(exchange, "stalled").phase == "locating"
    exchange.assert_sane()


def test_dns_decides(
    tmp_path: Path, ports: Ports, closing: ExitStack, new_exchange: NewExchange
) -> None:
    """No address record, servers by SRV: the first one is dead, and the second one takes it."""
    zone = Zone()
    name_server = NameServer(zone)
    closing.callback(name_server.close)
    exchange = new_exchange(sip=f'name_servers = ["127.0.0.1:{name_server.port}"]')
    carrier = OddCarrier(
        tmp_path / "carrier", ports, steps.carrier(registering=steps.registrar()), closing
    )
    options = {"user": carrier.user, "password": carrier.password}
    add_line(exchange, kind="external-line", server="telco.example", **options)
    wait_trouble(exchange, "name")
    # What DNS didn't know holds for a while: another name
    zone.records["carrier.example", "TXT"] = ["x"]
    zone.records["_sip._udp.carrier.example", "SRV"] = [
        f"10 0 {ports.one()} a.carrier.example.",
        f"20 0 {carrier.port} b.carrier.example.",
    ]
    zone.records["a.carrier.example", "A"] = ["127.0.0.66"]
    zone.records["b.carrier.example", "A"] = [carrier.address]
    set_line(exchange, server="carrier.example")
    assert wait_usable(exchange).server == f"udp {carrier.host}"
    exchange.assert_sane()
