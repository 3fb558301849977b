"""Changes of local users within a transaction that the caller has opened.

Each function checks what the change leads to.
"""

from dataclasses import replace

from sqlalchemy import Connection

from pbx.config.refusal import command_error
from pbx.store import changes, rows
from pbx.store.accounts import (
    ALGORITHMS,
    check_display_name,
    check_number,
    check_password,
    make_user,
    new_password,
)
from pbx.store.snapshot import Account, LocalUser


def add_user(
    connection: Connection, number: str, password: str | None, display_name: str, realm: str
) -> Account:
    """Add a user, with a random password where None is given.

    Raises:
        CommandError: ``bad-number``, ``bad-display-name``, ``bad-password``, ``user-exists``, or
            ``emergency-reserved``.
    """
    check_number(number)
    check_display_name(display_name)
    account = _account(number, password)
    snapshot = rows.load_snapshot(connection)
    if number in snapshot.users:
        raise command_error("user-exists", number=number)
    changes.check_free(snapshot, number)
    rows.insert_users(connection, [make_user(number, account.password, realm, display_name)])
    return account


def remove_user(connection: Connection, number: str) -> str:
    """Remove a user; return what the audit says of it.

    Raises:
        CommandError: ``unknown-user``, or ``user-owns-line`` where a line is the user's own.
    """
    known_user(connection, number)
    for line in rows.load_snapshot(connection).lines.values():
        if line.owner == number:
            raise command_error("user-owns-line", number=number, name=line.name)
    rows.delete_user(connection, number)
    return ""


def set_password(connection: Connection, number: str, password: str | None, realm: str) -> Account:
    """Give a user another password, a random one where None is given; all else stays.

    Raises:
        CommandError: ``unknown-user`` or ``bad-password``.
    """
    user = known_user(connection, number)
    account = _account(number, password)
    fresh = make_user(number, account.password, realm)
    fresh = replace(user, ha1_md5=fresh.ha1_md5, ha1_sha256=fresh.ha1_sha256, realm=fresh.realm)
    rows.update_user(connection, fresh)
    return account


def set_algorithm(connection: Connection, number: str, algorithm: str) -> str:
    """Challenge a user with another algorithm; return what the audit says of it.

    Raises:
        CommandError: ``unknown-user`` or ``bad-algorithm``.
    """
    if algorithm not in ALGORITHMS:
        raise command_error("bad-algorithm")
    user = known_user(connection, number)
    rows.update_user(connection, replace(user, algorithm=algorithm))
    return algorithm


def known_user(connection: Connection, number: str) -> LocalUser:
    """Return a user.

    Raises:
        CommandError: ``unknown-user``.
    """
    user = rows.load_snapshot(connection).users.get(number)
    if user is None:
        raise command_error("unknown-user", number=number)
    return user


def _account(number: str, password: str | None) -> Account:
    chosen = new_password() if password is None else password
    check_password(chosen)
    return Account(number, chosen)
