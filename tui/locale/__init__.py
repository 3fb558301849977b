"""What the console and the commands say, beside the sentences of `pbx.locale`."""

import errno
import os
import re
from collections.abc import Mapping

from pbx.api.client import CommandError
from pbx.locale import catalogue, language, translated
from pbx.locale import say as say_of_exchange
from pbx.locale.decoding import kind_translated

_KINDS = ("wanted", "given")
"""The values of a refusal that are words for a kind of value."""


def sentences() -> Mapping[str, str]:
    """Return all sentences in the language of the environment, by their keys."""
    return catalogue(language(), __name__)


def say(key: str, **values: object) -> str:
    """Return the sentence `key` in the language of the environment, with `values` put in."""
    return sentences()[key].format(**values)


def reason(text: str) -> str:
    """Return why something failed, in the language of the environment.

    It comes in English: as the C library's words, which the exchange passes on, or, of a call that wasn't
    recorded, as the exchange's own; what is not known here stays as it is.
    """
    names = (name for number, name in errno.errorcode.items() if os.strerror(number) == text)
    said = sentences().get(f"errno-{next(names, '')}")
    return translated(text, "unrecorded-") if said is None else said


def with_reason(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a sentence of the exchange's, ``why`` of them by `reason`."""
    return {name: reason(value) if name == "why" else value for name, value in values.items()}


def translate(error: CommandError, names: Mapping[str, str] | None = None) -> str:
    """Return the exchange's refusal in the language of the environment.

    Refusals come in plain English, made of the sentence that the code is the key of; so the
    values in them can be read out again and put into the sentence of another language. What is
    not known here stays English.

    Args:
        error: the refusal.
        names: what the user calls the fields that it may name; others are called as they are.
    """
    values = _values(error)
    called = names or {}
    if values is None or (language() == "en" and not called):
        return error.sentence
    said = {}
    for key, value in values.items():
        kind = kind_translated(value) if key in _KINDS else value
        said[key] = called.get(kind, kind) if key in _NAMES_A_FIELD else kind
    return say_of_exchange(_key(error), **said)


def field_of(error: CommandError) -> str:
    """Return the name of the field that a refusal is about; empty where it is about none."""
    values = _values(error) or {}
    named = (values[key] for key in _NAMES_A_FIELD if key in values)
    return next(named, _ABOUT.get(error.code, ""))


_NAMES_A_FIELD = ("field", "ask", "low", "high", "other")
"""Values of refusals that are the name of a field."""

_ABOUT = {
    "line-name": "name",
    "line-exists": "name",
    "line-country": "country",
    "line-codec": "codecs",
}
"""Refusals that are about one field always, by their codes."""


def _key(error: CommandError) -> str:
    return "internal-error" if error.code == "internal" else error.code


def _values(error: CommandError) -> dict[str, str] | None:
    """Return what was put into a refusal's sentence; None for a sentence that is not known here."""
    template = catalogue("en").get(_key(error))
    if template is None:
        return None
    parts = re.split(r"\{(\w+)\}", template)
    if len(parts) == 1:
        return {}
    pattern = "".join(
        f"(?P<{part}>.*)" if position % 2 else re.escape(part)
        for position, part in enumerate(parts)
    )
    match = re.fullmatch(pattern, error.sentence, re.DOTALL)
    return match.groupdict() if match else None
