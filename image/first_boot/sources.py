"""The files on the FAT partition that say what the box is to be, and what they say together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from first_boot.boot_text import TAKEN_OVER, BootText, decode
from first_boot.changed import digests
from first_boot.cloud_init import NETWORK_CONFIG, USER_DATA, read_network_config, read_user_data
from first_boot.imager import (
    FIRSTRUN,
    USERCONF,
    WPA_SUPPLICANT,
    read_firstrun,
    read_userconf,
    read_wpa_supplicant,
)
from first_boot.notes import BadValue, Note, shown
from first_boot.preset import NAME as PRESET
from first_boot.preset import read_preset
from first_boot.wishes import Reading, Wishes

READERS: Mapping[str, Callable[[BootText], Reading]] = {
    PRESET: read_preset,
    USER_DATA: read_user_data,
    NETWORK_CONFIG: read_network_config,
    FIRSTRUN: read_firstrun,
    **{name: partial(read_userconf, name=name) for name in USERCONF},
    WPA_SUPPLICANT: read_wpa_supplicant,
}
"""By file name; what an earlier one says stands before a later one's."""


@dataclass(frozen=True)
class Gathered:
    """What all the files wish, what was wrong in them, and which are to lose their secrets."""

    wishes: Wishes
    notes: tuple[Note, ...]
    blanked: Mapping[str, bytes]
    digests: Mapping[str, str]
    """SHA-256 of each file as it will be without its secrets."""
    readable: frozenset[str]
    """The files that could be read."""
    faultless: frozenset[str]
    """The ones of them that nothing was wrong in."""
    wifi_from: str
    wired_from: str
    """The files that name the networks; empty where none does."""


def gather(files: dict[str, bytes]) -> Gathered:
    """Read all the files; whatever is wrong in one becomes a note."""
    readings = {name: _read(name, octets) for name, octets in files.items()}
    wishes = Wishes()
    for reading in readings.values():
        wishes = wishes.over(reading.wishes)
    texts = {name: one.blanked.encode() for name, one in readings.items() if one.blanked}
    readable = frozenset(name for name, one in readings.items() if one.readable)
    return Gathered(
        wishes,
        notes=tuple(note for one in readings.values() for note in one.notes),
        blanked=texts,
        digests=digests({**files, **texts}),
        readable=readable,
        faultless=frozenset(name for name in readable if not readings[name].notes),
        wifi_from=next((name for name, one in readings.items() if one.wishes.wifi), ""),
        wired_from=next((name for name, one in readings.items() if one.wishes.wired), ""),
    )


def _read(name: str, octets: bytes) -> Reading:
    reader = READERS[name]
    try:
        reading = reader(decode(octets))
    # What Python can't read or write, such as a number of thousands of digits, is no BadValue
    except (ValueError, TypeError, RecursionError) as error:
        why = error.note.words() if isinstance(error, BadValue) else shown(str(error))
        unreadable = Note("file-unreadable", {"file": name, "why": why})
        return Reading(notes=(unreadable,), readable=False)
    if reading.blanked and _secrets(reader(reading.blanked).wishes) & _secrets(reading.wishes):
        # an unusual form that the reader understood and the blanking didn't
        unblanked = Note("not-blanked", {"file": name})
        return Reading(reading.wishes, (*reading.notes, unblanked))
    return reading


def _secrets(wishes: Wishes) -> set[str]:
    """Return the passwords and keys in these wishes that are none any more once blanked."""
    words = {wishes.wifi.password} if wishes.wifi else set()
    for account in wishes.accounts:
        words |= {account.password, account.password_hash}
    words |= {user.password for user in wishes.users}
    return words - {"", TAKEN_OVER}
