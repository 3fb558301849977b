"""The steps of an update, on a machine that is not there."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pbx.api.client import CommandError
from tests.tui.program import CHINESE, minisip
from tui.update import command, package_file, steps
from tui.update.steps import Health, Job, Machine, Store, Update

GOOD = Health(pid=10, engine=True, addresses=True)

JOB = Job(version="0.2.0", last="0.1.0", began="2026-01-01T00:00:00+00:00")


class FakeMachine(Machine):
    """A machine whose exchange is as `healths` says of each version, on a clock that jumps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.installed: list[str] = []
        self.complaints: dict[str, str] = {}
        self.healths: dict[str, Callable[[float], Health | None]] = {}
        self.dead: set[str] = set()
        self.root_read_only = False
        self.remounts: list[str] = []
        self.started = 0
        self.since = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def install(self, deb: Path) -> str:
        version = deb.read_text()
        self.installed.append(version)
        self.since = self.now
        return self.complaints.get(version, "")

    def start(self) -> None:
        self.started += 1

    def given_up(self) -> bool:
        return self.installed[-1] in self.dead

    def health(self, socket: str) -> Health | None:
        health = self.healths.get(self.installed[-1])
        return health(self.now - self.since) if health else GOOD

    def open_root(self) -> bool:
        self.remounts.append("rw")
        return self.root_read_only

    def close_root(self) -> None:
        self.remounts.append("ro")


@pytest.fixture
def machine() -> FakeMachine:
    return FakeMachine()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    for folder in (store.coming.parent, store.job.parent):
        folder.mkdir()
    store.current.write_text("0.1.0")
    store.coming.write_text("0.2.0")
    steps.write(store.job, JOB)
    return store


def test_done(store: Store, machine: FakeMachine) -> None:
    assert Update(store, machine).run() == "done"
    assert machine.installed == ["0.2.0"]
    assert (store.current.read_text(), store.last.read_text()) == ("0.2.0", "0.1.0")
    assert not store.coming.exists()
    assert not store.job.exists()
    result = steps.read(store.result)
    assert (result.step, result.version) == ("done", "0.2.0")
    assert result.ended


class TestGoingBack:
    def assert_returned(self, store: Store, machine: FakeMachine, why: str) -> None:
        assert machine.installed[-1] == "0.1.0"
        assert machine.started == 1
        assert store.current.read_text() == "0.1.0"
        assert not store.coming.exists()
        result = steps.read(store.result)
        assert (result.step, result.why) == ("returned", why)

    def test_from_what_cannot_be_installed(self, store: Store, machine: FakeMachine) -> None:
        machine.complaints["0.2.0"] = "dpkg: error: no"
        assert Update(store, machine).run() == "returned"
        self.assert_returned(store, machine, "dpkg")
        assert steps.read(store.result).detail == "dpkg: error: no"

    @pytest.mark.parametrize(
        "health",
        [None, replace(GOOD, engine=False), replace(GOOD, addresses=False)],
        ids=["silent", "no engine", "no address"],
    )
    def test_from_what_is_not_in_order_after_three_minutes(
        self, store: Store, machine: FakeMachine, health: Health | None
    ) -> None:
        machine.healths["0.2.0"] = lambda _: health
        assert Update(store, machine).run() == "returned"
        self.assert_returned(store, machine, "health")
        assert 180 <= machine.now <= 180 + 2 * steps.SETTLED_S

    def test_from_what_dies_again_and_again(self, store: Store, machine: FakeMachine) -> None:
        machine.healths["0.2.0"] = lambda age: replace(GOOD, pid=int(age / 5) + 1)
        assert Update(store, machine).run() == "returned"
        self.assert_returned(store, machine, "health")

    def test_at_once_from_what_systemd_has_given_up(
        self, store: Store, machine: FakeMachine
    ) -> None:
        machine.healths["0.2.0"] = lambda _: None
        machine.dead.add("0.2.0")
        assert Update(store, machine).run() == "returned"
        self.assert_returned(store, machine, "health")
        assert machine.now <= 2 * steps.SETTLED_S

    def test_to_what_is_not_in_order_any_more(self, store: Store, machine: FakeMachine) -> None:
        machine.healths = {"0.2.0": lambda _: None, "0.1.0": lambda _: None}
        assert Update(store, machine).run() == "failed"
        assert steps.read(store.result).step == "failed"
        assert not store.job.exists()


