"""Transfers of calls over lines: who hears whom afterwards, what the records say, what counts."""

from collections.abc import Callable

import pytest

from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.conftest import ACCOUNT, PEER, PEER_HZ
from tests.carriers.office import NUMBER, Office
from tests.interop.devices import HoldingDevice, LinphoneDevice, PjsuaDevice
from tests.interop.exchange import Record
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

TONE_HZ, OTHER_HZ = 880.0, 660.0
CALLER, OUTSIDE = "491719", "9030123456"

NewDevice = Callable[[str, float], HoldingDevice]


def _rings(office: Office, telco: AsteriskCarrier, device: HoldingDevice) -> str:
    """Have the carrier call a phone; return the call's name."""
    office.change("telco", destination=device.number)
    call = telco.call(CALLER)
    telco.wait_state(call, "Up")
    return call


def _address(office: Office, number: str) -> str:
    return f"sip:{number}@{office.exchange.host}"


def _talking(office: Office, caller: str, called: str) -> None:
    """One call is left, of these."""

    def names() -> list[tuple[str, str, str]]:
        calls = office.exchange.running_calls()
        return [(call.caller, call.called, call.state) for call in calls]

    until(
        f"{caller} talks with {called} and nobody else",
        lambda: names() == [(caller, called, "talking")],
        why_not=lambda: f"{names()}\n{office.exchange.why()}",
    )


def _records(office: Office) -> tuple[Record, Record]:
    """Return the records of the calling sides: of the first call, and of the one after the transfer."""

    def of(*, transferred: bool) -> list[Record]:
        return [
            one
            for one in office.records()
            if one["cdr_type"] in ("LO", "OO") and ("transferredBy" in one.fci) is transferred
        ]

    (after,) = until("the record of the call after it", lambda: of(transferred=True))
    return of(transferred=False)[0], after


@pytest.mark.parametrize("make", ["baresip", "linphone", "pjsua"])
def test_a_carriers_call_blind(
    office: Office, telco: AsteriskCarrier, new_device: NewDevice, make: str
) -> None:
    """The carrier's far end sends back what it hears."""
    transferor, target = new_device(make, TONE_HZ), new_device("pjsua", OTHER_HZ)
    transferor.begin()
    target.begin()
    _rings(office, telco, transferor)
    transferor.wait_tone(TONE_HZ)
    transferor.transfer(_address(office, target.number))
    target.wait_sound(OTHER_HZ)
    _talking(office, CALLER, target.number)
    target.hang_up()
    office.exchange.wait_idle()
    before, after = _records(office)
    assert (before["caller_number"], before["called_number"]) == (CALLER, transferor.number)
    assert (before.fci["lineIn"], before.fci["callTag"]) == ("telco", "204")
    assert (after["caller_number"], after["called_number"]) == (CALLER, target.number)
    assert (after.fci["lineIn"], after.fci["callTag"]) == ("telco", "202")
    assert after.fci["transferredBy"] == transferor.number
    assert after.fci["cause"] == "16"
    assert "lineOut" not in after.fci


@pytest.mark.parametrize("make", ["linphone", "pjsua"])
def test_a_carriers_call_attended(
    office: Office, telco: AsteriskCarrier, new_device: NewDevice, make: str
) -> None:
    transferor, target = new_device(make, TONE_HZ), new_device("pjsua", OTHER_HZ)
    transferor.begin()
    target.begin()
    _rings(office, telco, transferor)
    transferor.wait_tone(TONE_HZ)
    transferor.hold()
    transferor.wait_silence(TONE_HZ)
    transferor.dial(target.number)
    target.wait_sound(TONE_HZ)
    assert isinstance(transferor, LinphoneDevice | PjsuaDevice)
    transferor.join()
    target.wait_sound(OTHER_HZ)
    _talking(office, CALLER, target.number)
    target.hang_up()
    office.exchange.wait_idle()
    _, after = _records(office)
    assert (after["caller_number"], after["called_number"]) == (CALLER, target.number)
    assert (after.fci["lineIn"], after.fci["transferredBy"]) == ("telco", transferor.number)


