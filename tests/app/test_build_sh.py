"""`./build.sh run`, as README tells a newcomer."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.app.conftest import NewDaemon
from tests.app.daemon import Daemon
from tests.interop.waiting import until

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def run(daemon: Daemon, *words: str, **environment: str) -> Iterator[Path]:
    """Run it with the folder and settings of `daemon`; yields the file with what it says."""
    said = daemon.folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            ["./build.sh", "run", *words],
            cwd=REPOSITORY,
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield said
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0, said.read_text()


def says(said: Path, *wanted: str) -> str:
    """Return what it says, once all of `wanted` is in it."""

    def there() -> str | None:
        text = said.read_text()
        return text if all(one in text for one in wanted) else None

    return until(f"{wanted} is said", there, 60, why_not=said.read_text)


@pytest.fixture
def daemon(new_daemon: NewDaemon) -> Daemon:
    """An exchange that isn't started: its folder and settings."""
    return new_daemon()


def test_it_says_all_that_two_phones_need(daemon: Daemon) -> None:
    with run(daemon, MINISIP_DATA=str(daemon.folder)) as said:
        text = says(said, "User 100, password ", "User 101, password ", "User 102, password ")
        assert f"udp 127.0.0.1:{daemon.port}" in text
        told = [f"User {number}, password {word}" for number, word in daemon.passwords().items()]
        assert all(line in text for line in told)
    with run(daemon, MINISIP_DATA=str(daemon.folder)) as said:
        # What it once said holds for the next start too.
        says(said, *told)


def test_in_chinese_and_with_the_folder_as_an_argument(daemon: Daemon) -> None:
    with run(daemon, "--data-dir", str(daemon.folder), LC_ALL="zh_CN.UTF-8") as said:
        text = says(said, "用户 100", "用户 102")
        for number, password in daemon.passwords().items():
            assert number in text
            assert password in text


def test_wherever_the_control_socket_is(daemon: Daemon) -> None:
    daemon.configure(top=f'control_socket = "{daemon.folder}/elsewhere.sock"')
    with run(daemon, MINISIP_DATA=str(daemon.folder)) as said:
        says(said, "User 100, password ")
