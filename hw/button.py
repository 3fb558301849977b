"""The button: what presses mean, as a table, and the GPIO pin that feeds it."""

import asyncio
import contextvars
import time
from collections.abc import Callable
from enum import Enum

GLITCH_S = 0.03
"""A press shorter than this is no finger: a bounce, or a spark near a long wire."""

SHORT_S = 1.0
"""A press up to this long is a short one."""

HOLD_S = 3.0
"""The button held down so long asks for a safe shutdown."""

BOUNCE_S = 0.02


class Position(Enum):
    """What the button does."""

    UP = "up"
    DOWN = "down"
    SHUTTING_DOWN = "shutting down"
    """It has been held; until that is found to have failed, it says nothing more."""


class Input(Enum):
    """What happens to it."""

    PRESS = "press"
    GLITCH = "released at once"
    SHORT = "released soon"
    LONG = "released later"
    HELD = "held for HOLD_S"
    FAILED = "the shutdown has failed"


class Action(Enum):
    """What is to be done about it."""

    LIGHT = "light the lamp as an echo"
    DARK = "end the echo"
    TELL = "tell the address"
    SHUT_DOWN = "shut the machine down"


_IGNORE: tuple[Position | None, tuple[Action, ...]] = (None, ())

TABLE: dict[tuple[Position, Input], tuple[Position | None, tuple[Action, ...]]] = {
    (Position.UP, Input.PRESS): (Position.DOWN, (Action.LIGHT,)),
    # Releases without a press: it was held down when the program started, or a shutdown failed.
    (Position.UP, Input.GLITCH): _IGNORE,
    (Position.UP, Input.SHORT): _IGNORE,
    (Position.UP, Input.LONG): _IGNORE,
    (Position.UP, Input.HELD): _IGNORE,
    (Position.UP, Input.FAILED): _IGNORE,
    (Position.DOWN, Input.PRESS): _IGNORE,
    (Position.DOWN, Input.GLITCH): (Position.UP, (Action.DARK,)),
    (Position.DOWN, Input.SHORT): (Position.UP, (Action.DARK, Action.TELL)),
    # Somebody began to hold it and thought better of it.
    (Position.DOWN, Input.LONG): (Position.UP, (Action.DARK,)),
    (Position.DOWN, Input.HELD): (Position.SHUTTING_DOWN, (Action.DARK, Action.SHUT_DOWN)),
    (Position.DOWN, Input.FAILED): _IGNORE,
    (Position.SHUTTING_DOWN, Input.PRESS): _IGNORE,
    (Position.SHUTTING_DOWN, Input.GLITCH): _IGNORE,
    (Position.SHUTTING_DOWN, Input.SHORT): _IGNORE,
    (Position.SHUTTING_DOWN, Input.LONG): _IGNORE,
    (Position.SHUTTING_DOWN, Input.HELD): _IGNORE,
    (Position.SHUTTING_DOWN, Input.FAILED): (Position.UP, ()),
}
"""Where each input leads (None: nowhere), and what is done."""


class Presses:
    """What presses mean; times in, actions out."""

    def __init__(self) -> None:
        self.position = Position.UP
        self._pressed_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `expire` is to be called, if nothing else happens before."""
        if self.position is not Position.DOWN or self._pressed_at is None:
            return None
        return self._pressed_at + HOLD_S

    def press(self, now: float) -> tuple[Action, ...]:
        """The button goes down."""
        if self.position is not Position.DOWN:
            self._pressed_at = now
        return self._take(Input.PRESS)

    def release(self, now: float) -> tuple[Action, ...]:
        """The button comes up."""
        lasted_s = now - self._pressed_at if self._pressed_at is not None else 0.0
        self._pressed_at = None
        if lasted_s < GLITCH_S:
            return self._take(Input.GLITCH)
        if lasted_s <= SHORT_S:
            return self._take(Input.SHORT)
        # Held long enough, and the timer is late.
        return self._take(Input.HELD if lasted_s >= HOLD_S else Input.LONG)

    def expire(self, now: float) -> tuple[Action, ...]:
        """The deadline may have passed."""
        deadline = self.deadline
        return self._take(Input.HELD) if deadline is not None and now >= deadline else ()

    def failed(self) -> tuple[Action, ...]:
        """The machine goes on running."""
        return self._take(Input.FAILED)

    def _take(self, happened: Input) -> tuple[Action, ...]:
        position, actions = TABLE[self.position, happened]
        if position is not None:
            self.position = position
        return actions


class GpioButton:
    """A button between a GPIO pin and ground, by gpiozero.

    Args:
        pin: GPIO number.
        act: what carries out the actions, on the running event loop.

    Raises:
        Exception: whatever the way to the pins raises where the pin can't be had.
    """

    def __init__(self, pin: int, act: Callable[[Action], None]) -> None:
        # Imported late: on a machine without pins nobody needs it.
        from gpiozero import Button

        self._presses = Presses()
        self._act = act
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._timer: asyncio.TimerHandle | None = None
        self._device = Button(pin, pull_up=True, bounce_time=BOUNCE_S)
        # gpiozero calls from a thread of its own. The time is that of the press, not that at
        # which the loop gets to it.
        self._device.when_pressed = lambda: self._from_thread(self._presses.press)
        self._device.when_released = lambda: self._from_thread(self._presses.release)

    def failed(self) -> None:
        """The machine goes on running: listen to presses again."""
        self._carry_out(self._presses.failed())

    def close(self) -> None:
        """Let go of the pin."""
        self._device.close()
        if self._timer is not None:
            self._timer.cancel()

    def _from_thread(self, step: Callable[[float], tuple[Action, ...]]) -> None:
        now = time.monotonic()
        # A thread that gpiozero has started knows nothing of the language chosen.
        self._loop.call_soon_threadsafe(lambda: self._carry_out(step(now)), context=self._context)

    def _carry_out(self, actions: tuple[Action, ...]) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._presses.deadline
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._expire)
        for action in actions:
            self._act(action)

    def _expire(self) -> None:
        # The loop may call a clock tick early.
        self._carry_out(self._presses.expire(max(time.monotonic(), self._presses.deadline or 0.0)))
