"""The phone's screen: what it shows at three sizes and in both languages, and what its keys do.

The pictures lie in ``screens/``. After a change that is meant, run this with
``MINISIP_NEW_SCREENS=1``, and look at them in the diff.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from hw.softphone import screen as screen_module
from hw.softphone.call import Call
from hw.softphone.happenings import Happening
from hw.softphone.phone import target_of
from hw.softphone.screen import PhoneApp
from hw.softphone.session import Negotiation
from hw.softphone.stream import Start, Stream
from pbx.sip.message import Response
from tests.hw.softphone.stage import MEDIA, SERVER, Stage, sdp
from tests.tui.stage import LIMIT_S, Shown

PICTURES = Path(__file__).with_name("screens")

SIZES = ((60, 16), (80, 24), (120, 40), (300, 90))


class BenchPhone:
    """A phone whose user agent is the test's, on its clock, and which has no sockets.

    Args:
        stage: the user agent, and the server.
        tell: the screen's.
    """

    def __init__(self, stage: Stage, tell: Callable[[Happening], None]) -> None:
        self.stage = stage
        self._tell = tell
        self.stream: Stream | None = None
        self.closed = False

    @property
    def call(self) -> Call | None:
        return self.stage.agent.call

    def settle(self) -> None:
        """Have the screen hear what has happened."""
        self.stage.settle()
        while self.stage.happenings:
            call = self.call
            if self.stream is not None and call is not None:
                self.stream.agree(call.agreed)
            self._tell(self.stage.happenings.popleft())

    def register(self) -> None:
        self.stage.register()

    async def dial(self, text: str) -> Call:
        target = target_of(text, self.stage.account)
        self.stream = Stream(Start(1, 2, 3))
        stage = self.stage
        call = stage.agent.dial(
            target.uri, target.name, Negotiation(MEDIA, 7), stage.flow, stage.now
        )
        self.settle()
        return call

    def answer(self, call: Call) -> None:
        self.stream = Stream(Start(1, 2, 3))
        self.stage.answer(call)
        self.settle()

    def hang_up(self) -> None:
        assert self.call is not None
        self.stage.hang_up(self.call)
        self.settle()

    async def close(self) -> None:
        self.closed = True


class Bench(Shown):
    """The screen, and the phone below it."""

    def __init__(self, app: PhoneApp, pilot: Pilot[None], phones: list[BenchPhone]) -> None:
        super().__init__(app, pilot)
        (self.phone,) = phones
        self.stage = self.phone.stage

    async def settle(self) -> None:
        self.phone.settle()
        await self._pilot.pause()

    async def registered(self) -> None:
        self.stage.respond(self.stage.hears("REGISTER"), 200)
        await self.settle()

    async def talking(self) -> None:
        """Call 101, who answers."""
        await self.press("1", "0", "1", "enter")
        self.stage.respond(self.stage.hears("INVITE"), 200, body=sdp())
        self.stage.hears("ACK")
        await self.settle()


@asynccontextmanager
async def bench(size: tuple[int, int] = SIZES[1]) -> AsyncIterator[Bench]:
    phones: list[BenchPhone] = []

    async def turn_on(tell: Callable[[Happening], None], _: object) -> BenchPhone:
        phones.append(BenchPhone(Stage(), tell))
        return phones[0]

    app = PhoneApp(turn_on, f"100@{SERVER.host}")  # type: ignore[arg-type]
    async with app.run_test(size=size, notifications=True) as pilot:
        async with asyncio.timeout(LIMIT_S):
            while not phones:
                await pilot.pause(0.01)
        yield Bench(app, pilot, phones)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have time stand still, a minute and five seconds after the answer."""

    class Clock:
        @staticmethod
        def monotonic() -> float:
            Clock.now = min(Clock.now + 65.0, 1130.0)
            return Clock.now

        @staticmethod
        def strftime(_: str) -> str:
            return "12:34"

        now = 1000.0

    monkeypatch.setattr(screen_module, "time", Clock)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.usefixtures("still")
async def test_pictures(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], language: str
) -> None:
    monkeypatch.setenv("LC_ALL", {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}[language])
    async with bench(size) as here:
        await check(here, "connecting", size, language)
        await here.registered()
        await check(here, "ready", size, language)
        await here.press("1", "0", "1", "enter")
        invite = here.stage.hears("INVITE")
        here.stage.respond(invite, 180)
        await here.settle()
        await check(here, "alerting", size, language)
        here.stage.respond(invite, 200, body=sdp())
        here.stage.hears("ACK")
        await here.settle()
        await here.press("5", "number_sign", "m")
        await check(here, "muted", size, language)
        await here.press("h")
        here.stage.request("INVITE", body=sdp())
        await here.settle()
        await check(here, "ringing", size, language)


