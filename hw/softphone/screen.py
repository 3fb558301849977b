"""The phone as a person uses it: one screen in the terminal."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from hw.softphone.call import Call, CallState
from hw.softphone.happenings import (
    Answered,
    Dialled,
    Ended,
    Happening,
    Invited,
    Registered,
    RegistrationFailed,
    Unregistered,
    Why,
)
from hw.softphone.keys import KEYS
from hw.softphone.locale import say
from hw.softphone.phone import Phone
from hw.softphone.words import peer_in_words, reason_in_words
from pbx.errors import StartError
from tui.bindings import in_words
from tui.clean import clean
from tui.full_screen import FullScreenApp

TICK_S = 1.0
"""How often the time of talk is shown anew."""

BELL_S = 3.0
"""How often the terminal's bell tells of a call."""

KEPT = 100
"""Calls in the list."""

OpenPhone = Callable[[Callable[[Happening], None], Callable[[str], None]], Awaitable[Phone]]
"""Turns the phone on: takes what happens to it, and what is to be told."""

_KEY_NAMES = {"asterisk": "*", "number_sign": "#", **{digit: digit for digit in KEYS[:10]}}
"""Keys of the keyboard that are keys of a telephone, as Textual calls them."""


@dataclass(slots=True)
class Past:
    """A line of the list of calls."""

    began: str
    incoming: bool
    peer: str
    result: str


class NumberField(Input):
    """Where the number is typed; other keys are the phone's."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "submit", "bind-dial")]

    def __init__(self) -> None:
        super().__init__(id="number", placeholder=say("field-number"), restrict=r"[0-9*#+]*")

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Tell that no letter is for this field: it would keep them from the phone."""
        return False


