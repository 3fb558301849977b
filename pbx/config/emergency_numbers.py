"""Emergency numbers: a country's, and those that a dial plan makes of numbers of ours."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

import msgspec

from pbx.config.dial_plan import GENERAL_EMERGENCY_NUMBERS, DialPlan

ALWAYS = ("112", "911")
"""In every country: telephones take these for emergency numbers wherever they are (3GPP TS 22.101
§10.1.1), so that travellers dial them."""


class Country(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a country.

    Args:
        numbers: its own emergency numbers.
        rests_on: where that is from.
    """

    numbers: tuple[str, ...]
    rests_on: str


@cache
def countries() -> Mapping[str, Country]:
    """Return the countries whose numbers are known, by ISO 3166-1 alpha-2 code; read once."""
    text = resources.files(__package__).joinpath("emergency_numbers.toml").read_bytes()
    return MappingProxyType(msgspec.toml.decode(text, type=dict[str, Country]))


def numbers_of(country: str) -> tuple[str, ...]:
    """Return the emergency numbers of a country; the general ones for one that isn't known."""
    known = countries().get(country)
    if known is None:
        return GENERAL_EMERGENCY_NUMBERS
    return tuple(dict.fromkeys((*known.numbers, *ALWAYS)))


def reserved(plan: DialPlan) -> frozenset[str]:
    """Return the numbers that lead to the emergency services, as users dial them.

    Whoever of ours has one of them can't be called: with and without the out-group prefix they lead
    outside, as soon as there is a line.
    """
    basics = plan.basics
    prefixed = (basics.out_prefix + number for number in basics.emergency_numbers)
    rows = (row.prefix for row in plan.analyze_called if row.emergency)
    return frozenset((*basics.emergency_numbers, *prefixed, *rows))