async def check(here: Bench, name: str, size: tuple[int, int], language: str) -> None:
    """See that the screen is its picture, and that nothing is clipped."""
    picture = PICTURES / f"{name}-{size[0]}x{size[1]}-{language}.txt"
    await here.is_picture(picture)


class TestKeys:
    async def test_enter_dials_what_was_typed(self) -> None:
        async with bench() as here:
            await here.registered()
            await here.press("asterisk", "4", "3", "enter")
            assert here.stage.hears("INVITE").uri == f"sip:*43@{SERVER.host}"
            await here.until("CALLING")
            await here.until("→  *43")

    async def test_a_call_from_beginning_to_end(self) -> None:
        async with bench() as here:
            await here.registered()
            await here.talking()
            await here.until("TALKING")
            await here.press("h")
            here.stage.hears("BYE")
            await here.until("READY")
            await here.until("this side has hung up")

    async def test_letters_are_no_numbers(self) -> None:
        async with bench() as here:
            await here.press("a", "h", "m", "x", "enter")
            await here.until("READY")
            assert len(here.stage.sent) == 1  # the REGISTER

    async def test_a_call_comes_and_is_answered(self) -> None:
        async with bench() as here:
            await here.registered()
            here.stage.request("INVITE", body=sdp())
            await here.settle()
            await here.until("YOU ARE CALLED")
            await here.until("←  Bob (101)")
            await here.press("a")
            final = here.stage.sent[-1]
            assert isinstance(final, Response)
            assert final.status == 200
            await here.until("TALKING")

    async def test_a_call_comes_and_is_refused(self) -> None:
        async with bench() as here:
            await here.registered()
            here.stage.request("INVITE", body=sdp())
            await here.settle()
            await here.press("h")
            final = here.stage.sent[-1]
            assert isinstance(final, Response)
            assert final.status == 486

    async def test_digits_in_a_call_are_pressed(self) -> None:
        async with bench() as here:
            await here.registered()
            await here.talking()
            await here.press("1", "asterisk")
            assert here.phone.stream is not None
            assert here.phone.stream.pressing
            await here.until("keys 1*")

    async def test_mute_and_back(self) -> None:
        async with bench() as here:
            await here.registered()
            await here.talking()
            assert here.phone.stream is not None
            await here.press("m")
            assert here.phone.stream.muted
            await here.until("MUTED")
            await here.press("m")
            await here.until("TALKING")

    async def test_hold_is_shown(self) -> None:
        async with bench() as here:
            await here.registered()
            await here.press("1", "enter")
            invite = here.stage.hears("INVITE")
            here.stage.respond(invite, 200, body=sdp())
            await here.settle()
            here.stage.request(
                "INVITE",
                call_id=invite.call_id,
                to_tag=invite.from_.tag or "",
                body=sdp(direction="sendonly", version=2),
            )
            await here.settle()
            await here.until("on hold")

    async def test_q_leaves_and_turns_the_phone_off(self) -> None:
        async with bench() as here:
            await here.press("q")
        assert here.phone.closed

    async def _is_refused(self, here: Bench) -> None:
        await here.registered()
        await here.press("7", "enter")
        here.stage.respond(here.stage.hears("INVITE"), 486)
        await here.settle()
        await here.until("busy (486)")

    async def test_a_refusal_is_told(self) -> None:
        async with bench() as here:
            await self._is_refused(here)

    async def test_a_call_that_fails_at_once_has_its_own_line_and_reason(self) -> None:
        async with bench() as here:
            await self._is_refused(here)
            here.stage.cut = "Network is unreachable"
            await here.press("8", "enter")
            await here.until("READY")
            lines = [line.strip(" │") for line in here.text.splitlines()]
            (first,) = (line for line in lines if "→  8" in line)
            (second,) = (line for line in lines if "→  7" in line)
            assert "(Network is unreachable)" in first
            assert "busy (486)" in second
            assert any(line.startswith("the server cannot be reached") for line in lines)

    async def test_a_wrong_password_is_told_with_what_to_do(self) -> None:
        async with bench() as here:
            here.stage.respond(here.stage.hears("REGISTER"), 401)
            await here.settle()
            await here.until("✗ not registered")
            await here.until("minisipphone setup")


def test_every_picture_is_of_a_screen() -> None:
    names = {"connecting", "ready", "alerting", "muted", "ringing"}
    shown = {path.name.partition("-")[0] for path in PICTURES.iterdir()}
    assert shown == names
