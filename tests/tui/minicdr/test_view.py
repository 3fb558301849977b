"""`minicdr view`: what is on the screen, and which keys lead there."""

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen

import tui.minicdr
from pbx.cdr import query, span
from pbx.cdr.newest import Newest
from pbx.cdr.packed import HEADER
from pbx.cdr.parts import Part
from pbx.cdr.query import _Answer, _find
from pbx.cdr.selection import Selection
from pbx.cdr.spread import Spread, Stopped, Workers, here
from tests.tui import classes
from tests.tui.manners import mind_your_manners
from tests.tui.minicdr.conftest import DAY_S, Exchange
from tests.tui.program import CHINESE, ENGLISH, outcome, start
from tests.tui.stage import SIZES, Stage
from tests.tui.terminal import terminal
from tui.minicdr import screens
from tui.minicdr.app import RecordsApp
from tui.minicdr.screens import CallDialog, CallsScreen, TotalsScreen

View = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def view(office: Exchange, monkeypatch: pytest.MonkeyPatch) -> View:
    """Open the view on the office's records, unless another path is given."""
    monkeypatch.setenv("LC_ALL", ENGLISH)

    @asynccontextmanager
    async def opened(
        *paths: Path,
        size: tuple[int, int] = SIZES[1],
        selection: Selection | None = None,
        spread: Spread = here,
    ) -> AsyncIterator[Stage]:
        app = RecordsApp(paths or [office.folder], selection or Selection(), spread)
        async with app.run_test(size=size, notifications=True) as pilot:
            yield Stage(app, pilot)

    return opened


def order(stage: Stage, *texts: str) -> bool:
    """Whether these are on the screen, one under the other."""
    places = [stage.text.find(text) for text in texts]
    return -1 not in places and places == sorted(places)


