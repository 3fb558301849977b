"""A flood of requests: what is kept of it is bounded, and it is in nobody's way who is known."""

from collections.abc import Callable

import pytest

from pbx.sip import open_requests
from pbx.sip.events import RequestReceived
from pbx.sip.flow import Address, Flow
from pbx.sip.source import source_of
from pbx.sip.trace import DropReason
from tests.sip.conftest import Agent, Clock, alone

FRIEND = "192.0.2.77"
SMALL = {"MOST": 40, "MOST_OF_ONE": 30, "MOST_OF_STRANGERS": 12, "MOST_OF_A_STRANGER": 5}

Flood = Callable[[str, int], int]
"""Sends so many requests from an address; returns how many were taken."""


@pytest.fixture
def alice(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """Return an endpoint with small bounds, that knows one friend."""
    for name, value in SMALL.items():
        monkeypatch.setattr(open_requests, name, value)
    agent = alone(clock)
    agent.endpoint.make_room_for(lambda flow: flow.remote.host == FRIEND)
    return agent


@pytest.fixture
def flood(alice: Agent) -> Flood:
    serial = iter(range(1_000_000))

    def send(host: str, count: int) -> int:
        taken = 0
        for _ in range(count):
            number = next(serial)
            alice.receive(
                request("OPTIONS", number), Flow("udp", alice.address, Address(host, 5060))
            )
            for event in alice.take():
                assert isinstance(event, RequestReceived)
                assert event.transaction is not None
                alice.answer(event.transaction, 200)
                taken += 1
        return taken

    return send


def request(method: str, number: int) -> str:
    return (
        f"{method} sip:alice@192.0.2.1 SIP/2.0\n"
        f"Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK{number};rport\n"
        f"From: <sip:bob@192.0.2.2>;tag=b\nTo: <sip:alice@192.0.2.1>\nCall-ID: {number}\n"
        f"CSeq: 1 {method}\nContact: <sip:bob@192.0.2.2>\nMax-Forwards: 70\nContent-Length: 0\n\n"
    )


def strangers(count: int) -> list[str]:
    return [f"198.51.100.{number}" for number in range(1, count + 1)]


class TestBounds:
    def test_one_stranger(self, alice: Agent, flood: Flood) -> None:
        (one, other) = strangers(2)
        assert flood(one, 1000) == 5
        assert flood(other, 2) == 2
        assert alice.alive == 7

    def test_all_strangers_together(self, alice: Agent, flood: Flood) -> None:
        assert sum(flood(one, 1) for one in strangers(200)) == 12
        assert alice.alive == 12

    def test_the_known_one_has_room_beside_them(self, alice: Agent, flood: Flood) -> None:
        for one in strangers(50):
            flood(one, 10)
        assert flood(FRIEND, 20) == 20

    def test_a_known_one_leaves_room_for_others(self, alice: Agent, flood: Flood) -> None:
        assert flood(FRIEND, 1000) == 30
        assert flood(strangers(1)[0], 3) == 3

    def test_all(self, alice: Agent, flood: Flood) -> None:
        flood(FRIEND, 1000)
        assert sum(flood(one, 5) for one in strangers(20)) == 10
        assert alice.alive == 40
        assert flood(FRIEND, 1) == 0

    def test_addresses_of_one_ipv6_network_are_one_sender(self, alice: Agent, flood: Flood) -> None:
        assert sum(flood(f"2001:db8::{number:x}", 1) for number in range(1, 50)) == 5
        assert flood("2001:db8:0:1::1", 1) == 1

    def test_who_becomes_known_has_room_at_once(self, alice: Agent, flood: Flood) -> None:
        friends: set[str] = set()
        alice.endpoint.make_room_for(lambda flow: flow.remote.host in friends)
        one, *others = strangers(30)
        assert flood(one, 10) == 5
        friends.add(one)
        assert flood(one, 10) == 10
        # What it has open counts no more among the strangers'
        assert sum(flood(other, 1) for other in others) == 12

    def test_there_is_room_again_when_they_are_over(
        self, alice: Agent, flood: Flood, clock: Clock
    ) -> None:
        for _ in range(3):
            assert flood(FRIEND, 50) == 30
            assert sum(flood(one, 1) for one in strangers(20)) == 10
            clock.advance(32)
            assert alice.alive == 0


class TestRfc3261Section21_5_4:
    def test_the_answer(self, alice: Agent, flood: Flood) -> None:
        flood("198.51.100.1", 7)
        one, other = (message for message in alice.messages("503"))
        assert one.get("Retry-After") == "32"
        assert one.to.tag
        assert one.to.tag != other.to.tag
        assert alice.drops() == {DropReason.FLOOD: 2}

    def test_an_invite_is_turned_away_once(self, alice: Agent, flood: Flood, clock: Clock) -> None:
        flood("198.51.100.1", 5)
        flow = Flow("udp", alice.address, Address("198.51.100.1", 5060))
        for _ in range(2):
            alice.receive(request("INVITE", 1_000_002), flow)
        first, second = (data for _, data, _ in alice.sent if data.startswith(b"SIP/2.0 503"))
        assert first == second
        assert alice.sent[-1][2] == flow
        clock.advance(64)
        assert len(alice.messages("503")) == 2

    def test_an_ack_is_never_answered(self, alice: Agent, flood: Flood) -> None:
        flood("198.51.100.1", 5)
        before = len(alice.sent)
        alice.receive(
            request("ACK", 1_000_003), Flow("udp", alice.address, Address("198.51.100.1", 5060))
        )
        assert len(alice.sent) == before


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("example.org", "example.org"),
    ],
)
def test_what_counts_as_one_sender(host: str, source: str) -> None:
    assert source_of(host) == source
