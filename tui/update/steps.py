"""The steps of an update that root takes, as a service of its own.

A program by itself that imports nothing of ours: `minisip update` lays a copy of this file beside the
job, because the files of the program change while it runs. It begins where the last one stopped, so
an update that a power cut ends is gone back from at the next start.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

STORE = Path("/var/lib/minisipserver")
UNIT = "minisipserver-update.service"
PROGRAM = "/opt/sipserver/minisip"

HEALTHY_WITHIN_S = 180.0
"""For the exchange to be in order after an installation."""

SETTLED_S = 10.0
"""The same exchange for so long: one that dies at once and is started again isn't in order."""

PAUSE_S = 1.0

NEW, INSTALL, CHECK = "new", "install", "check"
GO_BACK, CHECK_LAST = "go-back", "check-last"
DONE, RETURNED, FAILED = "done", "returned", "failed"


@dataclass(frozen=True)
class Store:
    """The folder with the packages and the job.

    Args:
        path: usually `STORE`.
    """

    path: Path

    @property
    def current(self) -> Path:
        """The package that is installed."""
        return self.path / "packages/current.deb"

    @property
    def last(self) -> Path:
        """The one before."""
        return self.path / "packages/last.deb"

    @property
    def coming(self) -> Path:
        """The one that is being installed."""
        return self.path / "packages/next.deb"

    @property
    def program(self) -> Path:
        """The copy of this file."""
        return self.path / "update/steps.py"

    @property
    def job(self) -> Path:
        """There while an update is under way (the unit's ConditionPathExists)."""
        return self.path / "update/job.json"

    @property
    def result(self) -> Path:
        """How the last update ended."""
        return self.path / "update/result.json"


@dataclass(frozen=True)
class Job:
    """An update, as the job file and the result file have it.

    Args:
        version, last: the new version, and the one that is left.
        began: when, in ISO 8601.
        step: `NEW` ... `CHECK_LAST`; in a result `DONE`, `RETURNED` or `FAILED`.
        why: ``dpkg``, ``health`` or ``power``: what the new version failed at.
        detail: the words of the program that failed.
        socket: the control socket, where it is not the usual one.
        was_healthy: the exchange was in order before; if not, the new version needn't be.
        had_addresses: phones could reach it before; without a network they can't afterwards.
        ended: when.
    """

    version: str
    last: str
    began: str
    step: str = NEW
    why: str = ""
    detail: str = ""
    socket: str = ""
    was_healthy: bool = True
    had_addresses: bool = True
    ended: str = ""


@dataclass(frozen=True)
class Health:
    """What `minisip status` says of the exchange.

    Args:
        pid: its process.
        engine: it has a media engine.
        addresses: phones can reach it.
    """

    pid: int
    engine: bool
    addresses: bool


class Machine:
    """What the steps do to the machine."""

    def clock(self) -> float:
        """Return seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def install(self, deb: Path) -> str:
        """Install a package; return what dpkg says where it fails."""
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["dpkg", "--force-confold", "-i", str(deb)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            env=environment,
        )
        sys.stderr.write(done.stdout)
        # The disk before the job file: after a power cut the one tells of the other.
        os.sync()
        if done.returncode == 0:
            return ""
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        return next((line for line in lines if "error" in line), lines[-1] if lines else "dpkg")

    def start(self) -> None:
        """Start the exchange, where dpkg's scripts did not come to it."""
        subprocess.run(["systemctl", "start", "minisipserver.service"], check=False)

    def given_up(self) -> bool:
        """Return whether systemd has stopped trying to start the exchange."""
        command = ["systemctl", "is-failed", "--quiet", "minisipserver.service"]
        return subprocess.run(command, check=False).returncode == 0

    def health(self, socket: str) -> Health | None:
        """Ask the exchange by the program that is installed; None where it does not answer."""
        environment = {**os.environ, **({"MINISIP_SOCKET": socket} if socket else {})}
        try:
            done = subprocess.run(
                [PROGRAM, "status", "--json"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=30,
                check=False,
                env=environment,
            )
            status = json.loads(done.stdout) if done.returncode == 0 else None
            return status and Health(
                int(status["pid"]), bool(status["engine_pid"]), bool(status["addresses"])
            )
        except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired):
            return None

    def open_root(self) -> bool:
        """Make a read-only root file system writable; True where it had been read-only."""
        if not os.statvfs("/opt").f_flag & os.ST_RDONLY:
            return False
        subprocess.run(["mount", "-o", "remount,rw", "/"], check=False)
        return True

    def close_root(self) -> None:
        """Make it read-only again; it may be busy with files that are gone, until the next start."""
        os.sync()
        if subprocess.run(["mount", "-o", "remount,ro", "/"], check=False).returncode:
            say("the root file system stays writable until the next start: it is in use")


