"""Health, log and changes of the real exchange, as the console and the hardware agent see them."""

import json
import os
import signal
import threading
import urllib.error
import urllib.request

import pytest

from pbx.api.client import CommandError
from pbx.api.schema import Changes
from tests.app.conftest import NewDaemon, NewPhone
from tests.app.daemon import Daemon
from tests.app.phone import Call
from tests.interop.ports import Ports


def watch_for(daemon: Daemon, topic: str, mark: str) -> Changes:
    """Watch until `topic` changes."""
    with daemon.client() as client:
        while True:
            changes = client.watch(mark)
            if topic in changes.topics:
                return changes
            mark = changes.mark


def test_a_call_and_a_registration_are_told(shared: Daemon, new_phone: NewPhone) -> None:
    with shared.client() as client:
        mark = client.watch().mark
    heard: list[Changes] = []
    watching = threading.Thread(target=lambda: heard.append(watch_for(shared, "calls", mark)))
    watching.start()
    caller, callee = new_phone(shared, "100"), new_phone(shared, "101")
    assert watch_for(shared, "users", mark).topics
    call = Call(caller, callee)
    call.talk()
    watching.join(10)
    assert heard
    call.hang_up()
    shared.wait_idle()


def test_the_log_is_there_to_read(shared: Daemon) -> None:
    with shared.client() as client:
        lines = client.log()
        assert any(line.text.startswith("ready: pid") for line in lines)
        client.note_hardware("sound", "added", "USB \x1b[1m Audio", "usb-1.2")
        fresh = client.log(lines[-1].number)
    assert [line.text for line in fresh] == ["hardware: sound added: USB \\x1b[1m Audio at usb-1.2"]
    assert all(line.number > lines[-1].number for line in fresh)


def test_nonsense_is_refused_in_words(shared: Daemon) -> None:
    with shared.client() as client:
        with pytest.raises(CommandError, match="Hardware is"):
            client.note_hardware("toaster", "added", "x")
        with pytest.raises(CommandError, match="numbered|number"):
            client._call("log", after="-1")


def test_an_engine_that_died_is_a_problem(new_daemon: NewDaemon, ports: Ports) -> None:
    daemon = new_daemon()
    http = ports.one()
    daemon.configure(http=http)
    daemon.start()
    with daemon.client() as client:
        assert "engine-restarted" not in [one.slug for one in client.health().problems]
        mark = client.watch().mark
    os.kill(daemon.status().engine_pid, signal.SIGKILL)
    while True:
        mark = watch_for(daemon, "health", mark).mark
        with daemon.client() as client:
            health = client.health()
        if any(one.slug == "engine-restarted" for one in health.problems):
            break
    with urllib.request.urlopen(f"http://127.0.0.1:{http}/health", timeout=10) as answer:
        assert "engine-restarted" in json.load(answer)["problems"]
    daemon.stop()


def test_a_new_user_can_scan_its_password(new_daemon: NewDaemon, ports: Ports) -> None:
    daemon = new_daemon()
    http = ports.one()
    daemon.configure(http=http)
    daemon.start()
    with daemon.client() as client:
        user = client.add_user("200", display_name="Shop")
        with urllib.request.urlopen(user.provisioning_url, timeout=10) as answer:
            assert user.password in answer.read().decode()
        other = client.set_password("200")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(user.provisioning_url, timeout=10)
        with urllib.request.urlopen(other.provisioning_url, timeout=10) as answer:
            assert other.password in answer.read().decode()
        client.remove_user("200")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(user.provisioning_url, timeout=10)
    daemon.stop()
