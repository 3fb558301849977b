from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx.api.server import ControlServer
from tests.api.conftest import exchange, folder, port, server
from tests.tui.office import Office

__all__ = ["exchange", "folder", "port", "server"]


@pytest.fixture
async def office() -> Office:
    return Office()


@pytest.fixture
async def doors(office: Office, folder: Path) -> AsyncIterator[ControlServer]:
    """The office's control server, at ``control.sock`` in `folder`; a test may stop and start it."""
    running = ControlServer(office, folder / "control.sock")
    await running.start()
    yield running
    await running.stop()
