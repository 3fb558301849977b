"""`minisip doctor`: a line is examined, and what is found appears as it is found."""

from contextlib import suppress
from typing import Annotated

import typer

from pbx.api.client import Client, CommandError, ExchangeUnreachable
from pbx.api.schema import Examination
from tui import program, report
from tui.asking import Json, refused
from tui.doctor_report import show_end, show_findings
from tui.locale import say
from tui.places import socket_path

EX_WRONG = 1
"""Something is wrong with the line."""

Line = Annotated[str, typer.Argument(metavar=say("metavar-name"), help=say("help-line-name"))]
Number = Annotated[
    str | None,
    typer.Option(
        "--call",
        metavar=say("metavar-call-number"),
        help=say("help-doctor-call"),
        show_default=False,
    ),
]


def doctor(ctx: typer.Context, name: Line, call: Number = None, json: Json = False) -> None:
    """Examine a line."""
    if call == "":
        raise refused("bad-call-number", number="")
    with Client(socket_path(ctx.obj)) as client:
        found = client.examine(name, call or "")
        if not json:
            report.show_sentence(say("doctor-title", line=name))
        try:
            found = _follow(client, found, quiet=json)
        except KeyboardInterrupt:
            # Its call must not go on ringing; where the exchange has gone, it doesn't.
            with (
                suppress(CommandError, ExchangeUnreachable, OSError),
                Client(socket_path(ctx.obj)) as other,
            ):
                other.stop_examination(found)
            raise
    if json:
        program.print_json(found)
    else:
        show_end(found)
    bad = any(one.mark == "bad" for one in found.findings)
    raise typer.Exit(EX_WRONG if bad else 0)


def _follow(client: Client, found: Examination, *, quiet: bool) -> Examination:
    """Show what is found until the doctor is done."""
    shown = 0
    while True:
        if not quiet:
            show_findings(found.findings[shown:])
        shown = len(found.findings)
        if found.done:
            return found
        found = client.more_of(found)
