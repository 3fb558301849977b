"""A person at the console, by keys alone: from an exchange without lines to calls by one."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from pbx.lines.profile import profiles
from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.office import TONE_HZ
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.tui.terminal import Terminal, terminal
from tui.line_options import OFFERED

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

OTHER_PROVIDER = "generic-line"
ACCOUNT, PASSWORD = "4930555", "right"
DOWN, ENTER, SAVE = b"\x1b[B", b"\r", b"\x13"


@pytest.fixture
def exchange(tmp_path: Path, ports: Ports, closing: ExitStack) -> Exchange:
    """Return an exchange on its first day."""
    own = Exchange(tmp_path / "exchange", ports)
    closing.callback(own.close)
    own.start()
    return own


@pytest.fixture
def carrier(tmp_path: Path, ports: Ports, closing: ExitStack) -> AsteriskCarrier:
    """Return the carrier, which has one subscriber."""
    own = AsteriskCarrier(tmp_path / "carrier", ports, name=ACCOUNT, password=PASSWORD)
    closing.callback(own.close)
    return own


@pytest.fixture
def phone(exchange: Exchange, new_phone: Callable[..., Baresip]) -> Baresip:
    """Return the first user's phone, which answers by itself."""
    return new_phone("100", exchange.host, TONE_HZ, password=exchange.passwords()["100"])


async def press(person: Terminal, keys: bytes, then: str) -> None:
    """Press keys, and wait for what is seen then."""
    person.forget()
    person.type(keys)
    await person.until(then)


async def add(person: Terminal, server: str, password: str) -> None:
    """Add the line by the form of a provider that nobody knows."""
    await press(person, b"5", "There are no lines; a adds one.")
    await press(person, b"a", profiles()[OTHER_PROVIDER].title.en)
    places = list(profiles()).index(OTHER_PROVIDER)
    await press(person, DOWN * places + ENTER, "Its name: letters, digits")
    await press(person, ENTER, "The registrar or SIP server that the provider names")
    await press(person, server.encode() + ENTER, "The account: user name")
    await press(person, ACCOUNT.encode() + ENTER, "The password")
    await press(person, password.encode() + SAVE, "dialled with 9 before them")


async def mend(person: Terminal, password: str, destination: str) -> None:
    """Give the line another password, and calls from outside a phone to ring at."""
    await press(person, b"5", "in trouble")
    await press(person, b"c", f"Change the line {OTHER_PROVIDER}")
    await press(person, DOWN * OFFERED.index("password"), "left empty it stays as it is")
    await press(person, password.encode() + ENTER, "ring at, such as 100")
    await press(person, destination.encode() + SAVE, f"{OTHER_PROVIDER} is changed.")


async def test_from_no_line_to_calls_both_ways(
    exchange: Exchange, carrier: AsteriskCarrier, phone: Baresip
) -> None:
    async with terminal("tui.cli", socket=exchange.socket, size=(99, 40)) as person:
        await person.until("1 of 3 registered")
        await add(person, carrier.host, "wrong")
        await person.until("does not take the user name and password")
        # In words on Home, too, with what to do.
        await press(person, b"1", "Check user, name for authentication and password")

        await mend(person, PASSWORD, "100")
        await person.until("● registered")
        await press(person, b"1", "1 of 1 ready")

        await press(person, b"5d", "Enter examines the line.")
        await press(person, b"0301234" + ENTER, "The call to 0301234 went out and was answered.")
        await person.until("All is well, as far as it was tried.")
        await press(person, ENTER, "● registered")
        assert PASSWORD not in person.text
        person.type(b"q")
        assert await person.ended() == 0
    await asyncio.to_thread(calls_both_ways, exchange, carrier, phone)


def calls_both_ways(exchange: Exchange, carrier: AsteriskCarrier, phone: Baresip) -> None:
    """Call out as the console has said, be called, and hear the own tone both times."""
    exchange.wait_idle()
    for begin in (lambda: phone.dial("90301234"), lambda: carrier.call("491719")):
        heard = phone.heard_s(TONE_HZ)
        begin()
        phone.wait_heard(TONE_HZ, heard + 0.5)
        phone.hang_up()
        exchange.wait_idle()
    exchange.assert_sane()