class TestCalls:
    async def test_newest_first(self, view: View) -> None:
        async with view() as stage:
            await stage.until("Calls: 5")
            assert order(stage, "2027-01-15 07:59:56", "2027-01-15 06:49:56", "2027-01-13")
            assert "exchange: there is no such" in stage.text
            assert "+8613901088888" in stage.text

    async def test_one_in_words(self, view: View) -> None:
        async with view() as stage:
            await stage.until("Calls: 5")
            await stage.press("down", "enter")
            await stage.until("PCMA, converted to G722")
            assert "20270115/a,b.wav" not in stage.text
            assert "LO  a local user called" in stage.text
            await stage.press("escape")
            await stage.until_not("converted")

    async def test_search_in_all_records(self, view: View, office: Exchange) -> None:
        async with view() as stage:
            await stage.until("Calls: 5")
            await stage.press("slash", *"86139", "enter")
            await stage.until("Calls: 1")
            assert "Numbers with 86139 in them; Esc shows all." in stage.text
            assert "2027-01-14 07:59:2" in stage.text
            await stage.press("2")
            await stage.until("Longest")
            await stage.press("1", "escape")
            await stage.until("Calls: 5")

    async def test_more_of_them(
        self, view: View, office: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(screens, "PAGE", 3)
        async with view() as stage:
            await stage.until("The newest 3 calls; m shows more.")
            assert "2027-01-13" not in stage.text
            await stage.press("m")
            await stage.until("Calls: 5")
            assert "2027-01-13" in stage.text

    async def test_only_what_the_command_line_asks_for(self, view: View) -> None:
        async with view(selection=Selection(answered=False)) as stage:
            await stage.until("Calls: 2")

    async def test_records_named_alike_are_all_there(self, view: View, office: Exchange) -> None:
        path = office.folder / "alike.csv"
        path.write_text(
            "record_id,setup_time\nr,2027-01-15T08:00:00+00:00\nr,2027-01-15T09:00:00+00:00\n"
        )
        async with view(path) as stage:
            await stage.until("Calls: 2")
            assert order(stage, "09:00:00", "08:00:00")


class TestTotals:
    async def test_by_everything_in_turn(self, view: View) -> None:
        async with view() as stage:
            await stage.until("Calls: 5")
            await stage.press("2")
            await stage.until("Day   Calls: 5")
            assert order(stage, "2027-01-13", "2027-01-14", "2027-01-15", "\n all ")
            for words, name in (
                ("Hour   Calls", "07"),
                ("Destination   Calls", "=1+1"),
                ("Line   Calls", "203.0.113.7:5060"),
                ("User   Calls", "103"),
                ("Day   Calls", "2027-01-13"),
            ):
                await stage.press("b")
                await stage.until(words)
                assert name in stage.text


def find_when_asked(
    selection: Selection, most: int, part: Part, stopped: Stopped
) -> _Answer[Newest]:
    """What reads a part; never done with it where any number will do."""
    while not (selection.number or stopped()):
        time.sleep(0.01)
    return _find(selection, most, part, stopped)


class TestLarge:
    """Files that other processes read in spans."""

    @pytest.fixture(autouse=True)
    def _small_is_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(span, "SPAN", 300)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})

    async def test_calls_and_totals(self, view: View) -> None:
        with Workers() as workers:
            async with view(spread=workers.spread) as stage:
                await stage.until("Calls: 5")
                assert order(stage, "2027-01-15 07:59:56", "2027-01-15 06:49:56", "2027-01-13")
                await stage.press("2")
                await stage.until("Day   Calls: 5")

    async def test_another_search_stops_the_first(
        self, view: View, office: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(query, "_find", find_when_asked)
        # In one group, so that all of it is begun.
        copy = office.folder / "copy.csv"
        copy.write_bytes(office.newest.read_bytes())
        with Workers() as workers:
            async with view(spread=workers.spread) as stage:
                await stage.until("Reading")
                await stage.press("slash", *"86139", "enter")
                await stage.until("Calls: 1")
                assert "+8613901088888" in stage.text

    async def test_to_leave_stops_it(self, view: View, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(query, "_find", find_when_asked)
        with Workers() as workers:
            async with view(spread=workers.spread) as stage:
                await stage.until("Reading")


class TestFiles:
    """On a screen that is wide enough for the path of any folder."""

    async def test_one_that_grows(self, view: View, office: Exchange) -> None:
        async with view(size=SIZES[2]) as stage:
            await stage.until("Calls: 5")
            office.call(talk_s=1.0, caller_number="4711", ago_s=-5.0)
            await stage.until("4711")
            await stage.until("Calls: 6")
            # half a line, as a reader may see it, is no call yet
            whole = office.newest.read_bytes()
            line = whole.splitlines(keepends=True)[-1].replace(b"4711", b"4712")
            with office.newest.open("ab") as file:
                file.write(line[:50])
            await stage.until("the last record is not whole")
            with office.newest.open("ab") as file:
                file.write(line[50:].replace(b"4711", b"4712"))
            await stage.until_not("is not whole")

    async def test_a_new_day(self, view: View, office: Exchange) -> None:
        async with view() as stage:
            await stage.until("Calls: 5")
            office.call(talk_s=1.0, caller_number="4713", ago_s=-DAY_S)
            await stage.until("4713")

    async def test_what_cannot_be_read_is_told(self, view: View, office: Exchange) -> None:
        (office.folder / "x.csv").write_bytes(b"\x89PNG\n\0")
        (office.folder / "y.cdr").write_bytes(HEADER[:5])
        async with view(size=SIZES[2]) as stage:
            await stage.until("x.csv is no call record file.")
            assert "(1 more)" in stage.text
            assert "Calls: 5" in stage.text

    async def test_there_is_none(self, view: View, tmp_path: Path) -> None:
        async with view(tmp_path / "none", size=SIZES[2]) as stage:
            await stage.until(f"There is no {tmp_path}/none.")
            assert "No calls." in stage.text


WALK: tuple[tuple[str, type[Screen[Any]], tuple[str, ...], str], ...] = (
    ("calls", CallsScreen, (), "+8613901"),
    ("search", CallsScreen, ("slash", "5"), "5"),
    ("call", CallDialog, ("escape", "down", "enter"), "G722"),
    ("totals", TotalsScreen, ("escape", "2"), "2027-01-13"),
    ("totals-by-line", TotalsScreen, ("b", "b", "b"), "203.0.113.7"),
    ("calls-found", CallsScreen, ("1", "slash", *"86139", "enter"), "86139"),
    ("calls-not-found", CallsScreen, ("slash", *"4711", "enter"), "4711"),
)
"""Name of the picture, the screen that it shows, the keys that lead there, what is seen then."""

BROKEN = (
    ("calls-broken", CallsScreen, (), "x.csv"),
    ("call-long", CallDialog, ("down", "enter"), "G722"),
    ("totals-broken", TotalsScreen, ("escape", "2"), "x.csv"),
)
"""The same where a file is none, and with a call of which much is known."""

NONE = (
    ("calls-none", CallsScreen, (), "cdr"),
    ("totals-none", TotalsScreen, ("2",), "cdr"),
)

PICTURES = Path(__file__).with_name("screens")


# A dozen large screens a test, on a machine that may be busy.
@pytest.mark.timeout(300)
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_pictures(
    view: View,
    office: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    language: str,
) -> None:
    monkeypatch.setenv("LC_ALL", {"en": ENGLISH, "zh": CHINESE}[language])
    monkeypatch.setattr(screens, "FOLLOW_S", 3600.0)
    # The folder is on some of the pictures.
    monkeypatch.chdir(office.folder.parent)

    async def walk(stage: Stage, steps: Sequence[tuple[str, object, tuple[str, ...], str]]) -> None:
        for name, screen, keys, seen in steps:
            await stage.press(*keys)
            await stage.is_picture(PICTURES / f"{name}-{size[0]}x{size[1]}-{language}.txt", seen)
            assert type(stage.app.screen) is screen

    async with view(Path("cdr"), size=size) as stage:
        await walk(stage, WALK)
    (office.folder / "x.csv").write_bytes(b"\x89PNG\n\0")
    much_of_it(office)
    async with view(Path("cdr"), size=size) as stage:
        await walk(stage, BROKEN)
    async with view(Path("none/cdr"), size=size) as stage:
        await walk(stage, NONE)


def much_of_it(office: Exchange) -> None:
    """Leave the record of a call with long names."""
    host = "sbc-north-1.ims.mnc000.mcc460.pub.3gppnetwork.org:5060"
    office.call(
        ago_s=1.0,
        talk_s=36000.0,
        caller_line="trunk",
        caller_number="reception.of.the.third.department",
        caller_addr=f"tls {host}",
        called_line="trunk",
        dialed_number="908613901088888",
        called_number="+8613901088888",
        called_addr=f"tls {host}",
        called_codec="G722",
        recordings=tuple(f"20270115/{number}.wav" for number in range(5)),
    )


def test_every_screen_has_its_picture() -> None:
    steps = (*WALK, *BROKEN, *NONE)
    assert {screen for _, screen, _, _ in steps} == classes.screens(tui.minicdr)
    shown = {
        f"{name}-{columns}x{lines}-{language}.txt"
        for name, _, _, _ in steps
        for columns, lines in SIZES
        for language in ("en", "zh")
    }
    assert {path.name for path in PICTURES.iterdir()} == shown


@pytest.mark.parametrize("size", [(60, 16), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_call_has_the_manners_of_all_dialogs(
    view: View, office: Exchange, size: tuple[int, int]
) -> None:
    much_of_it(office)
    async with view(size=size) as stage:
        await stage.until("Calls: 6")
        await stage.press("enter")
        await stage.until(lambda: isinstance(stage.app.screen, CallDialog))
        await mind_your_manners(stage)
        await stage.press("escape")
        await stage.until(lambda: isinstance(stage.app.screen, CallsScreen))


async def test_it_needs_a_terminal(office: Exchange) -> None:
    ran = await outcome(await start("view", office.folder, module="tui.minicdr.cli"))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "minicdr: The view needs a terminal; list, total and show do not.\n"


async def test_on_a_real_one(office: Exchange) -> None:
    command = ("tui.minicdr.cli", "view", str(office.folder))
    async with terminal(*command, socket=office.folder / "none", size=(100, 30)) as shown:
        await shown.until("+8613901088888")
        shown.type(b"q")
        assert await shown.ended() == 0


async def test_its_own_fault_is_one_sentence(office: Exchange, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from tui.minicdr.screens import CallsScreen\n"
        "def compose(self): raise KeyError('not [bold]there')\n"
        "CallsScreen.compose = compose\n"
        "from tui.minicdr.cli import main\n"
        "main()\n"
    )
    env = {"PYTHONPATH": f"{Path.cwd()}:{tmp_path}"}
    command = ("broken", "view", str(office.folder))
    async with terminal(*command, socket=tmp_path / "none", env=env) as shown:
        assert await shown.ended() == 70
        assert "minicdr: That went wrong: KeyError('not [bold]there')." in shown.text
        assert "locals" not in shown.text