class TestSlowly:
    def test_what_takes_two_minutes_to_start_is_good(
        self, store: Store, machine: FakeMachine
    ) -> None:
        machine.healths["0.2.0"] = lambda age: GOOD if age > 120 else None
        assert Update(store, machine).run() == "done"

    def test_without_a_network_before_none_is_asked_for(
        self, store: Store, machine: FakeMachine
    ) -> None:
        steps.write(store.job, replace(JOB, had_addresses=False))
        machine.healths["0.2.0"] = lambda _: replace(GOOD, addresses=False)
        assert Update(store, machine).run() == "done"

    def test_what_did_not_run_before_need_not_run(self, store: Store, machine: FakeMachine) -> None:
        steps.write(store.job, replace(JOB, was_healthy=False))
        machine.healths["0.2.0"] = lambda _: None
        assert Update(store, machine).run() == "done"


class TestPowerCut:
    def test_during_the_installation(self, store: Store, machine: FakeMachine) -> None:
        steps.write(store.job, replace(JOB, step=steps.INSTALL))
        assert Update(store, machine).run() == "returned"
        assert machine.installed == ["0.1.0"]
        assert steps.read(store.result).why == "power"

    def test_while_waiting(self, store: Store, machine: FakeMachine) -> None:
        machine.installed = ["0.2.0"]
        steps.write(store.job, replace(JOB, step=steps.CHECK))
        assert Update(store, machine).run() == "done"
        assert machine.installed == ["0.2.0"]

    def test_while_going_back(self, store: Store, machine: FakeMachine) -> None:
        steps.write(store.job, replace(JOB, step=steps.GO_BACK, why="health"))
        assert Update(store, machine).run() == "returned"
        assert machine.installed == ["0.1.0"]

    @pytest.mark.parametrize("done", [1, 2])
    def test_between_the_last_steps(self, store: Store, machine: FakeMachine, done: int) -> None:
        machine.installed = ["0.2.0"]
        steps.write(store.job, replace(JOB, step=steps.CHECK))
        store.current.replace(store.last)
        if done == 2:
            store.coming.replace(store.current)
        assert Update(store, machine).run() == "done"
        assert (store.current.read_text(), store.last.read_text()) == ("0.2.0", "0.1.0")


class TestReadOnlyRoot:
    def test_is_read_only_again(self, store: Store, machine: FakeMachine) -> None:
        machine.root_read_only = True
        Update(store, machine).run()
        assert machine.remounts == ["rw", "ro"]

    def test_a_writable_one_stays_writable(self, store: Store, machine: FakeMachine) -> None:
        Update(store, machine).run()
        assert machine.remounts == ["rw"]


class TestSentences:
    @pytest.mark.parametrize("step", ["new", "install", "check", "go-back", "check-last"])
    def test_every_step_has_one(self, step: str) -> None:
        assert "0." in command.sentence(replace(JOB, step=step, why="health")) or step == "check"

    @pytest.mark.parametrize("why", ["dpkg", "health", "power"])
    @pytest.mark.parametrize("step", ["returned", "failed"])
    def test_every_end_says_why(self, step: str, why: str) -> None:
        text = command.sentence(replace(JOB, step=step, why=why, detail="DETAIL"))
        assert "0.1.0" in text
        assert ("DETAIL" in text) == (why == "dpkg")

    def test_nothing_to_tell(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("LC_ALL", CHINESE)
        command.show(None)
        assert capsys.readouterr().out == "还没有进行过更新。\n"
        assert command.exit_code(None) == 0


class TestRefusals:
    async def test_no_file(self) -> None:
        ran = await minisip(None, "update")
        assert ran.code == 1
        assert ran.err.startswith("minisip: Name the package file")

    async def test_what_is_not_there(self) -> None:
        ran = await minisip(None, "update", "/no/such.deb", locale=CHINESE)
        assert ran.code == 1
        assert ran.err == "minisip: 无法读取 /no/such.deb：没有这个文件或目录。\n"

    async def test_no_package(self, tmp_path: Path) -> None:
        file = tmp_path / "x.deb"
        file.write_bytes(b"no")
        ran = await minisip(None, "update", str(file))
        assert (
            ran.err
            == f"minisip: {file} is no Debian package, or is damaged: please copy or download it again.\n"
        )

    def test_no_room(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(CommandError, match="There is no room") as refused:
            command._check_room(store, store.coming, 1 << 60, 0)
        assert refused.value.code == "update-no-room"

    def test_a_strange_job_file(self, store: Store) -> None:
        store.job.write_text(json.dumps({"who": "else"}))
        assert command.look(store) is None
        with pytest.raises(ValueError, match="who"):
            steps.read(store.job)


def test_not_a_package_of_dpkgs_is_not_installed(tmp_path: Path) -> None:
    assert not package_file.is_installed(tmp_path / "none.deb")
