"""What the command lines have in common: exit codes, refusals in one sentence, JSON."""

import os
import sys
from collections.abc import Callable
from typing import Annotated

import msgspec
import typer
from typer.exceptions import TyperException

from pbx import __version__
from tui.clean import clean
from tui.locale import reason, say
from tui.usage import translate_headings, usage_hint, usage_sentence

EX_USAGE = 2
EX_DATAERR = 65
EX_SOFTWARE = 70
EX_IOERR = 74
EX_INTERRUPTED = 130


def run(
    app: typer.Typer,
    name: str,
    refusal: Callable[[Exception], tuple[str, int] | None] = lambda error: None,
) -> int:
    """Run a command line and return the exit code; whatever happens is told in one sentence.

    Args:
        name: of the program.
        refusal: the sentence and the exit code for an exception of the program's own.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character shows ? in its place.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    translate_headings()
    try:
        code = app(standalone_mode=False, prog_name=name)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, EOFError, typer.Abort):
        return EX_INTERRUPTED
    except TyperException as error:
        return _usage_failed(name, error)
    except UnicodeError:
        return _fail(name, say("not-text"), EX_DATAERR)
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EX_IOERR
    except Exception as error:
        if (refused := refusal(error)) is not None:
            return _fail(name, *refused)
        if isinstance(error, OSError):
            return _fail(
                name, say("cannot-write", why=reason(error.strerror or str(error))), EX_IOERR
            )
        return _fail(name, say("unexpected", why=repr(error)), EX_SOFTWARE)


def tell(name: str, sentence: str) -> None:
    """Tell the user of program `name` what is wrong."""
    sys.stderr.write(f"{name}: {clean(sentence)}\n")


def print_json(answer: object, indent: int = 2) -> None:
    """Print `answer`; without `indent`, in one line."""
    # JSON is UTF-8 (RFC 8259 §8.1), whatever the terminal's encoding.
    text = msgspec.json.encode(answer)
    if indent:
        text = msgspec.json.format(text, indent=indent)
    sys.stdout.buffer.write(text + b"\n")


def show_version(wanted: bool) -> None:
    """Show the version and exit, where `wanted`: the callback of ``--version``."""
    if wanted:
        typer.echo(f"miniSIPServer {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", metavar="", help=say("help-version"), callback=show_version, is_eager=True
    ),
]
"""The option of every command line."""


def _fail(name: str, sentence: str, code: int) -> int:
    tell(name, sentence)
    return code


def _usage_failed(name: str, error: TyperException) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        # The help has been shown already.
        return EX_USAGE
    code = _fail(name, usage_sentence(error), EX_USAGE)
    sys.stderr.write(f"{clean(usage_hint(error, name))}\n")
    return code
