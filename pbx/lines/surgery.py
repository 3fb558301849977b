"""Where the line doctor sees its patients, one at a time."""

from collections.abc import Callable

from pbx.config.line import Line
from pbx.lines.doctor import Doctor, TrialCall
from pbx.lines.lines import Lines
from pbx.lines.server import LocalFor, Server
from pbx.lines.state import LineState
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event

Caller = Callable[[Line, str, float], TrialCall | None]
"""Calls a number by a line, at a time; None where there is no way out by it."""


class Surgery:
    """The doctor's `Practice`; an `Owner`, and `Ticking`.

    Args:
        endpoint: sends and matches for us.
        tokens: fresh random strings.
        lines: the patients.
        local_for: see `LocalFor`.
        caller: makes test calls.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: Callable[[], str],
        lines: Lines,
        local_for: LocalFor,
        caller: Caller,
    ) -> None:
        self.endpoint = endpoint
        self.token = tokens
        self.call = caller
        self._lines = lines
        self._local_for = local_for
        self._doctor: Doctor | None = None

    @property
    def busy(self) -> bool:
        """Whether a line is being examined."""
        return self._doctor is not None and not self._doctor.done

    def examine(self, line: Line, number: str, told: Callable[[], None], now: float) -> Doctor:
        """Begin with a line; arguments as for `Doctor`. Nobody else may be there: `busy`."""
        self._doctor = Doctor(line, number, self, told, now)
        return self._doctor

    # ---------------------------------------------------------------- `Practice`

    def server(self, line: Line) -> Server:
        """Return a line's server, to be looked for anew."""
        return Server(line, self.endpoint, self._local_for)

    def state(self, name: str) -> LineState:
        """Return how a line is."""
        return self._lines.state(name)

    def renew(self, name: str, now: float) -> None:
        """Have a line register from the beginning."""
        self._lines.renew(name, now)

    # ---------------------------------------------------------------- events and time

    def owns(self, event: Event) -> bool:
        """Whether an event is of a request of the doctor's."""
        return self._doctor is not None and self._doctor.owns(event)

    def handle(self, event: Event, now: float) -> None:
        """Take an event that `owns` is true for."""
        assert self._doctor is not None
        self._doctor.handle(event, now)

    def resolved(self, now: float) -> None:
        """Take note that DNS has answered something."""
        if self._doctor is not None:
            self._doctor.resolved(now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""
        return self._doctor.next_timer() if self._doctor is not None else None

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self._doctor is not None:
            self._doctor.handle_timer(now)
