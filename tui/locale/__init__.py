"""What the console and the commands say, beside the sentences of `pbx.locale`."""

import errno
import os
import re
from collections.abc import Mapping

from pbx.api.client import CommandError
from pbx.locale import catalogue, language
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
    """Return what the system says of a failure, in the language of the environment.

    It comes as the C library's English words, which the exchange passes on; what is not known here
    stays as it is.
    """
    names = (name for number, name in errno.errorcode.items() if os.strerror(number) == text)
    return sentences().get(f"errno-{next(names, '')}", text)


def with_reason(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a sentence of the exchange's, ``why`` of them by `reason`."""
    return {name: reason(value) if name == "why" else value for name, value in values.items()}


def translate(error: CommandError) -> str:
    """Return the exchange's refusal in the language of the environment.

    Refusals come in plain English, made of the sentence that the code is the key of; so the
    values in them can be read out again and put into the sentence of another language. What is
    not known here stays English.
    """
    key = "internal-error" if error.code == "internal" else error.code
    template = catalogue("en").get(key)
    if template is None or language() == "en":
        return error.sentence
    parts = re.split(r"\{(\w+)\}", template)
    if len(parts) == 1:
        return say_of_exchange(key)
    pattern = "".join(
        f"(?P<{part}>.*)" if position % 2 else re.escape(part)
        for position, part in enumerate(parts)
    )
    match = re.fullmatch(pattern, error.sentence, re.DOTALL)
    if match is None:
        return error.sentence
    values = {
        name: kind_translated(value) if name in _KINDS else value
        for name, value in match.groupdict().items()
    }
    return say_of_exchange(key, **values)
