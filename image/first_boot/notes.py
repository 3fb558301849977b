"""What a person is to read about the first boot, in English and Chinese."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return the sentences in a language by their keys."""
    text = (Path(__file__).parent / "locale" / f"{language}.toml").read_text("utf-8")
    return {key: str(value) for key, value in tomllib.loads(text).items()}


def say(spoken: str, key: str, **values: object) -> str:
    """Return the sentence `key` in the language `spoken`, with `values` put in."""
    return catalogue(spoken)[key].format(**values)


@dataclass(frozen=True)
class Note:
    """Something that was not as expected: a key of the catalogue and what to put in.

    A value that is a mapping has its own words in each language.
    """

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def sentence(self, spoken: str) -> str:
        """Return what to tell in the language `spoken`, on one line whatever the values are."""
        values = {
            name: clean(str(value[spoken] if isinstance(value, Mapping) else value))
            for name, value in self.values.items()
        }
        return say(spoken, self.key, **values)

    def words(self) -> dict[str, str]:
        """Return the sentence in each language, to be put into another."""
        return {spoken: self.sentence(spoken) for spoken in LANGUAGES}


def note(key: str, **values: object) -> Note:
    """Return the note `key` with these values."""
    return Note(key, values)


class BadValue(ValueError):
    """A setting whose value can't be used; carries the note that says why."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.note = Note(key, values)


def clean(text: str) -> str:
    """Return `text` without what would steer a terminal or break a line."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def shown(value: object) -> str:
    """Return a setting's value as it is told in a sentence: short, on one line."""
    text = value if isinstance(value, str) else _as_json(value)
    return clean(text if len(text) <= 60 else f"{text[:57]}...")


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, default=str, ensure_ascii=False)
    except TypeError:
        # YAML has keys that JSON hasn't, such as dates
        return str(value)
