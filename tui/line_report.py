"""How lines look in a terminal."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from pbx.api.schema import Line, Problem
from tui import report
from tui.clean import clean
from tui.locale import say, sentences

OPTION = "option-"
"""How the keys of the options' meanings begin."""


def show_lines(lines: Sequence[Line]) -> None:
    """Print lines, one a row."""
    out = report.console()
    if not lines:
        out.print(say("no-lines"))
        return
    rows = report.table(
        "column-name",
        "column-state",
        "column-server",
        "column-rtt",
        "column-calls",
        "column-account",
    )
    for line in lines:
        rows.add_row(
            clean(line.name),
            state(line),
            server(line),
            round_trip(line),
            calls(line),
            clean(line.options["user"]),
        )
    out.print(rows)


def show_line(line: Line, *, everything: bool) -> None:
    """Print a line with the options that are not as usual, or with all."""
    out = report.console()
    out.print(Text(clean(line.name), style="bold"), state(line))
    if not line.enabled:
        command = "trunk" if line.kind == "sip-trunk" else "line"
        out.print(say("line-is-off", command=command, name=clean(line.name)), soft_wrap=True)
    elif (problem := trouble(line)) is not None:
        report.show_problem(out, problem)
    report.print_pairs(
        out,
        [
            *((say(key), text) for key, text in moments(line)),
            ("kind", clean(line.kind)),
            ("password", say("password-set" if line.has_password else "password-none")),
            *(
                (clean(name), clean(report.in_words(value)))
                for name, value in line.options.items()
                if everything or name in line.chosen
            ),
        ],
    )


def show_options() -> None:
    """Print every option of a line with what it means."""
    out = report.console()
    rows = report.table("column-option", "column-meaning")
    for key, meaning in sentences().items():
        if key.startswith(OPTION):
            rows.add_row(Text(key.removeprefix(OPTION), style="cyan"), meaning)
    out.print(rows)


def state(line: Line) -> Text:
    """Return how a line is, in a word or two."""
    now = line.state
    if now is None or not line.enabled:
        return Text(f"○ {say('line-on' if line.enabled else 'line-off')}", style="dim")
    if now.usable:
        return Text(f"● {say(f'line-usable-{line.kind}')}", style="green")
    if now.trouble:
        return Text(f"✗ {say('line-trouble')}", style="bold red")
    return Text(f"◐ {say('line-trying')}", style="yellow")


def ready(lines: Iterable[Line]) -> int:
    """Return how many lines calls can go out by."""
    return sum(line.state is not None and line.state.usable for line in lines)


def server(line: Line) -> str:
    """Return the server in use, or else the one to be looked up."""
    now = line.state
    return clean(now.server if now is not None and now.server else str(line.options["server"]))


def round_trip(line: Line) -> str:
    """Return the round-trip time; empty where it isn't known."""
    now = line.state
    return "" if now is None or now.rtt_ms is None else f"{now.rtt_ms:.0f} ms"


def calls(line: Line) -> str:
    """Return how many calls are on a line, of how many at the most: ``1/4``, or ``1``."""
    used, most = line.incoming + line.outgoing, line.options["most"]
    return f"{used}/{most}" if most >= 0 else str(used)


def trouble(line: Line) -> Problem | None:
    """Return what is wrong with a line, as health checks tell it; None for nothing."""
    now = line.state
    if now is None or not now.trouble:
        return None
    values = {"line": line.name, **now.values}
    return Problem(slug=f"line-{now.trouble}", severity="attention", values=values)


def moments(line: Line) -> list[tuple[str, str]]:
    """Return what is known of a line's server, in pairs of `tui.locale`'s key and text."""
    now = line.state
    if now is None or not line.enabled:
        return []
    pairs = [("column-server", clean(now.server))] if now.server else []
    if now.rtt_ms is not None:
        pairs.append(("line-rtt", round_trip(line)))
    if now.expires_s is not None:
        pairs.append(("line-expires", say("line-in", time=report.duration(now.expires_s))))
    if now.next_try_s is not None and now.trouble:
        pairs.append(("line-next-try", say("line-in", time=report.duration(now.next_try_s))))
    never = now.incoming_s is None
    ago = say("line-never") if never else say("line-ago", time=report.duration(now.incoming_s or 0))
    pairs.append(("line-incoming", ago))
    if now.prack_refused_s is not None:
        refused = say("line-prack-refused-ago", time=report.duration(now.prack_refused_s))
        pairs.append(("line-prack-refused", refused))
    if now.public:
        pairs.append(("line-public", clean(now.public)))
    if now.identities:
        pairs.append(("line-identities", clean(", ".join(now.identities))))
    return pairs
