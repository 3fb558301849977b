"""Settings files that several write to: what comes from here goes in and out, the rest stays."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Settings = dict[str, Any]


def leaves(settings: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every setting, and of every table."""
    for key, value in settings.items():
        yield (key,)
        if isinstance(value, Mapping):
            yield from ((key, name) for name in value)


def merged(base: Settings, above: Settings) -> Settings:
    """Return `base` with the settings of `above` in it."""
    result = copy.deepcopy(base)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), dict):
            result[key].update(value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def without(settings: Settings, before: Mapping[str, Any]) -> Settings:
    """Return settings without those that are still as `before` has them."""
    kept: Settings = {}
    for key, value in settings.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, Mapping):
            rest = {name: one for name, one in value.items() if old.get(name) != one}
            if rest:
                kept[key] = rest
        elif old != value:
            kept[key] = value
    return kept


def without_paths(settings: Settings, paths: list[tuple[str, ...]]) -> Settings:
    """Return settings without those at these paths, and without tables that are empty then."""
    kept = copy.deepcopy(settings)
    for table, *names in paths:
        if not names:
            kept.pop(table, None)
        elif isinstance(kept.get(table), dict):
            kept[table].pop(names[0], None)
    return {key: value for key, value in kept.items() if value != {}}
