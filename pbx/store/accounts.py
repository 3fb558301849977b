"""Users and passwords: what is allowed, how they are made, and those of the first start."""

import json
import logging
import os
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pbx.config.refusal import command_error
from pbx.errors import CommandError
from pbx.sip.digest import ha1
from pbx.store.snapshot import LocalUser

log = logging.getLogger(__name__)

FIRST_NUMBERS = tuple(tuple(f"{hundred}0{last}" for last in "012") for hundred in "123456789")
"""The users of a first start: 100, 101 and 102, as miniSIPServer has them; the next three where one of
those is an emergency number."""

MIN_PASSWORD, MAX_PASSWORD = 6, 64
"""Characters in a password that a person chooses."""

MAX_DISPLAY_NAME = 64
"""Characters in a display name."""

ALGORITHMS: tuple[str, ...] = ("MD5", "SHA-256")
"""What a user may be challenged with; never both at once, which breaks several phones."""

_NEW_PASSWORD_LENGTH = 12
# What is read from a screen and typed on a phone: without 0 o, 1 l i. 31**12 is 59 bits.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"

_NUMBER = re.compile(r"[0-9]{1,20}\Z")
_PASSWORD = re.compile(rf"[!-~]{{{MIN_PASSWORD},{MAX_PASSWORD}}}\Z")


def check_number(number: str) -> None:
    """Raise CommandError ``bad-number`` unless a user may have this number."""
    if not _NUMBER.match(number):
        raise command_error("bad-number")


def check_password(password: str) -> None:
    """Raise CommandError ``bad-password`` unless a user may have this password."""
    if not _PASSWORD.match(password):
        raise command_error("bad-password", least=MIN_PASSWORD, most=MAX_PASSWORD)


def check_display_name(name: str) -> None:
    """Raise CommandError ``bad-display-name`` unless a user may be called so."""
    if len(name) > MAX_DISPLAY_NAME or not name.isprintable():
        raise command_error("bad-display-name", most=MAX_DISPLAY_NAME)


def new_password() -> str:
    """Return a random password of characters that nobody mistakes."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_NEW_PASSWORD_LENGTH))


def make_user(number: str, password: str, realm: str, display_name: str = "") -> LocalUser:
    """Return a user who has this password, of which only the digests are kept."""
    return LocalUser(
        number,
        display_name,
        ha1_md5=ha1(number, realm, password, "MD5"),
        ha1_sha256=ha1(number, realm, password, "SHA-256"),
        realm=realm,
    )


@dataclass(frozen=True, slots=True)
class FirstUser:
    """A user that a first start makes."""

    number: str
    name: str
    password: str


def first_users(
    path: Path, reserved: Collection[str] = (), *, known: bool = False
) -> list[FirstUser]:
    """Return the users that a first start makes: those of a file, else three of our choice.

    Args:
        path: of what the first boot of an appliance leaves: a JSON list of objects with ``number``,
            and optionally ``name`` and ``password``. What can't be used is told on the log and left
            out.
        reserved: numbers that lead to the emergency services, of which we choose none.
        known: whether those are for certain: then nobody else gets one either.
    """
    users: dict[str, FirstUser] = {}
    for entry in _entries(path):
        number, name, password = (
            str(entry.get(key) or "") for key in ("number", "name", "password")
        )
        try:
            check_number(number)
            check_display_name(name)
            check_password(password or new_password())
            if known and number in reserved:
                raise command_error("emergency-reserved", number=number)
        except CommandError as error:
            log.warning("%s: user %r is not made: %s", path.name, number, error.sentence)
            continue
        users.setdefault(number, FirstUser(number, name, password or new_password()))
    ours = next(numbers for numbers in FIRST_NUMBERS if not {*numbers} & {*reserved})
    return list(users.values()) or [FirstUser(one, "", new_password()) for one in ours]


def _entries(path: Path) -> list[dict[str, object]]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s can't be read: %s", path.name, error)
        return []
    entries = found if isinstance(found, list) else [found]
    return [entry for entry in entries if isinstance(entry, dict)]


class InitialPasswords:
    """The passwords of the first start, readable until they are changed.

    Args:
        path: of the JSON file, which only its owner may read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._passwords: dict[str, str] = {}

    def load(self, users: Mapping[str, LocalUser]) -> None:
        """Read the file; a password that is not its user's any more is left out."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            found = {}
        passwords = found if isinstance(found, dict) else {}
        self._passwords = {
            number: password
            for number, password in passwords.items()
            if number in users
            and isinstance(password, str)
            and ha1(number, users[number].realm, password, "SHA-256") == users[number].ha1_sha256
        }

    def all(self) -> dict[str, str]:
        """Return the passwords by number."""
        return dict(self._passwords)

    def save(self, passwords: Mapping[str, str]) -> None:
        """Write these, in one step.

        Raises:
            OSError: the file can't be written; the old one stands.
        """
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(dict(passwords), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        self._passwords = dict(passwords)

    def drop(self, number: str) -> None:
        """Forget a user's: it has been changed, or the user is gone."""
        if number in self._passwords:
            self.save({key: value for key, value in self._passwords.items() if key != number})
