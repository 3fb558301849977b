"""Hold and resume of calls over a line, by the phone and by the carrier: who hears whom."""

from collections.abc import Callable

import pytest

from tests.carriers import steps
from tests.carriers.asterisk_carrier import AsteriskCarrier
from tests.carriers.conftest import PEER, PEER_HZ
from tests.carriers.odd import OddCarrier
from tests.carriers.office import TONE_HZ as OFFICE_HZ
from tests.carriers.office import Office
from tests.interop.devices import BaresipDevice, HoldingDevice, PjsuaDevice
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

TONE_HZ = 880.0

NewDevice = Callable[[str, float], HoldingDevice]
NewCarrier = Callable[..., OddCarrier]

phones = pytest.mark.parametrize("make", ["baresip", "linphone", "pjsua"])


def _calls(device: HoldingDevice, number: str) -> None:
    device.begin()
    device.dial(number)


def _wait_told(telco: AsteriskCarrier, kind: str, times: int) -> None:
    """Wait until the carrier has told of so many events of a kind."""
    until(f"{kind} {times}", lambda: len(telco.ami.find(kind)) == times, why_not=telco.why)


def _agreed(peer: PjsuaDevice, change: Callable[[], None]) -> None:
    """Have the phone change the session; wait until its peer has agreed on that."""

    def times() -> int:
        return sum(one["what"] == "media" for one in peer.since())

    before = times()
    change()
    until("the peer agrees", lambda: times() > before, why_not=peer.why)


@phones
def test_the_phone_holds(
    office: Office, telco: AsteriskCarrier, new_device: NewDevice, make: str
) -> None:
    """The carrier's far end sends back what it hears: who hears himself has both ways."""
    phone = new_device(make, TONE_HZ)
    _calls(phone, "9030123456")
    phone.wait_tone(TONE_HZ)
    for times in (1, 2):
        phone.hold()
        _wait_told(telco, "Hold", times)
        phone.wait_silence(TONE_HZ)
        phone.resume()
        _wait_told(telco, "Unhold", times)
        phone.wait_sound(TONE_HZ)
    phone.hang_up()
    office.exchange.wait_idle()
    record = office.record("LO")
    assert (record.fci["lineOut"], record.fci["callTag"], record.fci["cause"]) == (
        "telco",
        "102",
        "16",
    )


@phones
@pytest.mark.parametrize("calls", ["phone", "peer"])
def test_the_peer_holds(
    office: Office, peer: PjsuaDevice, new_device: NewDevice, make: str, calls: str
) -> None:
    """A re-INVITE from outside, whoever has called: the phone is held, and hears again."""
    phone = new_device(make, TONE_HZ)
    phone.begin()
    peer.begin()
    if calls == "phone":
        phone.dial(f"9{PEER}")
    else:
        peer.dial(phone.number)
    peer.wait_sound(TONE_HZ)
    phone.wait_sound(PEER_HZ)
    for _ in range(2):
        peer.hold()
        peer.wait_silence(TONE_HZ)
        peer.resume()
        peer.wait_sound(TONE_HZ)
        phone.wait_sound(PEER_HZ)
    # And each the other, one after the other
    peer.hold()
    peer.wait_silence(TONE_HZ)
    _agreed(peer, phone.hold)
    phone.wait_silence(PEER_HZ)
    _agreed(peer, phone.resume)
    peer.resume()
    peer.wait_sound(TONE_HZ)
    phone.wait_sound(PEER_HZ)
    peer.hang_up()
    office.exchange.wait_idle()
    by_line = "lineOut" if calls == "phone" else "lineIn"
    (record,) = [one for one in office.records() if one["cdr_type"] in ("LO", "OO")]
    assert (record.fci[by_line], record.fci["cause"]) == ("peer", "16")


@pytest.mark.parametrize("held", ["a=inactive", "a=sendonly", "c=IN IP4 0.0.0.0"])
def test_the_carrier_holds(office: Office, new_carrier: NewCarrier, held: str) -> None:
    """By each of the ways that there are, the one of RFC 2543 too."""
    carrier = new_carrier(steps.carrier())
    office.trunk("odd", carrier.host)
    office.wait_usable("odd")
    phone = BaresipDevice(office.phone)  # whose tone comes back
    calling = carrier.call(phone.number, steps.holding(held), server=office.exchange.host)
    phone.wait("CALL_ESTABLISHED")
    phone.wait_sound(OFFICE_HZ)
    phone.wait_silence(OFFICE_HZ)
    phone.wait_sound(OFFICE_HZ)
    phone.hang_up()
    calling.finish()
    office.exchange.wait_idle()
    assert office.record("OO").fci["cause"] == "16"
