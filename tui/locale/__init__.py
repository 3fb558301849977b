"""What the console and the commands say, beside the sentences of `pbx.locale`."""

import re

from pbx.api.client import CommandError
from pbx.locale import catalogue, language
from pbx.locale import say as say_of_exchange


def say(key: str, **values: object) -> str:
    """Return the sentence `key` in the language of the environment, with `values` put in."""
    return catalogue(language(), __name__)[key].format(**values)


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
    return say_of_exchange(key, **match.groupdict()) if match else error.sentence
