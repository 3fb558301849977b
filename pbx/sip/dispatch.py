"""Who an event of the endpoint concerns (RFC 3261 §8.2, §12.2.2)."""

from collections.abc import Callable, Sequence
from typing import Protocol

from pbx.sip.events import Event, RequestReceived


class Owner(Protocol):
    """Holds dialogs, or transactions of its own: calls, subscriptions."""

    def owns(self, event: Event) -> bool:
        """Whether the event is of one of its dialogs or transactions."""

    def handle(self, event: Event, now: float) -> None:
        """Take an event that is its own."""


class Ticking(Protocol):
    """Has deadlines."""

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""

    def handle_timer(self, now: float) -> None:
        """Do what is due."""


class Dispatch:
    """Passes each event of the endpoint to its owner.

    Args:
        owners: asked in this order.
        newcomer: takes a request that nobody owns: one outside dialogs, or of a dialog that isn't
            there.
    """

    def __init__(
        self,
        owners: Sequence[Owner],
        newcomer: Callable[[RequestReceived, float], None],
    ) -> None:
        self._owners = owners
        self._newcomer = newcomer

    def handle(self, event: Event, now: float) -> None:
        """Pass one event on; one of a transaction that nobody knows any more is nobody's."""
        for owner in self._owners:
            if owner.owns(event):
                owner.handle(event, now)
                return
        if isinstance(event, RequestReceived):
            self._newcomer(event, now)
