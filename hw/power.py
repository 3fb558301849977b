"""Switching the machine off, and seeing that it is being switched off."""

import asyncio
import shlex

POWER_OFF_UNITS = frozenset({"poweroff.target", "halt.target"})
ASKED_S = 5.0
STARTED_S = 30.0


class ShutdownFailed(Exception):
    """The machine can't be shut down; the text says why."""


async def shut_down(command: str) -> None:
    """Run the command that shuts the machine down; return when it has been taken.

    Raises:
        ShutdownFailed: it could not be run, or says that it failed.
    """
    code, output = await _run(shlex.split(command), STARTED_S)
    if code:
        raise ShutdownFailed(output or f"exit code {code}")


async def is_powering_off() -> bool:
    """Whether systemd is on its way to switch the machine off (a restart is none)."""
    try:
        _, output = await _run(
            ["systemctl", "list-jobs", "--plain", "--no-legend", "--no-pager"], ASKED_S
        )
    except ShutdownFailed:
        return False
    return powers_off(output)


def powers_off(jobs: str) -> bool:
    """Whether such a job is in the list that `systemctl list-jobs` prints."""
    return any(not POWER_OFF_UNITS.isdisjoint(line.split()) for line in jobs.splitlines())


async def _run(argv: list[str], patience_s: float) -> tuple[int, str]:
    """Return a program's exit code and what it says on either output."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise ShutdownFailed(f"{argv[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(patience_s):
            output, _ = await process.communicate()
    except TimeoutError:
        raise ShutdownFailed(f"{argv[0]} takes too long") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace").strip()
