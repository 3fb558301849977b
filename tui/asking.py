"""How a command asks the exchange, and shows what it answers."""

import getpass
import sys
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from pbx.api.client import Client, CommandError
from pbx.locale import english
from tui import program
from tui.locale import say
from tui.places import socket_path

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", metavar="", help=say("help-json"))]
"""The option of every command that shows something."""


def ask(ctx: typer.Context, call: Callable[[Client], T]) -> T:
    """Return what the exchange answers to `call`."""
    with Client(socket_path(ctx.obj)) as client:
        return call(client)


def show(answer: T, json: bool, how: Callable[[T], None]) -> None:
    """Show an answer: as JSON, or else by `how`."""
    if json:
        program.print_json(answer)
    else:
        how(answer)


def refused(code: str, **values: object) -> CommandError:
    """Return the refusal that the exchange has for this, where a command sees it before."""
    return CommandError(code, english(code, **values))


def read_secret() -> str:
    """Return a password that is typed unseen, or the first line of the standard input."""
    if sys.stdin.isatty():
        return getpass.getpass(say("prompt-password"))
    return sys.stdin.readline().rstrip("\r\n")


def given_secret(password: str | None) -> str | None:
    """Return the password of an option; ``-`` has it read, so that `ps` doesn't show it.

    Raises:
        CommandError: it is empty.
    """
    if password == "-":
        password = read_secret()
    if password == "":
        raise CommandError("no-password", say("no-password"))
    return password
