"""Every screen and dialog that there is."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from textual.screen import Screen


def screens(package: ModuleType) -> set[type[Screen[Any]]]:
    """Return all screens and dialogs of a package, but not what they are made from."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    return {
        one
        for one in _below(Screen)
        if one.__module__.startswith(f"{package.__name__}.") and not one.__subclasses__()
    }


def _below(kind: type[Screen[Any]]) -> set[type[Screen[Any]]]:
    return {kind}.union(*map(_below, kind.__subclasses__()))
