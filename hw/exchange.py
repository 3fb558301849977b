"""The exchange as the agent sees it: what it is doing, and the notes that it gets."""

import asyncio
import ipaddress
import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pbx.api.client import AsyncClient, CommandError, ExchangeUnreachable

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""How long to wait before an exchange that doesn't answer is tried again."""

PAUSE_S = 0.25
"""The least time between two looks: a busy exchange has better to do than to tell of it."""

NOTES_LIMIT = 200
"""Notes that wait for an exchange; when there are more, the oldest are dropped."""

SOMEWHERE = ("192.0.2.1", 9)
"""Documentation's address (RFC 5737), to ask which of ours would be used; nothing is sent."""


@dataclass(frozen=True, slots=True)
class View:
    """What the exchange says: `problems` are slug and severity."""

    answered: bool = False
    answers: bool = False
    problems: frozenset[tuple[str, str]] = frozenset()
    ringing: bool = False
    talking: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """What goes to the exchange's log; the words are those of `pbx.api.schema`."""

    kind: str
    event: str
    name: str
    port: str = ""


class Exchange:
    """Watches the exchange, whether it is there or not.

    Args:
        socket: returns the path of the control socket, which may be another after a restart.
        changed: called with what is seen whenever that has changed.
    """

    def __init__(self, socket: Callable[[], Path], changed: Callable[[View], None]) -> None:
        self._socket = socket
        self._changed = changed
        self._view = View()
        self._trouble = ""
        self._notes: deque[Note] = deque(maxlen=NOTES_LIMIT)
        self._noted = asyncio.Event()

    async def watch(self) -> None:
        """Keep looking, for ever."""
        while True:
            try:
                async with AsyncClient(self._socket()) as client:
                    await self._follow(client)
            except (ExchangeUnreachable, CommandError) as error:
                self._lost(error)
            await asyncio.sleep(RETRY_S)

    def note(self, note: Note) -> None:
        """Tell the exchange's log, now or as soon as it answers."""
        self._notes.append(note)
        self._noted.set()

    async def deliver(self) -> None:
        """Bring the notes to the exchange, for ever."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            try:
                async with AsyncClient(self._socket()) as client:
                    await self._deliver(client)
            except ExchangeUnreachable:
                await asyncio.sleep(RETRY_S)
                self._noted.set()

    async def address(self) -> str:
        """Return the IPv4 address at which phones find it, else this machine's; empty for none."""
        try:
            async with AsyncClient(self._socket()) as client:
                status = await client.status()
        except (ExchangeUnreachable, CommandError):
            return own_address()
        return reachable_address(status.addresses) or own_address()

    async def _follow(self, client: AsyncClient) -> None:
        mark = ""
        while True:
            changes = await client.watch(mark)
            mark = changes.mark
            problems, ringing, talking = (
                self._view.problems,
                self._view.ringing,
                self._view.talking,
            )
            if "calls" in changes.topics:
                states = {call.state for call in await client.calls()}
                ringing, talking = "ringing" in states, "talking" in states
            if "health" in changes.topics:
                health = await client.health()
                problems = frozenset((one.slug, one.severity) for one in health.problems)
            self._see(View(True, True, problems, ringing, talking))
            await asyncio.sleep(PAUSE_S)

    def _see(self, view: View) -> None:
        if not self._view.answers:
            log.info("the exchange answers")
            self._trouble = ""
        if view != self._view:
            self._view = view
            self._changed(view)

    def _lost(self, error: ExchangeUnreachable | CommandError) -> None:
        trouble = str(error)
        if trouble != self._trouble:
            log.warning("the exchange does not answer (%s)", trouble)
            self._trouble = trouble
        view = View(answered=self._view.answered)
        if view != self._view:
            self._view = view
            self._changed(view)

    async def _deliver(self, client: AsyncClient) -> None:
        while self._notes:
            note = self._notes[0]
            try:
                await client.note_hardware(note.kind, note.event, note.name, note.port)
            except CommandError as error:
                log.warning("the exchange takes no note of %r: %s", note.name, error.sentence)
            if self._notes and self._notes[0] is note:
                self._notes.popleft()


def reachable_address(addresses: Sequence[str]) -> str:
    """Return the first IPv4 address in ``udp 192.0.2.1:5060`` ... that another machine can use."""
    for text in addresses:
        host = text.rpartition(" ")[2].rpartition(":")[0]
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            continue
        if not address.is_loopback and not address.is_unspecified:
            return str(address)
    return ""


def own_address() -> str:
    """Return this machine's IPv4 address on the way to others; empty where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(SOMEWHERE)
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
    return reachable_address([f"udp {address}:9"])
