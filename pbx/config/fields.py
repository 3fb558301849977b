"""Configuration values out of what people write: JSON, or ``NAME=VALUE`` as text.

Faults name the field as people know it, such as ``analyze_called[2].level``; rows count from 1.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec

from pbx.config.refusal import command_error
from pbx.locale import decoding, english
from pbx.locale.decoding import Complaint

T = TypeVar("T", bound=msgspec.Struct)

_TRUE, _FALSE = ("yes", "true", "on", "1"), ("no", "false", "off", "0")

_FORMS = {
    int: (re.compile(r"-?[0-9]{1,15}"), "field-whole"),
    float: (re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?"), "field-number"),
}
"""How a text has to look for a number of each kind, and what is said of another one."""


def build(kind: type[T], values: Mapping[str, object], where: str = "") -> T:
    """Return the struct of these values; texts are read as what their field is.

    Args:
        kind: the struct.
        values: by field. A text for a list has its items between commas; ``yes``, ``no``, ``on`` and
            ``off`` are read, too.
        where: which row it is, such as ``routes[1]``; empty where that is clear.

    Raises:
        CommandError: ``field-unknown``, ``field-missing``, ``field-type``, ``field-whole``,
            ``field-number`` or ``field-yes-no``, naming the field.
    """
    hints = get_type_hints(kind)
    given = {name: _read(at(where, name), hints.get(name), value) for name, value in values.items()}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        found = Complaint.read(str(error))
    if found.unknown:
        known = ", ".join(kind.__struct_fields__)
        raise command_error("field-unknown", field=at(where, found.unknown), choices=known)
    if found.missing:
        raise command_error("field-missing", field=at(where, found.missing))
    words = {name: decoding.kind(getattr(found, name), english) for name in ("wanted", "given")}
    raise command_error("field-type", field=at(where, found.path), **words)


def changed(value: T, values: Mapping[str, object]) -> T:
    """Return the struct with other values; arguments and errors as for `build`."""
    return build(type(value), {**msgspec.structs.asdict(value), **values})


def at(where: str, field: str) -> str:
    """Return how a person knows a field: ``routes[1].name``, or ``name`` where nothing is above."""
    return ".".join(filter(None, (where, field)))


def _read(field: str, hint: Any, value: object) -> object:
    if not isinstance(value, str):
        return value
    if get_origin(hint) is tuple:
        return [item for item in map(str.strip, value.split(",")) if item]
    if hint is bool:
        if value.lower() not in _TRUE + _FALSE:
            raise command_error("field-yes-no", field=field, value=value)
        return value.lower() in _TRUE
    form, code = _FORMS.get(hint, (None, ""))
    if form is not None and not form.fullmatch(value):
        raise command_error(code, field=field, value=value)
    return value
