"""The agent with an exchange that comes and goes, on mock pins."""

import asyncio
import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from gpiozero import LED
from gpiozero.pins.mock import MockFactory, MockPWMPin

from hw import agent as agent_module
from hw.agent import Agent
from hw.board import Board
from hw.settings import Settings
from hw.state import State
from pbx.locale import choose
from tests.hw.exchange import Office
from tests.hw.waiting import until

RGB = (23, 24, 25)
BUTTON = 26
PRESSED = ("board", "pressed", "button: address", "")


@pytest.fixture(autouse=True)
def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own sound cards are not for tests."""
    monkeypatch.setattr(agent_module, "output_cards", list)


@contextlib.asynccontextmanager
async def running(
    office: Office, board: Path | None = None, **settings: object
) -> AsyncIterator[Agent]:
    """An agent, ended by SIGTERM as systemd does it."""
    chosen: dict[str, object] = {"led_pins": RGB, "led_brightness": 1.0, **settings}
    agent = Agent(Settings(**chosen), lambda: office.socket, Board(board or office.folder))  # type: ignore[arg-type]
    task = asyncio.create_task(agent.run())
    await until("a pattern", lambda: agent.state is not None and bool(agent._tasks))
    yield agent
    if not task.done():
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 20)


def lit(pins: MockFactory) -> tuple[bool, ...]:
    return tuple(pins.pin(number).state > 0 for number in RGB)


async def seen(pins: MockFactory, *colour: int) -> None:
    """Wait until the lamp has this colour; a lamp that is off has none."""
    await until(f"the colour {colour}", lambda: lit(pins) == tuple(map(bool, colour)))


async def reached(agent: Agent, state: State) -> None:
    await until(state.value, lambda: agent.state is state)


def from_thread(step: object) -> None:
    """Move a pin as gpiozero's libraries do: from a thread of their own."""
    thread = threading.Thread(target=step)  # type: ignore[arg-type]
    thread.start()
    thread.join()


