"""Wi-Fi and addresses, as NetworkManager's keyfiles."""

import ipaddress
import re
import uuid
from collections.abc import Iterable

from first_boot.boot_text import TAKEN_OVER
from first_boot.machine import Machine
from first_boot.notes import Note, note
from first_boot.wishes import Addressing, Wifi

FOLDER = "/etc/NetworkManager/system-connections"
WIFI = f"{FOLDER}/minisip-wifi.nmconnection"
WIRED = f"{FOLDER}/minisip-wired.nmconnection"

# A name of our own, so that a network keeps its UUID over every boot and on every box.
_NAMESPACE = uuid.UUID("6d736970-0000-4000-8000-6d696e697369")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]*[A-Za-z][A-Za-z0-9 _.-]*(?<! )")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def set_wifi(machine: Machine, wifi: Wifi) -> list[Note]:
    """Write the Wi-Fi's keyfile; return what could not be done."""
    ssid = f"ssid={_ssid(wifi.ssid)}"
    secret = ["key-mgmt=wpa-psk", f"psk={_escaped(wifi.password)}"] if wifi.password else []
    if wifi.password == TAKEN_OVER:
        old = machine.read(WIFI).splitlines()
        if ssid not in old:
            return [note("wifi-password-gone", name=wifi.ssid)]
        secret = [line for line in old if line.startswith(("key-mgmt=", "psk="))]
    lines = [
        *_connection("minisip-wifi", "wifi", wifi.ssid),
        "[wifi]",
        "mode=infrastructure",
        ssid,
        *(["hidden=true"] if wifi.hidden else []),
        "",
        *(["[wifi-security]", *secret, ""] if secret else []),
        *_addressing(wifi.addressing or Addressing(())),
    ]
    # NetworkManager takes no keyfile that others may read
    machine.write(WIFI, "\n".join(lines), 0o600)
    return []


def set_wired(machine: Machine, addressing: Addressing) -> None:
    """Write the keyfile of the cable."""
    lines = [*_connection("minisip-wired", "ethernet", "wired"), *_addressing(addressing)]
    machine.write(WIRED, "\n".join(lines), 0o600)


def _connection(name: str, kind: str, seed: str) -> list[str]:
    return [
        "# Made from the files on the boot partition; change it there.",
        "[connection]",
        f"id={name}",
        f"uuid={uuid.uuid5(_NAMESPACE, f'{kind} {seed}')}",
        f"type={kind}",
        "",
    ]


def _addressing(addressing: Addressing) -> Iterable[str]:
    for version in (4, 6):
        own = _of(version, addressing.addresses)
        gateways = _of(version, addressing.gateways)
        dns = _of(version, addressing.dns)
        yield f"[ipv{version}]"
        yield f"method={'manual' if own else 'auto'}"
        for position, address in enumerate(own, 1):
            via = f",{gateways[0]}" if gateways and position == 1 else ""
            yield f"address{position}={address}{via}"
        if dns:
            yield f"dns={''.join(f'{server};' for server in dns)}"
        yield ""


def _of(version: int, addresses: Iterable[str]) -> list[str]:
    return [one for one in addresses if ipaddress.ip_interface(one).version == version]


def _ssid(name: str) -> str:
    """Return a Wi-Fi's name as a keyfile has it: any name that isn't plain as its octets.

    NetworkManager would take ``65;66;`` for octets, and unescape a backslash: the octets themselves
    say every name, a line break in it too.
    """
    return name if _PLAIN.fullmatch(name) else "".join(f"{octet};" for octet in name.encode())


def _escaped(value: str) -> str:
    """Return a value as GLib's key files have it: leading spaces and backslashes escaped."""
    stripped = value.lstrip(" ")
    spaces = "\\s" * (len(value) - len(stripped))
    return spaces + "".join(_ESCAPES.get(char, char) for char in stripped)
