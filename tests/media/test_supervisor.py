import asyncio
import logging
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop
from msgspec import structs

from pbx.config.settings import MediaSettings
from pbx.errors import StartError
from pbx.media.engine_link import connect
from pbx.media.protocol import (
    VERSION,
    Address,
    Counts,
    Hello,
    Latched,
    Ready,
    Refused,
    Release,
    Report,
    Stream,
)
from pbx.media.supervisor import ENGINE, Pace, Supervisor
from tests.interop.ports import Ports

ROOT = Path(__file__).parents[2]
SETTINGS = MediaSettings(first_port=20000, last_port=20019, grace_s=5.0)
QUICK = Pace(
    start_s=20,
    hello_s=0.5,
    probe_s=0.2,
    quiet_s=0.05,
    missed=5,
    quick_s=0,
    pause_s=0.05,
    stop_s=0.3,
)
STREAM = Stream(20000, 0, "127.0.0.1", None, None, False, True, True, 0, 0)
LATCHED = Latched(20000, Address("127.0.0.1", 20000))

T = TypeVar("T")


def fake(mode: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.media.fake_engine", mode)


async def soon(wanted: Awaitable[T]) -> T:
    return await asyncio.wait_for(wanted, 90)  # compiling the kernels takes its time


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def children() -> set[int]:
    """The processes that we have started and that are not buried yet."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for each in lists for pid in each.read_text().split()}


def letter(path: Path | str, text: str) -> None:
    Path(path).write_text(text)


def mode_of(path: Path) -> int:
    return path.stat().st_mode


class Watched:
    """A supervisor, and what it has told."""

    def __init__(
        self,
        path: Path,
        program: tuple[str, ...],
        *,
        pace: Pace = QUICK,
        settings: MediaSettings = SETTINGS,
    ) -> None:
        # Other tests' programs may run beside.
        self._strangers = children()
        self.told: asyncio.Queue[Report | None] = asyncio.Queue()
        self.at_ready: Callable[[], None] = lambda: None
        self.supervisor = Supervisor(
            path,
            settings,
            on_ready=self.take_ready,
            on_report=self.told.put_nowait,
            on_lost=lambda: self.told.put_nowait(None),
            program=program,
            pace=pace,
        )

    def left_nobody(self) -> bool:
        """Whether no process of the supervisor is left."""
        return children() <= self._strangers

    def take_ready(self, ready: Ready) -> None:
        self.told.put_nowait(ready)
        self.at_ready()

    async def next(self, wanted: Callable[[Report | None], bool]) -> Report | None:
        while True:
            told = await soon(self.told.get())
            if wanted(told):
                return told

    async def ready(self) -> Ready:
        told = await self.next(lambda told: isinstance(told, Ready))
        assert isinstance(told, Ready)
        return told

    async def lost(self) -> None:
        await self.next(lambda told: told is None)

    def rest(self) -> list[Report | None]:
        return [self.told.get_nowait() for _ in range(self.told.qsize())]

    async def start(self) -> Ready:
        await soon(self.supervisor.start())
        return await self.ready()

    async def fails(self) -> StartError:
        with pytest.raises(StartError) as raised:
            await soon(self.supervisor.start())
        assert self.told.empty()
        assert self.left_nobody()
        assert self.supervisor.pid == 0
        return raised.value


@pytest.fixture(autouse=True)
def _in_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "media.sock"


Watch = Callable[..., Watched]


@pytest.fixture
async def watch(path: Path) -> AsyncIterator[Watch]:
    """Return a maker of supervisors that are stopped when the test ends."""
    made: list[Watched] = []

    def make(
        mode: str = "good",
        *,
        program: tuple[str, ...] = (),
        pace: Pace = QUICK,
        settings: MediaSettings = SETTINGS,
    ) -> Watched:
        made.append(Watched(path, program or fake(mode), pace=pace, settings=settings))
        return made[-1]

    yield make
    for one in made:
        await soon(one.supervisor.stop())


@pytest.fixture
def good(watch: Watch) -> Watched:
    return watch()


class TestStart:
    async def test_the_engine_is_there(self, good: Watched) -> None:
        ready = await good.start()
        assert good.supervisor.pid == ready.pid
        assert good.supervisor.restarts == 0
        assert ready.ports == list(range(20000, 20019, 2))

    async def test_keys_at_the_terminal_do_not_reach_it(self, good: Watched) -> None:
        assert os.getsid((await good.start()).pid) != os.getsid(0)

    async def test_commands_and_reports(self, good: Watched) -> None:
        await good.start()
        good.supervisor.send([STREAM, Release([20000])])
        assert await good.next(lambda told: isinstance(told, Latched)) == LATCHED
        released = await good.next(lambda told: isinstance(told, Refused))
        assert released == Refused("released [20000]")

    async def test_counts_come_by_themselves(self, good: Watched) -> None:
        await good.start()
        assert await good.next(lambda told: isinstance(told, Counts)) == Counts([])

    async def test_nothing_is_told_before_ready(self, good: Watched) -> None:
        await soon(good.supervisor.start())
        assert isinstance(good.told.get_nowait(), Ready)

    async def test_what_a_killed_engine_left(self, good: Watched, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        await good.start()

    async def test_one_that_talks_before_it_is_greeted(self, watch: Watch) -> None:
        watched = watch("hasty")
        await watched.start()

    async def test_its_standard_error_is_logged(
        self, watch: Watch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        heard = asyncio.Event()

        def listen(record: logging.LogRecord) -> bool:
            if "café" in record.getMessage():
                heard.set()
            return True

        caplog.handler.addFilter(listen)
        watched = watch("talks")
        await watched.start()
        await soon(heard.wait())
        said = f"media engine {watched.supervisor.pid}: "
        levels = {record.getMessage(): record.levelno for record in caplog.records}
        assert levels[said + "café"] == logging.INFO
        assert levels[said + "Traceback (most recent call last):"] == logging.WARNING
        assert max(map(len, levels)) < 65536


class TestPortsThatAreNotFreeYet:
    """The engine of the exchange before may write the end of a recording with the ports still its own."""

    def program(self, count: Path, refusals: int) -> tuple[str, ...]:
        words = " ".join(fake("good"))
        again = f'echo x >> {count}; [ "$(wc -l < {count})" -gt {refusals} ] || exit 69'
        return ("/bin/sh", "-c", f'{again}; exec {words} "$@"', "engine")

    async def test_it_is_waited_for(self, watch: Watch, tmp_path: Path) -> None:
        count = tmp_path / "count"
        watched = watch(program=self.program(count, 2))
        await watched.start()
        assert count.read_text() == "x\n" * 3
        assert watched.supervisor.restarts == 0

    async def test_ports_of_others(self, watch: Watch, tmp_path: Path) -> None:
        count = tmp_path / "count"
        pace = replace(QUICK, ports_s=0.2)
        error = await watch(program=self.program(count, 10**6), pace=pace).fails()
        assert "69" in error.sentence
        assert error.exit_code == 70
        assert len(count.read_text().splitlines()) > 1


class TestStartFails:
    async def test_the_path_is_too_long(self, tmp_path: Path) -> None:
        error = await Watched(tmp_path / ("x" * 108), fake("good")).fails()
        assert error.exit_code == 78
        assert "107" in error.sentence

    async def test_a_path_that_just_fits(self, tmp_path: Path) -> None:
        fitting = tmp_path / ("x" * (107 - len(bytes(tmp_path)) - 1))
        watched = Watched(fitting, fake("good"))
        await watched.start()
        await soon(watched.supervisor.stop())

    @pytest.mark.parametrize(
        ("mode", "why"),
        [
            ("dies", ": no port could be bound"),
            ("dies-silently", "status 3"),
            ("dies-at-hello", "ended the connection"),
            ("silent", "no greeting within 1 s"),
            ("deaf", "no greeting within 1 s"),
            ("refuses", "no such version"),
            ("old", f"version {VERSION + 1}"),
            ("garbage", "protocol"),
        ],
    )
    async def test_the_engine_does_not_come_up(self, watch: Watch, mode: str, why: str) -> None:
        pace = Pace(start_s=1.0 if why.endswith("1 s") else 20, stop_s=0.3)
        error = await watch(mode, pace=pace).fails()
        assert why in error.sentence
        assert error.exit_code == 70

    async def test_there_is_no_such_program(self, watch: Watch) -> None:
        error = await watch(program=("/no/such/program",)).fails()
        assert "/no/such/program: No such file" in error.sentence

    @pytest.mark.parametrize(("limit", "asked"), [(0, 0), (10, 1)])
    async def test_real_time_priority_is_asked_for_where_the_limit_allows_it(
        self, watch: Watch, monkeypatch: pytest.MonkeyPatch, limit: int, asked: int
    ) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
        error = await watch(program=("/bin/sh", "-c", 'echo "$@" >&2', "engine")).fails()
        assert error.sentence.count("--real-time") == asked

    @pytest.mark.parametrize(("threads", "asked"), [(0, 0), (3, 1)])
    async def test_as_many_threads_are_asked_for_as_the_settings_say(
        self, watch: Watch, threads: int, asked: int
    ) -> None:
        settings = structs.replace(SETTINGS, threads=threads)
        program = ("/bin/sh", "-c", 'echo "$@" >&2', "engine")
        error = await watch(program=program, settings=settings).fails()
        assert error.sentence.count(f"--threads {threads}") == asked

    async def test_what_is_no_socket_is_not_removed(self, watch: Watch, path: Path) -> None:
        letter(path, "a letter")
        error = await watch().fails()
        assert "in use" in error.sentence
        assert not stat.S_ISSOCK(mode_of(path))

    async def test_nobody_waits_for_it_any_more(self, watch: Watch) -> None:
        watched = watch("deaf")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watched.supervisor.start(), 0.2)
        assert watched.left_nobody()

    async def test_nobody_waits_for_it_while_it_is_made(
        self, good: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()
        create = asyncio.create_subprocess_exec

        async def slowly(*arguments: str, **options: Any) -> asyncio.subprocess.Process:
            begun.set()
            await go_on.wait()
            return await create(*arguments, **options)

        monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
        start = asyncio.create_task(good.supervisor.start())
        await soon(begun.wait())
        start.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await soon(start)
        assert good.left_nobody()


class TestCrash:
    async def test_another_one_is_there_within_a_second(self, good: Watched) -> None:
        first = await good.start()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        os.kill(first.pid, signal.SIGKILL)
        await good.lost()
        second = await good.ready()
        assert loop.time() - begun < 1
        assert second.pid != first.pid
        assert (good.supervisor.pid, good.supervisor.restarts) == (second.pid, 1)
        assert gone(first.pid)

    async def test_streams_are_told_again(self, good: Watched) -> None:
        good.at_ready = lambda: good.supervisor.send([STREAM])
        first = await good.start()
        os.kill(first.pid, signal.SIGKILL)
        await good.ready()
        assert await good.next(lambda told: isinstance(told, Latched)) == LATCHED

    async def test_what_is_sent_to_no_engine_is_dropped(self, good: Watched) -> None:
        good.supervisor.send([STREAM])
        first = await good.start()
        os.kill(first.pid, signal.SIGKILL)
        await good.lost()
        assert good.supervisor.pid == 0
        good.supervisor.send([STREAM])
        assert (await good.ready()).streams == []

    async def test_one_that_leaves_the_exchange_is_replaced(self, watch: Watch) -> None:
        watched = watch("leaves")
        first = await watched.start()
        watched.supervisor.send([STREAM])
        await watched.lost()
        assert (await watched.ready()).pid != first.pid
        assert gone(first.pid)

    async def test_one_that_hangs_is_killed(self, good: Watched) -> None:
        first = await good.start()
        os.kill(first.pid, signal.SIGSTOP)
        await good.lost()
        assert (await good.ready()).pid != first.pid
        assert gone(first.pid)

    async def test_one_that_hangs_is_missed_as_soon_as_it_is_wanted(self, watch: Watch) -> None:
        watched = watch(pace=replace(QUICK, quiet_s=3600))
        first = await watched.start()
        await watched.next(lambda told: isinstance(told, Counts))
        os.kill(first.pid, signal.SIGSTOP)
        watched.supervisor.send([STREAM])
        await watched.lost()
        assert (await watched.ready()).pid != first.pid

    async def test_one_that_does_not_stay_gets_pauses(
        self, watch: Watch, caplog: pytest.LogCaptureFixture
    ) -> None:
        watched = watch(pace=Pace(quick_s=60, pause_s=0.02))
        ready = await watched.start()
        for death in range(1, 6):
            assert ("does not stay" in caplog.text) == (death > 4)
            os.kill(ready.pid, signal.SIGKILL)
            ready = await watched.ready()
        assert "next attempt in 0.02 s" in caplog.text
        assert "next attempt in 0.04 s" in caplog.text

    async def test_one_that_does_not_start_again_is_tried_again(
        self, good: Watched, path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = await good.start()
        letter(f"{path}.deaths", "5")
        os.kill(first.pid, signal.SIGKILL)
        await good.ready()
        assert caplog.text.count("does not start: not yet") == 5
        assert good.supervisor.restarts == 1

    async def test_a_fault_of_ours_does_not_end_the_watch(
        self, good: Watched, caplog: pytest.LogCaptureFixture
    ) -> None:
        good.at_ready = lambda: [][0]
        first = await good.start()
        assert "a fault while taking" in caplog.text
        os.kill(first.pid, signal.SIGKILL)
        await good.ready()

    async def test_a_bug_that_ends_the_watch_does_not_stay_hidden(
        self, good: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(*arguments: object, **options: object) -> None:
            raise RuntimeError("a bug")

        surfaced: asyncio.Queue[object] = asyncio.Queue()
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: surfaced.put_nowait(str(context["exception"]))
        )
        first = await good.start()
        monkeypatch.setattr(asyncio, "create_subprocess_exec", broken)
        os.kill(first.pid, signal.SIGKILL)
        assert await soon(surfaced.get()) == "a bug"


class TestPace:
    def test_no_pause_after_a_few_deaths(self) -> None:
        assert [Pace().pause(deaths) for deaths in range(4)] == [0, 0, 0, 0]

    def test_each_pause_is_twice_as_long(self) -> None:
        assert [Pace().pause(deaths) for deaths in range(4, 11)] == [1, 2, 4, 8, 16, 30, 30]

    def test_after_a_year_of_deaths(self) -> None:
        assert Pace().pause(1_000_000) == 30


class Orphan:
    """An engine whose exchange has died."""

    def __init__(self, path: Path, mode: str) -> None:
        arguments = ("--socket", str(path), "--first-port", "20000", "--last-port", "20019")
        self.process = subprocess.Popen((*fake(mode), *arguments))
        self.path = path

    async def leave_a_stream(self) -> None:
        told: asyncio.Queue[Report] = asyncio.Queue()
        while True:
            try:
                link = await connect(self.path, told.put_nowait)
                break
            except OSError:
                await asyncio.sleep(0.01)
        link.send([Hello(VERSION, 5.0), STREAM])
        while await soon(told.get()) != LATCHED:
            pass
        link.close()
        await link.closed

    def status(self) -> int:
        return self.process.wait(20)


Leave = Callable[[str], Awaitable[Orphan]]


@pytest.fixture
def leave(path: Path) -> Iterator[Leave]:
    """Return a maker of orphans with one stream, which are gone when the test ends."""
    left: list[Orphan] = []

    async def make(mode: str) -> Orphan:
        left.append(Orphan(path, mode))
        await left[-1].leave_a_stream()
        return left[-1]

    yield make
    for orphan in left:
        orphan.process.kill()
        orphan.status()


class TestAttach:
    """A new exchange goes on with the engine of the old one."""

    async def test_streams_run_on(self, watch: Watch, leave: Leave) -> None:
        orphan = await leave("good")
        watched = watch("dies")
        ready = await watched.start()
        assert (ready.pid, ready.streams) == (orphan.process.pid, [20000])
        await soon(watched.supervisor.stop())
        assert orphan.status() == -signal.SIGTERM

    async def test_one_that_does_not_end_by_itself(self, watch: Watch, leave: Leave) -> None:
        orphan = await leave("stubborn")
        watched = watch("dies")
        await watched.start()
        await soon(watched.supervisor.stop())
        assert orphan.status() == -signal.SIGKILL

    async def test_its_crash_is_noticed(self, watch: Watch, leave: Leave) -> None:
        orphan = await leave("good")
        watched = watch()
        await watched.start()
        orphan.process.kill()
        orphan.status()
        assert (await watched.ready()).pid != orphan.process.pid
        await soon(watched.supervisor.stop())

    async def test_one_that_hangs_is_replaced(self, watch: Watch, leave: Leave) -> None:
        orphan = await leave("good")
        orphan.process.send_signal(signal.SIGSTOP)
        watched = watch()
        assert (await watched.start()).pid != orphan.process.pid
        assert orphan.status() == -signal.SIGKILL
        await soon(watched.supervisor.stop())

    async def test_one_with_other_ports_is_replaced(self, watch: Watch, leave: Leave) -> None:
        orphan = await leave("good")
        other = MediaSettings(first_port=20002, last_port=20019)
        watched = watch(settings=other)
        ready = await watched.start()
        assert ready.ports[0] == 20002
        assert orphan.status() == -signal.SIGKILL
        await soon(watched.supervisor.stop())


class TestStop:
    async def test_the_engine_ends(self, good: Watched) -> None:
        ready = await good.start()
        await soon(good.supervisor.stop())
        assert gone(ready.pid)
        assert good.supervisor.pid == 0
        assert all(isinstance(told, Counts) for told in good.rest())
        await soon(good.supervisor.stop())

    async def test_without_start(self, good: Watched) -> None:
        await soon(good.supervisor.stop())

    async def test_an_engine_that_does_not_end_by_itself(self, watch: Watch) -> None:
        watched = watch("stubborn")
        ready = await watched.start()
        await soon(watched.supervisor.stop())
        assert gone(ready.pid)

    async def test_while_an_engine_starts(self, good: Watched, path: Path) -> None:
        ready = await good.start()
        letter(f"{path}.deaths", "1000000")
        os.kill(ready.pid, signal.SIGKILL)
        await good.lost()
        await soon(good.supervisor.stop())
        assert good.left_nobody()


class TestUvloop:
    """The exchange's own event loop."""

    def test_start_crash_stop(self, path: Path) -> None:
        async def run() -> None:
            watched = Watched(path, fake("good"))
            first = await watched.start()
            watched.supervisor.send([STREAM])
            assert await watched.next(lambda told: isinstance(told, Latched)) == LATCHED
            os.kill(first.pid, signal.SIGKILL)
            await watched.lost()
            assert (await watched.ready()).pid != first.pid
            await soon(watched.supervisor.stop())

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())

    def test_a_start_that_fails(self, path: Path) -> None:
        async def run() -> None:
            assert "no port" in (await Watched(path, fake("dies")).fails()).sentence

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())


