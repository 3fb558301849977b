"""`minisipserver-cli`: the exchange as a foreground program."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older one is told so
    # Before anything is imported that such a Python can't import.
    from pbx.ops.old_python import refuse_python

    refuse_python("minisipserver-cli")

import argparse
import asyncio
import gc
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from pbx import __version__
from pbx.config.data_folder import DEFAULT_FOLDER
from pbx.config.settings import ServiceSettings, Settings, read_settings
from pbx.errors import StartError
from pbx.locale import choose, say
from pbx.media.tones import countries
from pbx.ops.log import log_to_stderr
from pbx.ops.machine import this_machine

log = logging.getLogger(__name__)

SETTINGS_NAME = "minisip.toml"
"""Of the settings file in the data folder."""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="minisipserver-cli", description=say("daemon-about"))
    parser.add_argument("--version", action="version", version=f"miniSIPServer {__version__}")
    parser.add_argument("--data-dir", type=Path, default=None, help=say("help-data-dir"))
    parser.add_argument("--config", type=Path, default=None, help=say("help-config"))
    parser.add_argument("--check-config", action="store_true", help=say("help-check-config"))
    parser.add_argument("--verbose", action="store_true", help=say("help-verbose"))
    return parser.parse_args(argv)


def _settings(config: Path | None, folder: Path) -> Settings:
    """The settings of the file asked for, else of the data folder's, else the defaults."""
    if config is not None:
        return read_settings(config)
    usual = folder / SETTINGS_NAME
    try:
        there = usual.exists()
    except OSError:
        # The folder can't be looked into: reading says why.
        there = True
    return read_settings(usual) if there else Settings()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the exchange until SIGTERM or SIGINT; return the exit code."""
    choose("")
    try:
        arguments = _arguments(argv)
        machine = this_machine()
        machine.check()
        folder = arguments.data_dir or DEFAULT_FOLDER
        settings = _settings(arguments.config, folder)
        if settings.language:
            choose(settings.language)
        if arguments.check_config:
            _check_services(settings.services, arguments.config or folder / SETTINGS_NAME)
            sys.stdout.write(say("config-good") + "\n")
            return 0
        log_to_stderr(os.environ, verbose=arguments.verbose)
        log.info("miniSIPServer %s on %s", __version__, machine)
        for setting, number in settings.services.refused.items():
            log.warning("%s is off: %s is an emergency number in every country", setting, number)
        if settings.media.country not in ("", *countries()):
            log.warning(
                "media.country: the tones of %s are not known; those that E.180 recommends are played",
                settings.media.country,
            )
        return _run(folder, settings)
    except StartError as error:
        sys.stderr.write(f"minisipserver-cli: {error.sentence}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _check_services(services: ServiceSettings, path: Path) -> None:
    """Refuse new settings for what is no reason to stop an exchange that has them: see `refused`."""
    for setting, number in services.refused.items():
        why = say("setting-service-emergency", setting=setting, value=number)
        raise StartError(say("bad-settings", path=path, why=why), os.EX_CONFIG)


def _run(folder: Path, settings: Settings) -> int:
    # Imported late: --version and a bad configuration answer at once.
    from pbx.app import App

    # What has been imported stays for ever: looking through it would keep calls waiting.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(App(folder, settings).run())
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop takes a fifth of asyncio's time for a datagram; without it all works the same."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    sys.exit(main())