class TestLamp:
    async def test_what_the_exchange_does_is_what_the_lamp_shows(
        self, office: Office, pins: MockFactory
    ) -> None:
        async with running(office) as agent:
            assert agent.state is State.BOOTING
            await seen(pins, 1, 1, 1)
            await office.open()
            await reached(agent, State.READY)
            await seen(pins, 0, 1, 0)
            office.exchange.change(calls=["calling", "ringing"])
            await reached(agent, State.RINGING)
            office.exchange.change(calls=["talking"])
            await reached(agent, State.TALKING)
            office.exchange.change(problems=[("clock-unsure", "attention")])
            await reached(agent, State.ATTENTION)
            await seen(pins, 1, 1, 0)
            office.exchange.change(problems=[("no-address", "failed")])
            await reached(agent, State.NO_NETWORK)
            office.exchange.change(problems=[("no-engine", "failed")])
            await reached(agent, State.FAILED)
            await seen(pins, 1, 0, 0)
            office.exchange.change(problems=[], calls=[])
            await reached(agent, State.READY)
        assert lit(pins) == (False, False, False)

    async def test_service_failed_while_it_is_gone_and_ready_when_it_is_back(
        self, office: Office, pins: MockFactory, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        await office.open()
        async with running(office) as agent:
            for _ in range(2):
                await reached(agent, State.READY)
                await office.shut()
                await reached(agent, State.FAILED)
                await seen(pins, 1, 0, 0)
                await office.open()
            await reached(agent, State.READY)
        assert caplog.text.count("the exchange answers") == 3
        assert caplog.text.count("the exchange does not answer (exchange-gone") == 2

    async def test_an_exchange_that_refuses_has_failed(
        self, office: Office, pins: MockFactory
    ) -> None:
        await office.open()
        async with running(office) as agent:
            await reached(agent, State.READY)
            office.exchange.failure = RuntimeError("a bug")
            office.exchange.change()
            await reached(agent, State.FAILED)
            office.exchange.failure = None
            await reached(agent, State.READY)

    async def test_an_exchange_that_never_starts_has_failed(
        self, office: Office, pins: MockFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(agent_module, "BOOT_S", 0.3)
        monkeypatch.setattr("hw.state.BOOT_S", 0.3)
        async with running(office):
            await seen(pins, 1, 0, 0)

    async def test_a_busy_exchange_is_left_in_peace(
        self, office: Office, pins: MockFactory
    ) -> None:
        await office.open()
        async with running(office) as agent:
            await reached(agent, State.READY)
            asked = len(office.exchange.asked)
            for _ in range(200):
                office.exchange.change(calls=["talking"])
                await asyncio.sleep(0)
            await reached(agent, State.TALKING)
            # 200 changes, and a look at one or two of them: `watch`, `calls`, `health`.
            assert len(office.exchange.asked) - asked <= 9


class TestButton:
    async def test_a_press_blinks_the_end_of_the_address(
        self, office: Office, pins: MockFactory
    ) -> None:
        office.exchange.status_values = {"addresses": ["udp 127.0.0.1:5060", "udp 192.0.2.12:5060"]}
        await office.open()
        async with running(office, led_pins=(23,), night="00:00-23:59") as agent:
            await reached(agent, State.READY)
            await press(pins)
            assert await number_on(pins.pin(23)) == [1, 2]
        assert PRESSED in office.exchange.notes

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", ["is ready", "1 9 2 dot 0 dot 2 dot 1 2"]),
            ("zh", ["已就绪", "1 9 2 点 0 点 2 点 1 2"]),
        ],
    )
    async def test_a_press_speaks_where_there_is_sound(
        self,
        office: Office,
        pins: MockFactory,
        monkeypatch: pytest.MonkeyPatch,
        language: str,
        words: list[str],
    ) -> None:
        spoken: list[tuple[str, str, Sequence[str]]] = []

        async def speak(text: str, language: str, cards: Sequence[str]) -> bool:
            spoken.append((text, language, cards))
            return True

        monkeypatch.setattr(agent_module, "speak", speak)
        monkeypatch.setattr(agent_module, "output_cards", lambda: ["Headphones"])
        choose(language)
        office.exchange.status_values = {"addresses": ["udp 192.0.2.12:5060"]}
        await office.open()
        async with running(office) as agent:
            await reached(agent, State.READY)
            await press(pins)
            await until("words", lambda: bool(spoken))
        text, spoken_in, cards = spoken[0]
        assert spoken_in == language
        assert cards == ["Headphones"]
        assert all(word in text for word in words)

    async def test_the_lamp_echoes_a_press(self, office: Office, pins: MockFactory) -> None:
        await office.open()
        async with running(office, night="00:00-23:59") as agent:
            await reached(agent, State.READY)
            await seen(pins, 0, 0, 0)
            from_thread(pins.pin(BUTTON).drive_low)
            await seen(pins, 1, 1, 1)
            from_thread(pins.pin(BUTTON).drive_high)

    async def test_held_it_shuts_down_once_and_then_says_when_to_unplug(
        self, office: Office, pins: MockFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(agent_module, "UNPLUG_S", 0.2)
        log = office.folder / "shutdowns"
        await office.open()
        async with running(office, shutdown_command=f"sh -c 'echo down >>{log}'") as agent:
            await reached(agent, State.READY)
            from_thread(pins.pin(BUTTON).drive_low)
            await reached(agent, State.STOPPING)
            await until("the command", log.exists)
            told = ("board", "pressed", "button: shut down", "")
            await until("the exchange's log has it", lambda: told in office.exchange.notes)
            await seen(pins, 0, 0, 1)
            from_thread(pins.pin(BUTTON).drive_high)
            # The exchange goes first, and that is no failure now.
            await office.shut()
            await press(pins)
            os.kill(os.getpid(), signal.SIGTERM)
            await reached(agent, State.UNPLUG)
            await seen(pins, 1, 1, 1)
        assert lit(pins) == (False, False, False)
        assert log.read_text() == "down\n"
        assert PRESSED not in office.exchange.notes

    @pytest.mark.parametrize(
        ("command", "why"),
        [
            ("sh -c 'echo not allowed; exit 1'", "not allowed"),
            ("no-such-program", "no-such-program: No such file or directory"),
        ],
    )
    async def test_a_shutdown_that_fails_is_told_and_the_button_works_again(
        self,
        office: Office,
        pins: MockFactory,
        caplog: pytest.LogCaptureFixture,
        command: str,
        why: str,
    ) -> None:
        await office.open()
        async with running(office, shutdown_command=command) as agent:
            await reached(agent, State.READY)
            from_thread(pins.pin(BUTTON).drive_low)
            await until("the failure", lambda: f"could not shut down: {why}" in caplog.text)
            from_thread(pins.pin(BUTTON).drive_high)
            await reached(agent, State.READY)
            await press(pins)
            await until("the press", lambda: PRESSED in office.exchange.notes)

    async def test_a_shutdown_that_comes_to_nothing_is_told_too(
        self,
        office: Office,
        pins: MockFactory,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(agent_module, "GIVE_UP_S", 0.2)
        await office.open()
        async with running(office, shutdown_command="true") as agent:
            await reached(agent, State.READY)
            from_thread(pins.pin(BUTTON).drive_low)
            await until("the failure", lambda: "the machine still runs" in caplog.text)
            await reached(agent, State.READY)

    async def test_a_shutdown_that_takes_its_time_is_none_that_has_failed(
        self,
        office: Office,
        pins: MockFactory,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """MariaDB may write for a quarter of an hour; systemd's list of jobs tells."""
        monkeypatch.setattr(agent_module, "GIVE_UP_S", 0.1)
        monkeypatch.setattr(agent_module, "LOOK_AGAIN_S", 0.1)
        jobs, looks = office.folder / "jobs", office.folder / "looks"
        jobs.write_text("1101 poweroff.target start waiting\n")
        program = office.folder / "systemctl"
        program.write_text(f"#!/bin/sh\ncat {jobs}\necho look >>{looks}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{office.folder}:{os.environ['PATH']}")
        await office.open()
        async with running(office, shutdown_command="true") as agent:
            await reached(agent, State.READY)
            from_thread(pins.pin(BUTTON).drive_low)
            await until("a look or two", lambda: looks.exists() and len(looks.read_text()) > 10)
            assert agent.state is State.STOPPING
            assert "could not shut down" not in caplog.text
            jobs.write_text("")
            await until("the failure", lambda: "the machine still runs" in caplog.text)
            await reached(agent, State.READY)

    async def test_without_an_exchange_it_works_all_the_same(
        self, office: Office, pins: MockFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("hw.exchange.own_address", lambda: "192.0.2.3")
        async with running(office, led_pins=(23,), night="00:00-23:59"):
            await press(pins)
            assert await number_on(pins.pin(23)) == [3]


class TestNotes:
    async def test_they_wait_for_the_exchange(
        self, office: Office, pins: MockFactory, tmp_path: Path
    ) -> None:
        heat = tmp_path / "sys/class/thermal/thermal_zone0/temp"
        heat.parent.mkdir(parents=True)
        heat.write_text("85000\n")
        notes = office.exchange.notes
        async with running(office, tmp_path):
            await press(pins)
            await office.open()
            await until("the warning", lambda: ("board", "warning", "too hot", "") in notes)
            await until("the press", lambda: PRESSED in notes)
            assert notes.count(PRESSED) == 1


class TestWithout:
    async def test_a_button_without_a_lamp(self, office: Office, pins: MockFactory) -> None:
        await office.open()
        async with running(office, led_pins=()) as agent:
            await reached(agent, State.READY)
            await press(pins)
            await until("the press", lambda: PRESSED in office.exchange.notes)

    async def test_a_pin_that_another_has(
        self, office: Office, pins: MockFactory, caplog: pytest.LogCaptureFixture
    ) -> None:
        other = LED(24)
        await office.open()
        async with running(office) as agent:
            await reached(agent, State.READY)
            await press(pins)
            await until("the press", lambda: PRESSED in office.exchange.notes)
        assert "no lamp: pin GPIO24 is already in use" in caplog.text
        other.close()


async def press(pins: MockFactory) -> None:
    """Press the button as a finger does: longer than a spark, shorter than a hold."""
    from_thread(pins.pin(BUTTON).drive_low)
    await asyncio.sleep(0.1)
    from_thread(pins.pin(BUTTON).drive_high)


async def number_on(pin: MockPWMPin) -> list[int]:
    """Read the number that the pin's LED blinks after the echo of the press."""
    await until(
        "flashes, and then two dark seconds",
        lambda: len(pin.states) > 4 and time.monotonic() - pin._last_change > 2.0,
    )
    dark = [after for (after, level), _ in itertools.pairwise(pin.states[1:]) if level > 0]
    groups: list[int] = []
    # The first flash is the echo.
    for dark_s in dark[1:]:
        if dark_s > 0.8:
            groups.append(0)
        groups[-1] += 1
    return groups
