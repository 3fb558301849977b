"""Lines over TCP and TLS: calls both ways with sound, and certificates that don't fit."""

import re
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from pbx.config.data_folder import DataFolder
from pbx.config.settings import TlsSettings
from pbx.net.certificate import Pair, own_identity
from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.conftest import ACCOUNT
from tests.carriers.lines import add_line, wait_trouble, wait_usable
from tests.carriers.office import NUMBER, PASSWORD, TONE_HZ
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange, command
from tests.interop.ports import Ports

pytestmark = pytest.mark.interop

SERVER, CALLER = "127.0.0.41", "491719"

NewExchange = Callable[..., Exchange]
NewPhone = Callable[..., Baresip]


def _identity(folder: Path, address: str) -> Pair:
    """Make a certificate that is good for an address; return it and its key."""
    own = DataFolder(folder)
    own.path.mkdir(parents=True)
    own_identity(TlsSettings(), own, [address])
    return Pair(own.tls / "certificate.pem", own.tls / "key.pem")


class Case:
    """An exchange that trusts one certificate, and Asterisk as a carrier with one."""

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        closing: ExitStack,
        new_exchange: NewExchange,
        transport: str,
        good_for: str = SERVER,
        *,
        trusted: bool = True,
        trunk: bool = False,
    ) -> None:
        shown = _identity(folder / "shown", good_for) if transport == "tls" else None
        known = shown if trusted and shown else _identity(folder / "other", SERVER)
        self.exchange = new_exchange(
            top=f'[cdr]\nsides = ["LO", "OO"]\n[tls]\nauthorities = "{known.certificate}"'
        )
        own = self.exchange.secure_host if transport == "tls" else self.exchange.host
        self.carrier = AsteriskCarrier(
            folder / "asterisk",
            ports,
            name=ACCOUNT,
            transport=transport,
            identity=shown,
            peer=own if trunk else "",
        )
        closing.callback(self.carrier.close)
        options = {"server": self.carrier.host, "transport": transport, "destination": NUMBER}
        if trunk:
            add_line(self.exchange, kind="sip-trunk", **options)
        else:
            account = {"user": ACCOUNT, "password": "secret"}
            add_line(self.exchange, kind="external-line", **options, **account)


@pytest.mark.parametrize("trunk", [False, True], ids=["external-line", "sip-trunk"])
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_calls_both_ways(
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
    new_exchange: NewExchange,
    new_phone: NewPhone,
    transport: str,
    trunk: bool,
) -> None:
    """The certificate is checked: it is trusted, and good for the server's address."""
    case = Case(tmp_path, ports, closing, new_exchange, transport, trunk=trunk)
    exchange, carrier = case.exchange, case.carrier
    assert wait_usable(exchange).server == f"{transport} {carrier.host}"
    exchange.add_user(NUMBER, PASSWORD)
    phone = new_phone(NUMBER, exchange.host, TONE_HZ, password=PASSWORD)
    phone.dial("9030123456")
    phone.wait_heard(TONE_HZ, 1.0)
    phone.hang_up()
    exchange.wait_idle()
    heard = phone.heard_s(TONE_HZ)
    carrier.wait_state(carrier.call(CALLER, NUMBER if trunk else ""), "Up")
    phone.wait_heard(TONE_HZ, heard + 1.0)
    phone.hang_up()
    exchange.wait_idle()
    out, back = exchange.wait_records(2)
    assert (out["called_addr"], out.fci["lineOut"]) == (f"{transport} {carrier.host}", "telco")
    assert back["caller_addr"].startswith(f"{transport} {SERVER}:")
    assert (back["caller_number"], back.fci["lineIn"]) == (CALLER, "telco")
    exchange.assert_sane()


@pytest.mark.parametrize(
    ("good_for", "trusted", "why"),
    [
        (SERVER, False, "self-signed certificate"),
        ("192.0.2.1", True, f"its certificate is good for 192.0.2.1, .*not for {SERVER}"),
    ],
    ids=["of-nobody-trusted", "of-another"],
)
def test_a_certificate_that_does_not_fit(
    tmp_path: Path,
    ports: Ports,
    closing: ExitStack,
    new_exchange: NewExchange,
    good_for: str,
    trusted: bool,
    why: str,
) -> None:
    """The line says so, and the doctor what to do; no password goes there."""
    case = Case(tmp_path, ports, closing, new_exchange, "tls", good_for, trusted=trusted)
    exchange, carrier = case.exchange, case.carrier
    assert not wait_trouble(exchange, "no-tls").usable
    shown = " ".join(exchange.minisip("line", "show", "telco").split())
    assert re.search(f"Line telco: there is no TLS with tls {carrier.host}: {why}\\.", shown), shown
    argv = [command("minisip"), "--socket", str(exchange.socket), "doctor", "telco"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    told = " ".join(done.stdout.split())
    assert re.search(f"There is no TLS with tls {carrier.host}: {why}\\.", told), told
    assert "tls.authorities in minisip.toml" in told
    assert done.returncode != 0
    assert not carrier.ami.find("ContactStatus", AOR=ACCOUNT)
    exchange.assert_sane()
