"""What a person wishes of the box, whichever file says it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from first_boot.boot_text import BootText
from first_boot.notes import BadValue, Note

Value = TypeVar("Value")


@dataclass(frozen=True)
class Addressing:
    """Addresses set by hand; without them the network gives one."""

    addresses: tuple[str, ...]
    gateways: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wifi:
    """A wireless network; an empty password is an open network."""

    ssid: str
    password: str = ""
    hidden: bool = False
    addressing: Addressing | None = None


@dataclass(frozen=True)
class Account:
    """Somebody who may log in."""

    name: str = "pi"
    password: str = ""
    password_hash: str = ""
    ssh_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class FirstUser:
    """A phone user that the exchange begins with; without a password it makes one."""

    number: str
    name: str = ""
    password: str = ""


@dataclass(frozen=True)
class Wishes:
    """All of them; ``None`` and empty mean that nobody said anything."""

    hostname: str | None = None
    locale: str | None = None
    timezone: str | None = None
    country: str | None = None
    home: str | None = None
    """The country that a person says the box is in; what Imager sets for Wi-Fi may be its default."""
    accounts: tuple[Account, ...] = ()
    ssh_password: bool | None = None
    wifi: Wifi | None = None
    wired: Addressing | None = None
    exchange: Mapping[str, object] = field(default_factory=dict)
    hardware: Mapping[str, object] = field(default_factory=dict)
    users: tuple[FirstUser, ...] = ()

    def over(self, other: "Wishes") -> "Wishes":
        """Return these wishes, with `other`'s where these say nothing."""
        joined: Wishes = _over(self, other)
        return replace(joined, accounts=_accounts(self.accounts, other.accounts))


@dataclass(frozen=True)
class Reading:
    """What one file gave: wishes, what was wrong in it, and its text without the secrets."""

    wishes: Wishes = Wishes()
    notes: tuple[Note, ...] = ()
    blanked: BootText | None = None
    """None where the file has no secrets, or keeps them because it couldn't be read."""
    readable: bool = True
    """False where the file's form is broken, so that it says nothing at all."""


class Taker:
    """Takes values that pass their check, and notes the others.

    Args:
        file: the file's name, for the notes.
    """

    def __init__(self, file: str) -> None:
        self.notes: list[Note] = []
        self._file = file

    def note(self, key: str, **values: object) -> None:
        """Note something about the file."""
        self.notes.append(Note(key, {"file": self._file, **values}))

    def take(self, setting: str, value: object, check: Callable[[object], Value]) -> Value | None:
        """Return what `check` makes of the value of `setting`; None, with a note, where it can't."""
        try:
            return check(value)
        except BadValue as bad:
            self.note("setting-bad", setting=setting, why=bad.note.words())
            return None


def _over(one: Any, other: Any) -> Any:
    """Return the dataclass `one` with `other`'s values where it has none; ``False`` is one."""
    said = {name: value for name, value in vars(one).items() if value or value is False}
    return replace(other, **said)


def _accounts(ours: tuple[Account, ...], others: tuple[Account, ...]) -> tuple[Account, ...]:
    """Return everybody of both; who is in both has `ours` before `others`."""
    known = {account.name: account for account in others}
    for account in ours:
        known[account.name] = _over(account, known.get(account.name, account))
    return tuple(known.values())
