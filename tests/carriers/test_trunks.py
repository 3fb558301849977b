"""SIP trunks: dead ones, full ones, and what is stronger than both."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.carriers import steps
from tests.carriers.lines import wait_trouble
from tests.carriers.odd import OddCarrier, seen
from tests.carriers.office import NUMBER, PASSWORD, SECOND, Office
from tests.interop import scenario
from tests.interop.raw import RawPeer
from tests.interop.waiting import until

pytestmark = pytest.mark.interop

NewCarrier = Callable[..., OddCarrier]


def _two(office: Office, new_carrier: NewCarrier, **options: object) -> list[OddCarrier]:
    """Return the peers of the trunks `first` and `second`; calls go by them in that order."""
    peers = []
    for last, name in enumerate(("first", "second"), 51):
        peers.append(new_carrier(steps.FAR_END, address=f"127.0.0.{last}", name=name))
        office.trunk(name, peers[-1].host, destination=NUMBER, **options)
    office.plan(
        routes=[{"name": "out", "lines": ["first", "second"]}], basics={"default_route": "out"}
    )
    return peers


def test_calls_both_ways(office: Office, new_carrier: NewCarrier) -> None:
    first, second = _two(office, new_carrier)
    office.talk("9030123456")
    first.got("INVITE")
    office.hang_up()
    record = office.record("LO")
    assert record["route"].endswith("by line first")
    assert (record.fci["lineOut"], record.fci["cause"]) == ("first", "16")
    calling = second.call(NUMBER, steps.calling(), server=office.exchange.host)
    office.wait_sound()
    calling.finish()
    office.exchange.wait_idle()
    (incoming,) = [one for one in office.records(2) if one["cdr_type"] == "OO"]
    assert incoming.fci["lineIn"] == "second"


def test_whoever_is_no_peer_is_asked_for_a_password(
    office: Office, new_carrier: NewCarrier
) -> None:
    first, _ = _two(office, new_carrier)
    stranger = new_carrier(steps.FAR_END, address="127.0.0.59", name="stranger")
    server = office.exchange.host
    stranger.call(NUMBER, steps.calling(refused="407"), server=server).finish()
    office.change("first", peers=["127.0.0.56/29"])
    calling = stranger.call(NUMBER, steps.calling(), server=server, name="now-known")
    office.wait_sound()
    calling.finish()
    office.exchange.wait_idle()
    incoming = [one for one in office.records() if one["cdr_type"] == "OO" and one.fci["lineIn"]]
    assert [one.fci["lineIn"] for one in incoming] == ["first"]


def test_no_contact_leads_to_a_trunk(
    office: Office, new_carrier: NewCarrier, closing: ExitStack
) -> None:
    """One that was stored before there was the trunk isn't rung, and none is stored afterwards."""
    carrier = new_carrier(steps.FAR_END, address="127.0.0.51", name="carrier")
    thief = RawPeer(office.exchange.port, SECOND, PASSWORD)
    closing.callback(thief.close)
    uri, contact = f"sip:{SECOND}@{thief.server}", f"Contact: <sip:00900123@{carrier.host}>"
    answer = thief.ask("REGISTER", uri, contact, contact=False)
    assert answer is not None
    assert answer.status == 200
    office.trunk("first", carrier.host)
    office.wait_usable("first")
    office.caller(SECOND, scenario.caller_refused(480)).finish()
    record = office.record("LO")
    assert (record.fci["callTag"], record.fci["cause"]) == ("311", "20")
    assert f"sip:00900123@{carrier.host} not rung: it leads to line first" in record["route"]
    assert "lineOut" not in record.fci
    answer = thief.ask("REGISTER", uri, contact, contact=False)
    assert answer is not None
    assert answer.status == 403
    assert "Contact Leads To A Line's Server" in answer.header("Warning")
    assert not carrier.all("INVITE")
    answer = thief.ask("REGISTER", uri, f"{contact};expires=0", contact=False)
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "refusing"])
def test_a_dead_trunk_costs_less_than_four_seconds(
    office: Office, new_carrier: NewCarrier, closing: ExitStack, silent: bool
) -> None:
    """It has died since it was last asked; both times are of the machine's one clock."""
    first, second = _two(office, new_carrier)
    first.answered("OPTIONS", 200)
    first.sipp.close()
    if silent:
        hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        closing.callback(hole.close)
        hole.bind((first.address, first.port))
    caller = office.caller("9030123456", name="caller")
    invite = second.got("INVITE")
    caller.finish()
    begun = next(one for one in seen(caller) if one.sent)
    assert invite.when_s - begun.when_s < 4
    office.exchange.wait_idle()
    record = office.record("LO")
    assert record.fci["lineOut"] == "second"
    assert record["route"].endswith("by line second")
    # Who comes next doesn't wait for it
    caller = office.caller("9030123456", name="next")
    again = second.got("INVITE", 2)
    caller.finish()
    assert again.when_s - next(one for one in seen(caller) if one.sent).when_s < 2
    assert first.host not in office.records(2)[-1]["called_addr"]


