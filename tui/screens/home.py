"""Home: how the exchange is, in one big word, and what wants looking at."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text
from textual.containers import Container, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from tui import problems, symbols
from tui.clean import clean
from tui.line_report import ready
from tui.link import Picture
from tui.locale import say
from tui.pairs import pairs
from tui.report import database_sentence, duration, engine_sentence
from tui.screens.base import ExchangeScreen

UNKNOWN = "-"


class HomeScreen(ExchangeScreen):
    """The state, the figures, and each problem with its remedy."""

    MODE = "home"
    AUTO_FOCUS = "#problems"

    def body(self) -> Iterable[Widget]:
        """Return what stands between the top line and the keys."""
        yield Static(id="word", markup=False)
        yield Container(
            _panel("figures", "home-figures"), _panel("problems", "home-problems"), id="panels"
        )

    def show(self, picture: Picture) -> None:
        """Show the exchange as it is now."""
        word = self.query_one("#word", Static)
        word.set_classes(f"-{picture.state}" if picture.state in symbols.STATES else "")
        word.update(big_word(picture.state))
        self.query_one("#figures Static", Static).update(self._figures(picture))
        self.query_one("#problems Static", Static).update(_problems(picture))

    def _figures(self, picture: Picture) -> Table:
        keys: tuple[str, ...] = (
            "phones",
            "calls",
            "engine",
            "database",
            "uptime",
            "version",
            "addresses",
        )
        values = [UNKNOWN] * len(keys)
        status = picture.status
        if status is not None and not picture.trouble:
            passed = (self.link.now() - picture.taken).total_seconds()
            values = [
                say("home-of", part=status.users_registered, whole=status.users),
                say("home-of-calls", part=status.calls, whole=status.calls_total),
                engine_sentence(status),
                database_sentence(status),
                duration(status.uptime_s + max(0.0, passed)),
                f"miniSIPServer {clean(status.version)}",
                "\n".join(gathered(status.addresses)) or UNKNOWN,
            ]
            if picture.lines:
                keys = (*keys[:2], "lines", *keys[2:])
                values.insert(
                    2, say("home-of-lines", part=ready(picture.lines), whole=len(picture.lines))
                )
        return pairs(
            [
                (Text(say(f"home-{key}"), style="bold"), Text(value))
                for key, value in zip(keys, values, strict=True)
            ]
        )


def gathered(addresses: Iterable[str]) -> list[str]:
    """Return ``udp 192.0.2.1:5060``, ``tcp 192.0.2.1:5060`` ... as one line for each address.

    Loopback only where there is nothing else: no phone reaches it from outside.
    """
    transports: dict[str, list[str]] = {}
    for one in addresses:
        transport, _, address = clean(one).partition(" ")
        transports.setdefault(address, []).append(transport)
    outside = {
        address: found
        for address, found in transports.items()
        if not address.startswith(("127.", "[::1]"))
    }
    return [f"{address} ({', '.join(found)})" for address, found in (outside or transports).items()]


def big_word(state: str) -> Text:
    """Return the state as large as letters get, and below it what that means."""
    symbol = symbols.STATES.get(state, (symbols.UNKNOWN, ""))[0]
    letters = " ".join(symbols.state_word(state).upper())
    means = f"\n{say(f'console-means-{state}')}" if state in symbols.STATES else ""
    return Text(f"{symbol}  {letters}{means}", justify="center")


def _panel(name: str, title: str) -> VerticalScroll:
    panel = VerticalScroll(Static(markup=False), id=name, classes="panel")
    panel.border_title = say(title)
    return panel


def _problems(picture: Picture) -> Table:
    if picture.trouble:
        return pairs([(Text("○"), _told(picture.trouble, say("home-retrying")))])
    found = picture.health.problems if picture.health is not None else []
    rows = []
    for problem in found:
        symbol, style = symbols.SEVERITIES.get(problem.severity, (symbols.UNKNOWN, ""))
        told = _told(problems.sentence(problem), problems.remedy(problem))
        rows.append((Text(symbol, style=style), told))
    if picture.health is not None and not rows:
        rows.append((Text("●", style="green"), Text(say("home-no-problems"))))
    return pairs(rows)


def _told(sentence: str, remedy: str) -> Text:
    text = Text(sentence, style="bold")
    if remedy:
        text.append(f"\n{remedy}", style="not bold")
    return text
