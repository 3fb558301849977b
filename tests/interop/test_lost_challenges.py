"""The exchange sends a challenge once (RFC 3261 §26.3.2.4): phones whose challenges are lost ask again."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import scenario
from tests.interop.conftest import PASSWORD, NewPhone
from tests.interop.exchange import Exchange
from tests.interop.lossy import LossyPath, Weather
from tests.interop.phones import Phones, Users
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports
from tests.interop.sipp import Account, Load, register

pytestmark = pytest.mark.interop

ECHO = "*43"
LOW_HZ = 440.0


@pytest.fixture
def path(exchange: Exchange, ports: Ports, closing: ExitStack) -> LossyPath:
    """Return a path on which the first challenge of each kind is lost."""
    lost = (b"SIP/2.0 401 ", b"SIP/2.0 407 ")
    made = LossyPath(
        exchange.port, 0, ports.one(), ports.one(), weather=Weather(), seed=1, lost=lost
    )
    closing.callback(made.close)
    return made


@pytest.fixture(autouse=True)
def _one_call(exchange: Exchange, path: LossyPath, users: Users) -> Iterator[None]:
    """The challenges are lost, and there is one call after all."""
    yield
    exchange.wait_idle()
    assert path.to_lose == set()
    assert [
        one["dialed_number"] for one in exchange.records() if one["caller_number"] == users.caller
    ] == [ECHO]
    exchange.assert_sane()


def test_sipp(phones: Phones, path: LossyPath) -> None:
    near = f"127.0.0.1:{path.near}"
    who = Account(phones.users.caller, PASSWORD, phones.ports.one(), path.far, near)
    register(phones.folder, who)
    load = Load(patient=True, talk_ms=200)
    phones.caller(scenario.caller(), number=ECHO, at=who, load=load).finish()


def test_baresip(path: LossyPath, users: Users, new_phone: NewPhone) -> None:
    phone = new_phone(users.caller, f"127.0.0.1:{path.near}", LOW_HZ)
    phone.dial(ECHO)
    phone.wait_event("CALL_ESTABLISHED")
    phone.hang_up()


def test_pjsip(
    path: LossyPath, users: Users, tmp_path: Path, ports: Ports, closing: ExitStack
) -> None:
    phone = PjsuaTalker(
        tmp_path / "pjsua",
        ports,
        number=users.caller,
        password=PASSWORD,
        server=f"127.0.0.1:{path.near}",
        tone_hz=LOW_HZ,
    )
    closing.callback(phone.close)
    phone.dial(ECHO)
    phone.wait("state", "CONFIRMED")
    phone.command(do="hangup", call=1)
