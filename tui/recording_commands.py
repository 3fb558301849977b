"""`minisip recordings`: the files of recorded calls."""

import datetime
from typing import Annotated

import typer
from rich.text import Text

from pbx.api.client import Client
from pbx.api.schema import RecordedCall, Recordings, RemovedRecordings
from tui import report
from tui.asking import Json, ask, refused, show
from tui.clean import clean
from tui.locale import say
from tui.minicdr.moments import read_day
from tui.usage import TranslatedCommand, TranslatedGroup

MOST = 50
"""How many are shown where nobody asks for more."""

MEGABYTE = 1_000_000

app = typer.Typer(
    cls=TranslatedGroup,
    help=say("help-recordings"),
    invoke_without_command=True,
    options_metavar=say("metavar-options"),
    subcommand_metavar=say("metavar-command"),
)


@app.callback()
def list_recordings(
    ctx: typer.Context,
    day: Annotated[
        str, typer.Option(metavar=say("metavar-day"), help=say("help-recordings-day"))
    ] = "",
    number: Annotated[
        str, typer.Option(metavar=say("metavar-number"), help=say("help-recordings-number"))
    ] = "",
    most: Annotated[
        int, typer.Option(metavar=say("metavar-count"), help=say("help-recordings-most"), min=0)
    ] = MOST,
    json: Json = False,
) -> None:
    """List the recordings, the newest first."""
    if ctx.invoked_subcommand is not None:
        return
    wanted = _day(day)
    show(
        ask(ctx, lambda client: client.recordings(day=wanted, number=number, most=most or None)),
        json,
        _show,
    )


@app.command("remove", help=say("help-recordings-remove"), cls=TranslatedCommand)
def remove(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar=say("metavar-file"), help=say("help-recordings-file"))
    ] = "",
    before: Annotated[
        str, typer.Option(metavar=say("metavar-day"), help=say("help-recordings-before"))
    ] = "",
    json: Json = False,
) -> None:
    """Remove a recording, or those of all days before one."""
    if bool(file) == bool(before):
        raise typer.BadParameter(say("usage-recordings"))
    day = _day(before)

    def removed(client: Client) -> RemovedRecordings:
        return client.remove_recordings_before(day) if day else client.remove_recording(file)

    show(ask(ctx, removed), json, _tell)


def _day(text: str) -> str:
    """Return a day that a person has typed as the exchange has it; empty where none was typed.

    Raises:
        CommandError: it is none.
    """
    if not text:
        return ""
    try:
        day = read_day(text.strip(), datetime.datetime.now().astimezone().date())
    except ValueError:
        day = None
    if day is None:
        raise refused("bad-day")
    return f"{day:%Y%m%d}"


def _size(octets: int) -> str:
    return f"{octets / MEGABYTE:.1f} MB"


def _tell(removed: RemovedRecordings) -> None:
    report.show_sentence(say("recordings-removed", count=removed.count, size=_size(removed.octets)))


def _show(recordings: Recordings) -> None:
    out = report.console()
    values = {"total": recordings.total, "size": _size(recordings.octets)}
    folder = clean(recordings.folder)
    if not recordings.files:
        out.print(say("no-recordings", folder=folder), soft_wrap=True)
        return
    rows = report.table(
        "column-since",
        "column-caller",
        "column-called",
        "column-length",
        "column-size",
        "column-file",
    )
    for one in recordings.files:
        rows.add_row(
            report.moment(one.begun),
            clean(one.caller),
            clean(one.called),
            _length(one),
            _size(one.octets),
            clean(one.file),
        )
    out.print(rows)
    shown = len(recordings.files)
    out.print(say("recordings-count", shown=shown, folder=folder, **values), soft_wrap=True)


def _length(one: RecordedCall) -> Text:
    length = Text(report.duration(one.seconds))
    return length.append(f", {say('call-recorded')}") if one.running else length
