"""Which account the phone uses: options, environment, the saved one, or the exchange's own."""

import contextlib
import getpass
import json
import os
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from hw.softphone.account import Account
from hw.softphone.locale import say
from hw.softphone.network import split_host
from hw.softphone.words import error_in_words
from pbx.api.client import Client, CommandError, ExchangeUnreachable
from pbx.errors import StartError
from pbx.locale.decoding import fault_of_settings

PASSWORD_VARIABLE = "MINISIPPHONE_PASSWORD"

_KEYS = ("server", "user", "password")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; empty where it doesn't."""

    server: str = ""
    user: str = ""
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What `minisipphone setup` has kept; empty where there is nothing."""

    server: str = ""
    user: str = ""
    password: str = ""


def settings_path() -> Path:
    """Return where the account is kept (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "minisipphone.toml"


def read_saved(path: Path) -> Saved:
    """Return the saved account.

    Raises:
        StartError: the file is there and can't be used.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Saved()
    except (OSError, ValueError) as error:
        why = _why(error, fault_of_settings(str(error)))
        raise StartError(say("settings-unreadable", path=path, why=why), os.EX_CONFIG) from error
    for key, value in values.items():
        if key not in _KEYS or not isinstance(value, str):
            raise StartError(say("setting-unknown", path=path, name=key), os.EX_CONFIG)
    return Saved(**values)


def _why(error: OSError | ValueError, content: str) -> str:
    """Return why a file can't be read; `content` is what is wrong with what stands in it."""
    return error_in_words(error) if isinstance(error, OSError) else content


def save(path: Path, saved: Saved) -> None:
    """Keep an account, for its owner's eyes alone.

    Raises:
        StartError: that is impossible.
    """
    # A JSON string of printable characters is a TOML basic string too.
    lines = [f"{key} = {json.dumps(getattr(saved, key), ensure_ascii=False)}\n" for key in _KEYS]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes it for its owner alone (0600).
        number, fresh = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.writelines(lines)
            Path(fresh).replace(path)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
    except OSError as error:
        sentence = say("settings-unwritable", path=path, why=error_in_words(error))
        raise StartError(sentence, os.EX_CANTCREAT) from error


def account_of(asked: Asked, socket: Path) -> Account:
    """Return the account to use.

    Args:
        asked: the command line's.
        socket: the control socket of an exchange on this machine. It tells the first password of
            a user, to who may use it and has asked for that user by name.

    Raises:
        StartError: something is missing or wrong.
    """
    saved = read_saved(settings_path())
    password = given_password(asked)
    server = asked.server or saved.server
    user = asked.user or saved.user
    if password is None and (server, user) == (saved.server, saved.user):
        password = saved.password or None
    if asked.user and not asked.server and (password is None or not server):
        server, password = _at_home(asked.user, socket, server, password)
    if not server or not user:
        raise StartError(say("no-account"), os.EX_CONFIG)
    if password is None:
        password = ask_password(user)
    return checked_account(server, user, password)


def checked_account(server: str, user: str, password: str) -> Account:
    """Return the account.

    Raises:
        StartError: one of the three can't be used.
    """
    try:
        host, port = split_host(server)
    except ValueError:
        raise StartError(say("bad-server", server=server), os.EX_USAGE) from None
    if not user or not user.isprintable() or " " in user:
        raise StartError(say("bad-user", user=user), os.EX_USAGE)
    if not password or not password.isprintable():
        raise StartError(say("bad-password"), os.EX_USAGE)
    return Account(user, password, host, port)


def given_password(asked: Asked) -> str | None:
    """Return the password of file or environment; None where neither has one.

    Raises:
        StartError: the file can't be used.
    """
    if asked.password_file is None:
        return os.environ.get(PASSWORD_VARIABLE) or None
    path = asked.password_file
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        why = _why(error, say("no-text"))
        raise StartError(say("password-unreadable", path=path, why=why), os.EX_NOINPUT) from error
    if not lines or not lines[0]:
        raise StartError(say("password-empty", path=path), os.EX_NOINPUT)
    return lines[0]


def _at_home(user: str, socket: Path, server: str, password: str | None) -> tuple[str, str | None]:
    """Return server and password of a user of this machine's exchange, as far as it tells them."""
    with contextlib.suppress(ExchangeUnreachable, CommandError), Client(socket) as client:
        welcome = client.welcome()
        ours = [address.removeprefix("udp ") for address in welcome.addresses]
        ours = [text for text, told in zip(ours, welcome.addresses, strict=True) if text != told]
        if ours and (not server or server in ours):
            # Loopback comes last.
            first = next((one.password for one in welcome.users if one.number == user), None)
            return ours[-1], password or first
    return server, password


def ask_password(user: str) -> str:
    """Ask the person at the terminal.

    Raises:
        StartError: there is none.
    """
    if not sys.stdin.isatty():
        raise StartError(say("no-password", variable=PASSWORD_VARIABLE), os.EX_CONFIG)
    return getpass.getpass(say("prompt-password", user=user))
