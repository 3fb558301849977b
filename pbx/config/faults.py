"""What can be wrong with a value that a person has written, each with its sentence."""

import ipaddress
import re
from collections.abc import Collection, Iterator

from pbx.config.refusal import command_error
from pbx.errors import CommandError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""Of a line, a route or a time condition."""

MAX_TEXT = 128
"""Characters in a text that has no form of its own."""

LONGEST_LIMIT_S = 31_536_000
"""A year: a longer limit is a slip of the keyboard."""

_DIGITS = re.compile(r"\+?[0-9*#]{0,32}")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


def choice(field: str, value: str, choices: Collection[str]) -> Iterator[CommandError]:
    """Yield ``field-choice`` unless the value is one of `choices`; an empty one is not named."""
    if value not in choices:
        named = ", ".join(filter(None, choices))
        yield command_error("field-choice", field=field, value=value, choices=named)


def span(field: str, value: float, least: float, most: float) -> Iterator[CommandError]:
    """Yield ``field-range`` unless the value is from `least` to `most`, neither of them infinite."""
    if not least <= value <= most:
        yield command_error("field-range", field=field, value=value, least=least, most=most)


def name(field: str, value: str) -> Iterator[CommandError]:
    """Yield ``field-name`` unless the value can be a name."""
    if not NAME.fullmatch(value):
        yield command_error("field-name", field=field, value=value)


def digits(field: str, value: str) -> Iterator[CommandError]:
    """Yield ``field-digits`` unless the value is what can be dialled, or empty."""
    if not _DIGITS.fullmatch(value):
        yield command_error("field-digits", field=field, value=value)


def text(field: str, value: str, most: int = MAX_TEXT) -> Iterator[CommandError]:
    """Yield ``field-text`` for a text that is too long or has control characters."""
    if len(value) > most or not value.isprintable():
        yield command_error("field-text", field=field, most=most)


def host(field: str, value: str) -> Iterator[CommandError]:
    """Yield ``field-host`` unless the value is a host without port, or empty."""
    if value and not is_host(value):
        yield command_error("field-host", field=field, value=value)


def host_port(field: str, value: str) -> Iterator[CommandError]:
    """Yield ``field-server`` unless the value is ``host[:port]``, or empty."""
    found, colon, port = value, "", ""
    if not value.endswith("]"):
        found, colon, port = value.rpartition(":") if ":" in value else (value, "", "")
    bad_port = colon and not (_PORT.fullmatch(port) and int(port) <= 65535)
    if value and (bad_port or not is_host(found)):
        yield command_error("field-server", field=field, value=value)


def is_host(value: str) -> bool:
    """Whether it is a name, an IPv4 address, or an IPv6 address in brackets."""
    if value.startswith("[") and value.endswith("]"):
        return is_address(value[1:-1]) and ":" in value
    return bool(_HOST.fullmatch(value))


def is_network(value: str) -> bool:
    """Whether it is an address or a network, ``192.0.2.0/24``; IPv6 ones without brackets."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def known(field: str, value: str, there: Collection[str], thing: str) -> Iterator[CommandError]:
    """Yield ``no-such-THING`` for a name that is not there; empty names nothing."""
    if value and value not in there:
        yield command_error(f"no-such-{thing}", field=field, name=value)


def once(table: str, field: str, values: Collection[str]) -> Iterator[CommandError]:
    """Yield ``field-twice`` for the first value that several rows of a table have."""
    seen: set[str] = set()
    for row, value in enumerate(values, 1):
        if value in seen:
            yield command_error("field-twice", field=f"{table}[{row}].{field}", value=value)
            return
        seen.add(value)


def is_address(value: str) -> bool:
    """Whether it is a numeric address; an IPv6 one without brackets."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
