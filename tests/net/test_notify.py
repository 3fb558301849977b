"""What systemd hears; it would kill an exchange that doesn't say that it lives."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.net.notify import ServiceNotice


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A notification socket and its name as systemd gives it."""
    name = str(tmp_path / "n")[-100:] if request.param == "path" else f"@pbx-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0" + name[1:] if name.startswith("@") else name)
        end.settimeout(10)
        yield end, name


async def test_ready_and_stopping(systemd: tuple[socket.socket, str]) -> None:
    end, name = systemd
    notice = ServiceNotice({"NOTIFY_SOCKET": name})
    notice.ready()
    notice.stopping()
    assert [end.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
    notice.stop()


async def test_watchdog_is_fed_in_half_its_time(systemd: tuple[socket.socket, str]) -> None:
    end, name = systemd
    notice = ServiceNotice({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"})
    notice.ready()
    said = [end.recv(100), end.recv(100)]
    begun = asyncio.get_running_loop().time()
    said.append(await asyncio.to_thread(end.recv, 100))
    assert said == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert asyncio.get_running_loop().time() - begun < 5
    notice.stop()


async def test_without_systemd_nothing_is_said() -> None:
    notice = ServiceNotice({})
    notice.ready()
    notice.stopping()
    notice.stop()


async def test_systemd_that_does_not_listen_is_no_obstacle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notice = ServiceNotice({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notice.ready()
    assert "systemd" in caplog.text
    notice.stop()
