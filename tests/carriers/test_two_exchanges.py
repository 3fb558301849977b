"""Two exchanges of ours as each other's peer: calls both ways, and a loop that is caught."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.carriers.lines import add_line, wait_usable
from tests.carriers.office import NUMBER, PASSWORD, TONE_HZ, Office
from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

FAR, FAR_HZ = "310", 880.0


@pytest.fixture(scope="module")
def far(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Yield another exchange, which has two trunks to ours."""
    with ExitStack() as stack:
        own = Exchange(tmp_path_factory.mktemp("far"), stack.enter_context(Ports()))
        stack.callback(own.close)
        own.start()
        own.add_user(FAR, PASSWORD)
        for name in ("ours", "ours2"):
            add_line(own, name, kind="sip-trunk", server=exchange.host)
        yield own
        own.assert_sane()


@pytest.fixture
def other(office: Office, far: Exchange) -> Exchange:
    """Return another exchange: numbers that begin with 3 are its, those with 2 ours."""
    own = far
    for name in ("other", "other2"):
        office.trunk(name, own.host)
    office.wait_usable("other")
    wait_usable(own, "ours")
    for exchange, prefix, line in ((office.exchange, "3", "other"), (own, "2", "ours")):
        rows = [
            {"prefix": prefix, "route_type": "outside", "route": line},
            {"prefix": "7", "route_type": "outside", "route": line},
            {"prefix": "7", "route_type": "outside", "route": "back", "source": line},
        ]
        routes = [{"name": line, "lines": [line]}, {"name": "back", "lines": [line]}]
        exchange.call("plan.set", tables=json.dumps({"analyze_called": rows, "routes": routes}))
    return own


def test_calls_both_ways(
    office: Office, other: Exchange, new_phone: Callable[..., Baresip]
) -> None:
    phone = new_phone(FAR, other.host, FAR_HZ)
    office.dial(FAR)
    office.phone.wait_heard(FAR_HZ, 0.5)
    phone.wait_heard(TONE_HZ, 0.5)
    office.hang_up()
    other.wait_idle()
    phone.dial(NUMBER)
    office.phone.wait_heard(FAR_HZ, 1.0)
    phone.wait_heard(TONE_HZ, 1.0)
    phone.hang_up()
    other.wait_idle()
    office.exchange.wait_idle()
    out, in_ = [one for one in office.records(2) if one["cdr_type"] in ("LO", "OO")]
    assert (out.fci["lineOut"], out["called_number"]) == ("other", FAR)
    assert (in_.fci["lineIn"], in_["caller_number"], in_["called_number"]) == ("other", FAR, NUMBER)


def test_a_call_does_not_go_back_where_it_came_from(office: Office, other: Exchange) -> None:
    """Each says that 7 is the other's."""
    office.caller("700", scenario.caller_refused(403)).finish()
    other.wait_idle()

    def refused() -> list[str]:
        return [one.fci["callTag"] for one in other.records() if one["dialed_number"] == "700"]

    assert until("the other exchange's record", refused) == ["302"]


def test_a_loop_is_caught(office: Office, other: Exchange) -> None:
    """The way back is another trunk: the call comes round once, and ends there."""
    for exchange, line in ((office.exchange, "other"), (other, "ours")):
        routes = [{"name": line, "lines": [line]}, {"name": "back", "lines": [f"{line}2"]}]
        exchange.call("plan.set", tables=json.dumps({"routes": routes}))
    office.caller("700", scenario.caller_refused(482)).finish()
    other.wait_idle()
    office.exchange.wait_idle()
    first = [one for one in office.records(2) if one["cdr_type"] in ("LO", "OO")]
    assert [one.fci["callTag"] for one in first].count("316") == 1
    assert len(first) == 2
