"""Texts between phones of several makes, for absent ones too, and over a crash (RFC 3428)."""

from collections.abc import Callable

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.phones import Users
from tests.interop.pjsua_chat import PjsuaChat
from tests.interop.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

NewChat = Callable[..., PjsuaChat]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_text_and_its_answer(
    exchange: Exchange, users: Users, new_chat: NewChat, transport: str
) -> None:
    one = new_chat(users.caller, exchange, transport=transport)
    other = new_chat(users.callee, exchange, transport=transport)
    one.command("text", users.callee, "Tea at four? 茶")
    other.hears(f"text {users.caller} text/plain Tea at four? 茶")
    one.hears("sent 200 Tea at four?")
    other.command("text", users.caller, "Gladly.")
    one.hears(f"text {users.callee} text/plain Gladly.")
    other.hears("sent 200 Gladly.")
    exchange.assert_sane()


def test_for_who_comes_later(exchange: Exchange, users: Users, new_chat: NewChat) -> None:
    one = new_chat(users.caller, exchange)
    for number in range(3):
        one.command("text", users.callee, f"number {number}")
        one.hears(f"sent 202 number {number}")
    other = new_chat(users.callee, exchange)
    other.hears(f"text {users.caller} text/plain number 2")
    assert [line for line in other.lines() if line.startswith("text")] == [
        f"text {users.caller} text/plain number {number}" for number in range(3)
    ]
    exchange.assert_sane()


def test_over_a_crash(new_exchange: Callable[..., Exchange], new_chat: NewChat) -> None:
    own = new_exchange()
    for number in ("110", "111"):
        own.add_user(number, PASSWORD)
    one = new_chat("110", own)
    one.command("text", "111", "still here?")
    one.hears("sent 202")
    until("the text is on the disk", lambda: "kept until" in own.log())
    own.minisip("status")
    own.kill()
    own.start()
    other = new_chat("111", own)
    other.hears("text 110 text/plain still here?")
    own.assert_sane()


def test_to_baresip(
    exchange: Exchange, users: Users, new_chat: NewChat, new_phone: Callable[..., Baresip]
) -> None:
    new_phone(users.callee, exchange.host, 500.0)
    one = new_chat(users.caller, exchange)
    one.command("text", users.callee, "hello baresip")
    one.hears("sent 200")
    exchange.assert_sane()


def test_to_linphone_and_back(
    exchange: Exchange,
    users: Users,
    new_chat: NewChat,
    new_linphone: Callable[..., Linphone],
) -> None:
    other = new_linphone(users.callee, exchange, 500.0)
    one = new_chat(users.caller, exchange)
    one.command("text", users.callee, "hello linphone")
    one.hears("sent 200")
    other.wait_said("hello linphone")
    other.command(f"chat sip:{users.caller}@{exchange.host} hello pjsua")
    one.hears(f"text {users.callee} text/plain hello pjsua")
    exchange.assert_sane()
