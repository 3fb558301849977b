"""The tones of each country, as `tones.toml` has them: what may be said of a country, and played."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

GENERAL = "general"
"""The plan of all countries that have none, and of all tones that a country's plan lacks."""


@cache
def written_tones() -> Mapping[str, Mapping[str, str]]:
    """Return the tones of each country (ISO 3166-1 alpha-2, and `GENERAL`) in the file's notation."""
    text = Path(__file__).with_name("tones.toml").read_text("utf-8")
    return MappingProxyType(tomllib.loads(text))


@cache
def countries() -> tuple[str, ...]:
    """Return the countries that have tones of their own, by ISO 3166-1 alpha-2 code."""
    return tuple(one for one in written_tones() if one != GENERAL)
