"""The `database` setting: where MariaDB is."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = 3306

# RFC 3986 §3.2.2 reg-name, as a resolver takes it: labels, IPv4 addresses among them
_NAME = re.compile(r"([0-9A-Za-z_-]{1,63}\.)*[0-9A-Za-z_-]{1,63}\.?")


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
        port = DEFAULT_PORT if parts.port is None else parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    name = parts.path.removeprefix("/")
    complete = parts.scheme in ("mysql", "mariadb") and parts.username and parts.hostname and name
    if (
        not complete
        or not port
        or not _is_host(parts.hostname or "")
        or "/" in name
        or parts.query
        or parts.fragment
    ):
        raise ValueError("not mysql://user:password@host:port/name")
    return DatabaseAddress(
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        parts.hostname or "",
        port,
        unquote(name),
    )


def _is_host(text: str) -> bool:
    if ":" not in text:
        return _NAME.fullmatch(text) is not None
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
