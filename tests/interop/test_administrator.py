"""What the administrator does by `minisip`, as the phones feel it."""

import subprocess
from collections.abc import Callable

import pytest

from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange, command

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

NewExchange = Callable[..., Exchange]
NewPhone = Callable[..., Baresip]


def minisip(exchange: Exchange, *words: str) -> str:
    """Type a command; return what it prints."""
    argv = [command("minisip"), "--socket", str(exchange.socket), *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_call_is_hung_up(new_exchange: NewExchange, new_phone: NewPhone) -> None:
    exchange = new_exchange()
    passwords = exchange.passwords()
    callee = new_phone("101", exchange.host, 880.0, password=passwords["101"])
    caller = new_phone("100", exchange.host, 440.0, password=passwords["100"])
    caller.dial("101")
    caller.wait_event("CALL_ESTABLISHED")
    callee.wait_event("CALL_ESTABLISHED")
    (call,) = exchange.running_calls()
    assert call.id in minisip(exchange, "calls")
    minisip(exchange, "hangup", call.id)
    caller.wait_event("CALL_CLOSED")
    callee.wait_event("CALL_CLOSED")
    (record,) = exchange.wait_records(1)
    assert record.fci["callTag"] == "309"
    exchange.assert_sane()


def test_a_user_is_removed(new_exchange: NewExchange, new_phone: NewPhone) -> None:
    exchange = new_exchange()
    passwords = exchange.passwords()
    new_phone("101", exchange.host, 880.0, password=passwords["101"])
    caller = new_phone("100", exchange.host, 440.0, password=passwords["100"])
    minisip(exchange, "user", "remove", "101")
    assert "101" not in exchange.users()
    caller.dial("101")
    caller.wait_event("CALL_CLOSED")
    (record,) = exchange.wait_records(1)
    assert record.fci["callTag"] == "301"


def test_a_new_password_counts_at_once(new_exchange: NewExchange, new_phone: NewPhone) -> None:
    exchange = new_exchange()
    minisip(exchange, "user", "password", "102", "--password", "another-one")
    # The fixture waits until the phone is registered.
    new_phone("102", exchange.host, 880.0, password="another-one")
    assert exchange.users()["102"].state == "idle"
