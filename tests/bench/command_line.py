"""How a bench is called, and left."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

_INTERRUPTED = 130
"""As a shell says of a program that SIGINT has ended."""


def beside(name: str, text: str | None) -> argparse.ArgumentParser:
    """Return the parser of a bench beside other programs, ``./build.sh bench NAME``.

    Args:
        name: the bench's.
        text: its docstring, which tells its options too.
    """
    parser = argparse.ArgumentParser(
        prog=f"./build.sh bench {name}",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--fast", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    return parser


def in_rounds(
    text: str | None, calls: list[int], rounds: int, seconds: float
) -> argparse.ArgumentParser:
    """Return the parser of a bench of calls that are measured in rounds.

    Its `parse_known_args` is to be used: ``./build.sh bench`` gives its arguments to every bench.

    Args:
        text: the bench's docstring, of which the first line is shown.
        calls, rounds, seconds: what is measured where nothing else is said.
    """
    parser = argparse.ArgumentParser(description=(text or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, nargs="+", default=calls)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=float, default=seconds)
    return parser


def leave(main: Callable[[], int]) -> NoReturn:
    """Run a bench and end the program with its exit code; Ctrl-C ends it without a word."""
    try:
        sys.exit(main())
    except BaseException as error:
        cause: BaseException | None = error
        # What it measures has heard of Ctrl-C too, so that ending it may have failed on top.
        while cause is not None and not isinstance(cause, KeyboardInterrupt):
            cause = cause.__context__
        if cause is None:
            raise
        sys.exit(_INTERRUPTED)
