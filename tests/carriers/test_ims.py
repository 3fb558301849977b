"""The exchange as a subscriber of an IMS, Kamailio's: proxy, Service-Route, Path, 100rel, timers, P- headers."""

import pytest

from tests.carriers import steps
from tests.carriers.conftest import CALLED
from tests.carriers.ims import Ims, Subscription
from tests.carriers.odd import OddCarrier
from tests.carriers.office import NUMBER, Office, plain

pytestmark = pytest.mark.interop


def test_a_call_to_the_network(
    office: Office, ims: Ims, far: OddCarrier, subscription: Subscription
) -> None:
    """Through 407, 422 and a PRACK, by the Service-Route; the number in the network's form.

    Of P-Preferred-Identity the network takes what is the subscriber's, or else his first number.
    """
    office.talk("9004930123456")
    invite = far.got("INVITE").message
    assert invite.start.split()[1].startswith(f"sip:{CALLED}@")
    assert f"<sip:{subscription.user}@{subscription.domain}" in invite.get("p-asserted-identity")
    assert int(invite.get("session-expires").partition(";")[0]) >= 2400
    assert not invite.get("p-preferred-identity")
    office.hang_up()
    far.got("BYE")
    record = office.record("LO")
    assert record["route"].endswith("by line ims")
    assert (record.fci["lineOut"], record.fci["cause"]) == ("ims", "16")
    assert f"line ims calls {CALLED} as" in office.record("OT")["route"]
    office.change("ims", caller_number=subscription.second)
    office.talk("9004930123456")
    invite = far.all("INVITE")[-1].message
    assert f"<sip:{subscription.second}@{subscription.domain}" in invite.get("p-asserted-identity")
    office.hang_up()


def test_a_call_from_the_network(
    office: Office, ims: Ims, far: OddCarrier, subscription: Subscription
) -> None:
    """To the second number, which P-Called-Party-ID alone tells."""
    calling = far.call(subscription.second, steps.calling(), server=ims.registrar)
    office.wait_sound()
    calling.finish()
    office.exchange.wait_idle()
    record = office.record("OO")
    assert (plain(record["caller_number"]), record["called_number"]) == (CALLED, NUMBER)
    assert plain(record["dialed_number"]) == subscription.second
    assert record.fci["lineIn"] == "ims"
    assert record.fci["cause"] == "16"
    assert office.record("LT")["called_number"] == NUMBER
