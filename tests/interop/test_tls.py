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
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports
from tests.interop.program import find
from tests.interop.tones import assert_pure_tone
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

LOW_HZ, HIGH_HZ = 440.0, 880.0
TALK_S = 3.0

NewPhone = Callable[..., Baresip]


@pytest.mark.parametrize("ending", ["caller", "callee"])
def test_each_hears_the_other(
    exchange: Exchange, users: Users, new_phone: NewPhone, ending: str
) -> None:
    callee, caller = (
        new_phone(number, exchange.secure_host, tone_hz, transport="tls")
        for number, tone_hz in ((users.callee, HIGH_HZ), (users.caller, LOW_HZ))
    )
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


class TestReachedAfterARestart:
    """The exchange connects to a phone's Contact by TLS, if the phone proves who it is (RFC 5922)."""

    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """A phone's certificate for 127.0.0.1, and its key, in one file."""
        folder = DataFolder(tmp_path / "made")
        own_identity(TlsSettings(), folder, ["127.0.0.1"])
        both = tmp_path / "phone.pem"
        parts = [folder.tls / "certificate.pem", folder.tls / "key.pem"]
        both.write_text("".join(part.read_text() for part in parts))
        return both

    @pytest.mark.parametrize("trusted", [True, False])
    def test_a_call_to_it(
        self,
        new_exchange: Callable[..., Exchange],
        new_phone: NewPhone,
        certificate: Path,
        tmp_path: Path,
        trusted: bool,
    ) -> None:
        whom = certificate if trusted else tmp_path / "made" / "tls" / "other.pem"
        if not trusted:
            other = DataFolder(tmp_path / "other")
            own_identity(TlsSettings(), other, ["127.0.0.1"])
            whom.write_bytes((other.tls / "certificate.pem").read_bytes())
        exchange = new_exchange(top=f'[tls]\nauthorities = "{whom}"')
        exchange.add_user("110", "secret")
        exchange.add_user("111", "secret")
        caller = new_phone("110", exchange.host, LOW_HZ, register_s=3600)
        callee = new_phone(
            "111",
            exchange.secure_host,
            HIGH_HZ,
            transport="tls",
            certificate=certificate,
            register_s=3600,
        )
        assert exchange.stop() == 0
        exchange.start()
        caller.dial("111")
        if trusted:
            caller.wait_event("CALL_ESTABLISHED")
            caller.wait_heard(HIGH_HZ, TALK_S)
            callee.wait_heard(LOW_HZ, TALK_S)
            caller.hang_up()
            callee.wait_event("CALL_CLOSED")
            # It has not come by itself.
            assert callee.program.said().count("{0/TLS/v4} 200 OK") == 1
        else:
            caller.wait_event("CALL_CLOSED")
            assert "no TLS with it: " in exchange.log()
            assert callee.events("CALL_INCOMING") == []
        exchange.wait_idle()
        exchange.assert_sane()


class TestSips:
    """Calls by sips between PJSIP phones, which check the certificate (RFC 5630)."""

    @pytest.fixture
    def new_talker(
        self, exchange: Exchange, users: Users, tmp_path: Path, ports: Ports, closing: ExitStack
    ) -> Callable[..., PjsuaTalker]:
        """Return a function that starts a pjsua phone registered by sips."""

        def start(number: str, tone_hz: float) -> PjsuaTalker:
            phone = PjsuaTalker(
                tmp_path / f"pjsua{number}",
                ports,
                number=number,
                password=users.password,
                server=exchange.secure_host,
                tone_hz=tone_hz,
                scheme="sips",
                trusts=exchange.certificate,
            )
            closing.callback(phone.close)
            return phone

        return start

    def test_each_hears_the_other(
        self, exchange: Exchange, users: Users, new_talker: Callable[..., PjsuaTalker]
    ) -> None:
        callee, caller = new_talker(users.callee, HIGH_HZ), new_talker(users.caller, LOW_HZ)
        (contact,) = exchange.users()[users.callee].contacts
        assert contact.uri.startswith("sips:")
        caller.dial(users.callee)
        caller.wait_heard(1, HIGH_HZ, TALK_S)
        callee.wait_heard(1, LOW_HZ, TALK_S)
        until(
            "PJSIP logs the INVITE",
            lambda: "INVITE sips:" in callee.log(),
            why_not=callee.program.last_words,
        )
        callee.command(do="hangup", call=1)
        caller.wait("state", "DISCONNECTED")
        exchange.wait_idle()
        exchange.assert_sane()

    def test_a_phone_by_udp_is_not_called(
        self,
        exchange: Exchange,
        users: Users,
        new_talker: Callable[..., PjsuaTalker],
        new_phone: NewPhone,
    ) -> None:
        callee = new_phone(users.callee, exchange.host, HIGH_HZ)
        caller = new_talker(users.caller, LOW_HZ)
        caller.dial(users.callee)
        assert caller.wait("state", "DISCONNECTED")["status"] == 480
        assert callee.events("CALL_INCOMING") == []
        exchange.wait_idle()
        exchange.assert_sane()

    def test_a_phone_by_udp_calls_it(
        self,
        exchange: Exchange,
        users: Users,
        new_talker: Callable[..., PjsuaTalker],
        new_phone: NewPhone,
    ) -> None:
        """By sip, over the connection that it has registered by."""
        callee = new_talker(users.callee, HIGH_HZ)
        caller = new_phone(users.caller, exchange.host, LOW_HZ)
        caller.dial(users.callee)
        caller.wait_heard(HIGH_HZ, TALK_S)
        callee.wait_heard(1, LOW_HZ, TALK_S)
        caller.hang_up()
        callee.wait("state", "DISCONNECTED")
        exchange.wait_idle()
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
