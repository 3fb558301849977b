"""The console in memory: what it shows as text, and the pictures that it is to look like."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot, WaitForScreenTimeout
from textual.screen import Screen

from tests.tui.office import noon
from tests.tui.room import faults
from tui.app import ConsoleApp
from tui.link import ExchangeLink

SIZES = ((80, 24), (120, 40), (300, 90))

LIMIT_S = 60.0


class Shown:
    """A program on a terminal in memory, and the keys that are pressed on it."""

    def __init__(self, app: App[None], pilot: Pilot[None]) -> None:
        self.app = app
        self._pilot = pilot
        pilot._wait_for_screen = partial(_settled, pilot)  # type: ignore[method-assign]

    @property
    def text(self) -> str:
        """What is on the screen, a line a line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, and let the program do what each asks for.

        Two at once would go to the same screen, also where the first one opens or closes another.
        """
        for key in keys:
            await self._pilot.press(key)
            await self._pilot.pause()

    async def until(self, seen: str | Callable[[], bool]) -> None:
        """Wait until a text is on the screen, or until something is so."""

        def so() -> bool:
            return seen in self.text if isinstance(seen, str) else seen()

        try:
            async with asyncio.timeout(LIMIT_S):
                while not so():
                    await self._pilot.pause(0.01)
        except TimeoutError:
            raise AssertionError(f"not seen: {seen!r}\n{self.text}") from None
        await self._pilot.pause()

    async def until_not(self, seen: str) -> None:
        """Wait until a text is on the screen no longer."""
        await self.until(lambda: seen not in self.text)

    async def until_screen(self, kind: type[Screen[Any]]) -> None:
        """Wait until a screen of this kind is the one that is seen."""
        await self.until(lambda: type(self.app.screen) is kind)

    def clipped(self) -> list[str]:
        """Return what has no room."""
        return faults(self.app)

    async def is_picture(self, picture: Path, seen: str = "") -> None:
        """Wait until the screen is what a file shows, and nothing on it is clipped.

        Where the pictures are made anew, the screen is ready once `seen` is on it.

        A pause waits for the program to be idle; where the machine is busy, it only looks so, and
        the screen (its last line above all, which Textual makes anew) is half done.
        """
        if os.environ.get("MINISIP_NEW_SCREENS"):
            await self.until(seen)
            await self._pilot.pause(0.5)
            _draw(picture, self.text)
        wanted = _lines(picture)
        try:
            await self.until(lambda: self.text.splitlines() == wanted and self.clipped() == [])
        except AssertionError:
            assert self.clipped() == []
            assert self.text.splitlines() == wanted
            raise


async def _settled(pilot: Pilot[None], longest_s: float = LIMIT_S) -> bool:
    """Wait until every widget has done what it has to do.

    Textual's own way asks each once and waits for all answers; one that is removed meanwhile, as the
    keys in the last line are, never gives its answer. So those who are there then are asked again.
    """
    patience = 0.25
    while True:
        try:
            return await Pilot._wait_for_screen(pilot, patience)
        except WaitForScreenTimeout:
            if patience > longest_s:
                raise
            patience *= 2


def _draw(picture: Path, text: str) -> None:
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(text + "\n", "utf-8")


def _lines(picture: Path) -> list[str]:
    return picture.read_text("utf-8").splitlines()


class Stage(Shown):
    """A running console."""

    app: ConsoleApp

    async def type(self, text: str) -> None:
        """Press the keys of a text without spaces."""
        await self.press(*text)

    async def click(self, selector: str) -> None:
        """Click on a widget."""
        await self._pilot.click(selector)
        await self._pilot.pause()

    async def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        await self._pilot.resize_terminal(columns, lines)
        await self._pilot.pause()


@asynccontextmanager
async def console(
    socket: Path, size: tuple[int, int] = SIZES[0], now: Callable[[], Any] = noon
) -> AsyncIterator[Stage]:
    """Run the console on a terminal of `size` (columns, lines)."""
    app = ConsoleApp(ExchangeLink(socket, now))
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Stage(app, pilot)