def test_a_trunk_that_refuses_is_passed_over(office: Office, new_carrier: NewCarrier) -> None:
    """503 is the trunk's answer, and the next one is tried; busy is the called party's."""
    refusing = steps.carrier(*steps.taken(), *steps.ending("503 Service Unavailable"))
    busy = steps.carrier(*steps.taken(), *steps.ending("486 Busy Here"))
    first = new_carrier(refusing, address="127.0.0.51", name="first")
    second = new_carrier(busy, address="127.0.0.52", name="second")
    third = new_carrier(steps.FAR_END, address="127.0.0.53", name="third")
    for peer in (first, second, third):
        office.trunk(peer.sipp.name, peer.host)
    office.plan(
        routes=[{"name": "out", "lines": ["first", "second", "third"]}],
        basics={"default_route": "out"},
    )
    office.caller("9030123456", scenario.caller_refused(486)).finish()
    second.got("INVITE")
    assert len(first.all("INVITE")) == 1
    assert not third.all("INVITE")
    assert office.record("LO").fci["cause"] == "17"


def test_a_full_trunk_is_passed_over(office: Office, new_carrier: NewCarrier) -> None:
    """And where all are full, the caller is told so."""
    first, second = _two(office, new_carrier, most_outgoing=1)
    for peer in (first, second):
        office.caller("9030123456", talk_ms=60_000)
        peer.answered("INVITE", 200)
    office.caller("9030123456", scenario.caller_refused(480)).finish()
    assert (len(first.all("INVITE")), len(second.all("INVITE"))) == (1, 1)
    refused = [one for one in office.records() if one["cdr_type"] == "LO"]
    assert [one.fci["callTag"] for one in refused] == ["315"]
    assert [one.fci["cause"] for one in refused] == ["34"]


def test_a_trunk_takes_as_many_calls_as_it_may(office: Office, new_carrier: NewCarrier) -> None:
    first, second = _two(office, new_carrier, most_incoming=1)
    # One that lasts
    first.call(NUMBER, steps.calling(), server=office.exchange.host, talk_ms=60_000)
    office.wait_sound()
    text = steps.calling(refused="486")
    first.call(NUMBER, text, server=office.exchange.host, name="second-call").finish()
    (record,) = [one for one in office.records() if one["cdr_type"] == "OO"]
    assert record.fci["callTag"] == "315"


def test_an_emergency_call_with_all_trunks_full(office: Office, new_carrier: NewCarrier) -> None:
    """It ends one of the calls in its way, and what the caller may not doesn't matter."""
    first, second = _two(office, new_carrier, most_outgoing=1)
    for peer in (first, second):
        office.caller("9030123456", scenario.caller_waiting_for_bye())
        peer.answered("INVITE", 200)
    office.user(most_outgoing=0)
    office.talk("112")
    numbers = [
        one.message.start.split()[1] for peer in (first, second) for one in peer.all("INVITE")
    ]
    assert any(uri.startswith("sip:112@") for uri in numbers)
    (given_way,) = [one for one in office.records() if one["cdr_type"] == "LO"]
    assert given_way.fci["callTag"] == "317"
    office.phone.hang_up()
    emergency = [
        one for one in office.records(2) if one.fci.get("emergency") and one["cdr_type"] == "LO"
    ]
    assert [one["dialed_number"] for one in emergency] == ["112"]
    # The other one goes on
    assert len(office.exchange.running_calls()) == 1


def test_an_emergency_call_by_a_trunk_that_may_take_none(
    office: Office, new_carrier: NewCarrier
) -> None:
    first, _ = _two(office, new_carrier, most=0)
    office.caller("9030123456", scenario.caller_refused(480)).finish()
    office.user(emergency_number="030999")
    office.talk("112")
    invite = first.got("INVITE").message
    assert invite.start.startswith("INVITE sip:112@")
    # Whom the rescuers call back
    assert "<sip:030999@" in invite.get("from")
    office.hang_up()


def test_an_emergency_call_by_a_trunk_that_was_dead(
    office: Office, new_carrier: NewCarrier
) -> None:
    """What isn't known to live is tried all the same, by emergency calls alone."""
    port = office.ports.one()
    office.trunk("dead", f"127.0.0.51:{port}")
    wait_trouble(office.exchange, "unreachable", "dead")
    peer = new_carrier(steps.FAR_END, address="127.0.0.51", port=port)
    office.caller("9030123456", scenario.caller_refused(480)).finish()
    (record,) = [one for one in office.records() if one["cdr_type"] == "LO"]
    assert record.fci["callTag"] == "314"
    assert not peer.all("INVITE")
    office.talk("112")
    assert len(peer.all("INVITE")) == 1
    office.hang_up()


def test_an_immediate_reinvite(office: Office, new_carrier: NewCarrier) -> None:
    """Some networks change the session as soon as it is there."""
    peer = new_carrier(steps.carrier(*steps.changing()))
    office.trunk("hasty", peer.host)
    office.wait_usable("hasty")
    office.dial("9030123456")
    until(
        "the change is agreed upon",
        lambda: [one for one in seen(peer.sipp) if one.sent and one.message.method == "ACK"],
        why_not=peer.sipp.why,
    )
    office.hang_up()
    peer.got("BYE")
    assert peer.sipp.failed == 0
    assert office.record("LO").fci["cause"] == "16"
