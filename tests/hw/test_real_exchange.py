"""The agent beside the real exchange, with a call going on."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from hw.agent import Agent
from hw.board import Board
from hw.settings import Settings
from hw.state import State
from pbx.api.client import AsyncClient
from pbx.api.schema import Health
from tests.app.daemon import Daemon
from tests.app.phone import Call, Phone
from tests.hw.waiting import until
from tests.interop.ports import Ports


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def exchange(closing: ExitStack) -> Daemon:
    """A real exchange that runs."""
    daemon = Daemon(closing.enter_context(Ports()))
    closing.callback(daemon.close)
    daemon.start()
    return daemon


@pytest.fixture
def phones(exchange: Daemon, closing: ExitStack) -> tuple[Phone, Phone]:
    """Two registered phones."""
    passwords = exchange.passwords()
    phones = [Phone(exchange.port, number, passwords[number]) for number in ("100", "101")]
    for phone in phones:
        closing.callback(phone.close)
        assert phone.register().status == 200
    return phones[0], phones[1]


async def test_without_a_network_the_lamp_says_so(
    exchange: Daemon, pins: MockFactory, tmp_path: Path
) -> None:
    """The exchange of the tests has loopback only."""
    agent = Agent(Settings(), lambda: exchange.folder / "control.sock", Board(tmp_path))
    task = asyncio.create_task(agent.run())
    await until("no network", lambda: agent.state is State.NO_NETWORK)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_lamp_follows_a_real_call(
    exchange: Daemon,
    phones: tuple[Phone, Phone],
    pins: MockFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def healthy(client: AsyncClient) -> Health:
        return Health(state="ready", problems=[])

    # What ails the machine that runs the tests would hide its calls.
    monkeypatch.setattr(AsyncClient, "health", healthy)
    socket = exchange.folder / "control.sock"
    agent = Agent(Settings(), lambda: socket, Board(tmp_path))
    task = asyncio.create_task(agent.run())
    await until("ready", lambda: agent.state is State.READY)
    caller, callee = phones
    invite = await asyncio.to_thread(caller.invite, "101")
    offered = await asyncio.to_thread(callee.request, "INVITE")
    callee.answer(offered, 180, "Ringing")
    await until("ringing", lambda: agent.state is State.RINGING)
    callee.answer(offered, 486, "Busy Here")
    refused = await asyncio.to_thread(caller.response, invite)
    caller.acknowledge(invite, refused, invite.get("Via") or "")
    await until("ready again", lambda: agent.state is State.READY)
    call = await asyncio.to_thread(Call, caller, callee)
    await until("talking", lambda: agent.state is State.TALKING)
    await asyncio.to_thread(call.hang_up)
    await until("ready at last", lambda: agent.state is State.READY)
    exchange.kill()
    await until("failed", lambda: agent.state is State.FAILED)
    await asyncio.to_thread(exchange.start)
    await until("back", lambda: agent.state is State.READY)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_agent_that_dies_disturbs_no_call(
    exchange: Daemon, phones: tuple[Phone, Phone], tmp_path: Path
) -> None:
    heat = tmp_path / "sys/class/thermal/thermal_zone0/temp"
    heat.parent.mkdir(parents=True)
    heat.write_text("85000\n")
    call = await asyncio.to_thread(Call, *phones)
    for times in (1, 2):
        agent = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.hw.agent_process", tmp_path, exchange.folder / "control.sock",
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        wanted = "hardware: board warning: too hot"
        await asyncio.to_thread(exchange.wait_log, lambda log: log.count(wanted) == times, 30)  # noqa: B023
        agent.kill()
        await agent.wait()
        await asyncio.to_thread(call.talk)
    await asyncio.to_thread(call.hang_up)
