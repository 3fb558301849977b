"""The exchange in its daily life, as a real process."""

import shutil
import socket
import urllib.request

import pytest

from tests.app.conftest import NewDaemon, NewPhone
from tests.app.daemon import Daemon, fci
from tests.app.phone import Call, Phone
from tests.interop.ports import Ports

WAYS = [(host, transport) for host in ("127.0.0.1", "::1") for transport in ("udp", "tcp", "tls")]


@pytest.mark.parametrize(("host", "transport"), WAYS)
def test_answers_options(shared: Daemon, new_phone: NewPhone, host: str, transport: str) -> None:
    assert new_phone(shared, host=host, transport=transport).options() == 200


@pytest.mark.parametrize(("host", "transport"), WAYS)
def test_registers_with_digest(
    shared: Daemon, new_phone: NewPhone, host: str, transport: str
) -> None:
    phone = new_phone(shared, "102", host=host, transport=transport)
    contacts = shared.users()["102"].contacts
    assert phone.contact in [contact.uri for contact in contacts]
    phone.register(0)
    assert phone.contact not in [contact.uri for contact in shared.users()["102"].contacts]


def test_a_phone_that_repeats_itself_because_the_board_is_slow_gets_in(
    shared: Daemon, new_phone: NewPhone
) -> None:
    phone = new_phone(shared, "102")
    # Whichever of its challenges the phone answers, it is the right one
    for answered in range(3):
        request = phone.make("REGISTER", f"sip:{phone.server}", ("Expires", "600"))
        with shared.standing_still():
            phone.repeat(request, 3)
        challenges = [phone.response(request) for _ in range(3)]
        assert [one.status for one in challenges] == [401, 401, 401]
        assert len({one.get("To") for one in challenges}) == 1
        phone.authorize(request, challenges[answered])
        with shared.standing_still():
            phone.repeat(request, 3)
        assert [phone.response(request).status for _ in range(3)] == [200, 200, 200]


def test_wrong_password_is_refused(shared: Daemon, new_phone: NewPhone) -> None:
    right = new_phone(shared, "102")
    wrong = Phone(shared.port, "102", "wrong")
    assert wrong.register().status == 401
    wrong.close()
    assert right.register().status == 200


@pytest.mark.parametrize(("host", "transport"), WAYS)
def test_call_with_sound_and_record(
    shared: Daemon, new_phone: NewPhone, host: str, transport: str
) -> None:
    before = len(shared.records())
    caller = new_phone(shared, "100", host=host, transport=transport)
    callee = new_phone(shared, "101", host=host, transport=transport)
    call = Call(caller, callee)
    call.talk()
    assert shared.status().calls == 1
    call.hang_up()
    shared.wait_idle()
    (record,) = shared.records()[before:]
    assert record["caller_number"] == "100"
    assert record["called_number"] == "101"
    assert fci(record)["callTag"] == "102"
    shared.assert_sane()


def test_media_is_anchored_in_the_engine(shared: Daemon, new_phone: NewPhone) -> None:
    before = len(shared.records())
    caller, callee = new_phone(shared, "100"), new_phone(shared, "101")
    call = Call(caller, callee)
    assert set(call.ports) < set(range(shared.first_rtp, shared.first_rtp + 20))
    call.hang_up()
    # Or the next test would take it for that of its own call.
    shared.wait_records(before + 1)


def test_administrator_hangs_up(shared: Daemon, new_phone: NewPhone) -> None:
    before = len(shared.records())
    call = Call(new_phone(shared, "100"), new_phone(shared, "101"))
    with shared.client() as client:
        client.hangup(client.calls()[0].id)
    for phone in (call.caller, call.callee):
        call.ended(phone)
    assert fci(shared.wait_records(before + 1)[-1])["callTag"] == "309"


def test_new_password_holds_at_once(shared: Daemon, new_phone: NewPhone) -> None:
    with shared.client() as client:
        client.add_user("200", "first-password", "")
        phone = Phone(shared.port, "200", "first-password")
        assert phone.register().status == 200
        client.set_password("200", "second-password")
        assert shared.users()["200"].contacts == []
        assert phone.register().status == 401
        client.remove_user("200")
    phone.close()
    assert "200" not in shared.users()


def test_users_come_in_the_order_of_their_numbers(shared: Daemon) -> None:
    with shared.client() as client:
        for number in ("1000", "99"):
            client.add_user(number, None, "")
        assert list(shared.users()) == ["99", "100", "101", "102", "1000"]
        for number in ("1000", "99"):
            client.remove_user(number)


