"""An exchange that is none, with calls, problems and notes, behind the real control API."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from pbx.api.schema import TOPICS, WATCH_S, Changes, Health, LogLine, Problem, RunningCall
from pbx.api.server import ControlServer
from tests.api.fakes import FakeExchange


class WatchedExchange(FakeExchange):
    """What the agent asks of an exchange, and what it has told it."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[str] = []
        self.problems: list[Problem] = []
        self.notes: list[tuple[str, str, str, str]] = []
        self._mark = 0
        self._changed = asyncio.Event()

    def change(
        self, *, calls: list[str] | None = None, problems: list[tuple[str, str]] | None = None
    ) -> None:
        """Have such calls and such problems from now on."""
        if calls is not None:
            self.states = calls
        if problems is not None:
            self.problems = [
                Problem(slug=slug, severity=severity, values={}) for slug, severity in problems
            ]
        self._mark += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def calls(self) -> list[RunningCall]:
        """Return the calls of `change`."""
        self._ask("calls")
        return [
            RunningCall(
                id=f"c{number}",
                caller="100",
                called="101",
                state=state,
                since="2026-11-23T04:00:39+08:00",
                talk_s=1.0,
            )
            for number, state in enumerate(self.states)
        ]

    def health(self) -> Health:
        """Return the problems of `change`."""
        self._ask("health")
        state = self.problems[0].severity if self.problems else "ready"
        return Health(state=state, problems=self.problems)

    def log(self, after: str) -> list[LogLine]:
        """Return nothing, and note that the agent has asked."""
        self._ask("log")
        return []

    async def watch(self, mark: str) -> Changes:
        """Wait for a `change`."""
        self._ask("watch")
        if mark != str(self._mark):
            return Changes(mark=str(self._mark), topics=list(TOPICS))
        try:
            await asyncio.wait_for(self._changed.wait(), WATCH_S)
        except TimeoutError:
            return Changes(mark=mark, topics=[])
        return Changes(mark=str(self._mark), topics=["calls", "health"])

    def note_hardware(self, kind: str, event: str, name: str, port: str) -> None:
        """Keep the note."""
        self.notes.append((kind, event, name, port))


class Office:
    """A `WatchedExchange` that can be there and not be there."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hw"))
        self.socket = self.folder / "control.sock"
        self.exchange = WatchedExchange()
        self._server: ControlServer | None = None

    async def open(self) -> None:
        """The exchange is there."""
        self._server = ControlServer(self.exchange, self.socket)
        await self._server.start()

    async def shut(self) -> None:
        """The exchange is gone."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def close(self) -> None:
        """Leave nothing behind."""
        await self.shut()
        shutil.rmtree(self.folder)
