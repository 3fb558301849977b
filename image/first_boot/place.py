"""Name, language, time zone and country of the box."""

import uuid

from first_boot.machine import Machine
from first_boot.notes import Note, note
from first_boot.wishes import Wishes

_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"


def give_machine_id(machine: Machine) -> None:
    """Give the box its own ID where the image has none; systemd's, if it made one for this boot."""
    if _is_id(machine.read("/etc/machine-id")):
        return
    made = machine.read("/run/machine-id")
    machine.write(
        "/etc/machine-id", f"{made.strip() if _is_id(made) else uuid.uuid4().hex}\n", 0o444
    )


def _is_id(text: str) -> bool:
    digits = text.strip()
    return len(digits) == 32 and all(char in "0123456789abcdef" for char in digits)


def set_place(machine: Machine, wishes: Wishes) -> list[Note]:
    """Set what these wishes say of the place; return what could not be done."""
    notes = []
    if wishes.hostname:
        notes += _set_hostname(machine, wishes.hostname)
    if wishes.locale:
        notes += _set_locale(machine, wishes.locale)
    if wishes.timezone:
        notes += _set_timezone(machine, wishes.timezone)
    if wishes.country:
        notes += _set_country(machine, wishes.country)
    return notes


def _set_hostname(machine: Machine, name: str) -> list[Note]:
    machine.write("/etc/hostname", f"{name}\n")
    lines = (machine.read("/etc/hosts") or _HOSTS).splitlines()
    kept = [line for line in lines if not line.startswith("127.0.1.1")]
    machine.write("/etc/hosts", "\n".join([*kept, f"127.0.1.1\t{name}"]) + "\n")
    # systemd has read /etc/hostname already
    return run_or_note(machine, "hostname", name)


def _set_locale(machine: Machine, name: str) -> list[Note]:
    language, _, charset = name.partition(".")
    folder = f"{language}.{charset.replace('-', '').lower()}" if charset else language
    if not machine.path(f"/usr/lib/locale/{folder}").exists():
        return [note("locale-missing", value=name)]
    text = f"LANG={name}\n"
    machine.write("/etc/locale.conf", text)
    # from Debian 13 on this is a link to the other
    if not machine.path("/etc/default/locale").is_symlink():
        machine.write("/etc/default/locale", text)
    return []


def _set_timezone(machine: Machine, name: str) -> list[Note]:
    if not machine.path(f"/usr/share/zoneinfo/{name}").is_file():
        return [note("timezone-missing", value=name)]
    fresh = machine.path("/etc/.localtime.new")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(f"/usr/share/zoneinfo/{name}")
    fresh.replace(machine.path("/etc/localtime"))
    machine.write("/etc/timezone", f"{name}\n")
    return []


def _set_country(machine: Machine, code: str) -> list[Note]:
    # for the boots to come, when the Wi-Fi driver is loaded; and for this one, where it is already
    machine.write(
        "/etc/modprobe.d/minisip-wifi.conf", f"options cfg80211 ieee80211_regdom={code}\n"
    )
    machine.run("iw", "reg", "set", code)
    return []


def run_or_note(machine: Machine, *arguments: str, text: str = "") -> list[Note]:
    """Run a program; return the note of its failure."""
    outcome = machine.run(*arguments, text=text)
    if outcome.code == 0:
        return []
    said = outcome.error.strip() or outcome.out.strip() or f"exit code {outcome.code}"
    return [note("program-failed", program=arguments[0], why=said.splitlines()[-1])]
