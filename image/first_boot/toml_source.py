"""Where the values stand in a TOML file's text, and how settings are written as TOML.

Python reads TOML (`tomllib`) but doesn't say where it read what. The scan here is for text that
`tomllib` has accepted already; it finds values and checks nothing.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from first_boot.notes import BadValue

Path = tuple[str | int, ...]
"""``("user", 0, "password")``: keys, and positions in arrays."""

_SKIPPED = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
# https://toml.io/en/v1.0.0#string: the four kinds; up to two quotes may end a long one's text
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2}(?!"))'
    r"|'''.*?'''(?:'{0,2}(?!'))"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def read_toml(text: str) -> dict[str, Any]:
    """Return what TOML says.

    Raises:
        tomllib.TOMLDecodeError: it is none.
        BadValue: a number in it has too many digits.
        RecursionError: it is nested too deeply.
    """
    try:
        data = tomllib.loads(text)
        # Hexadecimal numbers of any length can be read, but not written as decimal ones.
        repr(data)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        raise BadValue("file-number") from error
    return data


def text_values(text: str) -> dict[Path, tuple[int, int]]:
    """Return where each string value of valid TOML begins and ends, quotes included."""
    return dict(_Scan(text).document())


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tables: dict[Path, int] = {}
        """Arrays of tables, and how many elements each has so far."""

    def document(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        table: Path = ()
        while self._skip(_SKIPPED) < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2, of_array=True)
            elif self._text.startswith("[", self._at):
                table = self._header(1, of_array=False)
            else:
                yield from self._pair(table)

    def _header(self, brackets: int, *, of_array: bool) -> Path:
        self._at += brackets
        key = self._key()
        self._at += brackets
        path: Path = ()
        for position, part in enumerate(key):
            path += (part,)
            if of_array and position == len(key) - 1:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path += (self._tables[path] - 1,)
        return path

    def _key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self._skip(_BLANK)
            found = _STRING.match(self._text, self._at)
            if found:
                parts.append(str(tomllib.loads(f"key = {found[0]}")["key"]))
            else:
                found = _BARE_KEY.match(self._text, self._at)
                assert found, "tomllib has accepted the text"
                parts.append(found[0])
            self._at = found.end()
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return tuple(parts)
            self._at += 1

    def _pair(self, table: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
        path = table + self._key()
        self._at += 1
        self._skip(_BLANK)
        yield from self._value(path)

    def _value(self, path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
        string = _STRING.match(self._text, self._at)
        if string:
            self._at = string.end()
            yield path, string.span()
        elif self._text[self._at] == "[":
            yield from self._elements(path)
        elif self._text[self._at] == "{":
            self._at += 1
            while self._text[self._skip(_SKIPPED)] != "}":
                yield from self._pair(path)
            self._at += 1
        else:
            self._skip(_SCALAR)

    def _elements(self, path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
        self._at += 1
        position = 0
        while self._text[self._skip(_SKIPPED)] != "]":
            yield from self._value((*path, position))
            position += 1
        self._at += 1

    def _skip(self, what: re.Pattern[str]) -> int:
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at


def write_toml(settings: Mapping[str, object]) -> str:
    """Return settings as TOML: values first, then a table for each mapping."""
    values = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    lines = [f"{_quoted_key(key)} = {_written(value)}" for key, value in values.items()]
    for name, table in settings.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{_quoted_key(name)}]"]
            lines += [f"{_quoted_key(key)} = {_written(value)}" for key, value in table.items()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _quoted_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _written(key)


def _written(value: object) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's too; DEL is the one that JSON lets through and TOML doesn't
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_quoted_key(k)} = {_written(v)}' for k, v in value.items())}}}"
    # numbers, and dates as ISO 8601, as Python says them
    return str(value)
