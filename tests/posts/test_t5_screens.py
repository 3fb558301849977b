"""The post "4K 屏幕" (4K screens): whatever size the screen has, all of it is used and nothing is cut.

The console, miniCDR and minisipphone run in tmux, a terminal of others, on a real exchange over which
two phones (baresip) talk. What the screens say, word by word, and each widget's room: `tests/tui`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from pbx.locale import catalogue
from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.tones import write_tone
from tests.interop.waiting import until
from tests.posts.conftest import FIRST, SECOND
from tests.tui.tmux import Tmux, cells, frames

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

SIZES = ((80, 24), (120, 40), (300, 90))
LANGUAGES = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}

NAMED, NAME = "202", "第三营业部客户服务中心贵宾接待室主任"
LINE = "branch"

SCREENS = {
    "home": (),
    "calls": ("filter", "hangup"),
    "phones": ("filter", "add", "remove", "password", "welcome"),
    "log": ("filter", "level", "pause"),
    "lines": ("filter", "add", "change", "doctor", "switch", "remove", "route"),
}
"""The console's screens, in the order of their keys 1 to 5, and what can be done there."""

DIALOGS = (("2", "?"), ("2", "h"), ("3", "a"), ("3", "w"), ("5", "c"), ("5", "d"), ("5", "t"))
"""The keys that open dialogs of each kind: help, question, form, code, options, doctor, route test."""


@dataclass(frozen=True)
class Seen:
    """A terminal, and the sentences that are seen in it."""

    terminal: Tmux
    words: Mapping[str, str]

    def resize(self, size: tuple[int, int]) -> None:
        """Give the window another size, and wait until the state stands at its right end again."""
        self.terminal.resize(size)
        self.terminal.until(
            lambda text: len(cells(text.split("\n", 1)[0])) == size[0] - 1 and whole(text, size[1])
        )

    @property
    def states(self) -> tuple[str, ...]:
        """What the exchange may be: a line in trouble wants attention."""
        return tuple(self.words[f"console-state-{one}"] for one in ("ready", "attention"))


@dataclass(frozen=True)
class Office:
    """An exchange, and a phone that calls another one."""

    exchange: Exchange
    caller: Baresip

    def talk(self) -> None:
        """Have the phones talk for a minute: so long is what they have to say."""
        if self.exchange.running_calls():
            self.hang_up()
        self.caller.dial(SECOND)
        until(
            "the phones talk",
            lambda: [c.state for c in self.exchange.running_calls()] == ["talking"],
        )

    def hang_up(self) -> None:
        """End their call."""
        self.caller.hang_up()
        self.exchange.wait_idle()


