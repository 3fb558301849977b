"""Provider profiles: what we know of a carrier, so that a person is asked only for what is theirs.

Each is a file of `profiles/`, named for it: the line's settings, what is asked for them, and the
facts that the settings rest on. What a file does not set is the default, for nothing is known of
it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import msgspec

from pbx.config.line import Line
from pbx.errors import CommandError
from pbx.locale import english

_PLACE = re.compile(r"\{(\w+)\}")
_LIST_PLACE = re.compile(r"\{(\w+)\}\Z")
_BETWEEN = re.compile(r"[\s,]+")

MAX_ANSWER = 128
"""Characters in an answer."""

WITHOUT_FACT = ("kind", "server")
"""Fields that a profile may set without a fact: which of the two kinds it is for, and whom it is."""


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence in both languages."""

    en: str
    zh: str


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that only the line's owner knows.

    Args:
        key: what stands in braces for the answer in the profile's settings and defaults.
        label: what is asked for, with an example.
        pattern: a regular expression that the whole answer matches; empty for any.
        default: the answer where none is given, perhaps made of other answers.
        optional: the answer may be empty.
        secret: it is a password.
    """

    key: str
    label: Text
    pattern: str = ""
    default: str = ""
    optional: bool = False
    secret: bool = False


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that is known of the provider.

    Args:
        fields: the line's fields that are as they are because of it.
        says: the fact.
        rests_on: where it is from: a page's or a thread's title.
    """

    fields: tuple[str, ...] = ()
    says: Text
    rests_on: str


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A provider.

    Args:
        name: the file's name.
        title: what people call it.
        line: the line's fields; ``{key}`` in a text is the answer to that ask. In a list, a text
            that is nothing else becomes as many as the answer has words.
        asks: what has to be asked, in this order.
        facts: what `line` rests on.
        notes: what the line's owner should know.
    """

    name: str = ""
    title: Text
    line: dict[str, Any]
    asks: tuple[Ask, ...] = ()
    facts: tuple[Fact, ...] = ()
    notes: tuple[Text, ...] = ()

    @property
    def kind(self) -> str:
        """``external-line`` or ``sip-trunk``."""
        return str(self.line["kind"])


@cache
def profiles() -> Mapping[str, Profile]:
    """Return all profiles by their names, in the names' order; read once, never changed."""
    folder = resources.files(__package__).joinpath("profiles")
    found = {}
    for file in folder.iterdir():
        name, _, kind = file.name.partition(".")
        if kind == "toml":
            found[name] = read(name, file.read_bytes())
    return MappingProxyType(dict(sorted(found.items())))


def read(name: str, text: bytes) -> Profile:
    """Return the profile in a file's text.

    Raises:
        ValueError: it isn't one; the sentence is for who wrote the file.
    """
    profile = msgspec.structs.replace(msgspec.toml.decode(text, type=Profile), name=name)
    for fault in _faults(profile):
        raise ValueError(f"profile {name}: {fault}")
    return profile


def _faults(profile: Profile) -> Iterator[str]:
    known = set(Line.__struct_fields__)
    keys = [ask.key for ask in profile.asks]
    if len(set(keys)) != len(keys):
        yield "asks for the same thing twice"
    yield from (f"sets {field}, which no line has" for field in profile.line if field not in known)
    backed = {field for fact in profile.facts for field in fact.fields}
    yield from (f"a fact names {field}, which no line has" for field in backed - known)
    for field, value in profile.line.items():
        places = {key for text in _texts(value) for key in _PLACE.findall(text)}
        yield from (f"{field} needs {key}, which is not asked" for key in places - set(keys))
        if not places and field not in backed and field not in WITHOUT_FACT:
            yield f"{field} rests on no fact"
    for position, ask in enumerate(profile.asks):
        for key in set(_PLACE.findall(ask.default)) - set(keys[:position]):
            yield f"the default of {ask.key} needs {key}, which is not asked before"


def _texts(value: object) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def profile_of(name: str) -> Profile:
    """Return a profile.

    Raises:
        CommandError: ``profile-unknown``.
    """
    found = profiles().get(name)
    if found is None:
        raise _error("profile-unknown", name=name)
    return found


def fill(profile: Profile, name: str, answers: Mapping[str, str]) -> Line:
    """Return the line of a profile and the answers to its asks.

    Args:
        profile: the provider.
        name: the line's.
        answers: by the asks' keys; what is missing is the default.

    Raises:
        CommandError: ``profile-answer-unknown`` (nobody asked for it), ``profile-answer-missing`` or
            ``profile-answer-bad``, each naming the ask. What makes a line wrong otherwise is found
            when it is stored.
    """
    whole = _answered(profile, answers)
    values: dict[str, Any] = {"name": name, "profile": profile.name}
    for field, value in profile.line.items():
        if isinstance(value, list):
            values[field] = [word for one in value for word in _words(one, whole)]
        else:
            values[field] = _put_in(value, whole) if isinstance(value, str) else value
    return msgspec.convert(values, Line)


def _answered(profile: Profile, answers: Mapping[str, str]) -> dict[str, str]:
    for key in answers:
        if all(ask.key != key for ask in profile.asks):
            raise _error("profile-answer-unknown", profile=profile.name, ask=key)
    whole: dict[str, str] = {}
    for ask in profile.asks:
        answer = answers.get(ask.key, "").strip() or _put_in(ask.default, whole)
        if not answer and not ask.optional:
            raise _error("profile-answer-missing", profile=profile.name, ask=ask.key)
        fits = not answer or re.fullmatch(ask.pattern or ".*", answer)
        if not fits or not answer.isprintable() or len(answer) > MAX_ANSWER:
            raise _error("profile-answer-bad", profile=profile.name, ask=ask.key)
        whole[ask.key] = answer
    return whole


def _put_in(template: str, answers: Mapping[str, str]) -> str:
    # In one go: braces in an answer are the answer's own.
    return _PLACE.sub(lambda place: answers[place[1]], template)


def _words(template: str, answers: Mapping[str, str]) -> list[str]:
    whole = _LIST_PLACE.match(template)
    if whole:
        return [word for word in _BETWEEN.split(answers[whole[1]]) if word]
    return [_put_in(template, answers)]


def _error(code: str, **values: object) -> CommandError:
    return CommandError(code, english(code, **values))
