"""The exchange's database on this box: `choose` before the exchange, `wanted` and `prepare` before MariaDB.

MariaDB listens on this box alone, with a password that no other box has.
"""

import os
import pwd
import secrets
import subprocess
import sys
import tomllib
from pathlib import Path

SETTINGS = Path("/home/pi/.minisipserver/minisip.toml")
PASSWORD = Path("/var/lib/minisip/database-password")
FILES = Path("/var/lib/mysql")
WORDS = Path("/run/minisip/database.sql")
"""What MariaDB does first at each start (init-file)."""

SQL = """\
CREATE DATABASE IF NOT EXISTS minisip CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS minisip@'127.0.0.1' IDENTIFIED BY '{password}';
ALTER USER minisip@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON minisip.* TO minisip@'127.0.0.1';
"""


def password() -> str:
    """Return the exchange's password at MariaDB, made at the first call."""
    if not PASSWORD.exists():
        PASSWORD.parent.mkdir(parents=True, exist_ok=True)
        write(PASSWORD, secrets.token_urlsafe(24), owner=None)
    return PASSWORD.read_text("ascii")


def chosen() -> str | None:
    """Return the `database` of the settings; None where they have none or can't be read."""
    try:
        value = tomllib.loads(SETTINGS.read_text("utf-8")).get("database")
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return ""  # the exchange will say what is wrong with them
    return value if isinstance(value, str) else None


def choose() -> int:
    """Name MariaDB in the settings, if they name no database."""
    if chosen() is None:
        line = f'database = "mysql://minisip:{password()}@127.0.0.1/minisip"\n'
        rest = SETTINGS.read_text("utf-8") if SETTINGS.exists() else ""
        if not SETTINGS.parent.exists():
            SETTINGS.parent.mkdir(mode=0o750)
            owner = pwd.getpwnam("pi")
            os.chown(SETTINGS.parent, owner.pw_uid, owner.pw_gid)
        write(SETTINGS, line + rest, owner="pi")
    return 0


def wanted() -> int:
    """Tell systemd whether MariaDB is what the exchange uses: exit code 1 leaves it off."""
    return 0 if f":{password()}@127.0.0.1/" in (chosen() or "") else 1


def prepare() -> int:
    """Make MariaDB's files at the first start, and write down what it begins with."""
    if not (FILES / "mysql").exists():
        words = ["mariadb-install-db", "--user=mysql", f"--datadir={FILES}", "--skip-test-db"]
        quick = ["--auth-root-authentication-method=socket", "--skip-name-resolve"]
        subprocess.run([*words, *quick], check=True, stdout=subprocess.DEVNULL)
    WORDS.parent.mkdir(exist_ok=True)
    write(WORDS, SQL.format(password=password()), owner="mysql")
    return 0


def write(path: Path, text: str, owner: str | None) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        if owner:
            entry = pwd.getpwnam(owner)
            os.fchown(file.fileno(), entry.pw_uid, entry.pw_gid)
        os.fsync(file.fileno())
    part.replace(path)


if __name__ == "__main__":
    sys.exit({"choose": choose, "wanted": wanted, "prepare": prepare}[sys.argv[1]]())
