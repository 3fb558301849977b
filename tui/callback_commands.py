"""`minisip callback`: the call-back service, and its settings."""

from typing import Annotated

import typer

from pbx.api.client import Client
from pbx.api.schema import CallBack
from tui import report
from tui.asking import Json, ask, show
from tui.clean import clean
from tui.locale import say
from tui.usage import TranslatedCommand, TranslatedGroup, assignments

app = typer.Typer(
    cls=TranslatedGroup,
    help=say("help-callback"),
    no_args_is_help=True,
    options_metavar=say("metavar-options"),
    subcommand_metavar=say("metavar-command"),
)


@app.command("show", help=say("help-callback-show"), cls=TranslatedCommand)
def show_callback(ctx: typer.Context, json: Json = False) -> None:
    """Show its settings, and what it does."""
    show(ask(ctx, Client.callback), json, _show)


@app.command("set", help=say("help-callback-set"), cls=TranslatedCommand)
def change(
    ctx: typer.Context,
    values: Annotated[
        list[str],
        typer.Argument(metavar=say("metavar-assignments"), help=say("help-callback-values")),
    ],
    json: Json = False,
) -> None:
    """Give it other settings, at once."""
    given = assignments(values)
    ask(ctx, lambda client: client.set_callback(given))
    show(ask(ctx, Client.callback), json, _show)


def _show(callback: CallBack) -> None:
    out = report.console()
    out.print(
        report.callback_sentence(callback), style="" if callback.application_server else "bold"
    )
    settings = {
        name: clean(str(getattr(callback, name)))
        for name in ("port", "application_server", "caller", "call_level", "most")
    }
    report.print_pairs(out, [*settings.items()])
    counts = {
        name: getattr(callback, name)
        for name in ("requests", "repeated", "refused", "garbage", "foreign")
    }
    out.print(say("callback-counts", **counts), soft_wrap=True)
