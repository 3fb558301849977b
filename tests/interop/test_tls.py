"""SIP over TLS with phones and tools that we did not write: they check the certificate."""

import re
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from pbx.config.data_folder import DataFolder
from pbx.config.settings import TlsSettings
from pbx.net.certificate import own_identity
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.phones import Users
from tests.interop.ports import Ports
from tests.interop.program import find
from tests.interop.tones import assert_pure_tone
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

LOW_HZ, HIGH_HZ = 440.0, 880.0
TALK_S = 3.0

NewPhone = Callable[..., Baresip]


@pytest.mark.parametrize("ways", [("tls", "tls"), ("tls", "udp"), ("udp", "tls")], ids="-".join)
@pytest.mark.parametrize("ending", ["caller", "callee"])
def test_each_hears_the_other(
    exchange: Exchange, users: Users, new_phone: NewPhone, ways: tuple[str, str], ending: str
) -> None:
    def phone(number: str, transport: str, tone_hz: float) -> Baresip:
        if transport == "udp":
            return new_phone(number, exchange.host, tone_hz)
        return new_phone(number, exchange.secure_host, tone_hz, transport="tls")

    callee, caller = phone(users.callee, ways[1], HIGH_HZ), phone(users.caller, ways[0], LOW_HZ)
    for number, way in ((users.caller, ways[0]), (users.callee, ways[1])):
        (contact,) = exchange.users()[number].contacts
        assert contact.source.startswith(f"{way} ")
    caller.dial(users.callee)
    for one in (caller, callee):
        one.wait_event("CALL_ESTABLISHED")
    caller.wait_heard(HIGH_HZ, TALK_S)
    callee.wait_heard(LOW_HZ, TALK_S)
    first, other = (caller, callee) if ending == "caller" else (callee, caller)
    first.hang_up()
    other.wait_event("CALL_CLOSED")
    assert_pure_tone(caller.recording(), HIGH_HZ, LOW_HZ, at_least_s=TALK_S)
    assert_pure_tone(callee.recording(), LOW_HZ, HIGH_HZ, at_least_s=TALK_S)
    exchange.wait_idle()
    exchange.assert_sane()


class TestLinphone:
    """It checks the certificate, and the name in it."""

    @pytest.mark.parametrize("calling", ["linphone", "baresip"])
    def test_each_hears_the_other(
        self,
        exchange: Exchange,
        users: Users,
        new_phone: NewPhone,
        new_linphone: Callable[..., Linphone],
        calling: str,
    ) -> None:
        baresip = new_phone(users.callee, exchange.secure_host, LOW_HZ, transport="tls")
        linphone = new_linphone(
            users.caller, exchange, HIGH_HZ, transport="tls", trusts=exchange.certificate
        )
        if calling == "linphone":
            linphone.dial(users.callee)
        else:
            baresip.dial(users.caller)
        baresip.wait_event("CALL_ESTABLISHED")
        baresip.wait_heard(HIGH_HZ, TALK_S)
        linphone.wait_heard(LOW_HZ, TALK_S)
        linphone.hang_up()
        baresip.wait_event("CALL_CLOSED")

    def test_another_certificate_keeps_it_from_registering(
        self, exchange: Exchange, users: Users, tmp_path: Path, ports: Ports, closing: ExitStack
    ) -> None:
        own_identity(TlsSettings(), DataFolder(tmp_path / "other"), ["127.0.0.1"])
        before = exchange.log().count("no TLS with it")
        phone = Linphone(
            tmp_path / "phone",
            ports,
            number=users.caller,
            password=users.password,
            server=exchange.secure_host,
            tone_hz=LOW_HZ,
            transport="tls",
            trusts=tmp_path / "other" / "tls" / "certificate.pem",
        )
        closing.callback(phone.close)
        until(
            "the phone says no to the certificate",
            lambda: exchange.log().count("no TLS with it") > before,
            why_not=phone.program.last_words,
        )
        assert exchange.users()[users.caller].contacts == []
        exchange.assert_sane()


def _s_client(
    exchange: Exchange, *more: str, say: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    command = [
        find("openssl"),
        "s_client",
        "-connect",
        exchange.secure_host,
        "-quiet",
        "-no_ign_eof",
    ]
    command += ["-verify_return_error", *more]
    return subprocess.run(command, input=say, capture_output=True, timeout=30, check=False)


def _options(exchange: Exchange) -> bytes:
    lines = [
        f"OPTIONS sip:{exchange.secure_host};transport=tls SIP/2.0",
        "Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKs;rport",
        "Max-Forwards: 70",
        "From: <sip:test@127.0.0.1>;tag=t",
        f"To: <sip:{exchange.secure_host}>",
        "Call-ID: s-client",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


class TestOpenssl:
    """`openssl s_client`, as an administrator tries it."""

    def test_certificate_is_good_for_the_address(self, exchange: Exchange) -> None:
        trust = ["-CAfile", str(exchange.certificate), "-verify_ip", "127.0.0.1"]
        ran = _s_client(exchange, *trust)
        assert ran.returncode == 0, ran.stderr.decode()
        assert b"verify return:1" in ran.stderr

    def test_and_for_no_other(self, exchange: Exchange) -> None:
        trust = ["-CAfile", str(exchange.certificate), "-verify_ip", "192.0.2.1"]
        ran = _s_client(exchange, *trust)
        assert ran.returncode != 0
        assert b"IP address mismatch" in ran.stderr

    def test_nobody_has_to_believe_it(self, exchange: Exchange) -> None:
        ran = _s_client(exchange)
        assert ran.returncode != 0
        assert b"self-signed certificate" in ran.stderr

    @pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
    def test_old_versions_are_refused(self, exchange: Exchange, version: str) -> None:
        ran = _s_client(exchange, version, "-cipher", "ALL:@SECLEVEL=0")
        assert ran.returncode != 0
        assert b"alert protocol version" in ran.stderr


def test_status_says_address_and_fingerprint(exchange: Exchange) -> None:
    status = exchange.status()
    assert f"tls {exchange.secure_host}" in status.addresses
    told = subprocess.run(
        [find("openssl"), "x509", "-in", exchange.certificate, "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert re.sub(r".*=", "", told).strip() == status.certificate
