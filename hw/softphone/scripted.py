"""Calls that a script makes: one line per event, and an exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

from hw.softphone.call import Call
from hw.softphone.happenings import (
    Alerting,
    Answered,
    Dialled,
    Ended,
    Happening,
    Invited,
    MediaChanged,
    Reason,
    Registered,
    RegistrationFailed,
    Why,
)
from hw.softphone.locale import say
from hw.softphone.phone import Phone
from hw.softphone.words import peer_in_words, reason_in_words

EX_REFUSED = 1
EX_INTERRUPTED = 130

_CODES = {
    Why.WRONG_PASSWORD: os.EX_NOPERM,
    Why.NO_RESPONSE: os.EX_UNAVAILABLE,
    Why.UNREACHABLE: os.EX_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen in a call.

    Args:
        seconds: hang up so long after the answer; None: when the other side does.
        keys: pressed once the call is answered.
        wait_s: how long to wait for a call; None: for ever.
    """

    seconds: float | None = None
    keys: str = ""
    wait_s: float | None = None


def code_of(reason: Reason) -> int:
    """Return the exit code of a call, or a registration, that has failed."""
    return _CODES.get(reason.why, EX_REFUSED)


class Script:
    """One call by a plan, told line by line.

    Args:
        plan: what is to happen.
        told: takes the lines.
    """

    def __init__(self, plan: Plan, told: Callable[[str], None]) -> None:
        self._plan = plan
        self._told = told
        self._happenings: asyncio.Queue[Happening | None] = asyncio.Queue()
        self._interrupted = False
        self._answered = False
        self._held = False

    def tell(self, happening: Happening) -> None:
        """Take what happens to the phone."""
        self._happenings.put_nowait(happening)

    async def place(self, phone: Phone, number: str) -> int:
        """Call a number and stay until the call is over; return the exit code.

        Raises:
            StartError: the number can't be called.
        """
        self._heed_signals(phone)
        await phone.dial(number)
        return await self._see_through(phone)

    async def take(self, phone: Phone, *, register: bool) -> int:
        """Wait for a call, answer it, and stay until it is over; return the exit code.

        Raises:
            StartError: there is no port for its sound.
        """
        self._heed_signals(phone)
        loop = asyncio.get_running_loop()
        if self._plan.wait_s is not None:
            loop.call_later(self._plan.wait_s, self._happenings.put_nowait, None)
        if register:
            phone.register()
        else:
            self._told(say("listening", address=phone.address.partition(":")[2]))
        return await self._see_through(phone)

    def _heed_signals(self, phone: Phone) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._interrupt, phone)

    def _interrupt(self, phone: Phone) -> None:
        self._interrupted = True
        if phone.call is None:
            self._happenings.put_nowait(None)
        phone.hang_up()

    async def _see_through(self, phone: Phone) -> int:
        while True:
            happening = await self._happenings.get()
            if happening is None:
                if self._interrupted:
                    return EX_INTERRUPTED
                if phone.call is None and not self._answered:
                    self._told(say("nobody-called"))
                    return EX_REFUSED
                continue
            code = self._take(phone, happening)
            if code is not None:
                return EX_INTERRUPTED if self._interrupted else code

    def _take(self, phone: Phone, happening: Happening) -> int | None:
        """Tell what happens and go on with the plan; return the exit code at the end."""
        match happening:
            case Registered():
                self._told(say("registered", address=phone.address.partition(":")[2]))
            case RegistrationFailed():
                self._told(say("not-registered", why=reason_in_words(happening.reason)))
                return code_of(happening.reason) if phone.call is None else None
            case Dialled():
                self._told(say("calling", peer=peer_in_words(happening.call.peer, "")))
            case Invited():
                call = happening.call
                self._told(say("called-by", peer=peer_in_words(call.peer, call.name)))
                phone.answer(call)
            case Alerting():
                self._told(say("alerting"))
            case Answered():
                self._begun(phone, happening.call)
            case MediaChanged():
                self._changed(happening.call)
            case Ended():
                return self._ended(happening)
        return None

    def _begun(self, phone: Phone, call: Call) -> None:
        self._answered = True
        law = call.agreed.law if call.agreed is not None else "-"
        self._told(say("answered", codec=law))
        if self._plan.seconds is not None:
            asyncio.get_running_loop().call_later(self._plan.seconds, self._enough, phone, call)
        if self._plan.keys:
            pressed = phone.stream is not None and phone.stream.press(self._plan.keys)
            self._told(say("keys-sent" if pressed else "keys-refused", keys=self._plan.keys))

    def _enough(self, phone: Phone, call: Call) -> None:
        if not call.ended:
            phone.hang_up()

    def _changed(self, call: Call) -> None:
        if call.held is not self._held:
            self._held = call.held
            self._told(say("held" if call.held else "resumed"))

    def _ended(self, ended: Ended) -> int:
        why = reason_in_words(ended.reason)
        if self._answered:
            self._told(say("ended", why=why))
            return EX_REFUSED if ended.reason.why is Why.NO_COMMON_SOUND else 0
        self._told(say("not-answered", why=why))
        return code_of(ended.reason)


def print_line(line: str) -> None:
    """Tell a line to whoever, or whatever, reads our output."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
