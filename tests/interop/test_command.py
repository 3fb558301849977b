"""`minisipserver-cli` and `minisip`, as a person at a terminal meets them."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from tests.interop.exchange import Exchange, command
from tests.interop.phones import Phones
from tests.interop.ports import Ports
from tests.interop.sipp import account, register

pytestmark = pytest.mark.interop


def _run(name: str, *arguments: str, lang: str = "C.UTF-8") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [command(name), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "LC_ALL": lang, "LANG": lang},
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def _refusal(*arguments: str) -> str:
    """Return the one sentence with which the exchange refuses to start."""
    done = _run("minisipserver-cli", *arguments)
    assert done.returncode not in (0, None), done.stdout
    lines = [line for line in done.stderr.splitlines() if line.startswith("minisipserver-cli: ")]
    assert len(lines) == 1, done.stderr
    assert lines[0] == done.stderr.splitlines()[-1]
    assert lines[0].endswith("."), lines[0]
    return lines[0]


def _settings(tmp_path: Path, text: str) -> str:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return str(path)


def test_it_tells_its_version() -> None:
    done = _run("minisipserver-cli", "--version")
    assert done.returncode == 0
    assert re.fullmatch(r"miniSIPServer \d+\.\d+\.\d+\n", done.stdout)


def test_good_settings_are_good(tmp_path: Path) -> None:
    path = _settings(tmp_path, "[sip]\nport = 5070\n")
    done = _run("minisipserver-cli", "--check-config", "--config", path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[sip\n", "settings.toml"),
        ("[sip]\nprot = 5060\n", "prot"),
        ('[sip]\nport = "many"\n', "sip.port"),
        ("[sip]\nport = 70000\n", "sip.port"),
        ('database = "oracle://x"\n', "database"),
        ("[media]\nfirst_port = 30000\nlast_port = 20001\n", "first_port"),
        ('[sip]\naddresses = ["example.org"]\n', "sip.addresses"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, text: str, word: str) -> None:
    path = _settings(tmp_path, text)
    assert word in _refusal("--check-config", "--config", path)
    # And it does not start with them either.
    assert word in _refusal("--config", path, "--data-dir", str(tmp_path / "data"))


def test_missing_settings_are_named(tmp_path: Path) -> None:
    assert "nothing.toml" in _refusal("--config", str(tmp_path / "nothing.toml"))


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_in_use_is_named(tmp_path: Path, ports: Ports, kind: socket.SocketKind) -> None:
    port = ports.one()
    rtp = ports.block(8)
    path = _settings(
        tmp_path,
        f'[sip]\nport = {port}\naddresses = ["127.0.0.1"]\n[http]\nport = 0\n[callback]\nport = 0\n'
        f"[media]\nfirst_port = {rtp}\nlast_port = {rtp + 7}\n",
    )
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            other.listen()
        sentence = _refusal("--config", path, "--data-dir", str(tmp_path / "data"))
    assert str(port) in sentence
    assert "in use" in sentence


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in _refusal("--data-dir", str(tmp_path / "file"))


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in _refusal("--data-dir", str(tmp_path / "file" / "data"))


def test_a_data_folder_that_cannot_be_read_is_named() -> None:
    """Where even root may not write."""
    assert "/proc" in _refusal("--data-dir", "/proc/minisipserver")


def test_a_broken_database_is_named(tmp_path: Path, exchange: Exchange) -> None:
    (database,) = exchange.folder.glob("*.db")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "minisip.toml").write_bytes((exchange.folder / "minisip.toml").read_bytes())
    (folder / database.name).write_bytes(b"this is no database " * 1000)
    assert database.name in _refusal("--data-dir", str(folder))


def test_a_second_exchange_on_the_same_data_is_refused(exchange: Exchange) -> None:
    assert exchange.program is not None
    sentence = _refusal("--data-dir", str(exchange.folder))
    assert "in use" in sentence
    assert exchange.status().pid == exchange.program.pid
    exchange.assert_sane()


def test_it_speaks_chinese(tmp_path: Path) -> None:
    done = _run("minisipserver-cli", "--config", str(tmp_path / "x.toml"), lang="zh_CN.UTF-8")
    assert done.returncode != 0
    assert re.search("[\u4e00-\u9fff]", done.stderr)


def test_users_are_added_changed_and_removed_by_command(phones: Phones) -> None:
    exchange = phones.exchange

    def minisip(*arguments: str) -> subprocess.CompletedProcess[str]:
        return _run("minisip", "--socket", str(exchange.socket), *arguments)

    number = "3999"
    assert minisip("user", "add", number, "--password", "first-one").returncode == 0
    first = account(phones.ports, number, "first-one", exchange.host)
    register(phones.folder, first)
    assert number in minisip("users").stdout
    assert minisip("user", "password", number, "--password", "second-one").returncode == 0
    register(phones.folder, account(phones.ports, number, "second-one", exchange.host))
    assert minisip("user", "remove", number).returncode == 0
    assert number not in exchange.users()
    again = minisip("user", "remove", number)
    assert again.returncode != 0
    assert number in again.stderr
