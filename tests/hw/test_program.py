"""`minisipserver-hw` as a process, as systemd and people start it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from hw import __main__ as program_module
from hw.__main__ import main
from tests.hw.exchange import Office
from tests.hw.waiting import until

MOCK = {"GPIOZERO_PIN_FACTORY": "mock", "GPIOZERO_MOCK_PIN_CLASS": "mockpwmpin"}
NO_PINS = {"GPIOZERO_PIN_FACTORY": "lgpio"}


class Program:
    """The running program and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.err = ""

    async def listen(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.err += line.decode()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 30)


def clean(**env: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINISIP_")}
    return {**kept, "LC_ALL": "C.UTF-8", **env}


@contextlib.asynccontextmanager
async def started(*args: str | Path, **env: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hw", *args, stderr=asyncio.subprocess.PIPE, env=clean(**env)
    )
    program = Program(process)
    listening = asyncio.create_task(program.listen())
    try:
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening
        assert "Traceback" not in program.err


async def run(*args: str | Path, **env: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hw",
        *args,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean(**env),
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_version() -> None:
    code, out, err = await run("--version")
    assert (code, err) == (0, "")
    assert out.startswith("miniSIPServer 0.")


async def test_wrong_settings_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "hardware.toml").write_text("led_pin = 17\n")
    code, out, err = await run("--data-dir", tmp_path)
    assert (code, out) == (78, "")
    path = tmp_path / "hardware.toml"
    assert err == (
        f"minisipserver-hw: The settings file {path} is wrong: there is no setting led_pin.\n"
    )


async def test_wrong_settings_in_chinese(tmp_path: Path) -> None:
    (tmp_path / "hardware.toml").write_text("night = 'never'\n")
    code, _, err = await run("--data-dir", tmp_path, LC_ALL="zh_CN.UTF-8", PYTHONUTF8="1")
    assert code == 78
    assert "night 是“never”，应形如" in err


async def test_wrong_words() -> None:
    code, _, err = await run("--nonsense")
    assert code == 2
    assert "--nonsense" in err
    assert "Traceback" not in err


async def test_a_machine_without_anything_says_so_once_and_goes_on(office: Office) -> None:
    await office.open()
    async with started("--data-dir", office.folder, **NO_PINS) as program:
        await until("an answer", lambda: "the exchange answers" in program.err)
        assert program.err.count("no lamp and no button: ") == 1
        assert await program.end() == 0


async def test_the_exchange_comes_and_goes(office: Office) -> None:
    async with started("--socket", office.socket, **MOCK) as program:
        await until("no answer", lambda: "(exchange-not-running: " in program.err)
        for times in (1, 2):
            await office.open()
            await until("an answer", lambda: program.err.count("the exchange answers") == times)  # noqa: B023
            await office.shut()
            await until("no answer", lambda: program.err.count("(exchange-gone") == times)  # noqa: B023
        assert await program.end(signal.SIGINT) == 0


async def test_the_socket_of_the_service_is_found_when_it_appears(
    office: Office, tmp_path: Path
) -> None:
    """The agent starts first, and until then looks into the home folder."""
    system = tmp_path / "run" / "control.sock"
    found = (
        "import sys, pathlib, hw.__main__ as program;"
        "program.SYSTEM_SOCKET = pathlib.Path(sys.argv.pop(1));"
        "sys.exit(program.main())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", found, system,
        stderr=asyncio.subprocess.PIPE, env=clean(HOME=str(tmp_path), **MOCK),
    )  # fmt: skip
    program = Program(process)
    listening = asyncio.create_task(program.listen())
    await until("no answer", lambda: f"{tmp_path}/.minisipserver/control.sock" in program.err)
    system.parent.mkdir()
    system.symlink_to(office.socket)
    await office.open()
    await until("an answer", lambda: "the exchange answers" in program.err)
    assert await program.end() == 0
    await listening


async def test_it_ends_at_once_when_told_while_everything_is_away(tmp_path: Path) -> None:
    async with started("--data-dir", tmp_path, **MOCK) as program:
        await until("no answer", lambda: "does not answer" in program.err)
        assert await program.end() == 0


@pytest.mark.parametrize(
    ("locale", "line"),
    [
        ("C.UTF-8", "failed: The telephone exchange has failed."),
        ("zh_CN.UTF-8", "failed：电话交换机出现故障。"),
    ],
)
def test_the_lamp_can_be_looked_at(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pins: MockFactory,
    locale: str,
    line: str,
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setattr(program_module, "TEST_S", 0.2)
    assert main(["--data-dir", str(tmp_path), "--test-led"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9
    assert line in lines
    assert {state.state for state in pins.pin(23).states} > {0.0}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("", "There is no lamp to be had: "),
        ("led_pins = []", "led_pins is empty in "),
    ],
)
async def test_no_lamp_to_look_at(tmp_path: Path, settings: str, sentence: str) -> None:
    (tmp_path / "hardware.toml").write_text(settings)
    code, out, err = await run("--data-dir", tmp_path, "--test-led", **NO_PINS)
    assert (code, out) == (69, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
