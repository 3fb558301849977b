"""Who watches the exchange hears here that something has changed."""

import asyncio
import secrets

from pbx.api.schema import TOPICS, WATCH_S, Changes

SETTLE_S = 0.1
"""What changes so soon after the first change is told together with it."""


class Noticeboard:
    """Counts the changes of each topic, and lets clients wait for the next one."""

    def __init__(self) -> None:
        # A client that has watched another run of the exchange must look at everything anew.
        self._run = secrets.token_hex(4)
        self._counts = dict.fromkeys(TOPICS, 0)
        self._waiting: set[asyncio.Future[None]] = set()

    def changed(self, topic: str) -> None:
        """Note a change of one of `TOPICS`."""
        self._counts[topic] += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def watch(self, mark: str, *, longest_s: float = WATCH_S) -> Changes:
        """Return what has changed since `mark`, after `longest_s` at the most."""
        topics = self._since(mark)
        if not topics:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await asyncio.wait_for(future, longest_s)
                await asyncio.sleep(SETTLE_S)
            except TimeoutError:
                pass
            finally:
                self._waiting.discard(future)
            topics = self._since(mark)
        return Changes(mark=self._mark(), topics=topics)

    def _mark(self) -> str:
        return ".".join([self._run, *map(str, self._counts.values())])

    def _since(self, mark: str) -> list[str]:
        run, *seen = mark.split(".")
        if run != self._run or len(seen) != len(TOPICS):
            return list(TOPICS)
        return [
            topic
            for topic, count in zip(TOPICS, seen, strict=True)
            if str(self._counts[topic]) != count
        ]
