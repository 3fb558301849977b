"""`minisip` within the test's own process: what it does is the same, and no interpreter starts."""

import asyncio
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from tests.tui.program import ENGLISH, Outcome
from tui.commands import run


async def minisip_here(
    socket: Path, *args: str, locale: str = ENGLISH, text: bytes = b"", **env: str
) -> Outcome:
    """Run `minisip` to its end, in a thread: its server may be on the test's loop."""
    argv = ["minisip", "--socket", str(socket), *args]
    return await asyncio.to_thread(_run, argv, text, {"LC_ALL": locale, "COLUMNS": "80", **env})


def _run(argv: list[str], text: bytes, env: Mapping[str, str]) -> Outcome:
    given = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        patch.object(sys, "argv", argv),
        patch.object(sys, "stdin", given),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
        patch.dict(os.environ, env),
    ):
        code = run()
        shown = []
        for stream in (out, err):
            stream.flush()
            buffer = stream.buffer
            assert isinstance(buffer, io.BytesIO)
            shown.append(buffer.getvalue().decode())
    assert "Traceback" not in "".join(shown)
    return Outcome(code, *shown)
