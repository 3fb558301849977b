"""The agent: puts lamp, button, plugged devices, board and exchange together."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from hw.board import Board, too_many_usb_sound
from hw.button import Action, GpioButton
from hw.exchange import Exchange, Note, View
from hw.hotplug import Hotplug, NoUdev
from hw.leds import GpioLight, Lamp
from hw.locale import say
from hw.patterns import PATTERNS, PRESSED, UNPLUG_S, number_pattern
from hw.pins import NoPins, open_pins
from hw.power import ShutdownFailed, is_powering_off, shut_down
from hw.roster import Change
from hw.settings import Settings
from hw.state import BOOT_S, Facts, State, state_of
from hw.voice import output_cards, speak
from pbx.locale import language

log = logging.getLogger(__name__)

BOARD_S = 60.0
"""How often the board is asked how it is."""

GIVE_UP_S = 180.0
"""After so long, a machine that isn't on its way down won't be."""

LOOK_AGAIN_S = 10.0
"""How often it is looked whether one that takes longer is on its way still: a database may."""


class Agent:
    """The hardware agent.

    It needs none of its parts: without pins there is no lamp and no button, without udev nobody
    sees what is plugged in, and without an exchange the lamp says so.

    Args:
        settings: of `hardware.toml`.
        socket: returns the path of the exchange's control socket; asked at each connection.
        board: what it runs on.
    """

    def __init__(self, settings: Settings, socket: Callable[[], Path], board: Board) -> None:
        self._settings = settings
        self._board = board
        self._exchange = Exchange(socket, self._saw)
        self._view = View()
        self._started = 0.0
        self._stopping = False
        self._unplug = False
        self._lamp: Lamp | None = None
        self._button: GpioButton | None = None
        self._hotplug: Hotplug | None = None
        self._crowded = False
        self._telling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self._started = loop.time()
        log.info("running on %s", self._board.model or "a machine that is no Raspberry Pi")
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._open()
                self._start(self._exchange.watch())
                self._start(self._exchange.deliver())
                self._start(self._watch_board())
                await stop.wait()
                await self._end()
                for task in self._tasks:
                    task.cancel()
        finally:
            self._close()

    @property
    def state(self) -> State:
        """What the lamp shows and the voice says."""
        view = self._view
        return state_of(
            Facts(
                answered=view.answered,
                answers=view.answers,
                age_s=asyncio.get_running_loop().time() - self._started,
                problems=view.problems,
                ringing=view.ringing,
                talking=view.talking,
                stopping=self._stopping,
                unplug=self._unplug,
            )
        )

    def _open(self) -> None:
        """Take what this machine has."""
        if self._settings.led_pins or self._settings.button_pin:
            self._open_pins()
        try:
            self._hotplug = Hotplug(self._plugged)
        except NoUdev as error:
            log.info("not seeing what is plugged in: %s", error)
        # By then, an exchange that has never answered is no longer one that is starting.
        asyncio.get_running_loop().call_later(BOOT_S, self._show)
        self._show()

    def _open_pins(self) -> None:
        try:
            open_pins()
        except NoPins as error:
            log.info("no lamp and no button: %s", error)
            return
        if self._settings.led_pins:
            try:
                self._lamp = open_lamp(self._settings)
                self._start(self._lamp.run())
            except NoPins as error:
                log.warning("no lamp: %s", error)
        if self._settings.button_pin:
            try:
                self._button = GpioButton(self._settings.button_pin, self._act)
            except Exception as error:
                # Each way to the pins has errors of its own.
                log.warning("no button: %s", error)

    def _close(self) -> None:
        for part in (self._button, self._lamp, self._hotplug):
            if part is not None:
                part.close()

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- what happens ---------------------------------------------------------------------

    def _saw(self, view: View) -> None:
        self._view = view
        self._show()

    def _show(self) -> None:
        if self._lamp is not None:
            self._lamp.base(PATTERNS[self.state])

    def _plugged(self, change: Change) -> None:
        device = change.device
        log.info("%s %s: %s %s", device.kind, change.event, device.name, device.port)
        self._exchange.note(Note(device.kind, change.event, device.name, device.port))
        count = self._hotplug.usb_sound if self._hotplug is not None else 0
        crowded = too_many_usb_sound(self._board.model, count)
        if crowded and not self._crowded:
            words = f"{count} USB sound adapters, of which this model serves only one reliably"
            log.warning("%s", words)
            self._exchange.note(Note("sound", "warning", words))
        self._crowded = crowded

    async def _watch_board(self) -> None:
        while True:
            for words in await asyncio.to_thread(self._board.news):
                log.warning("the board: %s", words)
                self._exchange.note(Note("board", "warning", words))
            await asyncio.sleep(BOARD_S)

    def _act(self, action: Action) -> None:
        """Do what the button asks for."""
        if action is Action.TELL and (self._telling is None or self._telling.done()):
            self._telling = self._start(self._tell())
        elif action is Action.SHUT_DOWN:
            self._start(self._shut_down())
        elif self._lamp is not None and action in (Action.LIGHT, Action.DARK):
            self._lamp.cover(PRESSED if action is Action.LIGHT else None)

    # --- what the button asks for ---------------------------------------------------------

    async def _tell(self) -> None:
        """Say how things are and where to find the exchange, or blink the address's end."""
        self._exchange.note(Note("board", "pressed", "button: address"))
        address = await self._exchange.address()
        told = say("speak-no-address")
        if address:
            told = say("speak-address", digits=f" {say('dot')} ".join(map(spaced, octets(address))))
        sentence = f"{say(f'state-{self.state.value}')} {told} {told}"
        cards = await asyncio.to_thread(output_cards)
        if not await speak(sentence, language(), cards) and self._lamp is not None:
            self._lamp.cover(number_pattern(int(octets(address)[-1]) if address else 0))

    async def _shut_down(self) -> None:
        log.warning("shutting down: the button was held")
        self._exchange.note(Note("board", "pressed", "button: shut down"))
        self._stopping = True
        self._show()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await shut_down(self._settings.shutdown_command)
            await asyncio.sleep(GIVE_UP_S)
            while await is_powering_off():  # noqa: ASYNC110 - systemd tells nobody
                await asyncio.sleep(LOOK_AGAIN_S)
            why = f"the machine still runs after {loop.time() - began:.0f} s"
        except ShutdownFailed as error:
            why = str(error)
        log.error("could not shut down: %s", why)
        self._stopping = False
        self._show()
        if self._button is not None:
            self._button.failed()

    async def _end(self) -> None:
        """Where the machine is being switched off, show when it may be unplugged."""
        if self._lamp is None or not (self._stopping or await is_powering_off()):
            return
        self._unplug = True
        self._lamp.cover(None)
        self._show()
        await asyncio.sleep(UNPLUG_S)


def open_lamp(settings: Settings) -> Lamp:
    """Return the lamp, dark as yet.

    Raises:
        NoPins: its pins can't be had.
    """
    open_pins()
    try:
        light = GpioLight(settings.led_pins)
    except Exception as error:
        # Each way to the pins has errors of its own.
        raise NoPins(str(error) or type(error).__name__) from error
    hours = settings.dark_hours
    return Lamp(
        light,
        brightness=settings.led_brightness,
        is_night=lambda: hours.holds(minute_of_day(time.localtime())),
    )


def minute_of_day(when: time.struct_time) -> int:
    """Return the minutes since midnight."""
    return when.tm_hour * 60 + when.tm_min


def octets(address: str) -> list[str]:
    """Return the four parts of an IPv4 address."""
    return address.split(".")


def spaced(digits: str) -> str:
    """Return digits apart, as they are to be spoken."""
    return " ".join(digits)