def test_without_uvloop(new_daemon: NewDaemon, new_phone: NewPhone) -> None:
    """All works on plain asyncio."""
    code = (
        "import sys; sys.modules['uvloop'] = None; from pbx.__main__ import main; sys.exit(main())"
    )
    daemon = new_daemon(program=("-c", code))
    daemon.start()
    for transport in ("udp", "tcp", "tls"):
        caller = new_phone(daemon, "100", transport=transport)
        callee = new_phone(daemon, "101", transport=transport)
        call = Call(caller, callee)
        call.talk()
        call.hang_up()
        for phone in (caller, callee):
            phone.register(0)
    assert daemon.stop() == 0
    daemon.assert_log_sane()
    assert daemon.processes() == {}


class TestLogInjection:
    """No peer writes lines of its own into the log, or to the terminal that shows it."""

    EVIL = "10%0d%0a2026-01-01%20forged%1b%5b2J%00%e2%80%ae"

    def test_dialled_number(self, shared: Daemon, new_phone: NewPhone) -> None:
        caller = new_phone(shared, "100")
        invite = caller.invite(self.EVIL)
        refused = caller.response(invite)
        assert refused.status >= 400
        caller.acknowledge(invite, refused, invite.get("Via") or "")
        # What it dialled stands there, harmless.
        assert "forged" in shared.log
        shared.assert_sane()
        assert not any(line.startswith("2026-01-01 forged") for line in shared.log.split("\n"))

    @pytest.mark.parametrize("user", ["\u202e\u2028\x1b[31m", "100\x85x", "1\udcff", "1\r\n x"])
    def test_user_name(self, shared: Daemon, new_phone: NewPhone, user: str) -> None:
        phone = new_phone(shared)
        phone.user = user
        assert phone.register().status in (400, 401)
        shared.assert_sane()

    def test_reason_of_a_refusal(self, shared: Daemon, new_phone: NewPhone) -> None:
        caller, callee = new_phone(shared, "100"), new_phone(shared, "101")
        invite = caller.invite("101")
        callee.answer(callee.request("INVITE"), 486, "Busy \x1b[2J\u202e here")
        refused = caller.response(invite)
        assert refused.status == 486
        caller.acknowledge(invite, refused, invite.get("Via") or "")
        shared.wait_idle()
        assert "callTag=201" in shared.log
        shared.assert_sane()


def test_records_go_on_when_their_folder_was_taken_away(
    new_daemon: NewDaemon, new_phone: NewPhone
) -> None:
    daemon = new_daemon()
    daemon.start()
    shutil.rmtree(daemon.folder / "cdr")
    caller, callee = new_phone(daemon, "100"), new_phone(daemon, "101")
    for _ in range(2):
        call = Call(caller, callee)
        call.talk()
        call.hang_up()
    daemon.wait_records(2)
    assert daemon.stop() == 0
    daemon.assert_log_sane()


class TestControlSocket:
    def test_elsewhere_the_data_folder_still_leads_to_it(self, new_daemon: NewDaemon) -> None:
        daemon = new_daemon()
        elsewhere = daemon.folder / "else.where"
        daemon.configure(top=f'control_socket = "{elsewhere}"')
        daemon.start()
        assert elsewhere.is_socket()
        assert daemon.status().pid == daemon.pid
        assert daemon.stop() == 0
        assert not (daemon.folder / "control.sock").is_symlink()


class TestHttp:
    """HTTP is a convenience: phones don't wait for it."""

    def test_taken_port_costs_only_itself(
        self, new_daemon: NewDaemon, new_phone: NewPhone, ports: Ports
    ) -> None:
        with socket.create_server(("", ports.one())) as other:
            daemon = new_daemon(http=other.getsockname()[1])
            daemon.start()
            assert f"HTTP port {other.getsockname()[1]}" in daemon.log
            assert new_phone(daemon, "100").options() == 200
        assert daemon.stop() == 0

    def test_health(self, new_daemon: NewDaemon, ports: Ports) -> None:
        port = ports.one()
        daemon = new_daemon(http=port)
        daemon.start()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            assert answer.status == 200
        assert daemon.stop() == 0


class TestSystemd:
    """What systemd hears."""

    def test_ready_watchdog_and_stopping(self, new_daemon: NewDaemon) -> None:
        daemon = new_daemon()
        path = daemon.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(path))
            systemd.settimeout(10)
            daemon.start({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "200000"})
            assert [systemd.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
            assert systemd.recv(100) == b"WATCHDOG=1"
            assert daemon.stop() == 0
            said = b""
            while said != b"STOPPING=1":
                said = systemd.recv(100)

    def test_journal_gets_levels(self, new_daemon: NewDaemon) -> None:
        daemon = new_daemon()
        daemon.start({"JOURNAL_STREAM": "own"})
        assert daemon.stop() == 0
        assert all(line.startswith(("<6>", "<4>")) for line in daemon.log.splitlines())
        assert "<6>ready: pid " in daemon.log
