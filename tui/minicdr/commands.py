"""The commands of `minicdr`.

The texts are in the language that the environment names when the program starts.
"""

import datetime
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx.cdr import totals
from pbx.cdr.archive import Archive
from pbx.cdr.binary import SUFFIX
from pbx.cdr.finding import Complaint
from pbx.cdr.query import Query
from pbx.cdr.reader import Reader
from pbx.cdr.selection import Selection
from pbx.cdr.spread import Workers, spread
from tui import program
from tui.locale import say as say_of_commands
from tui.minicdr import conversion, export, moments, views
from tui.minicdr.locale import say
from tui.places import data_folder
from tui.report import show_sentence
from tui.usage import TranslatedCommand, TranslatedGroup

NAME = "minicdr"

TABLE_LIMIT = 100
"""Calls in a table where nobody says how many."""

EX_FAILED = 1


class _ListFirst(TranslatedGroup):
    """The commands; a line that begins with none of them is one of `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        if not args or args[0] not in (*self.commands, "--help", "--version"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListFirst,
    help=say("about"),
    add_completion=False,
    pretty_exceptions_enable=False,
    options_metavar=say_of_commands("metavar-options"),
    subcommand_metavar=say_of_commands("metavar-command"),
)

Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar=say("metavar-paths"), help=say("help-paths"), show_default=False),
]


def _option(name: str, **more: Any) -> Any:
    """Return a flag, or with a `metavar` an option with a value; its help is ``help-NAME``'s."""
    more = {"metavar": "", "help": say(f"help-{name}"), **more}
    return typer.Option(f"--{name}", show_default=False, **more)


From = Annotated[str | None, _option("from", metavar=say("metavar-time"))]
To = Annotated[str | None, _option("to", metavar=say("metavar-time"))]
User = Annotated[str, _option("user", metavar=say("metavar-number"))]
Number = Annotated[str, _option("number", metavar=say("metavar-part"))]
Causes = Annotated[list[int] | None, _option("cause", metavar=say("metavar-cause"))]
Tags = Annotated[list[int] | None, _option("tag", metavar=say("metavar-tag"))]
Missed = Annotated[bool, _option("missed")]
Answered = Annotated[bool, _option("answered")]
Least = Annotated[float, _option("min-s", metavar=say("metavar-seconds"), min=0)]
Limit = Annotated[int | None, _option("limit", metavar=say("metavar-count"), min=0)]
Json = Annotated[bool, _option("json")]


def run() -> int:
    """Run the command line and return the exit code; whatever happens is told in one sentence."""
    return program.run(app, NAME)


@app.callback()
def _options(
    version: program.Version = False,
) -> None:
    """Look into the call records."""


@app.command("list", help=say("help-list"), cls=TranslatedCommand)
def list_calls(
    paths: Paths = None,
    since: From = None,
    until: To = None,
    user: User = "",
    number: Number = "",
    cause: Causes = None,
    tag: Tags = None,
    missed: Missed = False,
    answered: Answered = False,
    min_s: Least = 0.0,
    limit: Limit = None,
    json: Json = False,
    csv: Annotated[str, _option("csv", metavar=say("metavar-csv"))] = "",
) -> int:
    """List calls."""
    if csv and json:
        raise typer.BadParameter(say("two-outputs"))
    selection = _selection(since, until, user, number, cause, tag, missed, answered, min_s)
    reading = _Reading(paths, selection)
    count = TABLE_LIMIT if limit is None and not (json or csv) else limit or 0
    # one more, to tell that there are more
    calls = reading.calls(most=count + 1 if count else 0)
    if json or csv:
        records = (record for call in islice(calls, count or None) for record in call.records)
        if json:
            for record in records:
                program.print_json(export.as_object(record), indent=0)
        elif (trouble := export.write_csv(csv, (one.values for one in records))) is not None:
            program.tell(NAME, trouble)
            return program.EX_IOERR
    else:
        shown = list(islice(calls, count or None))
        more = count > 0 and next(calls, None) is not None
        if shown or reading.code() == 0:
            views.show_calls(shown, more=more)
    return reading.code()


@app.command(help=say("help-total"), cls=TranslatedCommand)
def total(
    paths: Paths = None,
    by: Annotated[totals.By, _option("by", metavar=say("metavar-by"))] = totals.By.DAY,
    since: From = None,
    until: To = None,
    user: User = "",
    number: Number = "",
    cause: Causes = None,
    tag: Tags = None,
    missed: Missed = False,
    answered: Answered = False,
    min_s: Least = 0.0,
    limit: Annotated[
        int | None,
        _option("limit", metavar=say("metavar-count"), min=0, help=say("help-limit-total")),
    ] = None,
    json: Annotated[bool, _option("json", help=say("help-json-total"))] = False,
) -> int:
    """Add calls up."""
    selection = _selection(since, until, user, number, cause, tag, missed, answered, min_s)
    reading = _Reading(paths, selection)
    rows, everything = reading.totals(by)
    if reading.code() and not everything.calls:
        return reading.code()
    if json:
        shown = islice(rows.items(), limit or None)
        for name, row in [*shown, (None, everything)]:
            program.print_json(export.total_as_object(by, name, row), indent=0)
    else:
        count = TABLE_LIMIT if limit is None else limit
        views.show_totals(by, rows, everything, most=count or len(rows))
    return reading.code()


