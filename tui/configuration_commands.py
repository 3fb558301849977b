"""`minisip configuration`: configurations that gave way to another one."""

from typing import Annotated

import typer

from pbx.api.client import Client
from pbx.api.schema import ReplacedConfiguration
from tui import report
from tui.asking import Json, ask, show
from tui.clean import clean
from tui.locale import say
from tui.usage import TranslatedCommand, TranslatedGroup

app = typer.Typer(
    cls=TranslatedGroup,
    help=say("help-configuration"),
    no_args_is_help=True,
    options_metavar=say("metavar-options"),
    subcommand_metavar=say("metavar-command"),
)

Number = Annotated[
    str,
    typer.Argument(metavar=say("metavar-configuration"), help=say("help-configuration-number")),
]


@app.command("show", help=say("help-configuration-show"), cls=TranslatedCommand)
def show_replaced(ctx: typer.Context, json: Json = False) -> None:
    """Show which are kept, and what is in them."""
    show(ask(ctx, Client.configurations), json, _show)


@app.command("restore", help=say("help-configuration-restore"), cls=TranslatedCommand)
def restore(ctx: typer.Context, number: Number, json: Json = False) -> None:
    """Take one into use."""
    ask(ctx, lambda client: client.restore_configuration(number))
    _done(json, say("configuration-restored", number=number))


@app.command("discard", help=say("help-configuration-discard"), cls=TranslatedCommand)
def discard(ctx: typer.Context, number: Number, json: Json = False) -> None:
    """Keep one no more."""
    ask(ctx, lambda client: client.discard_configuration(number))
    _done(json, say("configuration-discarded", number=number))


def _done(json: bool, sentence: str) -> None:
    show(None, json, lambda _: report.show_sentence(sentence))


def _show(found: list[ReplacedConfiguration]) -> None:
    if not found:
        report.show_sentence(say("no-configurations"))
        return
    rows = report.table("column-configuration", "column-replaced", "column-users", "column-lines")
    for one in found:
        rows.add_row(
            str(one.number),
            report.moment(one.replaced),
            clean(", ".join(one.users)),
            clean(", ".join(one.lines)),
        )
    report.console().print(rows)
