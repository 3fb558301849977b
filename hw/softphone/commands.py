"""The command line of `minisipphone`."""

import asyncio
import ipaddress
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from hw.softphone.account import Account
from hw.softphone.card import choose_sound
from hw.softphone.happenings import Happening
from hw.softphone.keys import KEYS
from hw.softphone.locale import say
from hw.softphone.network import split_host
from hw.softphone.phone import Phone, target_of
from hw.softphone.scripted import Plan, Script, print_line
from hw.softphone.settings import (
    Asked,
    Saved,
    account_of,
    ask_password,
    checked_account,
    given_password,
    read_saved,
    save,
    settings_path,
)
from hw.softphone.sound import FileEnds, Sound
from pbx.errors import StartError
from pbx.sip.flow import Address
from tui import program
from tui.places import socket_path
from tui.terminal import can_show_full_screen
from tui.usage import TranslatedCommand, TranslatedGroup

Server = Annotated[
    str,
    typer.Option(metavar=say("metavar-server"), help=say("help-server"), show_default=False),
]
User = Annotated[
    str, typer.Option(metavar=say("metavar-user"), help=say("help-user"), show_default=False)
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(metavar=say("metavar-file"), help=say("help-password-file"), show_default=False),
]
Listen = Annotated[
    str,
    typer.Option(metavar=say("metavar-address"), help=say("help-listen"), show_default=False),
]
Play = Annotated[
    Path | None,
    typer.Option(metavar=say("metavar-file"), help=say("help-play"), show_default=False),
]
Record = Annotated[
    Path | None,
    typer.Option(metavar=say("metavar-file"), help=say("help-record"), show_default=False),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        metavar=say("metavar-seconds"), help=say("help-seconds"), min=0, show_default=False
    ),
]
Keys = Annotated[
    str, typer.Option(metavar=say("metavar-keys"), help=say("help-keys"), show_default=False)
]

app = typer.Typer(
    cls=TranslatedGroup,
    help=say("about"),
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    options_metavar=say("metavar-options"),
    subcommand_metavar=say("metavar-command"),
)


def run() -> int:
    """Run the command line and return the exit code; whatever happens is told in one sentence."""
    return program.run(app, "minisipphone", _refusal)


def _refusal(error: Exception) -> tuple[str, int] | None:
    """Return the sentence and the exit code for what keeps the telephone from starting."""
    if isinstance(error, StartError):
        return error.sentence, error.exit_code
    if isinstance(error, OSError):
        # What is written has its own sentences: this is the network, or a sound card.
        return say("unexpected", why=repr(error)), os.EX_SOFTWARE
    return None


@app.callback()
def _options(
    ctx: typer.Context,
    play: Play = None,
    record: Record = None,
    server: Server = "",
    user: User = "",
    password_file: PasswordFile = None,
    listen: Listen = "",
    version: program.Version = False,
) -> None:
    if ctx.invoked_subcommand is not None:
        return
    if not can_show_full_screen():
        raise StartError(say("too-small"), os.EX_USAGE)
    own = _listen_address(listen)
    account = account_of(Asked(server, user, password_file), socket_path(None))
    sounds: list[Sound] = []

    async def open_phone(
        tell: Callable[[Happening], None], complain: Callable[[str], None]
    ) -> Phone:
        sounds.append(_sound(play, record, complain))
        return await Phone.open(account, sounds[0], tell, listen=own)

    # Only here: the commands are done before Textual would be loaded.
    from hw.softphone.screen import run_screen

    try:
        run_screen(open_phone, account.address.partition(":")[2])
    finally:
        for sound in sounds:
            sound.close()
    _leave(sounds[0], 0)


@app.command("call", help=say("help-call"), cls=TranslatedCommand)
def call_number(
    number: Annotated[str, typer.Argument(metavar=say("metavar-number"), help=say("help-number"))],
    play: Play = None,
    record: Record = None,
    seconds: Seconds = None,
    keys: Keys = "",
    server: Server = "",
    user: User = "",
    password_file: PasswordFile = None,
    listen: Listen = "",
) -> int:
    """Call a number."""
    plan = Plan(seconds=seconds, keys=_checked_keys(keys))
    asked = Asked(server, user, password_file)
    own = _listen_address(listen)
    direct = _direct(number, asked)
    account = None if direct is not None else account_of(asked, socket_path(None))
    # A mistake in the number is told before anything is opened for it.
    target_of(number, account)
    sound = _sound(play, record, _complain)

    async def work() -> int:
        script = Script(plan, print_line)
        phone = await Phone.open(
            account, sound, script.tell, listen=own, towards=direct, user=user or "phone"
        )
        try:
            return await script.place(phone, number)
        finally:
            await phone.close()

    return _run(work(), sound)


