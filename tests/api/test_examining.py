"""The line doctor over the control socket, with real lines on a fake clock."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pbx.api.client import AsyncClient, Client
from pbx.api.examining import Examining
from pbx.api.server import ControlServer
from pbx.config.line import Line
from pbx.lines.doctor import TrialCall
from pbx.lines.profile import profiles
from pbx.lines.surgery import Surgery
from pbx.media.protocol import Counts
from tests.api.fakes import FakeExchange
from tests.api.refusals import refused
from tests.lines.call_messages import stream
from tests.lines.carrier import LINE, Carrier, Machine, strict
from tests.lines.test_doctor import Trial, to_register


class Practice:
    """An exchange's lines, examined over the control API."""

    def __init__(self) -> None:
        self.machine = Machine(LINE)
        self.carrier: Carrier = self.machine.carrier(to_register(strict()))
        self.machine.begin()
        self.trial: Trial | None = None
        self.counted = Counts([stream(20000, 190)])
        tokens: Callable[[], str] = self.machine.tokens
        self.surgery = Surgery(
            self.machine.endpoint, tokens, self.machine.lines, self.machine.local_for, self.call
        )
        self.examining = Examining(
            self.surgery,
            lambda: self.machine.snapshot,
            lambda: self.machine.now,
            self.changed,
            self.counts,
        )

    def call(self, line: Line, number: str, now: float) -> TrialCall | None:
        return self.trial

    async def counts(self) -> Counts | None:
        return self.counted

    def changed(self) -> None:
        self.machine.doctor = self.surgery  # type: ignore[assignment]
        self.machine.pump()


@pytest.fixture
def practice() -> Practice:
    return Practice()


@pytest.fixture
async def client(practice: Practice, folder: Path) -> AsyncIterator[AsyncClient]:
    exchange = FakeExchange()
    exchange.examining = practice.examining
    server = ControlServer(exchange, folder / "s")
    await server.start()
    async with AsyncClient(folder / "s") as connected:
        yield connected
    await server.stop()


class TestExamining:
    async def test_findings_come_as_they_are_found(
        self, client: AsyncClient, practice: Practice
    ) -> None:
        first = await client.examine("telco")
        assert (first.line, first.done) == ("telco", False)
        assert [one.step for one in first.findings] == ["dns", "reach"]
        waiting = asyncio.create_task(client.more_of(first))
        await asyncio.sleep(0)
        assert not waiting.done()
        practice.machine.advance(0.2)
        later = await waiting
        assert later.done
        assert [one.mark for one in later.findings[:5]] == ["good"] * 5
        assert later.findings[0].values == {"server": "udp 198.51.100.1:5060"}

    async def test_one_line_at_a_time(self, client: AsyncClient, practice: Practice) -> None:
        first = await client.examine("telco")
        assert await refused(client.examine("telco")) == "examination-busy"
        await client.stop_examination(first)
        assert practice.machine.endpoint.trace.watcher is None
        second = await client.examine("telco")
        assert second.id != first.id
        assert await refused(client.more_of(first)) == "unknown-examination"

    @pytest.mark.parametrize(
        ("line", "number", "code"),
        [
            ("nobody", "", "unknown-line"),
            ("telco", "sip:x", "bad-call-number"),
            ("telco", "110", "emergency-number"),
            ("telco", "9110", "emergency-number"),
            ("telco", "911", "emergency-number"),
            ("telco", "9911", "emergency-number"),
            ("telco", "999", "emergency-number"),
        ],
    )
    async def test_what_it_does_not_do(
        self, client: AsyncClient, line: str, number: str, code: str
    ) -> None:
        assert await refused(client.examine(line, number)) == code

    async def test_a_test_call_is_counted(self, client: AsyncClient, practice: Practice) -> None:
        practice.trial = Trial(answered=True)
        found = await client.examine("telco", "075512345678")
        practice.machine.advance(6)
        while not found.done:
            found = await client.more_of(found)
        assert found.findings[-1].slug == "sound-heard"
        assert practice.trial.hung_up

    async def test_providers(self, client: AsyncClient, folder: Path) -> None:
        found = {one.name: one for one in await client.profiles()}
        assert list(found) == list(profiles())
        one = found["china-telecom"]
        assert one.title["zh"].startswith("中国电信")
        assert [ask.key for ask in one.asks if ask.secret] == ["password"]
        assert one.facts[0].rests_on

    async def test_for_programs_without_an_event_loop(
        self, client: AsyncClient, practice: Practice, folder: Path
    ) -> None:
        def everything() -> None:
            with Client(folder / "s") as plain:
                assert plain.profiles()
                found = plain.examine("telco")
                plain.stop_examination(found)
                assert plain.more_of(found).done

        await asyncio.to_thread(everything)
