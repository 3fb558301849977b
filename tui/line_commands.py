"""`minisip line` and `minisip trunk`: the ways to the telephone network.

A password is never among the arguments, which everybody on the machine can read.
"""

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from pbx.api.client import Client, CommandError
from pbx.api.schema import Line, Profile
from tui import report
from tui.asking import Json, ask, read_secret, refused, show
from tui.destination import and_whose
from tui.line_report import show_line, show_lines, show_options
from tui.locale import say
from tui.profile_asking import answers
from tui.profile_report import COMMANDS, show_profile, show_profiles
from tui.usage import TranslatedCommand, TranslatedGroup, assignments

EXTERNAL_LINE, SIP_TRUNK = "external-line", "sip-trunk"

PASSWORD_VARIABLE = "MINISIP_LINE_PASSWORD"
"""The environment variable that has a line's password, for programs."""

Name = Annotated[str, typer.Argument(metavar=say("metavar-name"), help=say("help-line-name"))]
Options = Annotated[
    list[str] | None,
    typer.Argument(metavar=say("metavar-assignments"), help=say("help-line-options")),
]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar=say("metavar-profile"),
        help=say("help-line-profile"),
        show_default=False,
    ),
]
Secret = Annotated[bool, typer.Option("--password", metavar="", help=say("help-line-password"))]


def line_commands(kind: str) -> typer.Typer:
    """Return the commands for external lines, or those for SIP trunks."""
    what = say(f"what-{kind}")
    app = typer.Typer(
        cls=TranslatedGroup,
        help=say("help-line", what=what),
        no_args_is_help=True,
        options_metavar=say("metavar-options"),
        subcommand_metavar=say("metavar-command"),
    )

    @app.command("list", help=say("help-line-list"), cls=TranslatedCommand)
    def show_all(ctx: typer.Context, json: Json = False) -> None:
        lines = [one for one in ask(ctx, Client.lines) if one.kind == kind]
        show(lines, json, show_lines)

    @app.command("show", help=say("help-line-show"), cls=TranslatedCommand)
    def show_one(
        ctx: typer.Context,
        name: Name,
        everything: Annotated[
            bool, typer.Option("--all", metavar="", help=say("help-line-all"))
        ] = False,
        json: Json = False,
    ) -> None:
        line = _line(ctx, name, kind)
        show(line, json, lambda found: show_line(found, everything=everything))

    @app.command("add", help=say(f"help-{kind}-add"), cls=TranslatedCommand)
    def add(
        ctx: typer.Context,
        name: Name,
        options: Options = None,
        profile: ProfileName = "",
        password: Secret = False,
        json: Json = False,
    ) -> None:
        given = {**_options(options or [], password), "kind": kind}
        made = kind
        if profile:
            known = _profile(ctx, profile)
            # Nobody needs to know which of the two it takes with a provider; a trunk is asked for.
            made = known.kind
            if kind == SIP_TRUNK:
                _check_kind(profile, made, kind)
            given = answers(known, given) | {"profile": profile}
        ask(ctx, lambda client: client.add_line(name, given))
        if made != kind:
            sentence = say("line-added-as", name=name, **_way(made))
            _done(json, and_whose(ctx, sentence, str(given.get("destination", ""))))
            return
        secret = given.get("password") or kind != EXTERNAL_LINE
        sentence = say("line-added" if secret else "line-without-password", name=name)
        _done(json, and_whose(ctx, sentence, str(given.get("destination", ""))))

    @app.command("profiles", help=say("help-line-profiles"), cls=TranslatedCommand)
    def providers(
        ctx: typer.Context,
        name: Annotated[
            str, typer.Argument(metavar=say("metavar-profile"), help=say("help-profile-name"))
        ] = "",
        json: Json = False,
    ) -> None:
        if not name:
            found = ask(ctx, Client.profiles)
            wanted = [one for one in found if kind in (EXTERNAL_LINE, one.kind)]
            show(wanted, json, show_profiles)
            return
        show(_profile(ctx, name), json, show_profile)

    @app.command("options", help=say("help-line-options-list"), cls=TranslatedCommand)
    def explain() -> None:
        show_options()

    @app.command("set", help=say("help-line-set"), cls=TranslatedCommand)
    def change(
        ctx: typer.Context,
        name: Name,
        options: Options = None,
        password: Secret = False,
        json: Json = False,
    ) -> None:
        given = _options(options or [], password)
        if not given:
            raise typer.BadParameter(say("usage-nothing"))
        _line(ctx, name, kind)
        ask(ctx, lambda client: client.set_line(name, given))
        _done(json, and_whose(ctx, say("line-set", name=name), str(given.get("destination", ""))))

    @app.command("remove", help=say("help-line-remove"), cls=TranslatedCommand)
    def remove(ctx: typer.Context, name: Name, json: Json = False) -> None:
        _line(ctx, name, kind)
        ask(ctx, lambda client: client.remove_line(name))
        _done(json, say("line-removed", name=name))

    @app.command("enable", help=say("help-line-enable"), cls=TranslatedCommand)
    def enable(ctx: typer.Context, name: Name, json: Json = False) -> None:
        _line(ctx, name, kind)
        ask(ctx, lambda client: client.set_line(name, {"enabled": True}))
        _done(json, say("line-enabled", name=name))

    @app.command("disable", help=say("help-line-disable"), cls=TranslatedCommand)
    def disable(ctx: typer.Context, name: Name, json: Json = False) -> None:
        _line(ctx, name, kind)
        ask(ctx, lambda client: client.set_line(name, {"enabled": False}))
        _done(json, say("line-disabled", name=name))

    return app


def _line(ctx: typer.Context, name: str, kind: str) -> Line:
    """Return the line of that name; what is of the other kind has commands of its own."""
    for line in ask(ctx, Client.lines):
        if line.name == name:
            _check_kind(name, line.kind, kind)
            return line
    if kind == SIP_TRUNK:
        raise CommandError("unknown-trunk", say("unknown-trunk", name=name))
    raise refused("unknown-line", name=name)


def _check_kind(name: str, is_kind: str, kind: str) -> None:
    if is_kind != kind:
        raise CommandError("other-kind", say("other-kind", name=name, **_way(is_kind)))


def _way(kind: str) -> dict[str, str]:
    """What a sentence says of a kind: what it is, and which command is for it."""
    return {"what": say(f"what-{kind}"), "command": COMMANDS[kind]}


def _profile(ctx: typer.Context, name: str) -> Profile:
    for profile in ask(ctx, Client.profiles):
        if profile.name == name:
            return profile
    raise refused("profile-unknown", name=name)


def _options(texts: Sequence[str], password: bool) -> dict[str, object]:
    """The options that are given, the password read from where nobody sees it."""
    given: dict[str, object] = dict(assignments(texts))
    if "kind" in given:
        raise typer.BadParameter(say("usage-kind"))
    if "password" in given:
        raise typer.BadParameter(say("usage-line-password", variable=PASSWORD_VARIABLE))
    if password:
        stored = os.environ.get(PASSWORD_VARIABLE)
        given["password"] = read_secret() if stored is None else stored
    return given


def _done(json: bool, sentence: str) -> None:
    show(None, json, lambda _: report.show_sentence(sentence))
