"""Refusals in words: a key of the catalogue, and the English sentence that clients translate."""

from pbx.errors import CommandError
from pbx.locale import english

_FIELDS = {"field", "low", "high"}
"""What sentences call the fields that they are about."""


def command_error(code: str, **values: object) -> CommandError:
    """Return the error of a catalogue key, with its English sentence."""
    return CommandError(code, english(code, **values), values)


def within(where: str, error: CommandError) -> CommandError:
    """Return the refusal of a row's fields as a person knows them: ``lines[2].server``.

    Args:
        where: the row, such as ``lines[2]``.
        error: a refusal whose sentence names the row's fields.
    """
    named = {name: f"{where}.{error.values[name]}" for name in _FIELDS & error.values.keys()}
    return command_error(error.code, **{**error.values, **named})