@pytest.fixture(scope="module")
def office(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Yield the shared exchange with two phones that have talked, a named user and a line."""
    with ExitStack() as stack:
        ports = stack.enter_context(Ports())
        phones = []
        for number, tone_hz in ((SECOND, 880.0), (FIRST, 440.0)):
            phone = Baresip(
                tmp_path_factory.mktemp("phones") / number,
                ports,
                number=number,
                password=PASSWORD,
                server=exchange.host,
                tone_hz=tone_hz,
            )
            stack.callback(phone.close)
            phone.registered()
            phones.append(phone)
        exchange.minisip("user", "add", NAMED, "--password", PASSWORD, "--name", NAME)
        stack.callback(exchange.minisip, "user", "remove", NAMED)
        exchange.minisip("trunk", "add", LINE, "server=127.0.0.1:9")
        stack.callback(exchange.minisip, "trunk", "remove", LINE)
        made = Office(exchange, phones[-1])
        records = len(exchange.records())
        made.talk()
        made.hang_up()
        exchange.wait_records(records + 1)
        yield made
        made.hang_up()


@contextmanager
def started(exchange: Exchange, *command: str, **env: str) -> Iterator[Tmux]:
    """Run a program in a terminal of 80x24."""
    given = {"LC_ALL": LANGUAGES["en"], "MINISIP_SOCKET": str(exchange.socket), **env}
    terminal = Tmux(*command, size=SIZES[0], env=given)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """Return English and Chinese in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def console(office: Office, language: str) -> Iterator[Seen]:
    """Yield the console, at its first screen."""
    with started(office.exchange, "tui.cli", LC_ALL=LANGUAGES[language]) as terminal:
        seen = Seen(terminal, catalogue(language, "tui.locale"))
        terminal.until(ends_with(seen.states))
        yield seen


@contextmanager
def telephone(
    office: Office, language: str, *files: str | Path, **env: str
) -> Iterator[tuple[Tmux, Mapping[str, str]]]:
    """Run minisipphone, of the user who has no other phone; yield its sentences, too."""
    account = ["--server", office.exchange.host, "--user", NAMED]
    given = {"LC_ALL": LANGUAGES[language], "MINISIPPHONE_PASSWORD": PASSWORD, **env}
    command = ["hw.softphone.cli", *account, *map(str, files)]
    with started(office.exchange, *command, **given) as terminal:
        yield terminal, catalogue(language, "hw.softphone.locale")


def fills(size: tuple[int, int], state: str, said: Collection[str], text: str) -> bool:
    """Tell whether a screen of this size is whole, with a state at its right end, and says this."""
    columns, lines = size
    first = text.split("\n", 1)[0]
    ends = first.endswith(state) and len(cells(first)) == columns - 1
    return ends and whole(text, lines) and all(one in text for one in said)


def ends_with(words: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what tells whether the first line ends with one of `words`."""
    return lambda text: text.split("\n", 1)[0].endswith(words)


def whole(shown: str, lines: int) -> bool:
    """Tell whether a screen has so many lines, and every frame on it is closed."""
    rows = shown.split("\n")
    try:
        frames(rows)
    except ValueError:
        return False
    return len(rows) == lines


def dialog(shown: str, lines: int) -> tuple[int, int, int, int]:
    """Return the first frame, as `frames` does, on a whole screen; zeros where that isn't there yet."""
    found = frames(shown.split("\n")) if whole(shown, lines) else []
    return found[0] if found else (0, 0, 0, 0)


def shows(what: str, lines: int, shown: str) -> bool:
    """Tell whether `what` is on a whole screen."""
    return what in shown and whole(shown, lines)


class TestT5:
    def test_T5_1_every_screen_of_the_console_at_three_sizes(
        self, console: Seen, office: Office
    ) -> None:
        """Resized while it runs, each shows all names of screens, the state, and all of its keys."""
        terminal, words = console.terminal, console.words
        for columns, lines in SIZES:
            console.resize((columns, lines))
            for key, (screen, keys) in enumerate(SCREENS.items(), 1):
                terminal.keys(str(key))
                hints = [words[f"bind-{one}"] for one in (*keys, "help", "quit")]

                def complete(text: str, hints: list[str] = hints, lines: int = lines) -> bool:
                    last = text.split("\n")[-1]
                    return whole(text, lines) and all(hint in last for hint in hints)

                first = terminal.until(complete).split("\n")[0]
                first = terminal.until(ends_with(console.states)).split("\n")[0]
                # At the right end, and one blank behind it
                assert len(cells(first)) == columns - 1
                for one in SCREENS:
                    assert words[f"bind-{one}"] in first, screen
            office.talk()
            terminal.keys("2")
            terminal.until(lambda text: FIRST in text and words["state-talking"] in text)
            terminal.keys("3")
            terminal.until(NAMED)
            terminal.keys("End")
            # Where its column has no room for it, the line below has
            terminal.until(NAME)
            terminal.keys("5")
            terminal.until(LINE)

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_T5_1_every_dialog_has_the_same_style(
        self, console: Seen, office: Office, size: tuple[int, int]
    ) -> None:
        """All as wide, in the middle, whole, with a button that leaves; the same keys; Esc leaves."""
        terminal, words = console.terminal, console.words
        columns, lines = size
        leaves = (words["button-cancel"], words["button-close"])
        there = {"2": SECOND, "3": NAMED, "5": LINE}
        sides = set()
        console.resize(size)
        office.talk()
        for screen, key in DIALOGS:
            terminal.keys(screen)
            terminal.until(partial(shows, there[screen], lines))
            terminal.keys(key)
            rows = terminal.until(
                lambda text: (
                    any(dialog(text, lines))
                    and (last := text.split("\n")[-1]).startswith("Enter ")
                    and " Esc " in last
                )
            ).split("\n")
            left, top, right, bottom = dialog("\n".join(rows), lines)
            sides.add((left, right))
            assert 0 <= top < bottom < lines - 1
            assert abs(left - (columns - 1 - right)) <= 1
            assert any(word in "\n".join(rows[bottom - 3 : bottom]) for word in leaves), rows
            terminal.keys("Escape")
            terminal.until(lambda text: words["bind-quit"] in text.split("\n")[-1])
        assert len(sides) == 1

    def test_T5_1_resized_while_it_runs_focus_and_content_stay(self, console: Seen) -> None:
        """A form half filled in, from 80x24 to 300x90 and back."""
        terminal, words = console.terminal, console.words
        console.resize(SIZES[0])
        terminal.keys("3")
        terminal.until(NAMED)
        terminal.keys("a")
        terminal.until(words["add-title"])
        terminal.keys("7", "7", "Enter", "A", "n", "n")
        drawn = terminal.until(lambda text: "Ann" in text and any(dialog(text, SIZES[0][1])))
        box = dialog(drawn, SIZES[0][1])
        terminal.resize(SIZES[2])
        terminal.until(
            lambda text: (
                dialog(text, SIZES[2][1])[2] > SIZES[0][0]
                and "Ann" in text
                and words["button-cancel"] in text
            )
        )
        terminal.keys("a")
        terminal.until("Anna")
        terminal.resize(SIZES[0])
        terminal.until(lambda text: "Anna" in text and dialog(text, SIZES[0][1]) == box)
        terminal.keys("Escape")
        terminal.until(lambda text: words["bind-quit"] in text.split("\n")[-1])

    def test_T5_1_minicdr_at_three_sizes(self, office: Office, language: str) -> None:
        """The call that is over: in the list, in words, in the totals."""
        words = catalogue(language, "tui.minicdr.locale")
        folder = office.exchange.folder / "cdr"
        year = office.exchange.records()[-1]["setup_time"][:4]
        with started(
            office.exchange, "tui.minicdr.cli", "view", str(folder), LC_ALL=LANGUAGES[language]
        ) as view:
            for columns, lines in SIZES:
                view.resize((columns, lines))
                view.keys("1")
                keys = [
                    words[f"bind-{one}"] for one in ("show", "search", "more", "totals", "quit")
                ]

                def listed(text: str, keys: list[str] = keys, lines: int = lines) -> bool:
                    last = text.split("\n")[-1]
                    return (
                        whole(text, lines) and SECOND in text and all(key in last for key in keys)
                    )

                view.until(listed)
                view.keys("Enter")
                view.until(partial(shows, words["call-dialed"], lines))
                view.keys("Escape")
                view.until(lambda text: words["bind-quit"] in text.split("\n")[-1])
                view.keys("2")
                view.until(lambda text: words["column-longest"] in text and year in text)

    def test_T5_1_minisipphone_at_three_sizes(
        self, office: Office, language: str, tmp_path: Path
    ) -> None:
        """Before a call and in one; files are its microphone and its loudspeaker."""
        office.hang_up()
        write_tone(tmp_path / "tone.wav", 440.0, 60.0)
        files = ("--play", tmp_path / "tone.wav", "--record", tmp_path / "heard.wav")
        with telephone(office, language, *files) as (phone, words):
            keys = [words[f"bind-{one}"] for one in ("dial", "quit")]
            state = words["state-registered"]
            for size in SIZES:
                phone.resize(size)
                phone.until(partial(fills, size, state, [words["word-ready"], *keys]))
            phone.keys(*SECOND, "Enter")
            keys += [words[f"bind-{one}"] for one in ("hang-up", "mute")]
            for size in reversed(SIZES):
                phone.resize(size)
                phone.until(partial(fills, size, state, [words["word-talking"], SECOND, *keys]))
            phone.keys("h")
            phone.until(partial(fills, SIZES[0], state, [words["we-hung-up"], SECOND]))
            phone.keys("q")
            phone.wait_end()
        office.exchange.wait_contacts(NAMED, 0)
        office.exchange.wait_idle()

    @pytest.mark.skipif(Path("/dev/snd").exists(), reason="this machine has sound")
    def test_T5_1_minisipphone_says_that_there_is_no_sound_card(
        self, office: Office, language: str
    ) -> None:
        """On the plain terminal, where it stays to be read."""
        # The JACK server of another test would be a card, too
        with telephone(office, language, JACK_DEFAULT_SERVER="nobody") as (phone, words):
            phone.wait_end()
            # However the terminal breaks its lines
            said = "".join(phone.scrolled.split())
            for part in words["no-card"].split("{why}"):
                assert "".join(part.split()) in said

    def test_T5_1_sixteen_colours_are_enough(self, office: Office) -> None:
        """On a terminal that has no more of them, nothing else is asked for."""
        with started(office.exchange, "tui.cli", TERM="xterm") as terminal:
            terminal.until(ends_with(("ready", "attention")))
            used = set().union(*(codes for _, codes in terminal.styles))
            # The big word on green or on yellow
            assert used & {42, 43}
            # 38 and 48 choose from 256 colours or from all (ITU-T T.416 §13.1.8)
            assert not used & {38, 48}

    def test_T5_1_without_colours_the_focus_is_seen(self, office: Office) -> None:
        """With NO_COLOR what has the focus is reversed, and states have a sign and a word."""
        office.talk()
        with started(office.exchange, "tui.cli", NO_COLOR="1") as terminal:
            terminal.until(ends_with(("● ready", "◐ attention")))
            terminal.keys("2")
            terminal.until(SECOND)
            until("a row that is reversed", lambda: reversed_(terminal, FIRST))
            terminal.keys("h")
            terminal.until("Cancel")
            until("a button that is reversed", lambda: reversed_(terminal, "Cancel"))
            coloured = {*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108)}
            assert not set().union(*(codes for _, codes in terminal.styles)) & coloured


def reversed_(terminal: Tmux, text: str) -> bool:
    """Tell whether a text stands in reversed letters."""
    return any(7 in codes and text in piece for piece, codes in terminal.styles)
