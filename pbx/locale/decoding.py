"""What the decoder of TOML and JSON says is wrong, in parts that can be said in each language."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pbx.locale import catalogue, say, translated

_KIND = "kind-"
"""How the keys of the kinds of values begin."""

# What msgspec says: "Expected `int`, got `str` - at `$.sip.port`"
_COMPLAINT = re.compile(r"(?P<why>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?\Z", re.DOTALL)
_WRONG_KIND = re.compile(r"Expected `(?P<wanted>.*)`, got `(?P<given>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`")
# What tomllib says: "Expected '=' after a key in a key/value pair (at line 1, column 5)"
_PLACE = re.compile(r"at line (?P<line>\d+), column (?P<column>\d+)")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a document.

    Args:
        path: of the value that it is about, such as ``sip.port``; empty for the whole document.
        unknown: the field of that value that nobody knows; else empty.
        missing: the field of that value that must be there and isn't; else empty.
        wanted, given: the kinds of value that it should have and has, as the decoder calls them.
    """

    path: str
    unknown: str = ""
    missing: str = ""
    wanted: str = ""
    given: str = ""

    @classmethod
    def read(cls, text: str) -> "Complaint":
        """Return what an error's text says; what isn't known is no more than its path."""
        match = _COMPLAINT.fullmatch(text)
        why, path = (match["why"], match["path"] or "") if match else (text, "")
        if found := _UNKNOWN.fullmatch(why):
            return cls(path, unknown=found["name"])
        if found := _MISSING.fullmatch(why):
            return cls(path, missing=found["name"])
        if found := _WRONG_KIND.fullmatch(why):
            return cls(path, wanted=found["wanted"], given=found["given"])
        return cls(path)


def kind(name: str, speak: Callable[[str], str]) -> str:
    """Return the words for a kind of value; one that has none stays as the decoder calls it.

    Args:
        name: such as ``int``.
        speak: `say` or `english`.
    """
    return speak(_KIND + name) if _KIND + name in catalogue("en") else name


def kind_translated(words: str) -> str:
    """Return the English words of a kind of value in the language spoken."""
    return translated(words, _KIND)


def fault_of_settings(text: str) -> str:
    """Return what a decoder's error means for whoever wrote a settings file."""
    one = Complaint.read(text)
    if one.unknown:
        return say("setting-unknown", setting=".".join(filter(None, (one.path, one.unknown))))
    if one.wanted:
        wanted, given = kind(one.wanted, say), kind(one.given, say)
        return say("setting-type", setting=one.path, wanted=wanted, given=given)
    place = _PLACE.search(text)
    return say("setting-toml", **place.groupdict()) if place else say("setting-toml-end")
