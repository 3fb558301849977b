"""Offers before the answer, with programs of others: UPDATE, and INVITEs without an offer."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop import scenario
from tests.interop.exchange import Exchange
from tests.interop.phones import Phones
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports
from tests.interop.scenario import expect, response, within
from tests.interop.sipp import Load
from tests.interop.test_call_flows import _record_of
from tests.interop.test_lasting_calls import acknowledges_early, callee_with_100rel

pytestmark = pytest.mark.interop


def test_a_phone_that_knows_no_update_hears_of_the_change_later(phones: Phones) -> None:
    """sipp changes the session before the answer; the other sipp knows neither PRACK nor UPDATE."""
    caller = scenario.xml(
        *scenario.authorized_invite(extra=["Supported: 100rel"]),
        *acknowledges_early(),
        *within("UPDATE", 4, sdp=True),
        *scenario.answered(),
        scenario.pause(),
        *within("BYE", 5),
    )
    callee = scenario.xml(
        expect("INVITE", more=' rrs="true"'),
        response("183 Session Progress", sdp=True),
        scenario.pause(),
        response("200 OK", sdp=True, retrans=True),
        expect("ACK"),
        # What the caller has changed meanwhile
        expect("INVITE"),
        response("200 OK", sdp=True, retrans=True, tagged=True),
        expect("ACK"),
        *scenario.hung_up(),
    )
    answering = phones.callee(callee, load=Load(talk_ms=1000))
    phones.caller(caller, load=Load(talk_ms=1000)).finish()
    answering.finish()
    assert _record_of(phones).fci["callTag"] == "102"
    phones.exchange.wait_idle()


def test_a_late_offer_is_answered_before_the_call(phones: Phones) -> None:
    """RFC 3262 §5: the ringing carries the called sipp's offer, and PRACK the caller's answer."""
    caller = scenario.xml(
        *scenario.authorized_invite(sdp=False, extra=["Supported: 100rel"]),
        *acknowledges_early(sdp=True),
        *scenario.answered(),
        scenario.pause(),
        *within("BYE", 4),
    )
    answering = phones.callee(callee_with_100rel(), load=Load(talk_ms=300))
    phones.caller(caller, load=Load(talk_ms=300)).finish()
    answering.finish()
    assert _record_of(phones).fci["callTag"] == "102"
    phones.exchange.wait_idle()


def test_pjsip_changes_its_session_by_update(
    new_exchange: Callable[..., Exchange], tmp_path: Path, ports: Ports, closing: ExitStack
) -> None:
    """Each call is heard before its answer and changed then: by the caller, by the called phone."""
    exchange = new_exchange()
    phones = []
    for number, tone_hz in (("200", 440.0), ("201", 1000.0)):
        exchange.add_user(number, "secret")
        phones.append(
            PjsuaTalker(
                tmp_path / number,
                ports,
                number=number,
                password="secret",
                server=exchange.host,
                tone_hz=tone_hz,
                lasting=True,
            )
        )
        closing.callback(phones[-1].close)
    alice, bob = phones
    for place, asking in enumerate((alice, bob), 1):
        alice.dial("201")
        bob.wait("incoming", place)
        alice.wait_heard(place, 1000.0, 0.5)
        asking.command(do="update", call=place)
        for phone in phones:
            phone.wait_agreed(place, 2)
        bob.answer(place)
        alice.wait_heard(place, 1000.0, 1.5)
        bob.wait_heard(place, 440.0, 1.0)
        alice.command(do="hangup", call=place)
        exchange.wait_idle()
    first, second = exchange.wait_records(2)
    assert [first.fci["callTag"], second.fci["callTag"]] == ["102", "102"]
