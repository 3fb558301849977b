"""A call from INVITE to BYE, as RFC 3665 §3.2 draws it, through the exchange."""

import pytest

from pbx.call.cause import CallTag
from pbx.config.settings import CallSettings
from pbx.media.protocol import Address, Release
from pbx.sdp.description import parse_sdp
from tests.call.office import HOME, Office, established


@pytest.fixture
def office() -> Office:
    return Office()


class TestAnsweredCall:
    def test_both_phones_talk_and_either_may_hang_up(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        assert office.changed == ["calling", "ringing", "talking"]
        office.now += 10
        call.bye()
        alice.response(200)
        bye = bob.hears("BYE")
        assert bye.get("Reason") == 'Q.850;cause=16;text="Normal call clearing"'
        bob.respond(bye, 200)
        (facts,) = office.ended
        assert facts.cause is not None
        assert (facts.cause.tag, facts.cause.q850) == (CallTag.CALLER_HUNG_UP, 16)
        assert (facts.talk, facts.release) == (1000.0, 1010.0)
        assert (facts.caller_number, facts.dialed_number) == ("100", "101")
        assert facts.codec == "PCMA"

    def test_the_callee_hangs_up(self, office: Office) -> None:
        alice, bob, _, invite = established(office)
        contact = invite.contacts
        assert isinstance(contact, list)
        bob.request(
            "BYE",
            str(contact[0].uri),
            call_id=invite.call_id,
            cseq=1,
            to=invite.get("From"),
            from_tag=f"tt{bob.address.host}",
            headers="Reason: Q.850;cause=31",
        )
        bob.response(200)
        alice.hears("BYE")
        (facts,) = office.ended
        assert facts.cause is not None
        assert (facts.cause.tag, facts.cause.q850) == (CallTag.CALLEE_HUNG_UP, 31)

    def test_the_callee_sees_name_and_number_and_our_contact(self, office: Office) -> None:
        _, _, _, invite = established(office)
        assert invite.from_.display_name == "User 100"
        assert str(invite.from_.uri) == f"sip:100@{HOME.host}"
        assert invite.uri == "sip:101@192.0.2.11:5060"
        assert invite.max_forwards == 69

    def test_media_of_both_legs_is_anchored(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        assert call.answer is not None
        to_bob, to_alice = parse_sdp(invite.body), parse_sdp(call.answer.body)
        assert {str(to_bob.session_connection), str(to_alice.session_connection)} == {
            f"IN IP4 {HOME.host}"
        }
        streams = office.streams()
        towards_alice = streams[to_alice.media[0].port]
        towards_bob = streams[to_bob.media[0].port]
        assert towards_alice.sink == towards_bob.port
        assert towards_bob.sink == towards_alice.port
        assert towards_alice.remote_rtp == Address(alice.address.host, 4000)
        assert towards_bob.remote_rtp == Address(bob.address.host, 4000)

    def test_ports_are_released_when_the_call_ends(self, office: Office) -> None:
        _, _, call, _ = established(office)
        before = office.exchange.pool.free
        call.bye()
        released = [port for one in office.media if isinstance(one, Release) for port in one.ports]
        assert sorted(released) == sorted(office.streams())
        assert office.exchange.pool.free == before + 2

    def test_an_ended_call_leaves_nothing_behind(self, office: Office) -> None:
        _, bob, call, _ = established(office)
        call.bye()
        bob.respond(bob.hears("BYE"), 200)
        office.advance(120)
        office.assert_empty()

    def test_a_repeated_200_is_acknowledged_again(self, office: Office) -> None:
        _, bob, _, invite = established(office)
        bob.respond(invite, 200, "OK", bob.sdp())
        assert bob.hears("ACK").cseq.number == 1
        assert not bob.inbox

    def test_a_200_is_repeated_until_it_is_acknowledged(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        call.answered()
        office.advance(3.6)
        assert [alice.response(200).status for _ in range(3)] == [200, 200, 200]
        call.ack()
        office.advance(5)
        assert not alice.inbox

    def test_without_an_ack_the_call_ends(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        office.advance(33)
        while alice.inbox[0].start_line().endswith("200 OK"):
            alice.inbox.popleft()
        alice.hears("BYE")
        bob.hears("BYE")
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.tag is CallTag.TRANSACTION_TIMED_OUT


class TestUnansweredCall:
    @pytest.mark.parametrize(
        ("status", "headers", "told", "cause"),
        [
            (486, "", 486, 17),
            (486, "Reason: Q.850;cause=34", 503, 34),
            (603, "", 603, 21),
            (480, "", 480, 18),
            (500, "Reason: SIP;cause=486", 486, 17),
        ],
    )
    def test_the_callees_refusal_is_passed_on(
        self, office: Office, status: int, headers: str, told: int, cause: int
    ) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), status, "No", headers=headers)
        bob.hears("ACK")
        response = alice.response(told)
        assert f"cause={cause}" in (response.get("Reason") or "")
        call.ack_failure(response)
        (facts,) = office.ended
        assert facts.cause is not None
        assert (facts.cause.tag, facts.cause.q850) == (CallTag.CALLEE_REJECTED, cause)

    def test_the_caller_gives_up(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        alice.response(180)
        call.cancel()
        assert alice.response(200).cseq.method == "CANCEL"
        assert alice.response(487).cseq.method == "INVITE"
        cancel = bob.hears("CANCEL")
        assert cancel.uri == invite.uri
        bob.respond(cancel, 200)
        bob.respond(invite, 487)
        bob.hears("ACK")
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.tag is CallTag.CALLER_CANCELLED

    def test_an_answer_that_crosses_the_cancel_is_ended(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        alice.response(180)
        call.cancel()
        bob.hears("CANCEL")
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        bob.hears("BYE")
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        assert not bob.inbox

    def test_nobody_answers_in_time(self) -> None:
        office = Office(CallSettings(no_answer_s=15))
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        alice.response(180)
        office.advance(14.9)
        assert not alice.inbox
        office.advance(0.2)
        assert "cause=19" in (alice.response(480).get("Reason") or "")
        bob.hears("CANCEL")
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.tag is CallTag.NO_ANSWER

    def test_without_a_limit_it_rings_as_long_as_the_phone_says_so(self) -> None:
        """§17.1.1.2: Timer B ends with the first response; §13.3.1.1: one each minute."""
        office = Office(CallSettings(no_answer_s=0))
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        for _ in range(60):
            office.advance(60)
            bob.respond(invite, 180)
        assert office.ended == []

    def test_a_phone_that_is_gone(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.inbox.clear()
        office.advance(33)
        assert "cause=18" in (alice.response(480).get("Reason") or "")
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.tag is CallTag.CALLEE_UNREACHABLE

    @pytest.mark.parametrize(
        ("dialed", "status", "tag"),
        [
            ("103", 480, CallTag.NOT_REGISTERED),
            ("999", 404, CallTag.NO_ROUTE),
            ("bob", 404, CallTag.NO_ROUTE),
            ("1%3001", 404, CallTag.NO_ROUTE),
        ],
    )
    def test_a_number_that_leads_nowhere(
        self, office: Office, dialed: str, status: int, tag: CallTag
    ) -> None:
        alice = office.phone("100")
        alice.invite(dialed)
        alice.response(status)
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.tag is tag

    def test_no_ports_are_left(self) -> None:
        office = Office(ports=0)
        alice, _ = office.phone("100"), office.phone("101")
        alice.invite("101")
        alice.response(503)
        (facts,) = office.ended
        assert facts.cause is not None
        assert facts.cause.tag is CallTag.LIMIT


class TestLimits:
    def test_a_call_ends_when_it_has_lasted_long_enough(self) -> None:
        office = Office(CallSettings(max_duration_s=60))
        alice, bob, _, _ = established(office)
        office.advance(59)
        assert not alice.inbox
        office.advance(2)
        alice.hears("BYE")
        bob.hears("BYE")

    def test_silence_of_a_stream_ends_the_call(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        office.exchange.stream_timed_out(next(iter(office.streams())), office.now)
        office.exchange.stream_timed_out(1, office.now)
        office.pump()
        alice.hears("BYE")
        bob.hears("BYE")

    def test_the_administrator_hangs_up(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        (call_id,) = office.exchange.calls
        assert office.exchange.hang_up(call_id, office.now)
        assert not office.exchange.hang_up(call_id, office.now)
        office.pump()
        alice.hears("BYE")
        bob.hears("BYE")

    def test_a_stopping_exchange_ends_every_call(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        office.exchange.stop(office.now)
        office.pump()
        alice.hears("BYE")
        bob.hears("BYE")

    def test_a_new_engine_is_told_every_stream_and_ends_strays(self, office: Office) -> None:
        from pbx.media.protocol import Ready

        established(office)
        streams = office.streams()
        office.media.clear()
        ready = Ready(1, 2, [*streams, 30000], [*streams, 30000], True)
        office.exchange.engine_ready(ready, office.now)
        office.pump()
        assert office.streams() == streams
        assert Release([30000]) in office.media
        assert office.exchange.pool.free == 1
