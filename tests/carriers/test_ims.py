"""The exchange as a subscriber of an IMS, Kamailio's: proxy, Service-Route, Path, 100rel, timers, P- headers."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.carriers import steps
from tests.carriers.ims import Ims, Subscription
from tests.carriers.odd import OddCarrier
from tests.carriers.office import NUMBER, Office, plain
from tests.interop.ports import Ports

pytestmark = pytest.mark.interop

FAR = "127.0.0.24"
CALLED = "+4930123456"


@pytest.fixture
def subscription() -> Subscription:
    return Subscription()


@pytest.fixture
def far(tmp_path: Path, ports: Ports, closing: ExitStack) -> OddCarrier:
    """Return the telephone network behind the IMS: it demands 100rel, and wants its PRACK."""
    text = steps.carrier(*steps.demanding("Supported:", "100rel", "421 No"), *steps.reliable())
    return OddCarrier(tmp_path, ports, text, closing, address=FAR, name="far", user=CALLED)


@pytest.fixture(params=["udp", "tcp"])
def ims(
    request: pytest.FixtureRequest,
    office: Office,
    subscription: Subscription,
    far: OddCarrier,
    tmp_path: Path,
    closing: ExitStack,
) -> Ims:
    """Return an IMS with which the exchange's line `ims` is registered, by each transport."""
    own = Ims(tmp_path / "ims", office.ports, subscription, far.host, min_se_s=2400)
    closing.callback(own.close)
    office.line(
        "ims",
        server=subscription.domain,
        proxy=own.proxy,
        transport=request.param,
        user=subscription.user,
        auth_name=subscription.auth_name,
        password=subscription.password,
        identity="ppi",
        country="86",
        number_format="+e164",
        caller_format="+e164",
        did_from=["p-called-party-id", "request-uri"],
    )
    office.plan(
        incoming=[
            {"line": "ims", "did": subscription.second, "destination": NUMBER},
            {"line": "ims", "destination": "299"},
        ]
    )
    own.wait_registered()
    office.wait_usable("ims")
    return own


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
