"""Calls and totals as a person reads them in a terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from pbx.cdr.call import Call, Record, moment
from pbx.cdr.finding import Complaint
from pbx.cdr.selection import CDR_TYPES
from pbx.cdr.totals import By, Total
from pbx.cdr.words import cause_words, tag_words
from tui.clean import clean
from tui.locale import reason
from tui.minicdr.locale import say
from tui.report import console, duration, print_pairs

GAP = 2
"""Blanks between two columns."""

NARROW = 60
"""Columns of a terminal below which times lose their year and seconds, and numbers their ends."""

WORDS = 24
"""Cells that words keep at least."""

_KNOWN_ITEMS = frozenset(
    {"callTag", "cause", "sip", "releasedBy", "reason"}
    | {"codec", "calledCodec", "pdd", "recording", "recordingFailure"}
    | {
        f"{party}{item}"
        for party in ("caller", "called")
        for item in ("Mos", "Loss", "Jitter", "WorstLoss", "RoundTrip")
    }
)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column.

    Args:
        key: of the heading.
        right: whether the cells are numbers.
        least: to how many cells of a terminal it may be shortened; 0 for none.
    """

    key: str
    cells: Sequence[str]
    right: bool = False
    least: int = 0

    @property
    def heading(self) -> str:
        return say(self.key)

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.heading, *self.cells)))

    @property
    def least_width(self) -> int:
        return min(self.width, self.least or self.width)


def show_calls(calls: Sequence[Call], *, more: bool) -> None:
    """Print calls as a table.

    Args:
        more: there are more than these.
    """
    out = console()
    if not calls:
        out.print(say("no-calls"))
        return
    records = [call.first for call in calls]
    begins = [f"{record.setup:%Y-%m-%d %H:%M:%S}" for record in records]
    narrow = out.width < NARROW
    number = 8 if narrow else 16
    columns = [
        # What matters most first: those at the end are left out where there is no room.
        _Column("column-begin", [text[5:16] if narrow else text for text in begins]),
        _Column(
            "column-caller",
            [number_text(record["caller_number"]) for record in records],
            least=number,
        ),
        _Column(
            "column-called",
            [number_text(called_number(record)) for record in records],
            least=number,
        ),
        _Column("column-talk", [talk_text(record) for record in records], right=True),
        _Column("column-end", [end_text(record) for record in records], least=WORDS),
        _Column("column-sides", [_sides(call) for call in calls]),
        _Column("column-cause", [_cause(record) for record in records]),
        _Column("column-codec", [_codecs(record) for record in records]),
        _Column("column-sound", [_scores(record) for record in records]),
        _Column("column-record", [clean(record["record_id"]) for record in records]),
    ]
    _print_table(out, columns, least=4)
    count = say("more-calls" if more else "count-calls", count=len(calls))
    out.print(count, soft_wrap=True)


def show_totals(by: By, rows: dict[str, Total], everything: Total, most: int) -> None:
    """Print totals as a table whose last row is all calls; `most` rows and that one."""
    shown = list(islice(rows.items(), most))
    names = [number_text(name) for name, _ in shown] + [say("row-all")]
    totals = [*(row for _, row in shown), everything]
    columns = [
        _Column(f"column-{by}", names, least=8),
        _Column("column-calls", [str(one.calls) for one in totals], right=True),
        _Column("column-answered", [str(one.answered) for one in totals], right=True),
        _Column("column-talk", [duration(one.talk_s) for one in totals], right=True),
        _Column("column-mean", [duration(one.mean_s) for one in totals], right=True),
        _Column("column-longest", [duration(one.longest_s) for one in totals], right=True),
    ]
    out = console()
    _print_table(out, columns, least=4)
    if len(shown) < len(rows):
        out.print(say("more-rows", count=len(shown), rows=len(rows)), soft_wrap=True)


def show_details(calls: Iterable[Call]) -> None:
    """Print all that the records of calls say."""
    out = console()
    for number, call in enumerate(calls):
        if number:
            out.print()
        print_pairs(out, details(call))


def complaint(what: Complaint) -> str:
    """Return what could not be read, in a sentence."""
    values = {"why": reason(what.why), "lines": what.lines, "first": what.first}
    return say(what.key, path=what.path, **values)


