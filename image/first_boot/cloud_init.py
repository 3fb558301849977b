"""Reads `user-data` and `network-config`, which Raspberry Pi Imager 2 writes (cloud-init's forms)."""

from collections.abc import Iterator, Mapping
from typing import Any

from first_boot import checks
from first_boot.boot_text import TAKEN_OVER, BootText, Span
from first_boot.changed import SIZE_LIMIT
from first_boot.notes import BadValue, shown
from first_boot.wishes import Account, Addressing, Reading, Taker, Wifi, Wishes

USER_DATA = "user-data"
NETWORK_CONFIG = "network-config"

# What Imager writes for Raspberry Pi OS and what the image has, or doesn't need, in its own way.
_NEEDLESS = frozenset(
    ("manage_etc_hosts", "packages", "apt", "keyboard", "enable_ssh", "rpi", "runcmd", "locale")
)

_SECRET_KEYS = frozenset(("passwd", "plain_text_passwd", "password"))

_INTEGER = "tag:yaml.org,2002:int"

MOST_DIGITS = 3500
"""In a number, however it is written; Python makes no text of one with more than 4300 decimal ones."""

MOST = 4 * SIZE_LIMIT
"""Characters and values where each alias is what it stands for; without any, no file has as many."""


def read_user_data(source: BootText) -> Reading:
    """Return what `user-data` wishes: name, accounts, keys, time zone."""
    taker = Taker(USER_DATA)
    data = _load(source.text, taker)
    if data is None:
        return Reading(notes=tuple(taker.notes), readable=False)
    for key in data:
        if key not in {"hostname", "timezone", "users", "ssh_pwauth", *_NEEDLESS}:
            taker.note("setting-ignored", setting=shown(key))
    users = data.get("users") or []
    accounts = list(_accounts(users if isinstance(users, list) else [users], taker))
    hostname = data.get("hostname")
    timezone = data.get("timezone")
    password = data.get("ssh_pwauth")
    wishes = Wishes(
        hostname=taker.take("hostname", hostname, checks.hostname) if hostname else None,
        timezone=taker.take("timezone", timezone, checks.timezone) if timezone else None,
        accounts=tuple(accounts),
        ssh_password=password if isinstance(password, bool) else None,
    )
    secrets = {secret for one in accounts for secret in (one.password, one.password_hash)}
    return Reading(wishes, tuple(taker.notes), _blank(source, secrets))


def read_network_config(source: BootText) -> Reading:
    """Return what `network-config` wishes: Wi-Fi and addresses (netplan's version 2)."""
    taker = Taker(NETWORK_CONFIG)
    data = _load(source.text, taker)
    if data is None:
        return Reading(notes=tuple(taker.notes), readable=False)
    network = _mapping(data.get("network", data))
    wifis, wired = _mapping(network.get("wifis")), _mapping(network.get("ethernets"))
    points = [(_mapping(device), point) for device in wifis.values() for point in _points(device)]
    countries = (_mapping(device).get("regulatory-domain") for device in wifis.values())
    country = next(filter(None, countries), None)
    wifi = _wifi(*points[0], taker) if points else None
    if len(points) > 1:
        taker.note("wifi-only-one")
    addressing = next((_addressing(_mapping(device), taker) for device in wired.values()), None)
    wishes = Wishes(
        country=taker.take("regulatory-domain", country, checks.country) if country else None,
        wifi=wifi,
        wired=addressing,
    )
    secrets = {wifi.password} if wifi else set()
    return Reading(wishes, tuple(taker.notes), _blank(source, secrets))


def _load(text: str, taker: Taker) -> Mapping[str, Any] | None:
    """Return what the YAML says; None, with a note, where it can't be read.

    Raises:
        BadValue: there is more in it than can be worked with.
    """
    try:
        # imported late: a boot that finds nothing new needs none of it
        import yaml
    except ImportError:
        taker.note("yaml-missing")
        return None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        _check(root)
        data = loader.construct_document(root) if root else None
    except BadValue:
        raise
    # a date that is none, or a depth that is too great, isn't YAML's own error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else ("?", "?")
        why = getattr(error, "problem", None) or type(error).__name__
        taker.note("yaml-broken", line=line, column=column, why=why)
        return None
    return {str(key): value for key, value in _mapping(data).items()}


