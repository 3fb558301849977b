"""Calls by a line whose server has several addresses: where one fails, the next (RFC 3263 §4.3)."""

import msgspec
import pytest

from pbx.sip.failover import PATIENCE_S
from pbx.sip.flow import Address
from pbx.sip.locate import Kind, Question
from tests.call.office import Office
from tests.call.phone import Invite, Phone
from tests.call.telco import LINE, PLAN, Telco

HOSTS = ("198.51.100.1", "198.51.100.4")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


@pytest.fixture
def servers(office: Office) -> tuple[Telco, Telco]:
    """Of the carrier; the first one has taken our REGISTER."""
    office.names[Question(Kind.A, "pool.example")] = HOSTS
    first, second = (Telco(office, LINE.name, Address(host, 5060)) for host in HOSTS)
    office.phones |= {first.address: first, second.address: second}
    office.configure(msgspec.structs.replace(LINE, server="pool.example"), plan=PLAN)
    return first, second


def goes_on(peer: Telco, alice: Phone, call: Invite) -> None:
    """The server's call is answered, and ended by Alice."""
    invite = peer.hears("INVITE")
    peer.proves(invite)
    peer.respond(invite, 200, "OK", peer.sdp())
    assert peer.hears("ACK").cseq.number == invite.cseq.number
    call.answered()
    call.ack()
    call.bye()
    alice.response(200)
    bye = peer.hears("BYE")
    peer.proves(bye)
    peer.respond(bye, 200)


def challenged(first: Telco, alice: Phone) -> Invite:
    """Alice calls, and the first server wants credentials, as most do for each call."""
    call = alice.invite("9030123")
    first.challenge(first.hears("INVITE"))
    return call


def test_an_overloaded_server(alice: Phone, servers: tuple[Telco, Telco]) -> None:
    first, second = servers
    alice.invite("9030123")
    first.respond(first.hears("INVITE"), 503)
    first.hears("ACK")
    second.hears("INVITE")
    assert not first.inbox


def test_one_that_is_overloaded_after_its_challenge(
    office: Office, alice: Phone, servers: tuple[Telco, Telco]
) -> None:
    first, second = servers
    call = challenged(first, alice)
    first.respond(first.hears("INVITE"), 503)
    first.hears("ACK")
    goes_on(second, alice, call)
    assert not first.inbox
    office.advance(120)
    assert office.cause()[0] == "CALLER_HUNG_UP"
    office.assert_empty()


def test_one_that_is_silent_after_its_challenge(
    office: Office, alice: Phone, servers: tuple[Telco, Telco]
) -> None:
    first, second = servers
    call = challenged(first, alice)
    first.hears("INVITE")
    office.advance(PATIENCE_S - 0.1)
    assert not second.inbox
    office.advance(0.2)
    goes_on(second, alice, call)


def test_the_next_one_has_a_nonce_of_its_own(alice: Phone, servers: tuple[Telco, Telco]) -> None:
    """It refuses nobody's password who answers the first one's challenge."""
    first, second = servers
    call = challenged(first, alice)
    first.respond(first.hears("INVITE"), 503)
    first.hears("ACK")
    second.challenge(second.hears("INVITE"), nonce="n2")
    goes_on(second, alice, call)


def test_a_password_that_the_next_one_refuses(
    office: Office, alice: Phone, servers: tuple[Telco, Telco]
) -> None:
    first, second = servers
    challenged(first, alice)
    first.respond(first.hears("INVITE"), 503)
    first.hears("ACK")
    for nonce in ("n2", "n3"):
        second.challenge(second.hears("INVITE"), nonce=nonce)
    assert not second.inbox
    (facts,) = office.ended
    assert facts.cause is not None
    assert facts.cause.heard == 407


def test_who_is_busy_is_busy_everywhere(
    office: Office, alice: Phone, servers: tuple[Telco, Telco]
) -> None:
    first, second = servers
    challenged(first, alice)
    first.respond(first.hears("INVITE"), 486)
    first.hears("ACK")
    alice.response(486)
    office.advance(60)
    assert not second.inbox


def test_one_that_is_overloaded_after_it_has_asked_for_a_longer_session(
    alice: Phone, servers: tuple[Telco, Telco]
) -> None:
    """RFC 4028 §7.3."""
    first, second = servers
    alice.invite("9030123")
    first.respond(first.hears("INVITE"), 422, headers="Min-SE: 3600")
    first.hears("ACK")
    first.respond(first.hears("INVITE"), 503)
    first.hears("ACK")
    assert second.hears("INVITE").get("Session-Expires") == "3600"