@pytest.fixture
def ports() -> Iterator[MediaSettings]:
    with Ports() as own:
        first = own.block(20)
        yield MediaSettings(first_port=first, last_port=first + 19)


def small_exchange(path: Path, ports: MediaSettings) -> subprocess.Popen[bytes]:
    words = (str(path), str(ports.first_port), str(ports.last_port))
    program = (sys.executable, "-m", "tests.media.small_exchange", *words)
    return subprocess.Popen(program, stdout=subprocess.PIPE)


class TestTheRealEngine:
    @pytest.fixture
    def watched(self, watch: Watch, ports: MediaSettings) -> Watched:
        return watch(program=ENGINE, pace=Pace(), settings=ports)

    async def test_start_crash_hang_stop(self, watched: Watched, ports: MediaSettings) -> None:
        first = await watched.start()
        assert first.ports == list(range(ports.first_port, ports.last_port, 2))
        os.kill(first.pid, signal.SIGKILL)
        await watched.lost()
        second = await watched.ready()
        assert second.ports == first.ports
        os.kill(second.pid, signal.SIGSTOP)
        await watched.lost()
        third = await watched.ready()
        assert third.ports == first.ports
        await soon(watched.supervisor.stop())
        assert gone(third.pid)

    async def test_it_survives_the_death_of_its_exchange(
        self, watched: Watched, path: Path, ports: MediaSettings
    ) -> None:
        with small_exchange(path, ports) as exchange:
            assert exchange.stdout is not None
            pid = int(await asyncio.to_thread(exchange.stdout.readline))
            exchange.kill()
        ready = await watched.start()
        assert (ready.pid, ready.streams) == (pid, [ports.first_port])
        await soon(watched.supervisor.stop())
