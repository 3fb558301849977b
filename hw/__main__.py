"""`minisipserver-hw`: the hardware agent as a foreground program."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from hw.locale import say
from hw.settings import Settings, read_settings
from pbx import __version__
from pbx.errors import StartError
from pbx.locale import choose

SYSTEM_SOCKET = Path("/run/minisipserver/control.sock")
"""Where the systemd unit has it."""

SETTINGS = "hardware.toml"

TEST_S = 3.0
"""How long ``--test-led`` shows each pattern."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the agent until SIGTERM or SIGINT; return the exit code."""
    choose("")
    try:
        arguments = _arguments(argv)
        folder = arguments.data_dir or _data_folder()
        settings = read_settings(folder / SETTINGS)
        if settings.language:
            choose(settings.language)
        # systemd's journal has the time of each line by itself.
        logging.basicConfig(level=logging.INFO, format="%(levelname)-7s %(message)s")
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        if arguments.test_led:
            asyncio.run(_test_led(settings, folder / SETTINGS))
        else:
            socket = partial(_socket, arguments.socket, arguments.data_dir)
            asyncio.run(_run(settings, socket))
    except StartError as error:
        return _fail(error.sentence, error.exit_code)
    except KeyboardInterrupt:
        return 130
    except BaseExceptionGroup as group:
        return _fail(say("unexpected", why=repr(group.exceptions[0])), os.EX_SOFTWARE)
    except Exception as error:
        return _fail(say("unexpected", why=repr(error)), os.EX_SOFTWARE)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="minisipserver-hw", description=say("about"))
    version = f"miniSIPServer {__version__}"
    parser.add_argument("--version", action="version", version=version, help=say("help-version"))
    parser.add_argument("--data-dir", type=Path, default=None, help=say("help-data-dir"))
    parser.add_argument("--socket", type=Path, default=None, help=say("help-socket"))
    parser.add_argument("--test-led", action="store_true", help=say("help-test-led"))
    return parser.parse_args(argv)


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"minisipserver-hw: {sentence}\n")
    return code


def _data_folder() -> Path:
    named = os.environ.get("MINISIP_DATA")
    return Path(named) if named else Path("~/.minisipserver").expanduser()


def _socket(named: Path | None, folder: Path | None) -> Path:
    """Return the control socket: the one named, the data folder's, or where it usually is.

    Looked up at each connection: the agent starts before the exchange has made its socket.
    """
    if named is not None:
        return named
    if folder is not None:
        return folder / "control.sock"
    if os.environ.get("MINISIP_SOCKET"):
        return Path(os.environ["MINISIP_SOCKET"])
    if os.environ.get("MINISIP_DATA") or not SYSTEM_SOCKET.exists():
        return _data_folder() / "control.sock"
    return SYSTEM_SOCKET


async def _run(settings: Settings, socket: Callable[[], Path]) -> None:
    # Imported late: --version and a bad configuration answer at once.
    from hw.agent import Agent
    from hw.board import Board

    await Agent(settings, socket, Board()).run()


async def _test_led(settings: Settings, path: Path) -> None:
    """Show every pattern of the lamp with its name.

    Raises:
        StartError: there is no lamp.
    """
    from hw.agent import open_lamp
    from hw.patterns import PATTERNS
    from hw.pins import NoPins

    if not settings.led_pins:
        raise StartError(say("no-lamp-set", path=path), os.EX_UNAVAILABLE)
    try:
        # Whoever asks for it at night wants to see it.
        lamp = open_lamp(msgspec.structs.replace(settings, night=""))
    except NoPins as error:
        raise StartError(say("no-lamp", why=error), os.EX_UNAVAILABLE) from error
    shining = asyncio.create_task(lamp.run())
    try:
        for state, pattern in PATTERNS.items():
            meaning = say(f"state-{state.value}")
            sys.stdout.write(say("showing", name=state.value, meaning=meaning) + "\n")
            sys.stdout.flush()
            lamp.base(pattern)
            await asyncio.sleep(TEST_S)
    finally:
        shining.cancel()
        lamp.close()


if __name__ == "__main__":
    sys.exit(main())
