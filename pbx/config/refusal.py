"""Refusals in words: a key of the catalogue, and the English sentence that clients translate."""

from pbx.errors import CommandError
from pbx.locale import english


def command_error(code: str, **values: object) -> CommandError:
    """Return the error of a catalogue key, with its English sentence."""
    return CommandError(code, english(code, **values))
