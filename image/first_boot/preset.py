"""Reads `minisip.toml`, the file that a person writes."""

import copy
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from first_boot import checks
from first_boot.boot_text import TAKEN_OVER, BootText, Span
from first_boot.notes import BadValue
from first_boot.toml_source import Path, read_toml, text_values
from first_boot.wishes import Account, Addressing, FirstUser, Reading, Taker, Wifi, Wishes

NAME = "minisip.toml"

EXCHANGE_TABLES = (
    "sip",
    "tls",
    "calls",
    "services",
    "messages",
    "lamps",
    "media",
    "cdr",
    "http",
    "callback",
    "recording",
)
EXCHANGE_VALUES = ("database", "language")
"""What goes on to the exchange, which checks it itself."""

LATER = ("restore", "line", "lines", "mail")
"""Settings of versions to come: a person who uses one is told so, not that it is unknown."""

LOCALES = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}

Check = Callable[[object], object]

_ADDRESSING: dict[str, Check] = {
    "address": checks.interfaces,
    "gateway": checks.addresses,
    "dns": checks.addresses,
}
_TABLES: dict[str, dict[str, Check]] = {
    "box": {
        "hostname": checks.hostname,
        "country": checks.country,
        "timezone": checks.timezone,
        "locale": checks.locale,
        "password": checks.login_password,
        "password_hash": checks.password_hash,
        "ssh_key": checks.ssh_keys,
        "ssh_password": checks.truth,
    },
    "wifi": {
        "ssid": checks.ssid,
        "password": checks.wifi_password,
        "country": checks.country,
        "hidden": checks.truth,
        **_ADDRESSING,
    },
    "network": _ADDRESSING,
    "hardware": {
        "led_pins": checks.pins,
        "led_brightness": checks.brightness,
        "night": checks.night,
        "button_pin": checks.pin_or_none,
    },
}
_USER: dict[str, Check] = {
    "number": checks.phone_number,
    "name": checks.phone_name,
    "password": checks.phone_password,
}
_LINE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)\Z")
_URL_PASSWORD = re.compile(r"\A[a-z+]+://[^/@:]*:[^/@]+@")


