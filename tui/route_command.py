"""`minisip route`: where a number would lead, step by step."""

from typing import Annotated

import typer

from pbx.api.schema import RouteTest
from tui import report, route_report
from tui.asking import Json, ask, refused, show
from tui.locale import say


def route(
    ctx: typer.Context,
    caller: Annotated[
        str, typer.Argument(metavar=say("metavar-from"), help=say("help-route-from"))
    ],
    called: Annotated[str, typer.Argument(metavar=say("metavar-to"), help=say("help-route-to"))],
    at: Annotated[
        str | None,
        typer.Option(metavar=say("metavar-time"), help=say("help-route-at"), show_default=False),
    ] = None,
    line: Annotated[
        str,
        typer.Option(metavar=say("metavar-name"), help=say("help-route-line"), show_default=False),
    ] = "",
    json: Json = False,
) -> None:
    """Tell where a number would lead, without a call."""
    if at == "":
        raise refused("bad-time")
    answer = ask(ctx, lambda client: client.route(caller, called, line=line, at=at or ""))

    def in_words(answer: RouteTest) -> None:
        for sentence in route_report.in_words(answer, called, line):
            report.show_sentence(sentence)

    show(answer, json, in_words)
