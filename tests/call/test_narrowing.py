"""Of several codecs that a party has left to a service, one is asked for (RFC 3264 §10.2)."""

import pytest

from tests.call.office import Office, Phone, established
from tests.call.test_conversion import names
from tests.call.transferring import answers, refers, to

SEVERAL, ONE = b"8 0 101", b"8 101"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def bob(office: Office) -> Phone:
    """Return a phone that has been transferred to the recorder, and has left two codecs."""
    alice, bob, call, _ = established(office)
    refers(call, to("*47"), 100, 200)
    alice.respond(alice.hears("BYE"), 200)
    answers(bob, bob.hears("INVITE"))
    return bob


def test_nothing_else_is_offered(office: Office, bob: Phone) -> None:
    narrowed = bob.hears("INVITE")
    assert names(narrowed) == ["PCMA", "telephone-event"]
    bob.respond(narrowed, 200, "OK", bob.sdp().replace(SEVERAL, ONE))
    bob.hears("ACK")
    office.advance(30)
    assert len(office.exchange.calls) == 1
    assert not bob.inbox


def test_who_leaves_several_for_ever_is_not_asked_for_ever(office: Office, bob: Phone) -> None:
    asked = 0
    while bob.inbox:
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        asked += 1
        assert asked <= 10
    assert asked
    assert len(office.exchange.calls) == 1
