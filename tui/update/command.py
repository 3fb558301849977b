"""The command: examines the file, hands the job to root's service, and tells how it goes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pbx.api.client import Client, CommandError, ExchangeUnreachable
from tui import report
from tui.locale import reason, say
from tui.update import package_file, steps
from tui.update.package_file import refuse
from tui.update.steps import Job, Store

SYSTEMD = Path("/run/systemd/system")

POLL_S = 0.5

SPARE = 64 << 20
"""Octets that stay free on each disk."""

EX_FAILED = 1


def look(store: Store) -> Job | None:
    """Return the update under way, else how the last one ended; None where there never was one."""
    for path in (store.job, store.result):
        try:
            return steps.read(path)
        except (OSError, ValueError):
            continue
    return None


def exit_code(job: Job | None) -> int:
    """Return the exit code that tells of `job`."""
    return EX_FAILED if job is not None and job.step in (steps.RETURNED, steps.FAILED) else 0


def show(job: Job | None) -> None:
    """Print how far a job is, or how it ended."""
    report.show_sentence(say("update-none") if job is None else sentence(job))


def sentence(job: Job) -> str:
    """Return how far a job is, or how it ended, in words."""
    why = say(f"update-why-{job.why}", detail=job.detail) if job.why else ""
    return say(f"update-{job.step}", version=job.version, last=job.last, why=why)


def update(store: Store, file: Path, socket: Path, asked: str, words: Sequence[str]) -> int:
    """Install the package in `file`, or say why not; return the exit code.

    Args:
        store: where packages are kept.
        file: the package.
        socket: the control socket.
        asked: the same, where somebody has named it; empty for the usual one.
        words: the command line that `sudo` repeats where this is not root.

    Raises:
        CommandError: it was not begun, and nothing has changed.
    """
    package = package_file.examine(file)
    before = package_file.installed()
    if not SYSTEMD.is_dir():
        raise refuse("update-no-systemd")
    if os.geteuid() != 0:
        _become_root(words)
    if store.job.exists():
        raise refuse("update-running")
    _check_room(store, file, package.size, before.size)
    report.show_sentence(say("update-begins", version=package.version, last=before.version))
    try:
        _prepare(store, file)
        job = _job(package.version, before.version, socket, asked)
        steps.write(store.job, job)
    except OSError as error:
        raise refuse("update-not-prepared", why=reason(error.strerror or str(error))) from error
    except subprocess.CalledProcessError as error:
        raise refuse("update-not-prepared", why=error.stderr.strip()) from error
    started = subprocess.run(
        ["systemctl", "start", steps.UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    if started.returncode:
        store.job.unlink()
        raise refuse("update-not-prepared", why=started.stderr.strip())
    return _follow(store, job)


def _become_root(words: Sequence[str]) -> None:
    """Start again by sudo; does not return.

    Raises:
        CommandError: there is no sudo.
    """
    if shutil.which("sudo") is None:
        raise refuse("update-root")
    sys.stdout.flush()
    os.execvp("sudo", ["sudo", "--", *words])


def _check_room(store: Store, file: Path, size: int, size_before: int) -> None:
    """Refuse what would fill a disk.

    Raises:
        CommandError: with how much is missing.
    """
    # dpkg lays all new files beside the old ones before it renames them.
    needed = {Path("/opt"): size}
    packages = file.stat().st_size + (0 if store.current.exists() else size_before * 2)
    needed[_existing(store.path)] = packages
    for folder, octets in needed.items():
        disk = os.statvfs(folder)
        missing = octets + SPARE - disk.f_bavail * disk.f_frsize
        if missing > 0:
            raise refuse("update-no-room", path=folder, count=missing // 1_000_000 + 1)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _prepare(store: Store, file: Path) -> None:
    """Lay the new package, the installed one and the program of the steps into the store."""
    for folder in (store.coming.parent, store.job.parent):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not (store.current.exists() and package_file.is_installed(store.current)):
        report.show_sentence(say("update-keeps"))
        package_file.repack(store.current)
    unfinished = store.coming.with_suffix(".part")
    shutil.copyfile(file, unfinished)
    unfinished.replace(store.coming)
    shutil.copyfile(steps.__file__, store.program)
    store.result.unlink(missing_ok=True)
    os.sync()


def _job(version: str, last: str, socket: Path, asked: str) -> Job:
    began = datetime.now(UTC).isoformat()
    try:
        with Client(socket) as client:
            status = client.status()
    except (ExchangeUnreachable, CommandError):
        return Job(version, last, began, socket=asked, was_healthy=False)
    return Job(
        version,
        last,
        began,
        socket=asked,
        was_healthy=status.engine_pid > 0,
        had_addresses=bool(status.addresses),
    )


def _follow(store: Store, job: Job) -> int:
    """Print each step as it comes, and how it ended.

    Raises:
        CommandError: the service that takes the steps has died.
    """
    shown = job.step
    while True:
        active = _is_active()
        now = look(store)
        if now is not None and now.began == job.began and now.step != shown:
            shown = now.step
            report.show_sentence(sentence(now))
        if now is not None and now.ended:
            return exit_code(now)
        if not active:
            raise refuse("update-stopped", unit=steps.UNIT)
        time.sleep(POLL_S)


def _is_active() -> bool:
    # Asked before the files are looked at: who is gone by then has left its result.
    command = ["systemctl", "is-active", steps.UNIT]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() not in ("inactive", "failed")
