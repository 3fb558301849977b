"""Who may log in: the persons in the files, else `pi` with a password for once."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from first_boot.boot_text import TAKEN_OVER
from first_boot.machine import Machine, Owner
from first_boot.notes import Note, note
from first_boot.place import run_or_note
from first_boot.wishes import Account, Wishes

SERVICE_USER = "pi"
"""The exchange runs as this user, whoever else may log in."""

ONE_TIME_WORDS = 6
"""Of a list of 256 words and more: 48 bits, against guesses at a login that takes seconds."""

_GROUPS = ("sudo", "minisip", "adm", "dialout", "audio", "video", "plugdev", "netdev")
_GROUPS_OF_PINS = ("gpio", "i2c", "spi")
_RESERVED = ("root", "console", "minisip", "nobody")
_FIRST_PERSON = 1000
_SSHD = "/etc/ssh/sshd_config.d/10-minisip.conf"


@dataclass(frozen=True)
class OneTime:
    """A password for one login, which has to be changed there.

    Args:
        password_hash: as it stood in ``/etc/shadow``: another one there means that it is over.
    """

    user: str
    password: str
    password_hash: str


def set_accounts(machine: Machine, wishes: Wishes) -> list[Note]:
    """Make these accounts and let them in; return what could not be done."""
    notes = []
    for account in wishes.accounts:
        notes += _set_account(machine, account)
    if wishes.ssh_password is not None:
        word = "yes" if wishes.ssh_password else "no"
        machine.write(
            _SSHD, f"PasswordAuthentication {word}\nKbdInteractiveAuthentication {word}\n"
        )
    return notes


def _set_account(machine: Machine, account: Account) -> list[Note]:
    name = account.name
    owner = machine.owner(name)
    other = name != SERVICE_USER
    if other and (name in _RESERVED or (owner and owner.uid < _FIRST_PERSON)):
        return [note("account-reserved", name=name)]
    notes = []
    if owner is None:
        notes += run_or_note(machine, "useradd", "-m", "-U", "-s", "/bin/bash", name)
        owner = machine.owner(name)
        if owner is None:
            return notes or [note("account-missing", name=name)]
    notes += let_in(machine, name)
    notes += _set_password(machine, account)
    if account.ssh_keys:
        _add_keys(machine, owner, account.ssh_keys)
        if not has_password(machine, name):
            # sudo asks for a password, and this person has none
            machine.write(
                f"/etc/sudoers.d/010_minisip-{name}", f"{name} ALL=(ALL) NOPASSWD: ALL\n", 0o440
            )
    return notes


def let_in(machine: Machine, name: str) -> list[Note]:
    """Give an account a shell and the groups that a person needs."""
    groups = [group for group in (*_GROUPS, *_GROUPS_OF_PINS) if machine.has_group(group)]
    return run_or_note(machine, "usermod", "-s", "/bin/bash", "-a", "-G", ",".join(groups), name)


def _set_password(machine: Machine, account: Account) -> list[Note]:
    if account.password not in ("", TAKEN_OVER):
        return run_or_note(machine, "chpasswd", text=f"{account.name}:{account.password}\n")
    if account.password_hash not in ("", TAKEN_OVER):
        line = f"{account.name}:{account.password_hash}\n"
        return run_or_note(machine, "chpasswd", "-e", text=line)
    return []


def _add_keys(machine: Machine, owner: Owner, keys: tuple[str, ...]) -> None:
    folder = f"{owner.home}/.ssh"
    machine.make_folder(folder, 0o700, owner)
    there = machine.read(f"{folder}/authorized_keys").splitlines()
    lines = [*there, *(key for key in keys if key not in there)]
    machine.write(f"{folder}/authorized_keys", "\n".join(lines) + "\n", 0o600, owner)


def password_hash(machine: Machine, name: str) -> str:
    """Return an account's hash of ``/etc/shadow``; empty where there is none."""
    for line in machine.read("/etc/shadow").splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 1:
            return fields[1]
    return ""


def has_password(machine: Machine, name: str) -> bool:
    """Tell whether somebody can log in to an account by a password."""
    return password_hash(machine, name).startswith("$")


def who_may_log_in(machine: Machine, wishes: Wishes) -> str:
    """Return the first of the accounts wished that has a password or a key; empty for none."""
    for account in wishes.accounts:
        owner = machine.owner(account.name)
        keys = owner and machine.read(f"{owner.home}/.ssh/authorized_keys").strip()
        if has_password(machine, account.name) or keys:
            return account.name
    return ""


def give_one_time_password(machine: Machine) -> tuple[OneTime | None, list[Note]]:
    """Give `pi` a password of six words that the first login has to change."""
    words = (Path(__file__).parent / "words.txt").read_text("ascii").split()
    password = "-".join(secrets.choice(words) for _ in range(ONE_TIME_WORDS))
    notes = let_in(machine, SERVICE_USER)
    failed = run_or_note(machine, "chpasswd", text=f"{SERVICE_USER}:{password}\n")
    if failed:
        return None, notes + failed
    notes += run_or_note(machine, "chage", "-d", "0", SERVICE_USER)
    return OneTime(SERVICE_USER, password, password_hash(machine, SERVICE_USER)), notes