def say(line: str) -> None:
    """Write a line to the journal."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Update:
    """Takes the steps of the job in `store`, from wherever it is.

    Args:
        store: packages and job.
        machine: what the steps are done to.
    """

    def __init__(self, store: Store, machine: Machine) -> None:
        self._store = store
        self._machine = machine
        self._job = read(store.job)

    def run(self) -> str:
        """Take all steps that are left; return how it ended."""
        was_read_only = self._machine.open_root()
        try:
            if self._job.step == INSTALL:
                # The power failed during the installation: half of it may be done.
                self._fail("power", "")
            elif self._job.step == NEW:
                self._install()
            if self._job.step == CHECK:
                self._check()
            if self._job.step == GO_BACK:
                self._go_back()
            return self._end()
        finally:
            if was_read_only:
                self._machine.close_root()

    def _install(self) -> None:
        say(f"installing {self._job.version} in place of {self._job.last}")
        self._step(INSTALL)
        complaint = self._machine.install(self._store.coming)
        if complaint:
            self._fail("dpkg", complaint)
        else:
            self._step(CHECK)

    def _check(self) -> None:
        if not self._job.was_healthy:
            say("the exchange was not in order before, so the new version is not judged by it")
        elif not self._healthy():
            self._fail("health", "")

    def _fail(self, why: str, detail: str) -> None:
        say(f"{self._job.version} is not in order ({why} {detail}): going back")
        self._job = replace(self._job, why=why, detail=detail)
        self._step(GO_BACK)

    def _go_back(self) -> None:
        say(f"installing {self._job.last} again")
        complaint = self._machine.install(self._store.current)
        if complaint:
            self._job = replace(self._job, detail=complaint)
            say(f"{self._job.last} cannot be installed: {complaint}")
        self._machine.start()
        self._step(CHECK_LAST)

    def _end(self) -> str:
        """Put the packages in order and write the result."""
        store = self._store
        if self._job.step == CHECK:
            self._keep()
            ended = DONE
        else:
            good = not self._job.was_healthy or self._healthy()
            ended = RETURNED if good else FAILED
            store.coming.unlink(missing_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write(store.result, replace(self._job, step=ended, ended=now))
        store.job.unlink()
        say(f"update to {self._job.version}: {ended}")
        return ended

    def _keep(self) -> None:
        """The package that was current is the last one now; so also if this is done twice."""
        store = self._store
        if store.coming.exists():
            if store.current.exists():
                store.current.replace(store.last)
            store.coming.replace(store.current)

    def _healthy(self) -> bool:
        """Wait until the exchange is in order and stays it; False where it does not come to that."""
        deadline = self._machine.clock() + HEALTHY_WITHIN_S
        since, pid = 0.0, 0
        while (now := self._machine.clock()) < deadline and not self._machine.given_up():
            health = self._machine.health(self._job.socket)
            if not (health and health.engine and (health.addresses or not self._job.had_addresses)):
                pid = 0
            elif health.pid != pid:
                since, pid = now, health.pid
            elif now - since >= SETTLED_S:
                return True
            self._machine.sleep(PAUSE_S)
        return False

    def _step(self, step: str) -> None:
        self._job = replace(self._job, step=step)
        write(self._store.job, self._job)


def read(path: Path) -> Job:
    """Return the job or result in a file.

    Raises:
        OSError: there is none.
        ValueError: it is none of ours.
    """
    try:
        return Job(**json.loads(path.read_text("utf-8")))
    except TypeError as error:
        raise ValueError(str(error)) from error


def write(path: Path, job: Job) -> None:
    """Write a job or result so that a power cut leaves the old one or the new one."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(asdict(job), file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def main() -> int:
    """Take the steps that are left of the job."""
    try:
        ended = Update(Store(STORE), Machine()).run()
    except (OSError, ValueError) as error:
        say(f"the update cannot go on: {error}")
        return 1
    return 0 if ended == DONE else 1


if __name__ == "__main__":
    sys.exit(main())
