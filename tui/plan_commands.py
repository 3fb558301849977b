"""`minisip plan`: the dial plan's tables, a row at a time or as a TOML file."""

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pbx.api.client import Client, CommandError
from pbx.api.schema import Line, Plan
from tui import report, toml_text
from tui.asking import Json, ask, refused, show
from tui.clean import clean
from tui.destination import and_whose
from tui.line_commands import EXTERNAL_LINE
from tui.locale import reason, say
from tui.private_file import write_private
from tui.report import in_words
from tui.usage import TranslatedCommand, TranslatedGroup, assignments

BASICS = "basics"
LINES = "lines"

LONGEST_ROW = 16
"""Digits of a row's number, beyond which it is a slip of the keyboard."""

# What tomllib says: "Expected '=' after a key in a key/value pair (at line 1, column 5)"
_PLACE = re.compile(r"at line (\d+), column (\d+)")

app = typer.Typer(
    cls=TranslatedGroup,
    help=say("help-plan"),
    no_args_is_help=True,
    options_metavar=say("metavar-options"),
    subcommand_metavar=say("metavar-command"),
)

TableName = Annotated[str, typer.Argument(metavar=say("metavar-table"), help=say("help-table"))]
Row = Annotated[int, typer.Argument(metavar=say("metavar-row"), help=say("help-row"))]
File = Annotated[
    Path | None, typer.Argument(metavar=say("metavar-file"), help=say("help-plan-file"))
]


@app.command("show", help=say("help-plan-show"), cls=TranslatedCommand)
def show_plan(
    ctx: typer.Context,
    table: Annotated[
        str | None, typer.Argument(metavar=say("metavar-table"), help=say("help-table"))
    ] = None,
    json: Json = False,
) -> None:
    """Show the dial plan, or one of its tables."""
    plan = ask(ctx, Client.plan)
    tables = plan.tables if table is None else {table: _table(plan, table)}
    show(tables, json, _show_tables)


