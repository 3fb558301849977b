"""Typer's own words, in the user's language: headings, ``--help``, and what is wrong with a
command line.
"""

from collections.abc import Sequence
from typing import Any

import typer
from typer import rich_utils
from typer.core import TyperCommand, TyperGroup, TyperOption

from tui.locale import say

ENGLISH_USAGE = "Usage:"
"""How typer's line of usage begins; it can't be set."""


class TranslatedCommand(TyperCommand):
    """A command whose help is in the user's language throughout."""

    def get_usage(self, ctx: Any) -> str:
        """Return the line of usage."""
        return _usage(super().get_usage(ctx))

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return ``--help``."""
        return _with_text(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            typer.BadParameter: there are more than the command takes.
        """
        ctx.allow_extra_args = True
        more = super().parse_args(ctx, args)
        if more:
            raise typer.BadParameter(say("usage-extra", text=" ".join(more)), ctx=ctx)
        return more


class TranslatedGroup(TyperGroup):
    """A group of such commands."""

    def get_usage(self, ctx: Any) -> str:
        """Return the line of usage."""
        return _usage(super().get_usage(ctx))

    def get_help_option(self, ctx: Any) -> TyperOption | None:
        """Return ``--help``."""
        return _with_text(super().get_help_option(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that `args` begin with.

        Raises:
            typer.BadParameter: there is none of that name.
        """
        if args and self.get_command(ctx, args[0]) is None:
            sentence = say("usage-command", name=args[0])
            raise typer.BadParameter(sentence, ctx=ctx)
        return super().resolve_command(ctx, args)


def assignments(texts: Sequence[str]) -> dict[str, str]:
    """Return what arguments such as ``NAME=VALUE`` say.

    Raises:
        typer.BadParameter: one of them is none.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(say("usage-assignment", text=text))
        found[name] = value
    return found


def translate_headings() -> None:
    """Set the headings of help; typer keeps them as settings of a module."""
    rich_utils.OPTIONS_PANEL_TITLE = say("title-options")
    rich_utils.ARGUMENTS_PANEL_TITLE = say("title-arguments")
    rich_utils.COMMANDS_PANEL_TITLE = say("title-commands")
    rich_utils.REQUIRED_LONG_STRING = say("required")


def usage_sentence(error: Any) -> str:
    """Return what is wrong with the command line, out of typer's exception.

    Only `typer.BadParameter` of typer's exceptions is public; the others are told apart by what
    they carry.
    """
    param = getattr(error, "param", None)
    if param is not None:
        name = param.metavar if param.param_type_name == "argument" else param.opts[-1]
        return say("usage-value" if error.message else "usage-missing", name=name)
    if isinstance(error, typer.BadParameter):
        return error.message
    if option := getattr(error, "option_name", ""):
        if hasattr(error, "possibilities"):
            minus = option[1:].isdigit()
            return say("usage-minus" if minus else "usage-option", name=option)
        wanted = "requires" in error.message
        return say("usage-option-value" if wanted else "usage-option-bare", name=option)
    return say("usage-other", why=error.format_message().rstrip("."))


def usage_hint(error: Any, program: str) -> str:
    """Return where to read how the command of `program` is used."""
    context = getattr(error, "ctx", None)
    return say("usage-hint", command=context.command_path if context else program)


def _usage(line: str) -> str:
    return line.replace(ENGLISH_USAGE, say("usage"), 1)


def _with_text(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.help = say("help-help")
        option.metavar = ""
    return option