def read_preset(source: BootText) -> Reading:
    """Return what `minisip.toml` wishes; what is wrong in it becomes notes, never an error."""
    taker = Taker(NAME)
    try:
        data = read_toml(source.text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        _note_syntax(taker, source.text, str(error))
        return Reading(notes=tuple(taker.notes), readable=False)
    preset = _Preset(data, taker)
    wishes = preset.wishes()
    blanked = _blank(source, data, preset.secrets, taker)
    return Reading(wishes, tuple(taker.notes), blanked)


def _note_syntax(taker: Taker, text: str, error: str) -> None:
    found = _LINE.search(error)
    lines = text.rstrip("\n").split("\n")
    line = (found and found["line"]) or len(lines)
    column = (found and found["column"]) or len(lines[-1]) + 1
    taker.note("toml-broken", line=line, column=column, why=_LINE.sub("", error))


class _Preset:
    def __init__(self, data: Mapping[str, Any], taker: Taker) -> None:
        self._data = data
        self._taker = taker
        self.secrets: set[Path] = set()
        """Where the secrets stand that the box has now."""

    def wishes(self) -> Wishes:
        box, wifi, network = (self._table(name) for name in ("box", "wifi", "network"))
        self._note_unknown()
        return Wishes(
            hostname=box.get("hostname"),
            locale=box.get("locale") or LOCALES.get(str(self._data.get("language"))),
            timezone=box.get("timezone"),
            country=wifi.get("country") or box.get("country"),
            home=box.get("country"),
            accounts=self._accounts(box),
            ssh_password=box.get("ssh_password"),
            wifi=self._wifi(wifi),
            wired=self._addressing("network", network),
            exchange=self._exchange(),
            hardware=self._table("hardware"),
            users=tuple(self._users()),
        )

    def _table(self, name: str) -> Mapping[str, Any]:
        """Return the values of a table that pass their checks."""
        table = self._data.get(name, {})
        if not isinstance(table, Mapping):
            self._taker.note("setting-table", setting=name)
            return {}
        return self._checked(name, table, _TABLES[name])

    def _checked(
        self, name: str, table: Mapping[str, Any], known: Mapping[str, Check]
    ) -> Mapping[str, Any]:
        values = {}
        for key, value in table.items():
            if key not in known:
                self._taker.note("setting-unknown", setting=f"{name}.{key}")
                continue
            taken = self._taker.take(f"{name}.{key}", value, known[key])
            if taken is not None:
                values[key] = taken
        return values

    def _note_unknown(self) -> None:
        known = (*_TABLES, *EXCHANGE_TABLES, *EXCHANGE_VALUES, "user")
        for key in self._data:
            if key in LATER:
                self._taker.note("setting-later", setting=key)
            elif key not in known:
                self._taker.note("setting-unknown", setting=key)

    def _accounts(self, box: Mapping[str, Any]) -> tuple[Account, ...]:
        account = Account(
            password=box.get("password", ""),
            password_hash="" if box.get("password") else box.get("password_hash", ""),
            ssh_keys=box.get("ssh_key", ()),
        )
        self._taken(("box", "password"), box.get("password"))
        self._taken(("box", "password_hash"), box.get("password_hash"))
        return () if account == Account() else (account,)

    def _wifi(self, wifi: Mapping[str, Any]) -> Wifi | None:
        written = self._data.get("wifi")
        if not isinstance(written, Mapping) or "ssid" not in wifi:
            if "password" in wifi:
                self._taker.note("wifi-without-name")
            return None
        if "password" in written and "password" not in wifi:
            # with a password that can't be used it would be another, open network
            return None
        self._taken(("wifi", "password"), wifi.get("password"))
        return Wifi(
            wifi["ssid"],
            wifi.get("password", ""),
            wifi.get("hidden", False),
            self._addressing("wifi", wifi),
        )

    def _addressing(self, name: str, table: Mapping[str, Any]) -> Addressing | None:
        own, gateways = table.get("address", ()), table.get("gateway", ())
        if gateways and not own:
            self._taker.note("gateway-alone", setting=f"{name}.gateway")
            gateways = ()
        try:
            checks.reachable_gateways(gateways, own)
        except BadValue as bad:
            self._taker.note("setting-bad", setting=f"{name}.gateway", why=bad.note.words())
            gateways = ()
        addressing = Addressing(own, gateways, table.get("dns", ()))
        return None if addressing == Addressing(()) else addressing

    def _exchange(self) -> dict[str, object]:
        settings = {
            key: self._data[key]
            for key in (*EXCHANGE_VALUES, *EXCHANGE_TABLES)
            if key in self._data
        }
        database = settings.get("database")
        if isinstance(database, str) and _URL_PASSWORD.search(database):
            self._taken(("database",), database)
        return settings

    def _users(self) -> Iterator[FirstUser]:
        written = self._data.get("user", [])
        tables = written if isinstance(written, list) else [written]
        seen: set[str] = set()
        for index, table in enumerate(tables):
            name = f"user[{index + 1}]"
            if not isinstance(table, Mapping):
                self._taker.note("setting-table", setting=name)
                continue
            user = self._checked(name, table, _USER)
            if "number" not in table:
                self._taker.note("user-without-number", setting=name)
            elif user.get("number") in seen:
                self._taker.note("user-twice", setting=name, number=user["number"])
            elif "number" in user:
                seen.add(user["number"])
                at: Path = ("user", index) if isinstance(written, list) else ("user",)
                self._taken((*at, "password"), user.get("password"))
                yield FirstUser(user["number"], user.get("name", ""), user.get("password", ""))

    def _taken(self, path: Path, secret: str | None) -> None:
        if secret and secret != TAKEN_OVER:
            self.secrets.add(path)


def _blank(
    source: BootText, data: dict[str, Any], secrets: set[Path], taker: Taker
) -> BootText | None:
    """Return the text without its secrets; None, with a note, where that can't be done."""
    if not secrets:
        return None
    places = text_values(source.text)
    expected = copy.deepcopy(data)
    for path in secrets:
        holder: Any = expected
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = TAKEN_OVER
    spans = [Span(*places[path], f'"{TAKEN_OVER}"') for path in secrets if path in places]
    blanked = source.replaced(spans)
    # Not a character of a person's file is changed on a guess: Python's own reader has the last word.
    if repr(_parsed(blanked.text)) != repr(expected):
        taker.note("not-blanked")
        return None
    return blanked


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return read_toml(text)
    except (ValueError, RecursionError):
        return None