@app.command(help=say("help-show"), cls=TranslatedCommand)
def show(
    which: Annotated[str, typer.Argument(metavar=say("metavar-which"), help=say("help-which"))],
    paths: Paths = None,
    json: Json = False,
) -> int:
    """Show a call."""
    reading = _Reading(paths, Selection(name=which))
    found = list(reading.calls())
    if json:
        for record in (record for call in found for record in call.records):
            program.print_json(export.as_object(record), indent=0)
    else:
        views.show_details(found)
    if not found and reading.code() == 0:
        program.tell(NAME, say("no-such-call", which=which))
        return EX_FAILED
    return reading.code()


@app.command(help=say("help-convert"), cls=TranslatedCommand)
def convert(
    paths: Paths = None,
    into: Annotated[Path | None, _option("into", metavar=say("metavar-folder"))] = None,
    json: Annotated[bool, _option("json", help=say("help-json-convert"))] = False,
) -> int:
    """Make CSV files of binary ones."""
    reading = _Reading(paths, Selection())
    code = 0
    files = [one for group in reading.archive.groups for one in group]
    binary = sorted(one for one in files if one.suffix.lower() == SUFFIX)
    for source in binary:
        made = Path(into or source.parent, f"{source.stem}.csv")
        done = conversion.convert(reading.reader, source, made)
        if done.trouble:
            program.tell(NAME, done.trouble)
            code = program.EX_IOERR
        elif json and done.records is not None:
            answer = {"file": str(source), "csv": str(made), "records": done.records}
            program.print_json(answer, indent=0)
        elif done.records is not None:
            show_sentence(say("converted", path=source, made=made, count=done.records))
    if not binary:
        program.tell(NAME, say("nothing-binary"))
        return EX_FAILED
    return code or (program.EX_DATAERR if reading.complaints else 0)


@app.command(help=say("help-view"), cls=TranslatedCommand)
def view(
    paths: Paths = None,
    since: From = None,
    until: To = None,
    user: User = "",
    number: Number = "",
    cause: Causes = None,
    tag: Tags = None,
    missed: Missed = False,
    answered: Answered = False,
    min_s: Least = 0.0,
) -> int:
    """Show calls and totals on the whole screen."""
    selection = _selection(since, until, user, number, cause, tag, missed, answered, min_s)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        program.tell(NAME, say("view-no-terminal"))
        return EX_FAILED
    # Before Textual has threads.
    with Workers() as workers:
        # It takes as long to load as all the rest; only this needs it.
        from tui.minicdr.app import RecordsApp

        RecordsApp(_paths(paths), selection, workers.spread).show()
    return 0


class _Reading:
    """Reading the records that were asked for."""

    def __init__(self, paths: list[Path] | None, selection: Selection) -> None:
        self.reader = Reader(self._complain)
        self.complaints = 0
        self.archive = Archive.find(_paths(paths), selection, self._complain)
        query = Query(self.archive, selection, self.reader, spread)
        self.calls, self.totals = query.calls, query.totals

    def code(self) -> int:
        """Return the exit code: whether anything could be read, or nothing was there to read."""
        return EX_FAILED if self.complaints and not self.reader.files else 0

    def _complain(self, complaint: Complaint) -> None:
        self.complaints += 1
        program.tell(NAME, views.complaint(complaint))


def _paths(paths: list[Path] | None) -> list[Path]:
    return paths or [data_folder() / "cdr"]


def _selection(
    since: str | None,
    until: str | None,
    user: str,
    number: str,
    cause: list[int] | None,
    tag: list[int] | None,
    missed: bool,
    answered: bool,
    min_s: float,
) -> Selection:
    if missed and answered:
        raise typer.BadParameter(say("two-states"))
    begin, end = _span("--from", since), _span("--to", until)
    return Selection(
        since=None if begin is None else begin.begin,
        until=None if end is None else end.end,
        user=user,
        number=number,
        causes=cause or (),
        tags=tag or (),
        answered=answered or (False if missed else None),
        least_s=min_s,
    )


def _span(option: str, text: str | None) -> moments.Span | None:
    if text is None:
        return None
    try:
        return moments.parse(text, datetime.datetime.now().astimezone())
    except ValueError as error:
        raise typer.BadParameter(say_of_commands("usage-value", name=option)) from error
