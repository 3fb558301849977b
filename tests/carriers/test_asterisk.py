"""Asterisk as the exchange's carrier: with registration, and as the peer of a trunk."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.office import NUMBER, Office

pytestmark = pytest.mark.interop

ACCOUNT, CALLER = "4930555", "491719"


@pytest.fixture(params=["line", "trunk"])
def asterisk(
    request: pytest.FixtureRequest, office: Office, tmp_path: Path, closing: ExitStack
) -> AsteriskCarrier:
    """Return an Asterisk that the exchange has a line to, named as the parameter."""
    trunk = request.param == "trunk"
    peer = office.exchange.host if trunk else ""
    own = AsteriskCarrier(tmp_path / "asterisk", office.ports, name=ACCOUNT, peer=peer)
    closing.callback(own.close)
    if trunk:
        office.trunk("trunk", own.host)
    else:
        office.line("line", server=own.host, user=ACCOUNT, password="secret", destination=NUMBER)
        own.wait("ContactStatus", AOR=ACCOUNT)
    office.wait_usable(request.param)
    return own


def test_calls_both_ways(
    request: pytest.FixtureRequest, office: Office, asterisk: AsteriskCarrier
) -> None:
    kind = request.node.callspec.params["asterisk"]
    office.talk("9030123456")
    office.hang_up()
    record = office.record("LO")
    assert record["route"].endswith(f"by line {kind}")
    assert (record.fci["lineOut"], record.fci["cause"]) == (kind, "16")
    call = asterisk.call(CALLER, NUMBER if kind == "trunk" else "")
    asterisk.wait_state(call, "Up")
    office.wait_sound(1.0)
    office.hang_up()
    (record,) = [one for one in office.records(2) if one["cdr_type"] == "OO"]
    assert (record["caller_number"], record["called_number"]) == (CALLER, NUMBER)
    assert (record.fci["lineIn"], record.fci["cause"]) == (kind, "16")


def test_a_busy_number(office: Office, asterisk: AsteriskCarrier) -> None:
    office.dial("903099")
    (record,) = [one for one in office.records() if one["cdr_type"] == "LO"]
    assert record.fci["cause"] == "17"