def details(call: Call) -> list[tuple[str, str]]:
    """Return names and values of all that the records of a call say."""
    record = call.first
    fci = record.fci
    records = "\n".join(f"{clean(one['record_id'])}  {_side(one)}".rstrip() for one in call.records)
    rang = _moment(record["alert_time"]) or say("never")
    if "pdd" in fci and record["alert_time"]:
        rang = say("rang-after", time=rang, seconds=clean(fci["pdd"]))
    more = [f"{key}={value}" for key, value in fci.items() if key not in _KNOWN_ITEMS]
    recordings = [f"record/{name}" for name in fci.get("recording", "").split(",") if name]
    pairs = [
        ("call-call", clean(record["call_id"])),
        ("call-records", records),
        ("call-from", _party(record["caller_number"], record["caller_addr"])),
        ("call-dialed", clean(record["dialed_number"])),
        ("call-to", _party(record["called_number"], record["called_addr"])),
        ("call-route", clean(record["route"])),
        ("call-begin", _moment(record["setup_time"])),
        ("call-rang", rang),
        ("call-answered", _moment(record["talk_time"]) or say("never")),
        ("call-ended", _moment(record["release_time"])),
        ("call-talk", duration(record.duration_s)),
        ("call-end", _with_words(fci.get("callTag", ""), _tag_words(record))),
        ("call-cause", _with_words(fci.get("cause", ""), cause_words(record.number("cause")))),
        ("call-sip", clean(fci.get("sip", ""))),
        ("call-reason", clean(fci.get("reason", ""))),
        ("call-codec", _converted(fci)),
        ("call-caller-sound", _sound(fci, "caller")),
        ("call-called-sound", _sound(fci, "called")),
        ("call-recordings", "\n".join(map(clean, recordings))),
        ("call-unrecorded", clean(reason(fci.get("recordingFailure", "")))),
        ("call-more", "\n".join(map(clean, more))),
    ]
    return [(say(key), value) for key, value in pairs if value]


def number_text(text: str) -> str:
    """Return a number as it is shown."""
    return clean(text) or say("row-none")


def called_number(record: Record) -> str:
    """Return who was called, or was to be."""
    return record["called_number"] or record["dialed_number"]


def talk_text(record: Record) -> str:
    """Return how long was talked."""
    return duration(record.duration_s) if record["talk_time"] else "-"


def end_text(record: Record) -> str:
    """Return who ended the call, and how."""
    return _tag_words(record) or clean(record.fci.get("callTag", ""))


def _tag_words(record: Record) -> str:
    return tag_words(record.number("callTag"), record.number("cause"))


def _cause(record: Record) -> str:
    return _with_words(record.fci.get("cause", ""), cause_words(record.number("cause")))


def _with_words(number: str, words: str) -> str:
    return f"{clean(number)}  {words}".strip()


def _sides(call: Call) -> str:
    return clean(" ".join(dict.fromkeys(record["cdr_type"] for record in call.records)))


def _side(record: Record) -> str:
    kind = record["cdr_type"]
    return f"{kind}  {say(f'side-{kind}')}" if kind in CDR_TYPES else clean(kind)


def _party(number: str, address: str) -> str:
    return clean(f"{number}  {address}".strip())


def _codecs(record: Record) -> str:
    fci = record.fci
    return clean("/".join(filter(None, (fci.get("codec"), fci.get("calledCodec")))))


def _converted(fci: dict[str, str]) -> str:
    caller, called = clean(fci.get("codec", "")), clean(fci.get("calledCodec", ""))
    return say("codecs-converted", caller=caller, called=called) if called else caller


def _scores(record: Record) -> str:
    """Return the mean opinion scores; empty where none is known."""
    fci = record.fci
    scores = [clean(fci.get(f"{party}Mos", "-")) for party in ("caller", "called")]
    return "" if scores == ["-", "-"] else "/".join(scores)


def _sound(fci: dict[str, str], party: str) -> str:
    if f"{party}Mos" not in fci:
        return ""
    mos, loss, jitter = (
        clean(fci.get(f"{party}{item}", "-")) for item in ("Mos", "Loss", "Jitter")
    )
    told = [say("sound-words", mos=mos, loss=loss, jitter=jitter)]
    # Older records have neither
    for item, key in (("WorstLoss", "sound-worst"), ("RoundTrip", "sound-round-trip")):
        if value := clean(fci.get(f"{party}{item}", "")):
            told.append(say(key, value=value))
    return "".join(told)


def _moment(text: str) -> str:
    """Return a time of a record, with its zone: an hour comes twice in autumn."""
    time = moment(text)
    return clean(text) if time is None else f"{time:%Y-%m-%d %H:%M:%S %z}".strip()


def _print_table(out: Console, columns: Sequence[_Column], least: int) -> None:
    """Print the columns that there is room for, `least` of them in any case."""
    widths: list[int] = []
    room = out.width + GAP
    for column in columns:
        room -= column.least_width + GAP
        if room < 0 and len(widths) >= least:
            room += column.least_width + GAP
            break
        widths.append(column.least_width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    shown = columns[: len(widths)]
    for column, width in zip(shown, widths, strict=True):
        more = max(0, min(column.width - width, room))
        room -= more
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=width + more,
        )
    for row in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*row)
    out.print(table)
