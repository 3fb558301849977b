"""The `database` setting: where MariaDB is."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = 3306


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a MariaDB server is, and who we are to it.

    Args:
        host: a name or an IP address, IPv6 without brackets.
        name: of the database, which must exist.
    """

    user: str
    password: str = field(repr=False)
    host: str
    port: int
    name: str


def parse_database(url: str) -> DatabaseAddress | None:
    """Read ``mysql://user[:password]@host[:port]/name``; None for the empty text.

    Characters that a URL gives a meaning to are percent-encoded in user and password.

    Raises:
        ValueError: the text has another form; the error never repeats it, for it holds a
            password.
    """
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError:
        raise ValueError("not a URL") from None
    name = parts.path.removeprefix("/")
    complete = parts.scheme in ("mysql", "mariadb") and parts.username and parts.hostname and name
    if not complete or "/" in name or parts.query or parts.fragment:
        raise ValueError("not mysql://user:password@host:port/name")
    return DatabaseAddress(
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        parts.hostname or "",
        port,
        unquote(name),
    )
