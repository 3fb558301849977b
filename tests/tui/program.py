"""`minisip`, or another program, as a process of its own, as a user runs it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ENGLISH = "C.UTF-8"
CHINESE = "zh_CN.UTF-8"

LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    code: int
    out: str
    err: str


async def start(
    *args: str | bytes | Path,
    locale: str = ENGLISH,
    stdin: int = asyncio.subprocess.PIPE,
    stdout: int = asyncio.subprocess.PIPE,
    env: Mapping[str, str] | None = None,
    module: str = "tui.cli",
) -> asyncio.subprocess.Process:
    """Start `minisip`, or another `module`, with a clean environment and its output in pipes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINISIP_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *args,
        stdin=stdin,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env={**kept, "LC_ALL": locale, "COLUMNS": "80", **(env or {})},
        start_new_session=True,
    )


async def outcome(process: asyncio.subprocess.Process, text: bytes | None = None) -> Outcome:
    """Give `process` its standard input, and wait for its end."""
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate(text)
    assert process.returncode is not None
    shown = Outcome(process.returncode, (out or b"").decode(), (err or b"").decode())
    assert "Traceback" not in shown.out + shown.err
    return shown


async def minisip(
    socket: Path | None,
    *args: str | bytes,
    locale: str = ENGLISH,
    text: bytes = b"",
    **env: str,
) -> Outcome:
    """Run `minisip` to its end."""
    where = () if socket is None else ("--socket", socket)
    return await outcome(await start(*where, *args, locale=locale, env=env), text)
