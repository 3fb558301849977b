"""TOML of tables that have texts, numbers, truths and lists of texts only."""

import json
from collections.abc import Mapping
from typing import Any


def document(tables: Mapping[str, Any]) -> str:
    """Return the text of a document: objects as ``[name]``, lists of objects as ``[[name]]``."""
    parts = []
    for name, value in tables.items():
        if isinstance(value, Mapping):
            parts.append("\n".join([f"[{name}]", *_lines(value)]))
        else:
            parts += ["\n".join([f"[[{name}]]", *_lines(row)]) for row in value]
    return "\n\n".join(parts) + "\n"


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in values.items()]


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    # A JSON text is a basic string of TOML, but that TOML wants DEL escaped, too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
