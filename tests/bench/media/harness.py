"""The shared harness, which lies beside the project: its generator, its peers, its measured window."""

import importlib
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]

FOLDER = REPOSITORY.parent / "shared" / "bench"
"""The harness itself; nothing is written there."""

BUILD = Path(os.environ.get("BENCH_BUILD", REPOSITORY / "build" / "bench"))
"""What its setup.sh has made."""

Run = dict[str, Any]
"""What one run has found, as the harness' `bench.measure` has it."""


def load() -> Any:
    """Return the harness' module `bench`; its `P` is the module `peers`."""
    os.environ["BENCH_BUILD"] = str(BUILD)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(FOLDER))
    return importlib.import_module("bench")


def options(seconds: float, warm: float, nice: int, codec: str = "g722") -> Namespace:
    """Return the harness' options of one run.

    Args:
        seconds: of the measured window.
        warm: seconds before it.
        nice: of peer and generator.
        codec: of the callee, where the mode is `transcode`.
    """
    return Namespace(
        secs=seconds,
        warm=warm,
        nice=nice,
        to=codec,
        pin_peer=None,
        pin_gen=None,
        workers=1,
        gen_threads=1,
        others="noise",
        profile="marker",
        setup_rate=50,
        keep=False,
    )
