"""Busy lamps, presence and message lamps of phones that we did not write."""

from collections.abc import Callable

import pytest

from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.conftest import PASSWORD
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.phones import Phones, Users
from tests.interop.pjsua_chat import PjsuaChat
from tests.interop.sipp import Load, Sipp, account
from tests.interop.waiting import throughout, until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

NewChat = Callable[..., PjsuaChat]


def _call_seen_by(lamp: Sipp, phones: Phones) -> None:
    """A call whose called party the lamp watches; the lamp has seen all of it."""
    phones.callee(scenario.callee_answering_later(), load=Load(calls=0, talk_ms=1500))
    caller = phones.caller(scenario.caller(), load=Load(talk_ms=2500))
    caller.finish()
    lamp.finish()
    phones.exchange.assert_sane()


def _lamp(phones: Phones, *states: str) -> Sipp:
    """A lamp that is told these states of the callee, of which the first has come."""
    watcher = f"9{phones.users.callee}"
    phones.exchange.add_user(watcher, PASSWORD)
    who = account(phones.ports, watcher, PASSWORD, phones.exchange.host)
    lamp = phones.caller(scenario.watcher(*states), name="lamp", at=who)
    until("the lamp is told first", lambda: "told" in lamp.log.read_text(), why_not=lamp.why)
    return lamp


CALL = ("state.early", "state.confirmed", "state.terminated")


def test_a_busy_lamp(phones: Phones) -> None:
    _call_seen_by(_lamp(phones, "full", *CALL), phones)


def test_a_busy_lamp_over_a_crash(
    new_exchange: Callable[..., Exchange], phones_of: Callable[[Exchange], Phones]
) -> None:
    own = new_exchange()
    phones = phones_of(own)
    lamp = _lamp(phones, "full", "full", *CALL)
    # What is written behind has been written when this is answered.
    own.minisip("user", "add", "112", "--json")
    own.kill()
    own.start()
    until("it is told again", lambda: lamp.log.read_text().count("told") == 2, why_not=lamp.why)
    _call_seen_by(lamp, phones)


def test_presence(exchange: Exchange, users: Users, new_chat: NewChat) -> None:
    one = new_chat(users.caller, exchange)
    one.command("watch", users.callee)
    one.hears(f"friend {users.callee} offline")
    other = new_chat(users.callee, exchange)
    one.hears(f"friend {users.callee} online")
    other.command("away", "lunch until one")
    one.hears(f"friend {users.callee} online away lunch until one")
    exchange.assert_sane()


def test_presence_over_a_crash(new_exchange: Callable[..., Exchange], new_chat: NewChat) -> None:
    own = new_exchange()
    for number in ("110", "111"):
        own.add_user(number, PASSWORD)
    one, other = new_chat("110", own), new_chat("111", own)
    one.command("watch", "111")
    other.command("away", "lunch")
    one.hears("friend 111 online away lunch")
    # What is written behind has been written when this is answered.
    own.minisip("user", "add", "112", "--json")
    own.kill()
    own.start()
    # Neither phone knows of it: what they subscribed to and published goes on.
    other.command("away", "back again")
    one.hears("friend 111 online away back again")
    own.assert_sane()


def test_what_linphone_publishes(
    exchange: Exchange,
    users: Users,
    new_chat: NewChat,
    new_linphone: Callable[..., Linphone],
) -> None:
    one = new_chat(users.caller, exchange)
    one.command("watch", users.callee)
    one.hears(f"friend {users.callee} offline")
    new_linphone(users.callee, exchange, 500.0, publish=True)
    # What only Linphone says of itself has come through.
    published = "http://www.linphone.org/xsds/pidfonline.xsd"
    until("it is told", lambda: published in one.program.said(), 20, why_not=one.program.last_words)
    one.hears(f"friend {users.callee} online")
    exchange.assert_sane()


def test_a_message_lamp(exchange: Exchange, users: Users, new_chat: NewChat) -> None:
    lamp = new_chat(users.callee, exchange)
    lamp.hears("waiting Messages-Waiting: no")
    lamp.command("leave")
    exchange.wait_contacts(users.callee, 0)
    one = new_chat(users.caller, exchange)
    one.command("text", users.callee, "call me")
    one.hears("sent 202")
    lamp.hears("waiting Messages-Waiting: yes")
    assert "Text-Message: 1/0" in lamp.lines()[-1]
    lamp.command("return")
    lamp.hears(f"text {users.caller} text/plain call me")
    lamp.hears("waiting Messages-Waiting: no", times=2)
    exchange.assert_sane()


def test_baresip_is_told(
    exchange: Exchange, users: Users, new_phone: Callable[..., Baresip], new_chat: NewChat
) -> None:
    """Its message lamp, without a flood of subscriptions, and a friend's presence."""
    phone = new_phone(
        users.caller,
        exchange.host,
        500.0,
        modules=("contact", "mwi", "presence"),
        friends=(users.callee,),
    )

    def told() -> int:
        return phone.program.said().count("Messages-Waiting: no")

    until("baresip is told of its messages", told, why_not=phone.why)
    throughout("baresip stays calm", lambda: told() < 3, 2.0)
    other = new_chat(users.callee, exchange)
    other.command("online", "here")

    def online() -> bool:
        return "Online" in phone.command("contacts")

    until("baresip sees its friend", online, 20, why_not=phone.why)
    exchange.assert_sane()
