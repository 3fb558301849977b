"""Telephone numbers as lines write them: E.164, international, national and local.

A number that can't be told for sure, above all a short or a service number such as 110 or 10086, has
no E.164 form here and stays as it was dialled: nothing is worse than a number that a format broke.

Rules instead of libphonenumber (``phonenumbers``), which was tried beside them on some ninety numbers
of twelve countries: it knows each country's lengths, but neither a line's area code (62345678 in
Beijing became +8662345678) nor service numbers (10086, 95105105, and 116117 in Germany got a country
code), so these rules would have to stand before it; 6 MB and a country's tables read within a call
would be the price. What it did better, numbers of countries without area codes, is `_CLOSED`.
"""

import re

from pbx.config.line import Line

_SHORTEST = 7
"""Digits below which a number without any prefix is a short or a service number."""
_LONGEST = 15
"""E.164 §6: "ITU-T recommends that the maximum number of digits ... is 15"."""
_SUBSCRIBER = 8
"""Digits up to which a number without any prefix is a subscriber's of its area."""

_DIGITS = re.compile(r"\+?[0-9]+")

_CLOSED = {
    7: "238 239 248 269 297 501 592 673 679 680 691 960",
    8: "45 47 65 216 222 223 226 227 228 235 236 253 257 266 268 350 356 357 371 502 503 504 505 506"
    " 509 689 852 853 965 968 973 974",
}
"""Countries whose numbers all have so many digits, without area code and trunk prefix (ITU-T, national
numbering plans)."""

_WITHOUT_TRUNK_PREFIX = {
    **{
        country: re.compile(rf"[2-9][0-9]{{{digits - 1}}}")
        for digits, countries in _CLOSED.items()
        for country in countries.split()
    },
    # mobiles, and the 400 and 800 numbers: no trunk prefix stands before them
    "86": re.compile(r"1[3-9][0-9]{9}|[48]00[0-9]{7}"),
    # 10 digits, with and without the 1 that is trunk prefix and country code in one
    "1": re.compile(r"[2-9][0-9]{9}"),
}
"""National numbers that are dialled without trunk prefix, by country."""

_SERVICE = {"86": re.compile(r"[19][0-9]*")}
"""What begins like a subscriber's number of 7 or 8 digits and is none, by country (95105105)."""


def to_e164(number: str, line: Line) -> str:
    """Return ``+`` and digits; empty for a number that has no such form, or for which too little of
    the line's country is known.
    """
    e164 = _e164(number, line)
    return e164 if len(e164) <= 1 + _LONGEST else ""


def _e164(number: str, line: Line) -> str:
    """Return the same of a number that may have more digits than any number has."""
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or len(digits) < _SHORTEST:
        return ""
    international, country = _international(line), line.country
    if number != digits:
        found = digits
    elif digits.startswith(international):
        found = digits.removeprefix(international)
    elif country:
        found = _national(digits, line)
    else:
        found = ""
    return f"+{found}" if len(found) >= _SHORTEST else ""


def _international(line: Line) -> str:
    return line.international_prefix or "00"


def _national(digits: str, line: Line) -> str:
    """Return the E.164 digits of a number written without international prefix; empty for none."""
    country, trunk = line.country, line.trunk_prefix
    if trunk and digits.startswith(trunk) and len(digits) - len(trunk) >= _SHORTEST:
        return country + digits.removeprefix(trunk)
    whole = _WITHOUT_TRUNK_PREFIX.get(country)
    if whole is not None and whole.fullmatch(digits):
        return country + digits
    if digits.startswith(country):
        rest = digits.removeprefix(country)
        if len(rest) > _SUBSCRIBER or (whole is not None and whole.fullmatch(rest)):
            return digits  # E.164 without its plus sign
    service = _SERVICE.get(country)
    if service is not None and service.fullmatch(digits):
        return ""
    if line.area:
        return country + line.area + digits
    # Where there is neither trunk prefix nor area code, every number is a whole one
    return "" if trunk else country + digits


def from_e164(e164: str, line: Line, form: str) -> str:
    """Return an E.164 number in one of `pbx.config.line.NUMBER_FORMATS`."""
    digits = e164.removeprefix("+")
    prefix = _international(line)
    if form == "+e164":
        return e164
    if form == "e164":
        return digits
    if form == "00" or not line.country or not digits.startswith(line.country):
        return prefix + digits
    national = digits.removeprefix(line.country)
    if form == "local" and line.area and national.startswith(line.area):
        local = national.removeprefix(line.area)
        if to_e164(local, line) == e164:
            return local
    whole = _WITHOUT_TRUNK_PREFIX.get(line.country)
    if whole is not None and whole.fullmatch(national):
        return national
    return line.trunk_prefix + national


def formatted(number: str, line: Line, form: str) -> str:
    """Return a number in a line's format; as it is, where it has none."""
    e164 = "" if form == "dialled" else to_e164(number, line)
    return from_e164(e164, line, form) if e164 else number


def forms(number: str, line: Line) -> tuple[str, ...]:
    """Return the ways to write the same number that a person may have meant in a table.

    The first is the number as it is. A number of the line's own country is written with ``+``, and
    as it is dialled within the country; it is not written as an international one, for a row for
    those is not about it. What carriers pay no heed to, a ``#`` behind it or digits too many, leads
    around no row.
    """
    head = _DIGITS.match(number)
    e164 = _e164(head[0], line) if head else ""
    if not head or not e164:
        return (number,)
    written = (e164, from_e164(e164, line, "national"), from_e164(e164, line, "local"))
    behind = number[head.end() :]
    return tuple(dict.fromkeys((number, *(one + behind for one in written))))