def _check(root: Any) -> None:
    """Refuse what is short in the file and grows without limit in whatever is made of it.

    Raises:
        BadValue: a number has too many digits, or aliases stand for too much.
    """
    left = MOST
    waiting = [root] if root else []
    while waiting:
        node = waiting.pop()
        left -= len(node.value) + 1
        if left < 0:
            raise BadValue("file-aliases")
        if node.id == "sequence":
            waiting.extend(node.value)
        elif node.id == "mapping":
            waiting.extend(part for pair in node.value for part in pair)
        elif node.tag == _INTEGER and len(node.value) > MOST_DIGITS:
            raise BadValue("file-number")


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _accounts(users: list[Any], taker: Taker) -> Iterator[Account]:
    for user in users:
        if user == "default":
            # cloud-init's word for the distribution's own user
            continue
        user = _mapping(user)
        name = taker.take("users.name", user.get("name"), checks.login_name)
        if name is None:
            continue
        digest, plain = user.get("passwd"), user.get("plain_text_passwd")
        keys = user.get("ssh_authorized_keys")
        yield Account(
            name,
            password=(plain and taker.take("users.passwd", plain, checks.login_password)) or "",
            password_hash=(digest and taker.take("users.passwd", digest, checks.password_hash))
            or "",
            ssh_keys=(keys and taker.take("users.ssh_authorized_keys", keys, checks.ssh_keys))
            or (),
        )


def _points(device: object) -> list[tuple[object, Any]]:
    return list(_mapping(_mapping(device).get("access-points")).items())


def _wifi(device: Mapping[Any, Any], point: tuple[object, Any], taker: Taker) -> Wifi | None:
    name, details = point
    details = _mapping(details)
    password = details.get("password")
    if password is None:
        password = _mapping(details.get("auth")).get("password", "")
    ssid = taker.take("access-points", str(name), checks.ssid)
    key = taker.take("password", password, checks.wifi_password)
    if ssid is None or key is None:
        return None
    return Wifi(ssid, key, details.get("hidden") is True, _addressing(device, taker))


def _addressing(device: Mapping[Any, Any], taker: Taker) -> Addressing | None:
    """Return the addresses set by hand; routes are the default ones only."""
    if not device.get("addresses"):
        return None
    own = taker.take("addresses", device["addresses"], checks.interfaces)
    routes = device.get("routes")
    gateways = [device.get("gateway4"), device.get("gateway6")] + [
        _mapping(route).get("via")
        for route in (routes if isinstance(routes, list) else [])
        if _mapping(route).get("to") in ("default", "0.0.0.0/0", "::/0")
    ]
    via = taker.take("routes", [one for one in gateways if one], checks.addresses)
    dns = _mapping(device.get("nameservers")).get("addresses") or []
    servers = taker.take("nameservers", dns, checks.addresses)
    if not own:
        return None
    try:
        checks.reachable_gateways(via or (), own)
    except BadValue as bad:
        taker.note("setting-bad", setting="routes", why=bad.note.words())
        via = ()
    return Addressing(own, via or (), servers or ())


def _blank(source: BootText, secrets: set[str]) -> BootText | None:
    """Return the text with these secrets blanked."""
    secrets -= {"", TAKEN_OVER}
    if not secrets:
        return None
    import yaml

    return source.replaced(
        Span(node.start_mark.index, node.end_mark.index, f'"{TAKEN_OVER}"')
        for node in _secret_nodes(yaml.compose(source.text))
        if node.value in secrets
    )


def _secret_nodes(node: Any) -> Iterator[Any]:
    if node.id == "sequence":
        for one in node.value:
            yield from _secret_nodes(one)
    elif node.id == "mapping":
        for key, value in node.value:
            if value.id == "scalar" and key.value in _SECRET_KEYS:
                yield value
            yield from _secret_nodes(value)
