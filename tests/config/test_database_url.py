"""Where MariaDB is."""

import pytest

from pbx.config.database_url import DatabaseAddress, parse_database


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mysql://u:p@h/n", DatabaseAddress("u", "p", "h", 3306, "n")),
        ("mysql://u@h:3307/n", DatabaseAddress("u", "", "h", 3307, "n")),
        ("mariadb://u:p@h/n", DatabaseAddress("u", "p", "h", 3306, "n")),
        ("mysql://u%40x:p%2F%3A@[::1]:3306/n", DatabaseAddress("u@x", "p/:", "::1", 3306, "n")),
    ],
)
def test_what_it_says(url: str, address: DatabaseAddress) -> None:
    assert parse_database(url) == address


@pytest.mark.parametrize(
    "host", ["h:0", "a..b", "a b", "h%20", "h,i", "-" * 64, "h" * 64, "ü", "a" * 50_000 + "!"]
)
def test_hosts_that_no_resolver_takes(host: str) -> None:
    with pytest.raises(ValueError, match="mysql://"):
        parse_database(f"mysql://u:p@{host}/n")


def test_embedded() -> None:
    assert parse_database("") is None


def test_nobody_shows_the_password() -> None:
    assert "geheim" not in repr(parse_database("mysql://u:geheim@h/n"))
    with pytest.raises(ValueError) as caught:
        parse_database("mysql://u:geheim@h:x/n")
    assert "geheim" not in repr(caught.value) + repr(caught.value.__context__ or "")
