"""The names of keys, in the user's language."""

from collections.abc import Callable
from dataclasses import replace

from textual.binding import ActiveBinding


def in_words(
    bindings: dict[str, ActiveBinding], say: Callable[[str], str]
) -> dict[str, ActiveBinding]:
    """Return the keys with their names by `say`; a class holds the keys of the names only."""
    return {
        key: active._replace(
            binding=replace(active.binding, description=say(active.binding.description))
        )
        if active.binding.description.startswith("bind-")
        else active
        for key, active in bindings.items()
    }