def test_a_call_that_went_out_goes_on_inside(
    office: Office, telco: AsteriskCarrier, new_device: NewDevice
) -> None:
    """It is still one that has gone out, for the record and for the line's limit."""
    office.change("telco", most_outgoing=1)
    transferor, target = new_device("pjsua", TONE_HZ), new_device("pjsua", OTHER_HZ)
    target.begin()
    transferor.begin()
    transferor.dial(OUTSIDE)
    transferor.wait_tone(TONE_HZ)
    transferor.transfer(_address(office, target.number))
    target.wait_sound(OTHER_HZ)
    _talking(office, OUTSIDE[1:], target.number)
    office.dial("9030555")
    (refused,) = until(
        "another call is refused",
        lambda: [one for one in office.records() if one.fci["callTag"] == "315"],
        why_not=office.exchange.why,
    )
    assert refused["caller_number"] == NUMBER
    # But the carrier may call
    telco.wait_state(telco.call(CALLER), "Up")
    target.hang_up()
    until("only the carrier's call is left", lambda: len(office.exchange.running_calls()) == 1)
    _, after = _records(office)
    assert (after["caller_number"], after["called_number"]) == (OUTSIDE[1:], target.number)
    assert (after.fci["lineOut"], after.fci["transferredBy"]) == ("telco", transferor.number)
    assert "lineIn" not in after.fci


@pytest.mark.parametrize("attended", [False, True], ids=["blind", "attended"])
def test_both_parties_are_outside(
    office: Office,
    telco: AsteriskCarrier,
    peer: PjsuaDevice,
    new_device: NewDevice,
    attended: bool,
) -> None:
    """By two lines; who transfers has left, and is named as who pays."""
    office.plan(
        basics={"default_route": "telco"},
        routes=[{"name": name, "lines": [name]} for name in ("telco", "peer")],
        analyze_called=[{"prefix": PEER, "route_type": "outside", "route": "peer"}],
    )
    transferor = new_device("pjsua", TONE_HZ)
    assert isinstance(transferor, PjsuaDevice)
    peer.begin()
    transferor.begin()
    transferor.dial(OUTSIDE)
    transferor.wait_tone(TONE_HZ)
    if attended:
        transferor.hold()
        transferor.wait_silence(TONE_HZ)
        transferor.dial(f"9{PEER}")
        peer.wait_sound(TONE_HZ)
        transferor.join()
    else:
        transferor.transfer(_address(office, f"9{PEER}"))
    peer.wait_sound(PEER_HZ)
    # A call is shown as it was dialled
    _talking(office, OUTSIDE[1:], PEER if attended else f"9{PEER}")
    peer.hang_up()
    office.exchange.wait_idle()
    _, after = _records(office)
    assert (after["caller_number"], after["called_number"]) == (OUTSIDE[1:], PEER)
    assert after.fci["lineOut"] == "telco,peer"
    assert after.fci["transferredBy"] == transferor.number
    assert (after.fci["callTag"], after.fci["cause"]) == ("202", "16")


def test_a_peer_transfers(office: Office, peer: PjsuaDevice, new_device: NewDevice) -> None:
    """Another exchange may, to whom it may call itself."""
    kept, target = new_device("linphone", TONE_HZ), new_device("pjsua", OTHER_HZ)
    kept.begin()
    target.begin()
    peer.begin()
    peer.dial(kept.number)
    peer.wait_sound(TONE_HZ)
    peer.transfer(_address(office, target.number))
    target.wait_sound(TONE_HZ)
    kept.wait_sound(OTHER_HZ)
    _talking(office, kept.number, target.number)
    target.hang_up()
    office.exchange.wait_idle()
    _, after = _records(office)
    assert (after["caller_number"], after["called_number"]) == (kept.number, target.number)
    assert after.fci["transferredBy"] == PEER


def test_a_carrier_may_not_transfer(office: Office, telco: AsteriskCarrier) -> None:
    """Whom a subscriber talks with is the subscriber's matter; the call goes on."""
    call = telco.call(CALLER)
    telco.wait_state(call, "Up")
    office.wait_sound(0.5)
    assert telco.transfer(call, _address(office, "201"))["Code"] == "603"
    _talking(office, CALLER, ACCOUNT)
    office.wait_sound(1.0)
    office.hang_up()
    assert office.record("OO").fci["cause"] == "16"
