"""The commands of `minisip`, each a client of the control API.

The texts are in the language that the environment names when the program starts.
"""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from pbx.api.client import Client, CommandError, ExchangeUnreachable
from pbx.api.schema import NewUser
from tui import (
    callback_commands,
    configuration_commands,
    plan_commands,
    program,
    recording_commands,
    report,
    room_commands,
    terminal,
)
from tui.asking import Json, ask, given_secret, refused, show
from tui.doctor_command import doctor
from tui.line_commands import EXTERNAL_LINE, SIP_TRUNK, line_commands
from tui.locale import say, translate
from tui.places import socket_path
from tui.program import EX_USAGE
from tui.route_command import route
from tui.update.command import exit_code, look, update
from tui.update.command import show as show_update
from tui.update.package_file import refuse
from tui.update.steps import STORE, Store
from tui.usage import TranslatedCommand, TranslatedGroup, assignments

POLL_S = 0.1

EX_FAILED = 1

HEALTH_CODES = {"ready": 0, "attention": 1, "failed": 2}
"""What Nagios, Icinga and others take for OK, warning and critical."""

EX_UNAVAILABLE = 69
EX_NOPERM = 77

Number = Annotated[str, typer.Argument(metavar=say("metavar-number"), help=say("help-number"))]
Password = Annotated[
    str | None,
    typer.Option(metavar=say("metavar-password"), help=say("help-password"), show_default=False),
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
user_app = typer.Typer(
    cls=TranslatedGroup,
    help=say("help-user"),
    no_args_is_help=True,
    options_metavar=say("metavar-options"),
    subcommand_metavar=say("metavar-command"),
)
app.add_typer(user_app, name="user")
app.add_typer(line_commands(EXTERNAL_LINE), name="line")
app.add_typer(line_commands(SIP_TRUNK), name="trunk")
app.add_typer(plan_commands.app, name="plan")
app.add_typer(configuration_commands.app, name="configuration")
app.add_typer(callback_commands.app, name="callback")
app.add_typer(recording_commands.app, name="recordings")
app.add_typer(room_commands.app, name="room")
app.command("rooms", help=say("help-rooms"), cls=TranslatedCommand)(room_commands.rooms)
app.command("route", help=say("help-route"), cls=TranslatedCommand)(route)


def run() -> int:
    """Run the command line and return the exit code; whatever happens is told in one sentence."""
    return program.run(app, "minisip", _refusal)


def _refusal(error: Exception) -> tuple[str, int] | None:
    """Return the sentence and the exit code for what the exchange, or its absence, refused."""
    if isinstance(error, ExchangeUnreachable):
        forbidden = error.key == "exchange-forbidden"
        return say(error.key, path=error.path), EX_NOPERM if forbidden else EX_UNAVAILABLE
    if isinstance(error, CommandError):
        return translate(error), EX_FAILED
    return None


@app.callback()
def _options(
    ctx: typer.Context,
    socket: Annotated[
        Path | None,
        typer.Option(metavar=say("metavar-path"), help=say("help-socket"), show_default=False),
    ] = None,
    version: program.Version = False,
) -> None:
    ctx.obj = socket
    if ctx.invoked_subcommand is None:
        _console(ctx)


def _console(ctx: typer.Context) -> None:
    """Show the full-screen console; where there is no room for it, the help."""
    if not terminal.can_show_full_screen():
        typer.echo(ctx.get_help())
        raise typer.Exit(EX_USAGE)
    # Only here: the other commands are done before Textual would be loaded.
    from tui.app import run_console

    run_console(socket_path(ctx.obj))


@app.command(help=say("help-status"), cls=TranslatedCommand)
def status(ctx: typer.Context, json: Json = False) -> None:
    """Show how the exchange is, and what wants looking at."""
    show(ask(ctx, Client.status), json, report.show_status)
    if not json:
        report.show_problems(ask(ctx, Client.health))


@app.command(help=say("help-health"), cls=TranslatedCommand)
def health(ctx: typer.Context, json: Json = False) -> None:
    """Tell what wants looking at; the exit code is a monitoring plug-in's."""
    found = ask(ctx, Client.health)
    show(found, json, report.show_health)
    raise typer.Exit(HEALTH_CODES.get(found.state, HEALTH_CODES["failed"]))


@app.command(help=say("help-users"), cls=TranslatedCommand)
def users(ctx: typer.Context, json: Json = False) -> None:
    """List the users and their phones."""
    show(ask(ctx, Client.users), json, report.show_users)


@app.command(help=say("help-calls"), cls=TranslatedCommand)
def calls(ctx: typer.Context, json: Json = False) -> None:
    """List the running calls."""
    show(ask(ctx, Client.calls), json, report.show_calls)


@app.command(help=say("help-hangup"), cls=TranslatedCommand)
def hangup(
    ctx: typer.Context,
    call: Annotated[str, typer.Argument(metavar=say("metavar-call"), help=say("help-call"))],
    json: Json = False,
) -> None:
    """End a call."""
    ask(ctx, lambda client: client.hangup(call))
    show(None, json, lambda _: report.show_sentence(say("call-ended", call=call)))


@app.command(help=say("help-record"), cls=TranslatedCommand)
def record(
    ctx: typer.Context,
    call: Annotated[str, typer.Argument(metavar=say("metavar-call"), help=say("help-call"))],
    stop: Annotated[bool, typer.Option("--stop", metavar="", help=say("help-record-stop"))] = False,
    stereo: Annotated[
        bool, typer.Option("--stereo", metavar="", help=say("help-record-stereo"))
    ] = False,
    json: Json = False,
) -> None:
    """Record a call, or end its recording."""
    if stop:
        ask(ctx, lambda client: client.stop_recording(call))
        show(None, json, lambda _: report.show_sentence(say("recording-ended", call=call)))
        return
    recording = ask(ctx, lambda client: client.record(call, stereo=stereo))
    sentence = say("recording-begun", call=call, file=recording.file)
    show(recording, json, lambda _: report.show_sentence(sentence))


@app.command(help=say("help-welcome"), cls=TranslatedCommand)
def welcome(
    ctx: typer.Context,
    wait: Annotated[
        float,
        typer.Option(
            metavar=say("metavar-seconds"), help=say("help-wait"), min=0, show_default=False
        ),
    ] = 0,
    json: Json = False,
) -> None:
    """Show how to register the first phones."""
    deadline = time.monotonic() + wait
    while True:
        try:
            answer = ask(ctx, Client.welcome)
            break
        except ExchangeUnreachable as error:
            if error.key == "exchange-forbidden" or time.monotonic() >= deadline:
                raise
        time.sleep(POLL_S)
    show(answer, json, report.show_welcome)


@app.command("update", help=say("help-update"), cls=TranslatedCommand)
def update_program(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar=say("metavar-file"), help=say("help-update-file"))
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", metavar="", help=say("help-update-status"))
    ] = False,
    json: Json = False,
) -> int:
    """Install another version of the program."""
    store = Store(STORE)
    if status:
        job = look(store)
        show(job, json, show_update)
        return exit_code(job)
    if file is None:
        raise refuse("update-no-file")
    asked = str(ctx.obj or os.environ.get("MINISIP_SOCKET", ""))
    command = str(Path(sys.argv[0]).absolute())
    return update(store, file, socket_path(ctx.obj), asked, [command, *sys.argv[1:]])


