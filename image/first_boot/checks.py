"""What the settings of the box may be. Each check returns the value to use, or raises `BadValue`."""

import ipaddress
import re
from collections.abc import Sequence

from first_boot.boot_text import TAKEN_OVER
from first_boot.notes import BadValue, shown

# RFC 1123 §2.1, one label: mDNS makes NAME.local of it
_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_TIMEZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_LOCALE = re.compile(r"[A-Za-z]{1,8}(_[A-Z]{2})?(\.[A-Za-z0-9-]{1,12})?(@[a-z]{1,12})?")
_LOGIN = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_HASH = re.compile(r"\$[0-9a-z]{1,8}\$[!-9;-~]{8,200}")
_KEY_TYPE = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9@.-]{2,60}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_RAW_KEY = re.compile(r"[0-9A-Fa-f]{64}")
_PASSPHRASE = re.compile(r"[ -~]{8,63}")
_NUMBER = re.compile(r"[0-9]{1,20}")
_PHONE_PASSWORD = re.compile(r"[!-~]{6,64}")
_NIGHT = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", re.ASCII)

MAX_NAME = 64
"""Characters in a phone user's name."""


def text(value: object) -> str:
    """Return a text; numbers without quotes are the usual slip."""
    if not isinstance(value, str):
        raise BadValue("value-text", value=shown(value))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # YAML's "\ud800" and its like are half a character
        raise BadValue("value-characters", value=shown(value)) from error
    return value


def truth(value: object) -> bool:
    """Return ``true`` or ``false``."""
    if not isinstance(value, bool):
        raise BadValue("value-truth", value=shown(value))
    return value


def texts(value: object) -> tuple[str, ...]:
    """Return a list of texts; one alone may stand without brackets."""
    if isinstance(value, list):
        return tuple(text(one) for one in value)
    return (text(value),)


def hostname(value: object) -> str:
    """Return the box's name, without ``.local``."""
    name = text(value).removesuffix(".local")
    if not _HOSTNAME.fullmatch(name):
        raise BadValue("value-hostname", value=shown(name))
    return name


def country(value: object) -> str:
    """Return a country as two capital letters (ISO 3166)."""
    code = text(value)
    if not _COUNTRY.fullmatch(code):
        raise BadValue("value-country", value=shown(code))
    return code.upper()


def timezone(value: object) -> str:
    """Return the name of a time zone; whether the box knows it is another question."""
    name = text(value)
    if not _TIMEZONE.fullmatch(name):
        raise BadValue("value-timezone", value=shown(name))
    return name


def locale(value: object) -> str:
    """Return the name of a locale; whether the box has it is another question."""
    name = text(value)
    if not _LOCALE.fullmatch(name):
        raise BadValue("value-locale", value=shown(name))
    return name


def login_name(value: object) -> str:
    """Return the name of a person's account."""
    name = text(value)
    if not _LOGIN.fullmatch(name):
        raise BadValue("value-login", value=shown(name))
    return name


def login_password(value: object) -> str:
    """Return a password to log in with; its value is never told in a sentence."""
    password = text(value)
    # chpasswd reads lines: a line break would be another account's line
    if password != TAKEN_OVER and (
        len(password) < 8 or len(password) > 128 or not password.isprintable()
    ):
        raise BadValue("value-password")
    return password


def password_hash(value: object) -> str:
    """Return a password's hash in the form of crypt(5)."""
    digest = text(value)
    if digest != TAKEN_OVER and not _HASH.fullmatch(digest):
        raise BadValue("value-hash")
    return digest


def ssh_keys(value: object) -> tuple[str, ...]:
    """Return public keys as they stand in ``authorized_keys``."""
    keys = tuple(one.strip() for one in texts(value))
    for key in keys:
        parts = key.split(" ")
        if (
            len(parts) < 2
            or not key.isprintable()
            or not _KEY_TYPE.fullmatch(parts[0])
            or not _BASE64.fullmatch(parts[1])
        ):
            raise BadValue("value-ssh-key", value=shown(key))
    return keys


