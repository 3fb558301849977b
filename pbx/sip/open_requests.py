"""How many requests of peers may be open at once: a flood of them must not take all the memory."""

from collections.abc import Callable
from dataclasses import dataclass

from pbx.sip.flow import Flow
from pbx.sip.source import source_of

MOST = 32768
"""Server transactions at once. Each is kept for 32 s at the most, in some 5 to 10 KB."""

MOST_OF_ONE = 24576
"""Those of one sender that is known: what is left is for the others."""

MOST_OF_STRANGERS = 1024
"""Those of all strangers together. What they are told at once leaves none behind."""

MOST_OF_A_STRANGER = 128
"""Those of one of them, who may be an office with 30 phones behind one address."""


@dataclass(slots=True)
class _Sender:
    known: bool
    count: int = 0


class OpenRequests:
    """Counts the server transactions that are alive, by sender, and says whether there is room.

    A sender is whoever has an address; by UDP anybody can take another's.
    """

    def __init__(self) -> None:
        self.known: Callable[[Flow], bool] = lambda flow: True
        """Whether a path is of a registered phone, or of a line's peer; set by who knows that."""
        self._senders: dict[str, _Sender] = {}
        self._all = 0
        self._of_strangers = 0

    def begin(self, flow: Flow) -> bool:
        """Count one more of who sends by a path; False where there is no room for it."""
        name = source_of(flow.remote.host)
        sender = self._senders.get(name) or _Sender(self.known(flow))
        if not self._has_room(sender) and not sender.known and self.known(flow):
            self._introduce(sender)
        if not self._has_room(sender):
            return False
        self._senders[name] = sender
        self._count(sender, 1)
        return True

    def end(self, flow: Flow) -> None:
        """Count one less."""
        name = source_of(flow.remote.host)
        sender = self._senders[name]
        self._count(sender, -1)
        if not sender.count:
            del self._senders[name]

    def introduce(self, flow: Flow) -> None:
        """Let a sender be known as long as it has a request open: it has shown a password."""
        sender = self._senders.get(source_of(flow.remote.host))
        if sender is not None and not sender.known:
            self._introduce(sender)

    def _introduce(self, sender: _Sender) -> None:
        sender.known = True
        self._of_strangers -= sender.count

    def _count(self, sender: _Sender, change: int) -> None:
        sender.count += change
        self._all += change
        if not sender.known:
            self._of_strangers += change

    def _has_room(self, sender: _Sender) -> bool:
        if self._all >= MOST:
            return False
        if sender.known:
            return sender.count < MOST_OF_ONE
        return sender.count < MOST_OF_A_STRANGER and self._of_strangers < MOST_OF_STRANGERS
