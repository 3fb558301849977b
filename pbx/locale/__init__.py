"""What a person reads, in the language of that person: English or Chinese.

The sentences stand in ``en.toml`` and ``zh.toml``, each under a key; both have the same keys.
The language belongs to the running program's context (a `ContextVar`, so that a test or a thread
that chooses another disturbs nobody); what has not been chosen follows the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from importlib import resources
from types import MappingProxyType

LANGUAGES: tuple[str, ...] = ("en", "zh")

_chosen: ContextVar[str] = ContextVar("language", default="")


@cache
def catalogue(language: str, package: str = __name__) -> Mapping[str, str]:
    """Return a package's sentences in a language by their keys; read once, never changed."""
    text = resources.files(package).joinpath(f"{language}.toml").read_text("utf-8")
    return MappingProxyType({key: str(value) for key, value in tomllib.loads(text).items()})


def choose(language: str) -> None:
    """Speak `language`, one of `LANGUAGES`, from now on; anything else: the environment's."""
    _chosen.set(language if language in LANGUAGES else "")


def language() -> str:
    """Return the language spoken: the one chosen, else the environment's, else English."""
    return _chosen.get() or _of_environment(os.environ)


def say(key: str, **values: object) -> str:
    """Return the sentence `key` in the language spoken, with `values` put in."""
    return catalogue(language())[key].format(**values)


def english(key: str, **values: object) -> str:
    """Return the sentence in English: for logs, and for clients that translate by the key."""
    return catalogue("en")[key].format(**values)


def translated(words: str, family: str) -> str:
    """Return in the language spoken what another program, or a file, has said in English.

    Args:
        words: a sentence without values; what is none stays as it is.
        family: what the sentence's key begins with.
    """
    keys = (key for key, text in catalogue("en").items() if text == words)
    key = next((key for key in keys if key.startswith(family)), "")
    return say(key) if key else words


def _of_environment(environment: Mapping[str, str]) -> str:
    # POSIX.1-2017, base definitions §8.2: the first of these that is set and not null decides
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "zh" if environment[name].lower().startswith("zh") else "en"
    return "en"
