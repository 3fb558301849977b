"""What the console knows of the exchange, kept up to date over two connections: one waits for
changes, the other fetches what has changed.
"""

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pbx.api.client import AsyncClient, CommandError, ExchangeUnreachable
from pbx.api.schema import TOPICS, Health, Line, LogLine, RunningCall, Status, User
from tui.locale import say, translate

T = TypeVar("T")

RETRY_S = 1.0
"""How long after a failure the exchange is tried again."""

PAUSE_S = 0.2
"""The least time between two fetches: a busy exchange has more to do than to tell of itself."""

LOG_LINES = 2000
"""How many of the last lines of the log are kept."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The exchange as last seen.

    Args:
        taken: when.
        users_taken, calls_taken: when its users and calls were; they are fetched less often.
        trouble: the sentence why the exchange can't be reached; empty where it can.
        status: None as long as nothing is known.
        log_count: lines of the log that ever came, those included that are kept no longer.
    """

    taken: datetime.datetime
    users_taken: datetime.datetime
    calls_taken: datetime.datetime
    trouble: str = ""
    status: Status | None = None
    health: Health | None = None
    users: tuple[User, ...] = ()
    calls: tuple[RunningCall, ...] = ()
    lines: tuple[Line, ...] = ()
    log: tuple[LogLine, ...] = ()
    log_count: int = 0

    @property
    def state(self) -> str:
        """The state in a word: ``ready``, ``attention``, ``failed``, ``unreachable``, ``connecting``."""
        if self.trouble:
            return "unreachable"
        return self.health.state if self.health is not None else "connecting"


class ExchangeLink:
    """Keeps a `Picture` of the exchange, and carries out what the user asks of it.

    The exchange may vanish and come back at any time: the picture says so.

    Args:
        path: the control socket.
        now: the clock.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now().astimezone(),
    ) -> None:
        self.path = path
        self.now = now
        begin = now()
        self.picture = Picture(begin, begin, begin)

    async def follow(self, changed: Callable[[], None]) -> None:
        """Keep the picture up to date until cancelled, and call `changed` after each change."""
        while True:
            try:
                async with AsyncClient(self.path) as watching, AsyncClient(self.path) as asking:
                    await self._follow(watching, asking, changed)
            except ExchangeUnreachable as error:
                self._lost(say(error.key, path=error.path))
            except CommandError as error:
                self._lost(translate(error))
            changed()
            await asyncio.sleep(RETRY_S)

    async def ask(self, call: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """Carry out `call` on a connection of its own, so that nothing else waits for it.

        Raises:
            CommandError: the exchange refused.
            ExchangeUnreachable: it did not answer.
        """
        async with AsyncClient(self.path) as client:
            return await call(client)

    async def _follow(
        self, watching: AsyncClient, asking: AsyncClient, changed: Callable[[], None]
    ) -> None:
        changes = await watching.watch()
        topics: Collection[str] = TOPICS
        while True:
            await self._fetch(asking, topics)
            changed()
            changes = await watching.watch(changes.mark)
            topics = changes.topics
            if topics:
                await asyncio.sleep(PAUSE_S)

    async def _fetch(self, client: AsyncClient, topics: Collection[str]) -> None:
        old = self.picture
        status = await client.status()
        seen: dict[str, Any] = {"status": status}
        if "health" in topics:
            seen["health"] = await client.health()
        if "calls" in topics or not topics:
            # Nobody tells how a call sounds by now.
            seen["calls"] = tuple(await client.calls())
            seen["calls_taken"] = self.now()
        if "users" in topics or not topics:
            # Nobody tells of a phone that registers again, but its time starts anew.
            seen["users"] = tuple(await client.users())
            seen["users_taken"] = self.now()
        if not topics or {"lines", "calls"} & set(topics):
            # Their calls, too; and nobody tells of a round-trip time.
            seen["lines"] = tuple(await client.lines())
        if "log" in topics:
            # Another process counts its lines from the beginning.
            same = old.status is not None and old.status.pid == status.pid
            lines = await client.log(old.log[-1].number if same and old.log else 0)
            seen["log"] = (*old.log, *lines)[-LOG_LINES:]
            seen["log_count"] = old.log_count + len(lines)
        self.picture = replace(old, taken=self.now(), trouble="", **seen)

    def _lost(self, trouble: str) -> None:
        """Forget all that may be true no longer; what the log said stays said."""
        old = self.picture
        self.picture = replace(
            old, taken=self.now(), trouble=trouble, health=None, users=(), calls=(), lines=()
        )
