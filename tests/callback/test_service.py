"""The call-back service: whom it listens to, what it says again, and how much it keeps."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.callback.service import KEPT_S, MOST_KEPT
from pbx.config.callback import CallBackSettings
from pbx.sip.flow import Address
from tests.call.office import Office
from tests.callback.server import HERE, Server

REQUEST = "REQUEST: id=7,called1=100,called2=101"
ELSEWHERE = Address("192.0.2.66", 40000)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def server(office: Office) -> Server:
    return Server(office)


def ended(office: Office, server: Server, name: str = "7") -> None:
    """A call-back that the first party has refused at once."""
    alice = office.phone("100")
    server.says(f"REQUEST: id={name},called1=100,called2=101")
    server.hears("ACK")
    alice.respond(alice.hears("INVITE"), 486)
    alice.inbox.clear()


class TestT8_2:
    def test_others_get_no_answer_and_leave_no_state(self, office: Office, server: Server) -> None:
        alice = office.phone("100")
        for data in (REQUEST, "CANCEL: id=7", "ACK: id=7", "\x00\x01", "x" * 4000):
            server.says(data, ELSEWHERE)
        assert server.quiet()
        assert not alice.inbox
        assert server.service.counts.foreign == 5
        assert (server.service.counts.garbage, server.service.open) == (0, 0)
        assert server.service.next_timer() is None
        assert office.exchange.calls_total == 0

    def test_nor_does_who_guesses_a_request_s_name(self, office: Office, server: Server) -> None:
        server.settings = CallBackSettings(application_server="")
        alice = office.phone("100")
        server.says(REQUEST)
        server.hears("ACK")
        server.says("CANCEL: id=7", ELSEWHERE)
        # Each source has names of its own
        assert server.hears("ACK")["result"] == "5"
        assert server.service.open == 1
        alice.hears("INVITE")

    def test_an_ipv6_address_in_any_form(self, office: Office, server: Server) -> None:
        office.phone("100")
        server.settings = CallBackSettings(application_server="2001:DB8:0:0::7")
        server.says(REQUEST, Address("2001:db8::7", 5))
        assert server.hears("ACK")["result"] == "0"


class TestT8_3:
    def test_without_an_address_anybody_is_listened_to(
        self, office: Office, server: Server
    ) -> None:
        office.phone("100")
        server.settings = CallBackSettings(application_server="")
        server.says(REQUEST, ELSEWHERE)
        assert server.hears("ACK")["result"] == "0"
        assert server.went_to == [ELSEWHERE]


class TestT8_8:
    def test_garbage_is_counted_and_not_answered(
        self, office: Office, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        for _ in range(500):
            server.says(b"\x80\x00" * 100)
            server.says("RESPONSE: id=7,result=0")
        assert server.service.counts.garbage == 1000
        assert server.quiet()
        # One line a minute, whatever comes
        assert len(caplog.records) == 1
        server.passes(61)
        server.says("GET / HTTP/1.1")
        assert len(caplog.records) == 2
        assert "1000 since" in caplog.text

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.binary(max_size=400)
            | st.sampled_from(
                [
                    b"CANCEL: id=7",
                    b"ACK: id=7",
                    b"ACK:",
                    b"CANCEL: x",
                    REQUEST.encode(),
                    b"REQUEST: id=7",
                ]
            ),
            max_size=12,
        )
    )
    def test_whatever_comes_is_harmless(self, datagrams: list[bytes]) -> None:
        office = Office()
        server = Server(office)
        alice = office.phone("100")
        for one in datagrams:
            server.says(one)
        assert len(server.inbox) <= 2 * len(datagrams)
        assert len(office.exchange.calls) <= 1
        office.exchange.stop(office.now)
        office.pump()
        alice.inbox.clear()
        server.passes(400)
        office.assert_empty()

    def test_never_more_than_so_many_at_once(self, office: Office, server: Server) -> None:
        server.settings = CallBackSettings(most=2)
        office.phone("100")
        for name in ("a", "b", "c"):
            server.says(f"REQUEST: id={name},called1=100,called2=101")
        results = [server.hears("ACK") for _ in range(3)]
        assert [one["result"] for one in results] == ["0", "0", "2"]
        assert results[2] == {"id": "c", "result": "2", "reason": "too-many-requests"}
        assert server.service.open == 2
        server.says("CANCEL: id=a")
        server.hears("ACK")
        server.hears("RESPONSE")
        server.says("REQUEST: id=c,called1=100,called2=101")
        assert server.hears("ACK")["result"] == "0"

    def test_what_is_over_is_not_kept_without_end(self, office: Office, server: Server) -> None:
        for number in range(MOST_KEPT + 100):
            server.says(f"REQUEST: id={number},called1=102,called2=101")
        assert server.service.open == 0
        tried = len(office.ended)
        server.says(f"REQUEST: id={MOST_KEPT + 99},called1=102,called2=101")
        assert len(office.ended) == tried
        server.says("REQUEST: id=1,called1=102,called2=101")
        assert len(office.ended) == tried + 1


class TestRepeatedRequests:
    def test_no_second_call(self, office: Office, server: Server) -> None:
        alice = office.phone("100")
        server.says(REQUEST)
        alice.hears("INVITE")
        other_port = Address(HERE.host, 40001)
        # In another form, and from another port of the same machine
        server.says("request id=7 user1=100 user2=101", other_port)
        assert not alice.inbox
        assert [server.hears("ACK") for _ in range(2)] == [{"id": "7", "result": "0"}] * 2
        assert server.service.counts.repeated == 1
        server.says("CANCEL: id=7", other_port)
        server.hears("ACK")
        server.hears("RESPONSE")
        assert server.went_to[-1] == other_port

    def test_nor_after_the_end(self, office: Office, server: Server) -> None:
        ended(office, server)
        server.hears("RESPONSE")
        server.says(REQUEST)
        assert server.hears("ACK")["result"] == "0"
        assert len(office.exchange.calls) == 0

    def test_the_same_name_for_something_else(self, office: Office, server: Server) -> None:
        office.phone("100")
        server.says(REQUEST)
        server.hears("ACK")
        server.says("REQUEST: id=7,called1=100,called2=102")
        assert server.hears("ACK") == {"id": "7", "result": "3", "reason": "id-in-use"}
        assert len(office.exchange.calls) == 1

    def test_without_a_name_it_gets_one(self, office: Office, server: Server) -> None:
        alice = office.phone("100")
        server.says("REQUEST: called1=100,called2=101")
        name = server.hears("ACK")["id"]
        invite = alice.hears("INVITE")
        server.says("REQUEST: called1=100,called2=101")
        assert server.hears("ACK")["id"] == name
        assert not alice.inbox
        alice.respond(invite, 486)
        alice.inbox.clear()
        assert server.hears("RESPONSE")["id"] == name
        server.says(f"ACK: id={name}")
        server.passes(6)
        # Now it is another one
        server.says("REQUEST: called1=100,called2=101")
        assert server.hears("ACK")["id"] != name
        alice.hears("INVITE")

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("REQUEST: id=7,called1=100", {"id": "7", "result": "1", "reason": "no-called2"}),
            ("REQUEST: id=a/b,called1=1,called2=2", {"result": "1", "reason": "bad-id"}),
            ("CANCEL: id=9", {"id": "9", "result": "5", "reason": "unknown-id"}),
            ("CANCEL:  ", {"result": "1", "reason": "no-id"}),
            ("CANCEL: id=a/b", {"result": "1", "reason": "bad-id"}),
        ],
    )
    def test_what_is_wrong_is_told(self, server: Server, text: str, answer: dict[str, str]) -> None:
        server.says(text)
        assert server.hears("ACK") == answer
        assert server.service.counts.refused == 1


class TestTheResponse:
    def test_it_comes_again_until_it_is_acknowledged(self, office: Office, server: Server) -> None:
        ended(office, server)
        first = server.hears("RESPONSE")
        server.passes(1.1)
        assert server.hears("RESPONSE") == first
        server.says("ACK: id=7")
        server.passes(60)
        assert server.quiet()

    def test_four_times_at_the_most(self, office: Office, server: Server) -> None:
        """An application server that knows no such ACK gets it four times, and no more."""
        ended(office, server)
        seen = []
        for _ in range(20):
            server.passes(0.5)
            seen.append(len(server.inbox))
        # At once, and 1, 3 and 7 seconds later
        assert [seen[at] for at in (0, 2, 6, 14, 19)] == [1, 2, 3, 4, 4]
        assert len({tuple(message.params.items()) for message in server.inbox}) == 1

    def test_an_early_ack_stops_nothing(self, office: Office, server: Server) -> None:
        office.phone("100")
        server.says(REQUEST)
        server.hears("ACK")
        server.says("ACK: id=7")
        server.says("CANCEL: id=7")
        server.hears("ACK")
        server.hears("RESPONSE")
        server.passes(8)
        assert len(server.inbox) == 3

    def test_it_is_forgotten_in_the_end(self, office: Office, server: Server) -> None:
        ended(office, server)
        server.passes(KEPT_S + 1)
        server.inbox.clear()
        server.says(REQUEST)
        assert server.hears("ACK")["result"] == "0"
        assert len(office.exchange.calls) == 1