@app.command("add", help=say("help-plan-add"), cls=TranslatedCommand)
def add(
    ctx: typer.Context,
    table: TableName,
    values: Annotated[
        list[str],
        typer.Argument(metavar=say("metavar-assignments"), help=say("help-plan-values")),
    ],
    at: Annotated[
        int | None,
        typer.Option(
            "--at", min=1, metavar=say("metavar-row"), help=say("help-plan-at"), show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Add a row to a table."""
    given = assignments(values)

    def added(rows: list[Any]) -> list[Any]:
        place = len(rows) if at is None else at - 1
        if place > len(rows):
            raise CommandError("no-place", say("no-place", table=table, row=at, count=len(rows)))
        return [*rows[:place], given, *rows[place:]]

    _change(ctx, table, added)
    _done(json, and_whose(ctx, say("plan-added", table=table), _leads_to(table, given)))


@app.command("set", help=say("help-plan-set"), cls=TranslatedCommand)
def change(
    ctx: typer.Context,
    table: TableName,
    values: Annotated[
        list[str],
        typer.Argument(metavar=say("metavar-row-assignments"), help=say("help-plan-set-values")),
    ],
    json: Json = False,
) -> None:
    """Change a row of a table, or the basics."""
    if table == BASICS:
        given = assignments(values)
        ask(ctx, lambda client: client.set_plan({BASICS: given}))
        if not given.get("emergency_numbers", "-").strip(", "):
            _done(json, say("plan-no-emergency"))
            return
        if "country" in given:
            numbers = ask(ctx, Client.plan).tables[BASICS]["emergency_numbers"]
            _done(json, say("plan-country", numbers=", ".join(numbers)))
            return
    else:
        number = values[0]
        if not (number.isascii() and number.isdigit() and len(number) < LONGEST_ROW):
            raise typer.BadParameter(say("usage-row", table=table))
        row, given = int(number), assignments(values[1:])
        if not given:
            raise typer.BadParameter(say("usage-nothing-in-row", table=table, row=row))

        def changed(rows: list[Any]) -> list[Any]:
            _check_row(rows, table, row)
            return [*rows[: row - 1], {**rows[row - 1], **given}, *rows[row:]]

        _change(ctx, table, changed)
    _done(json, and_whose(ctx, say("plan-set", table=table), _leads_to(table, given)))


@app.command("remove", help=say("help-plan-remove"), cls=TranslatedCommand)
def remove(ctx: typer.Context, table: TableName, row: Row, json: Json = False) -> None:
    """Remove a row from a table."""

    def less(rows: list[Any]) -> list[Any]:
        _check_row(rows, table, row)
        return [*rows[: row - 1], *rows[row:]]

    _change(ctx, table, less)
    _done(json, say("plan-removed", table=table))


@app.command("export", help=say("help-plan-export"), cls=TranslatedCommand)
def export(
    ctx: typer.Context,
    file: File = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", metavar="", help=say("help-plan-secrets"))
    ] = False,
) -> None:
    """Write the dial plan and the lines as TOML."""
    tables = ask(ctx, lambda client: client.export(secrets=secrets)).tables
    text = toml_text.document(tables)
    if file is None or str(file) == "-":
        sys.stdout.write(text)
        return
    if secrets:
        write_private(file, text)
    else:
        file.write_text(text, "utf-8")
    if not file.is_file():
        return  # A pipe, or a device: perhaps the very one that this would be written to
    names = ", ".join(name for name, value in tables.items() if value)
    report.show_sentence(say("plan-exported", path=file, tables=names))
    if not secrets and any(line["kind"] == EXTERNAL_LINE for line in tables.get(LINES, ())):
        report.show_sentence(say("plan-exported-bare"))


@app.command("import", help=say("help-plan-import"), cls=TranslatedCommand)
def import_plan(ctx: typer.Context, file: File = None, json: Json = False) -> None:
    """Take the tables of a TOML file in the place of ours."""
    try:
        read = sys.stdin.buffer if file is None or str(file) == "-" else file.open("rb")
        with read:
            # Editors on Windows begin a file with a mark that TOML doesn't know.
            tables = tomllib.loads(read.read().decode("utf-8-sig"))
    except OSError as error:
        why = reason(error.strerror or str(error))
        raise CommandError("no-file", say("plan-unreadable", path=file, why=why)) from error
    except UnicodeDecodeError as error:
        raise CommandError("no-text", say("plan-no-text", path=file or "-")) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = _PLACE.search(str(error))
        where = say("plan-toml-place", line=found[1], column=found[2]) if found else ""
        sentence = say("plan-no-toml", path=file or "-", where=where or say("plan-toml-end"))
        raise CommandError("no-toml", sentence) from error
    if not tables:
        raise CommandError("plan-empty", say("plan-empty", path=file or "-"))
    before = [line.name for line in ask(ctx, Client.lines)] if LINES in tables else []
    ask(ctx, lambda client: client.set_plan(tables))
    told = [say("plan-imported", tables=", ".join(tables))]
    if LINES in tables:
        told += _of_lines(ask(ctx, Client.lines), before)

    def show_all(_: None) -> None:
        for sentence in told:
            report.show_sentence(sentence)

    show(None, json, show_all)


def _of_lines(lines: Iterable[Line], before: Iterable[str]) -> Iterator[str]:
    """Yield what is to be told of the lines that an import has led to."""
    gone = sorted({*before} - {line.name for line in lines})
    if gone:
        yield say("plan-lines-gone", names=", ".join(gone))
    bare = [line.name for line in lines if line.kind == EXTERNAL_LINE and not line.has_password]
    if bare:
        yield say("plan-lines-bare", names=", ".join(bare), name=bare[0])


def _change(ctx: typer.Context, table: str, how: Callable[[list[Any]], list[Any]]) -> None:
    """Change a table, unless somebody else does at the same time."""
    plan = ask(ctx, Client.plan)
    rows = _table(plan, table)
    if not isinstance(rows, list):
        raise typer.BadParameter(say("usage-basics"))
    ask(ctx, lambda client: client.set_plan({table: how(rows)}, plan.version))


def _leads_to(table: str, given: dict[str, str]) -> str:
    """Return the number that a row leads calls from outside to; empty where it doesn't say."""
    return given.get("destination", "") if table == "incoming" else ""


def _table(plan: Plan, name: str) -> Any:
    if name not in plan.tables:
        raise refused("unknown-table", name=name, choices=", ".join(plan.tables))
    return plan.tables[name]


def _check_row(rows: list[Any], table: str, row: int) -> None:
    if not 1 <= row <= len(rows):
        raise CommandError("no-row", say("no-row", table=table, row=row, count=len(rows)))


def _show_tables(tables: dict[str, Any]) -> None:
    out, empty = report.console(), list[str]()
    for name, rows in tables.items():
        if not rows and len(tables) > 1:
            empty.append(clean(name))
            continue
        out.print(Text(clean(name), style="bold"))
        if isinstance(rows, dict):
            pairs = [(clean(key), clean(in_words(value))) for key, value in rows.items()]
            report.print_pairs(out, pairs)
        elif rows:
            _show_rows(out, rows)
        else:
            out.print(f"  {say('no-rows')}")
    if empty:
        out.print(say("plan-empty-tables", tables=", ".join(empty)), soft_wrap=True)


def _show_rows(out: Console, rows: list[dict[str, Any]]) -> None:
    # The names that `set` takes; those that no row makes use of are left out.
    names = [name for name in rows[0] if any(row[name] not in ("", False, 0, []) for row in rows)]
    table = report.named_table("#", *map(clean, names))
    for number, row in enumerate(rows, 1):
        table.add_row(str(number), *(clean(in_words(row[name])) for name in names))
    out.print(table)


def _done(json: bool, sentence: str) -> None:
    show(None, json, lambda _: report.show_sentence(sentence))
