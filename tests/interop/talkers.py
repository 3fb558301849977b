"""The RTP peer of a test: starts `rtp_peer` and reads its report."""

import json
import sys
from pathlib import Path

from tests.interop.program import Program
from tests.interop.rtp_peer import Report
from tests.interop.waiting import until

_ROOT = Path(__file__).parents[2]


class Talkers:
    """Both ends' RTP of sipp calls.

    Args:
        folder: where its output goes.
        first_port: the first of its ports; every second one is used.
        count: how many.
        packets: how many each stream sends, one every 20 ms.
        logs: sipp's log files, which say where to send.
    """

    def __init__(
        self, folder: Path, first_port: int, count: int, packets: int, logs: list[Path]
    ) -> None:
        self.ports = range(first_port, first_port + 2 * count, 2)
        numbers = [str(number) for number in (first_port, count, packets)]
        argv = [sys.executable, "-m", "tests.interop.rtp_peer", *numbers, *map(str, logs)]
        self.program = Program("talkers", argv, folder, stdin=True, env={"PYTHONPATH": str(_ROOT)})
        try:
            until(
                "the RTP peer is ready",
                lambda: "ready\n" in self.program.said(),
                why_not=self.program.last_words,
            )
        except AssertionError:
            self.program.end()
            raise

    def report(self) -> Report:
        """End it and return what it counted."""
        pipe = self.program.process.stdin
        assert pipe is not None
        pipe.close()
        code = self.program.wait(20)
        assert code == 0, self.program.last_words()
        return Report(**json.loads(self.program.said().splitlines()[-1]))

    def close(self) -> None:
        """End it."""
        self.program.end()
