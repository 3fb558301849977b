"""SIP over TLS in the whole exchange: what its peers see, and what happens where it can't be."""

import socket

from pbx.sip.message import Request
from tests.app.conftest import NewDaemon, NewPhone
from tests.app.daemon import Daemon
from tests.app.phone import Call


def _secure(daemon: Daemon) -> list[str]:
    return [one for one in daemon.status().addresses if one.startswith("tls ")]


def _problems(daemon: Daemon) -> list[str]:
    with daemon.client() as client:
        return [one.slug for one in client.health().problems]


class TestWhatPeersSee:
    """RFC 3261 §18.1.1, §8.1.1.8: Via and Contact lead back to the TLS port."""

    def test_via_and_contact(self, shared: Daemon, new_phone: NewPhone) -> None:
        call = Call(
            new_phone(shared, "100", transport="tls"), new_phone(shared, "101", transport="tls")
        )
        where = f"127.0.0.1:{shared.tls_port}"
        assert str(call.offered.via).startswith(f"SIP/2.0/TLS {where};")
        for contact in (call.offered.get("Contact"), call.accepted.get("Contact")):
            assert contact is not None
            assert contact.endswith(f"@{where};transport=tls>")
        call.hang_up()
        shared.wait_idle()
        shared.assert_sane()

    def test_either_way_to_udp_and_the_called_phone_hangs_up(
        self, shared: Daemon, new_phone: NewPhone
    ) -> None:
        for first, second in (("tls", "udp"), ("udp", "tls")):
            call = Call(
                new_phone(shared, "100", transport=first),
                new_phone(shared, "101", transport=second),
            )
            call.talk()
            _bye_of_the_called(call)
            call.ended(call.caller)
            shared.wait_idle()
            for phone in (call.caller, call.callee):
                phone.register(0)
        shared.assert_sane()

    def test_phone_whose_connection_is_gone_is_not_reached(
        self, shared: Daemon, new_phone: NewPhone
    ) -> None:
        """Whoever listens at its address now isn't asked: nothing could prove who that is."""
        gone = new_phone(shared, "101", transport="tls")
        gone.close()
        caller = new_phone(shared, "100")
        invite = caller.invite("101")
        refused = caller.response(invite)
        assert refused.status == 480
        caller.acknowledge(invite, refused, invite.get("Via") or "")
        shared.wait_idle()
        shared.assert_sane()


def _bye_of_the_called(call: Call) -> None:
    phone, offered = call.callee, call.offered
    bye = Request(
        "BYE",
        (offered.get("Contact") or "").strip("<>"),
        [
            ("Via", phone.via()),
            ("Max-Forwards", "70"),
            ("From", (offered.get("To") or "") + f";tag=t{phone.number}"),
            ("To", offered.get("From") or ""),
            ("Call-ID", offered.call_id),
            ("CSeq", "1 BYE"),
        ],
        b"",
    )
    phone.send(bye.encode())
    assert phone.response(bye).status == 200


class TestWithout:
    """Where TLS can't be, a person is told and everything else works."""

    def test_broken_certificate(self, new_daemon: NewDaemon, new_phone: NewPhone) -> None:
        daemon = new_daemon()
        folder = daemon.folder / "tls"
        folder.mkdir()
        (folder / "key.pem").write_text("mine, but broken")
        daemon.start()
        assert "ERROR   There is no TLS" in daemon.log
        assert _secure(daemon) == []
        assert daemon.status().certificate == ""
        assert "no-tls" in _problems(daemon)
        assert new_phone(daemon, "100").options() == 200
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log
        assert (folder / "key.pem").read_text() == "mine, but broken"
        (folder / "key.pem").unlink()
        daemon.start()
        assert len(_secure(daemon)) == 2
        assert "no-tls" not in _problems(daemon)
        assert new_phone(daemon, transport="tls").options() == 200

    def test_port_of_another_program(self, new_daemon: NewDaemon, new_phone: NewPhone) -> None:
        daemon = new_daemon()
        with (
            socket.create_server(("127.0.0.1", daemon.tls_port)),
            socket.create_server(("::1", daemon.tls_port), family=socket.AF_INET6),
        ):
            daemon.start()
        assert f"The TLS port 127.0.0.1:{daemon.tls_port} is in use" in daemon.log
        assert "no-tls" in _problems(daemon)
        assert new_phone(daemon, "100").options() == 200

    def test_a_settings_file_from_before_there_was_tls(
        self, new_daemon: NewDaemon, new_phone: NewPhone
    ) -> None:
        daemon = new_daemon()
        path = daemon.folder / "minisip.toml"
        old = path.read_text().replace(f"tls_port = {daemon.tls_port}", "ws_port = 5061")
        path.write_text(old)
        daemon.start()
        assert "sip.ws_port has TLS's usual port 5061" in daemon.log
        assert _secure(daemon) == []
        assert "no-tls" in _problems(daemon)
        assert new_phone(daemon, "100").options() == 200

    def test_switched_off(self, new_daemon: NewDaemon) -> None:
        daemon = new_daemon()
        daemon.tls_port = 0
        daemon.configure()
        daemon.start()
        assert _secure(daemon) == []
        assert "no-tls" not in _problems(daemon)
        assert not (daemon.folder / "tls").exists()

    def test_certificate_stays_the_same(self, new_daemon: NewDaemon) -> None:
        daemon = new_daemon()
        daemon.start()
        first = daemon.status().certificate
        assert len(first.split(":")) == 32
        daemon.stop()
        daemon.start()
        assert daemon.status().certificate == first