def ssid(value: object) -> str:
    """Return a Wi-Fi name: any characters, 1 to 32 octets (IEEE 802.11 §9.4.2.2)."""
    name = text(value)
    if not 1 <= len(name.encode()) <= 32:
        raise BadValue("value-ssid", value=shown(name))
    return name


def wifi_password(value: object) -> str:
    """Return a WPA passphrase or a key of 64 hexadecimal digits; empty for an open network."""
    password = text(value)
    if not (password in ("", TAKEN_OVER) or _is_wpa(password)):
        raise BadValue("value-wifi-password")
    return password


def _is_wpa(password: str) -> bool:
    return bool(_RAW_KEY.fullmatch(password) or _PASSPHRASE.fullmatch(password))


def interfaces(value: object) -> tuple[str, ...]:
    """Return own addresses with the length of their network: ``192.168.1.5/24``."""
    return tuple(_interface(one) for one in texts(value))


def _interface(value: str) -> str:
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError as error:
        raise BadValue("value-interface", value=shown(value)) from error
    alone = interface.network.prefixlen == interface.max_prefixlen
    if "/" not in value or alone or not _is_host(interface.ip):
        raise BadValue("value-interface", value=shown(value))
    return str(interface)


def addresses(value: object) -> tuple[str, ...]:
    """Return IP addresses of other machines."""
    return tuple(_address(one) for one in texts(value))


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError as error:
        raise BadValue("value-address", value=shown(value)) from error
    if not _is_host(address):
        raise BadValue("value-address", value=shown(value))
    return str(address)


def _is_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not (address.is_unspecified or address.is_multicast or address.is_loopback)


def phone_number(value: object) -> str:
    """Return the number of a phone user."""
    number = text(value)
    if not _NUMBER.fullmatch(number):
        raise BadValue("value-number", value=shown(number))
    return number


def phone_name(value: object) -> str:
    """Return the name that phones show."""
    name = text(value)
    if len(name) > MAX_NAME or not name.isprintable():
        raise BadValue("value-name", most=MAX_NAME)
    return name


def phone_password(value: object) -> str:
    """Return a phone's password."""
    password = text(value)
    if password != TAKEN_OVER and not _PHONE_PASSWORD.fullmatch(password):
        raise BadValue("value-phone-password")
    return password


def pins(value: object) -> list[int]:
    """Return the GPIO numbers of a lamp: none, one, or three for red, green and blue."""
    if not isinstance(value, list) or len(value) not in (0, 1, 3) or not all(map(_is_pin, value)):
        raise BadValue("value-pins", value=shown(value))
    return value


def pin_or_none(value: object) -> int:
    """Return the GPIO number of a button; 0 for none."""
    if type(value) is not int or (value != 0 and not _is_pin(value)):
        raise BadValue("value-pin", value=shown(value))
    return value


def _is_pin(value: object) -> bool:
    # GPIO 0 and 1 belong to the EEPROM of HATs
    return type(value) is int and 2 <= value <= 27


def brightness(value: object) -> float:
    """Return how bright a lamp is at most, 0 to 1."""
    if type(value) not in (int, float) or not 0 <= float(str(value)) <= 1:
        raise BadValue("value-brightness", value=shown(value))
    return float(str(value))


def night(value: object) -> str:
    """Return the hours in which the lamp is dark; empty for never."""
    hours = text(value)
    if hours and not _NIGHT.fullmatch(hours):
        raise BadValue("value-night", value=shown(hours))
    return hours


def reachable_gateways(gateways: Sequence[str], own: Sequence[str]) -> None:
    """Raise `BadValue` for a gateway that is in none of the own networks."""
    networks = [ipaddress.ip_interface(one).network for one in own]
    for gateway in gateways:
        address = ipaddress.ip_address(gateway)
        if not (address.is_link_local or any(address in network for network in networks)):
            raise BadValue("value-gateway", value=gateway)