@app.command("answer", help=say("help-answer"), cls=TranslatedCommand)
def answer_call(
    play: Play = None,
    record: Record = None,
    seconds: Seconds = None,
    keys: Keys = "",
    wait: Annotated[
        float | None,
        typer.Option(
            metavar=say("metavar-seconds"), help=say("help-wait"), min=0, show_default=False
        ),
    ] = None,
    direct: Annotated[bool, typer.Option("--direct", metavar="", help=say("help-direct"))] = False,
    server: Server = "",
    user: User = "",
    password_file: PasswordFile = None,
    listen: Listen = "",
) -> int:
    """Wait for a call and answer it."""
    plan = Plan(seconds=seconds, keys=_checked_keys(keys), wait_s=wait)
    own = _listen_address(listen)
    account = None
    if not direct:
        account = account_of(Asked(server, user, password_file), socket_path(None))
    sound = _sound(play, record, _complain)

    async def work() -> int:
        script = Script(plan, print_line)
        phone = await Phone.open(account, sound, script.tell, listen=own, user=user or "phone")
        try:
            return await script.take(phone, register=account is not None)
        finally:
            await phone.close()

    return _run(work(), sound)


@app.command("setup", help=say("help-setup"), cls=TranslatedCommand)
def set_up(server: Server = "", user: User = "", password_file: PasswordFile = None) -> None:
    """Ask for server, user and password, and keep them."""
    path = settings_path()
    saved = read_saved(path)
    server = server or _prompt("prompt-server", saved.server)
    user = user or _prompt("prompt-user", saved.user)
    password = given_password(Asked(password_file=password_file)) or ask_password(user)
    checked_account(server, user, password)
    save(path, Saved(server, user, password))
    print_line(say("saved", path=path))


def _prompt(key: str, default: str) -> str:
    if not sys.stdin.isatty():
        raise StartError(say("no-terminal"), os.EX_USAGE)
    shown = f" [{default}]" if default else ""
    return input(f"{say(key)}{shown}: ").strip() or default


def _run(work: Coroutine[Any, Any, int], sound: Sound) -> int:
    try:
        code = asyncio.run(work)
    finally:
        sound.close()
    return _leave(sound, code)


def _leave(sound: Sound, code: int) -> int:
    """Return the exit code, where the program can end as programs do."""
    if sound.stuck:
        sys.stdout.flush()
        os._exit(code)
    return code


def _sound(play: Path | None, record: Path | None, trouble: Callable[[str], None]) -> Sound:
    """Return microphone and loudspeaker.

    Args:
        play, record: files in their place.
        trouble: takes a sentence where one is missing, or ends in a call.

    Raises:
        StartError: a file can't be used, or there is neither file nor sound card.
    """
    ends = FileEnds(play, record, trouble)
    try:
        return choose_sound(ends, trouble)
    except BaseException:
        ends.close()
        raise


def _complain(sentence: str) -> None:
    program.tell("minisipphone", sentence)


def _checked_keys(keys: str) -> str:
    if any(key not in KEYS for key in keys.upper()):
        raise StartError(say("bad-keys", keys=keys), os.EX_USAGE)
    return keys


def _listen_address(text: str) -> Address | None:
    if not text:
        return None
    try:
        host, port = split_host(text)
        address = ipaddress.ip_address(host)
    except ValueError:
        raise StartError(say("bad-listen", address=text), os.EX_USAGE) from None
    if address.is_unspecified:
        # What would other phones call? An address must stand in what we send.
        raise StartError(say("bad-listen", address=text), os.EX_USAGE)
    return Address(str(address), port or 0)


def _direct(number: str, asked: Asked) -> tuple[str, int] | None:
    """Return where a call goes that needs no server."""
    if "@" not in number and not number.lower().startswith("sip:"):
        return None
    account: Account | None = None
    server = asked.server or read_saved(settings_path()).server
    if server:
        try:
            account = Account("", "", *split_host(server))
        except ValueError:
            raise StartError(say("bad-server", server=server), os.EX_USAGE) from None
    return target_of(number, account).direct