app.command("doctor", help=say("help-doctor"), cls=TranslatedCommand)(doctor)


@user_app.command("add", help=say("help-user-add"), cls=TranslatedCommand)
def add_user(
    ctx: typer.Context,
    number: Number,
    password: Password = None,
    name: Annotated[
        str, typer.Option(metavar=say("metavar-name"), help=say("help-name"), show_default=False)
    ] = "",
    json: Json = False,
) -> None:
    """Add a user."""
    secret = given_secret(password)
    show(
        ask(ctx, lambda client: client.add_user(number, secret, name)),
        json,
        lambda user: _show_user("user-added", user),
    )


@user_app.command("remove", help=say("help-user-remove"), cls=TranslatedCommand)
def remove_user(ctx: typer.Context, number: Number, json: Json = False) -> None:
    """Remove a user."""
    ask(ctx, lambda client: client.remove_user(number))
    show(None, json, lambda _: report.show_sentence(say("user-removed", number=number)))


@user_app.command("password", help=say("help-user-password"), cls=TranslatedCommand)
def set_password(
    ctx: typer.Context, number: Number, password: Password = None, json: Json = False
) -> None:
    """Give a user another password."""
    secret = given_secret(password)
    show(
        ask(ctx, lambda client: client.set_password(number, secret)),
        json,
        lambda user: _show_user("user-password", user),
    )


@user_app.command("algorithm", help=say("help-user-algorithm"), cls=TranslatedCommand)
def set_algorithm(
    ctx: typer.Context,
    number: Number,
    algorithm: Annotated[
        str, typer.Argument(metavar=say("metavar-algorithm"), help=say("help-algorithm"))
    ],
    json: Json = False,
) -> None:
    """Choose how a user proves its password."""
    ask(ctx, lambda client: client.set_algorithm(number, algorithm))
    sentence = say("user-algorithm", number=number, algorithm=algorithm)
    show(None, json, lambda _: report.show_sentence(sentence))


@user_app.command("show", help=say("help-user-show"), cls=TranslatedCommand)
def show_rights(ctx: typer.Context, number: Number, json: Json = False) -> None:
    """Show what a user may do."""
    user = next((one for one in ask(ctx, Client.users) if one.number == number), None)
    if user is None:
        raise refused("unknown-user", number=number)
    show(user, json, report.show_rights)


@user_app.command("set", help=say("help-user-set"), cls=TranslatedCommand)
def set_rights(
    ctx: typer.Context,
    number: Number,
    rights: Annotated[
        list[str],
        typer.Argument(metavar=say("metavar-assignments"), help=say("help-user-rights")),
    ],
    json: Json = False,
) -> None:
    """Change what a user may do."""
    given = assignments(rights)
    ask(ctx, lambda client: client.set_user(number, given))
    show(None, json, lambda _: report.show_sentence(say("user-set", number=number)))


def _show_user(key: str, user: NewUser) -> None:
    report.show_sentence(say(key, number=user.number, password=user.password))