class PhoneScreen(Screen[None]):
    """State, number, calls, keys."""

    AUTO_FOCUS = "#number"

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Horizontal(id="top"):
            yield Static(id="who", markup=False)
            yield Static(id="registration", markup=False)
        yield Static(id="word", markup=False)
        yield Static(id="detail", markup=False)
        yield NumberField()
        with VerticalScroll(id="calls", can_focus=False) as calls:
            calls.border_title = say("title-calls")
            yield Static(id="list", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that do something now."""
        return in_words(super().active_bindings, say)


class PhoneApp(FullScreenApp):
    """The phone's screen.

    Args:
        open_phone: turns the phone on.
        who: its user and server, as they are shown.
    """

    TITLE = "minisipphone"
    CSS_PATH = "phone.tcss"
    # With priority: the number field would take them for itself.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "answer", "bind-answer", priority=True),
        Binding("h", "hang_up", "bind-hang-up", priority=True),
        Binding("m", "mute", "bind-mute", priority=True),
        Binding("q", "quit", "bind-quit", priority=True),
        Binding("ctrl+c", "quit", show=False, priority=True),
        *(
            Binding(name, f"key({key!r})", show=False, priority=True)
            for name, key in _KEY_NAMES.items()
        ),
    ]

    def __init__(self, open_phone: OpenPhone, who: str) -> None:
        super().__init__()
        self._open_phone = open_phone
        self._who = who
        self._phone: Phone | None = None
        self._registration = say("state-connecting")
        self._last = ""
        self._pressed = ""
        self._began = 0.0
        self._past: deque[Past] = deque(maxlen=KEPT)
        self.failure: StartError | None = None
        """Why the phone could not be turned on."""

    def get_default_screen(self) -> Screen[None]:
        """Return the only screen."""
        return PhoneScreen()

    def on_mount(self) -> None:
        """Take the terminal's own colours, as the console does."""
        self.theme = "ansi-dark"

    async def on_ready(self) -> None:
        """Turn the phone on."""
        try:
            self._phone = await self._open_phone(self._happened, self._complain)
        except StartError as error:
            self.failure = error
            self.exit()
            return
        self._phone.register()
        self.set_interval(TICK_S, self._show)
        self.set_interval(BELL_S, self._ring)
        self._show()

    async def on_unmount(self) -> None:
        """Turn the phone off."""
        if self._phone is not None:
            await self._phone.close()

    @property
    def _call(self) -> Call | None:
        return self._phone.call if self._phone is not None else None

    # ---------------------------------------------------------------- what happens

    def _happened(self, happening: Happening) -> None:
        match happening:
            case Registered():
                self._registration = f"● {say('state-registered')}"
            case Unregistered():
                self._registration = f"○ {say('state-unregistered')}"
            case RegistrationFailed():
                why = reason_in_words(happening.reason)
                self._registration = f"✗ {say('state-unregistered')}"
                self._complain(say("not-registered", why=why))
                if happening.reason.why is Why.WRONG_PASSWORD:
                    self._complain(say("no-account"))
            case Dialled():
                self._open_line(happening.call)
            case Invited():
                self._open_line(happening.call)
                self._ring()
            case Answered():
                self._began = time.monotonic()
                self._pressed = ""
            case Ended():
                self._end_line(happening)
        self._show()

    def _open_line(self, call: Call) -> None:
        peer = peer_in_words(call.peer, call.name)
        began = time.strftime("%H:%M")
        self._past.appendleft(Past(began, call.incoming, peer, ""))
        self._began = 0.0
        self._last = ""

    def _end_line(self, ended: Ended) -> None:
        why = reason_in_words(ended.reason)
        talked = self._talked() if self._began else ""
        if self._past:
            self._past[0].result = f"{talked}  {why}".strip()
        self._last = why
        self._began = 0.0

    def _talked(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes}:{seconds:02}"

    def _complain(self, sentence: str) -> None:
        # By a message: what ends in a call is told on the sound's thread.
        self.call_later(partial(self.notify, clean(sentence), severity="error", markup=False))

    def _ring(self) -> None:
        if self._call is not None and self._call.state is CallState.RINGING:
            self.bell()

    # ---------------------------------------------------------------- what is shown

    def _show(self) -> None:
        if not self.is_running or not isinstance(self.screen, PhoneScreen):
            return
        word, detail = self._words()
        for name, text in (
            ("#who", self._who),
            ("#registration", self._registration),
            ("#word", word),
            ("#detail", detail),
        ):
            self.screen.query_one(name, Static).update(clean(text))
        lines = [
            f"{one.began}  {'←' if one.incoming else '→'}  {one.peer}  {one.result}".rstrip()
            for one in self._past
        ]
        self.screen.query_one("#list", Static).update(Text("\n".join(lines)))
        self.screen.refresh_bindings()

    def _words(self) -> tuple[str, str]:
        """Return the state in a word, and more of it."""
        call = self._call
        if call is None:
            return say("word-ready"), self._last
        peer = peer_in_words(call.peer, call.name)
        if call.state is not CallState.TALKING:
            return say(f"word-{call.state.name.lower()}"), peer
        stream = self._phone.stream if self._phone is not None else None
        parts = [peer, self._talked()]
        if call.held:
            parts.append(say("held"))
        if self._pressed:
            parts.append(say("keys-sent", keys=self._pressed))
        muted = stream is not None and stream.muted
        return say("word-muted" if muted else "word-talking"), "  ".join(parts)

    # ---------------------------------------------------------------- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell which keys do something now."""
        state = self._call.state if self._call is not None else None
        match action:
            case "answer":
                return state is CallState.RINGING
            case "hang_up":
                return state is not None
            case "mute" | "key":
                return state is CallState.TALKING
        return True

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Call the number in the field."""
        field = self.screen.query_one("#number", Input)
        if self._phone is None or self._call is not None or not field.value:
            return
        try:
            await self._phone.dial(field.value)
        except StartError as error:
            self._complain(error.sentence)
            return
        field.value = ""

    def action_answer(self) -> None:
        """Answer the call that rings."""
        if self._phone is None or self._call is None:
            return
        try:
            self._phone.answer(self._call)
        except StartError as error:
            self._complain(error.sentence)

    def action_hang_up(self) -> None:
        """End the call, or refuse it."""
        if self._phone is not None:
            self._phone.hang_up()

    def action_mute(self) -> None:
        """Turn the microphone off, or on again."""
        if self._phone is not None and self._phone.stream is not None:
            self._phone.stream.muted = not self._phone.stream.muted
            self._show()

    def action_key(self, key: str) -> None:
        """Press a telephone's key in a call."""
        stream = self._phone.stream if self._phone is not None else None
        if stream is None:
            return
        if stream.press(key):
            self._pressed += key
        else:
            self._complain(say("keys-refused"))
        self._show()


def run_screen(open_phone: OpenPhone, who: str) -> None:
    """Show the phone until the user leaves it.

    Raises:
        StartError: it can't be turned on.
        Exception: the program has a fault; the system's log tells where.
    """
    app = PhoneApp(open_phone, who)
    app.show()
    if app.failure is not None:
        raise app.failure
