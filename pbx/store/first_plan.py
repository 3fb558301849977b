"""The dial plan of a first start: that of the country where an appliance's first boot says it is."""

import logging
from pathlib import Path

from pbx.config.dial_plan import DialPlan, PlanBasics
from pbx.config.emergency_numbers import countries, numbers_of

log = logging.getLogger(__name__)


def first_plan(path: Path) -> DialPlan:
    """Return the dial plan that a first start makes.

    Args:
        path: of what the first boot of an appliance leaves: a country's code (ISO 3166-1 alpha-2)
            and nothing else. Without it, or where the country isn't known, nobody has said.
    """
    try:
        country = path.read_text("utf-8").strip()
    except FileNotFoundError:
        return DialPlan()
    except (OSError, UnicodeError) as error:
        log.warning("%s can't be read: %s", path.name, error)
        return DialPlan()
    if country not in countries():
        log.warning("the emergency numbers of country %r are not known", country[:8])
        return DialPlan()
    return DialPlan(basics=PlanBasics(country=country, emergency_numbers=numbers_of(country)))
