"""Invitations and their answers: RFC 3261 §9, §13, RFC 3264 §4 to §6."""

import math

import pytest

from pbx.config.settings import CallSettings
from pbx.media.protocol import Release
from pbx.sdp.description import parse_sdp
from pbx.sip.message import Request, Response
from pbx.sip.timers import TRANSACTION_LIMIT_S
from tests.call.office import HOME, Invite, Office, Phone, established

VIDEO = b"m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


@pytest.fixture
def office() -> Office:
    return Office()


def ringing(office: Office, offer: bytes | None = None) -> tuple[Phone, Phone, Invite, Request]:
    """Alice's call, and bob's INVITE, not yet answered."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101", offer)
    return alice, bob, call, bob.hears("INVITE")


class TestRfc3261Section9:
    """CANCEL."""

    def test_a_cancel_after_the_answer_changes_nothing(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.cancel()
        assert alice.response(200).cseq.method == "CANCEL"
        call.ack()
        assert bob.hears("ACK")
        assert not bob.inbox
        assert office.ended == []

    def test_a_cancel_waits_for_the_first_response(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        call.cancel()
        assert alice.response(200).cseq.method == "CANCEL"
        alice.response(487)
        assert not bob.inbox
        bob.respond(invite, 100)
        bob.hears("CANCEL")
        bob.respond(invite, 487)
        bob.hears("ACK")

    def test_a_phone_that_never_answers_a_cancel_is_forgotten(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 180)
        call.cancel()
        office.advance(120)
        office.assert_empty()
        assert office.cause() == ("CALLER_CANCELLED", 16)
        bob.respond(invite, 200, "OK", bob.sdp())
        alice.inbox.clear()

    def test_an_answer_after_the_cancel_without_tag_is_ended_once(self, office: Office) -> None:
        _, bob, call, invite = ringing(office)
        bob.respond(invite, 180)
        call.cancel()
        bob.hears("CANCEL")
        for _ in range(2):
            bob.respond(invite, 200, "OK", bob.sdp(), tag="")
        assert [message.method for message in bob.inbox if isinstance(message, Request)] == [
            "ACK",
            "BYE",
            "ACK",
        ]
        office.advance(120)
        office.assert_empty()

    def test_progress_after_the_cancel_is_not_told(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 180)
        call.cancel()
        alice.inbox.clear()
        bob.respond(invite, 183, "-", bob.sdp())
        assert not alice.inbox

    def test_a_dialog_that_was_ended_at_once_may_speak_up(self, office: Office) -> None:
        """The phone whose answer came too late hangs up by itself; the other call goes on."""
        alice, bob, call, invite = established(office)
        bob.respond(invite, 200, "OK", bob.sdp(), tag="late")
        bob.hears("ACK")
        bye = bob.hears("BYE")
        bob.within(invite, "BYE", 1, tag=f"late{bob.address.host}")
        bob.response(200)
        bob.respond(bye, 481)
        assert office.ended == []
        call.bye()
        alice.response(200)

    def test_a_bye_that_nobody_answers_is_given_up(self, office: Office) -> None:
        _, bob, call, invite = established(office)
        bob.respond(invite, 200, "OK", bob.sdp(), tag="late")
        office.endpoint.flow_failed(bob.flow, "unreachable", office.now)
        office.pump()
        assert office.ended == []
        call.bye()
        office.advance(120)
        office.assert_empty()


class TestRfc3261Section13_2:
    """The UAC: the phone that is called."""

    def test_each_answer_is_acknowledged_with_its_own_number(self, office: Office) -> None:
        """A 2xx that comes again after a session change wants the ACK of its own INVITE."""
        alice, bob, call, invite = established(office)
        call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        assert bob.hears("ACK").cseq.number == 2
        bob.respond(invite, 200, "OK", bob.sdp())
        assert bob.hears("ACK").cseq.number == 1
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        assert bob.hears("ACK").cseq.number == 2
        assert not bob.inbox

    def test_acknowledgements_are_not_kept_for_ever(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        for _ in range(5):
            office.advance(40)
            call.reinvite(alice.sdp())
            bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
            bob.hears("ACK")
            call.answered()
            call.ack()
        legs = [leg for one in office.exchange.calls.values() for leg in one.legs]
        assert [len(leg.usage._acks._sent) for leg in legs] == [0, 1]

    def test_an_answer_given_before_may_be_left_out_of_the_200(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 183, "-", bob.sdp())
        early = alice.response(183)
        bob.respond(invite, 200, "OK")
        assert call.answered().body == early.body
        bob.hears("ACK")
        assert office.ended == []

    @pytest.mark.parametrize(
        ("offer", "body", "headers"),
        [
            (None, b"", ""),
            (b"", b"", ""),
            (None, b"<html/>", "Content-Type: text/html"),
            (None, b"v=0\r\n", "Content-Encoding: gzip"),
        ],
    )
    def test_an_answer_without_description_is_no_session(
        self, office: Office, offer: bytes | None, body: bytes, headers: str
    ) -> None:
        alice, bob, _, invite = ringing(office, offer)
        bob.respond(invite, 200, "OK", body, headers=headers)
        bob.hears("ACK")
        bob.hears("BYE")
        alice.response(488)
        assert office.cause() == ("REQUEST_UNUSABLE", 79)

    def test_an_answer_with_more_media_than_the_offer_is_no_answer(self, office: Office) -> None:
        alice, bob, _, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp() + VIDEO)
        bob.hears("ACK")
        bob.hears("BYE")
        alice.response(488)

    def test_early_media_that_is_no_answer_is_not_passed_on(self, office: Office) -> None:
        alice, bob, _, invite = ringing(office)
        bob.respond(invite, 183, "-", bob.sdp() + VIDEO)
        assert not alice.inbox

    def test_other_progress_is_not_ringing(self, office: Office) -> None:
        alice, bob, _, invite = ringing(office)
        bob.respond(invite, 199)
        assert not alice.inbox
        bob.respond(invite, 199, "-", bob.sdp())
        alice.response(183)

    @pytest.mark.parametrize("status", [181, 182])
    def test_waiting_is_told_and_is_not_ringing(self, office: Office, status: int) -> None:
        """§21.1.3, §21.1.4."""
        alice, bob, _, invite = ringing(office)
        bob.respond(invite, status)
        alice.response(status)
        assert "ringing" not in office.changed
        bob.respond(invite, status, "-", bob.sdp())
        assert alice.response(status).body

    def test_an_unwanted_offer_is_declined_before_the_bye(self, office: Office) -> None:
        """§13.2.2.4: "MUST generate a valid answer in the ACK and then send a BYE"."""
        _, bob, call, invite = ringing(office, b"")
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.bye()
        assert parse_sdp(bob.hears("ACK").body).media[0].port == 0
        bob.hears("BYE")

    def test_a_proxy_behind_a_contact_may_fork(self, office: Office) -> None:
        """Each fork's early media is an early dialog of its own to the caller, too (§13.2.1)."""
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 183, "-", bob.sdp(), tag="one")
        one = alice.response(183).to.tag
        bob.respond(invite, 183, "-", bob.sdp(port=4100), tag="two")
        two = alice.response(183).to.tag
        assert one != two
        bob.respond(invite, 200, "OK", bob.sdp(port=4100), tag="two")
        assert call.answered().to.tag == two

    def test_ringing_after_early_media_stays_in_its_dialog(self, office: Office) -> None:
        alice, bob, _, invite = ringing(office)
        bob.respond(invite, 183, "-", bob.sdp())
        early = alice.response(183)
        bob.respond(invite, 180)
        assert alice.response(180).to.tag == early.to.tag


class TestRfc3261Section13_3:
    """The UAS: the phone that calls."""

    def test_a_repeated_invite_hears_the_last_response_and_is_no_second_call(
        self, office: Office
    ) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 180)
        ringing_ = alice.response(180)
        alice.request("INVITE", call.uri, call_id=call.call_id, cseq=2, branch=call.branch)
        assert alice.response(180) == ringing_
        assert not bob.inbox
        assert office.exchange.calls_total == 1

    def test_an_invite_that_comes_by_two_ways_is_merged(self, office: Office) -> None:
        """§8.2.2.2: the same Call-ID, From tag and CSeq by another branch gets 482."""
        alice, bob, call, _ = ringing(office)
        alice.request("INVITE", call.uri, call_id=call.call_id, cseq=2, body=alice.sdp())
        alice.response(482)
        assert not bob.inbox

    def test_a_new_number_after_a_failure_is_a_new_call(self, office: Office) -> None:
        """The same Call-ID and From tag with a higher CSeq, as after a challenge (§22.2)."""
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 486)
        bob.hears("ACK")
        call.ack_failure(alice.response(486))
        alice.request("INVITE", call.uri, call_id=call.call_id, cseq=3, body=alice.sdp())
        auth = alice.authorized(alice.response(407), "INVITE", call.uri)
        alice.request(
            "INVITE", call.uri, call_id=call.call_id, cseq=4, body=alice.sdp(), headers=auth
        )
        alice.response(100)
        bob.hears("INVITE")
        assert office.exchange.calls_total == 2

    def test_ringing_is_repeated_every_minute(self) -> None:
        office = Office(CallSettings(no_answer_s=200))
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 180)
        first = alice.response(180)
        office.advance(125)
        assert [alice.response(180), alice.response(180)] == [first, first]
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.ack()
        office.advance(125)
        assert not alice.inbox

    def test_the_answer_is_given_up_at_one_moment_whatever_the_clock_shows(self) -> None:
        """A sum and a difference of floats don't always agree; the timer must not go on for ever."""
        office = Office()
        alice, bob, call, invite = ringing(office)
        while (office.now + TRANSACTION_LIMIT_S) - office.now >= TRANSACTION_LIMIT_S:
            office.now = math.nextafter(office.now * 1.0001, math.inf)
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        office.advance(60)
        heard = [one.start_line().split()[0] for one in alice.inbox]
        # T1, doubling up to T2, until 64*T1; then BYE and its repetitions
        assert heard[:11] == ["SIP/2.0"] * 10 + ["BYE"]

    def test_a_description_in_the_ack_of_an_answered_offer_counts_for_nothing(
        self, office: Office
    ) -> None:
        alice, bob, call, invite = ringing(office)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        before = office.running()
        call.ack(b"nonsense")
        assert office.ended == []
        assert office.running() == before

    def test_an_unreadable_answer_in_the_ack_ends_the_call(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office, b"")
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.ack(b"nonsense")
        alice.hears("BYE")
        assert parse_sdp(bob.hears("ACK").body).media[0].port == 0
        bob.hears("BYE")
        assert office.cause() == ("REQUEST_UNUSABLE", 79)

    def test_an_optional_body_that_we_cannot_read_is_left_alone(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        uri = f"sip:101@{HOME.host}"
        headers = (
            "Content-Type: text/plain\nContent-Disposition: icon; handling=optional\n"
            "Content-Language: en"
        )
        alice.request("INVITE", uri, call_id="o", cseq=1, body=b"hi", headers=headers)
        auth = alice.authorized(alice.response(407), "INVITE", uri)
        alice.request("INVITE", uri, call_id="o", cseq=2, body=b"hi", headers=f"{headers}\n{auth}")
        alice.response(100)
        assert bob.hears("INVITE").body == b""


class TestExpires:
    """RFC 3261 §13.3.1: an invitation may say how long it holds."""

    def test_it_rings_no_longer(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", headers="Expires: 5")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        alice.response(180)
        office.advance(4.9)
        assert not alice.inbox
        office.advance(0.2)
        bob.hears("CANCEL")
        alice.response(487)
        assert office.cause() == ("CALLER_CANCELLED", 16)

    @pytest.mark.parametrize("value", ["5", "soon", ""])
    def test_it_says_nothing_of_an_answered_call(self, office: Office, value: str) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers=f"Expires: {value}")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        office.advance(600)
        assert office.ended == []


class TestLateAnswers:
    def test_an_answer_long_after_the_cancel_is_ended(self, office: Office) -> None:
        """A CANCEL waits for the first response; both may take half a minute."""
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        office.advance(1)
        call.cancel()
        bob.inbox.clear()
        office.advance(28)
        bob.inbox.clear()
        bob.respond(invite, 180)
        bob.hears("CANCEL")
        office.advance(20)
        bob.inbox.clear()
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        bob.respond(bob.hears("BYE"), 200)
        office.advance(120)
        office.assert_empty()


class TestPorts:
    """RTP ports are given back on every way out."""

    def test_half_an_offer_takes_no_port(self) -> None:
        office = Office(ports=1)
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", alice.sdp() + VIDEO)
        alice.response(503)
        assert not bob.inbox
        assert office.exchange.pool.free == 1

    def test_as_many_phones_ring_as_there_are_ports(self) -> None:
        office = Office(ports=3)
        alice, desk, mobile = (
            office.phone("100"),
            office.phone("101"),
            office.phone("101", "192.0.2.50"),
        )
        late = office.phone("101", "192.0.2.51")
        alice.invite("101")
        heard = [len(phone.inbox) for phone in (desk, mobile, late)]
        assert sorted(heard) == [0, 1, 1]

    def test_early_media_ends_with_the_phone_that_sent_it(self, office: Office) -> None:
        """The caller's media must not go on to a port that may be another call's by now."""
        alice = office.phone("100")
        desk, mobile = office.phone("101"), office.phone("101", "192.0.2.50")
        call = alice.invite("101")
        one, other = desk.hears("INVITE"), mobile.hears("INVITE")
        desk.respond(one, 183, "-", desk.sdp())
        early = alice.response(183)
        port = parse_sdp(early.body).media[0].port
        assert office.running()[port].sink
        desk.respond(one, 480)
        assert office.running()[port].sink == 0
        assert any(isinstance(command, Release) for command in office.media)
        mobile.respond(other, 183, "-", mobile.sdp())
        assert alice.response(183).to.tag != early.to.tag
        mobile.respond(other, 200, "OK", mobile.sdp())
        call.answered()
        assert office.running()[port].sink == parse_sdp(other.body).media[0].port

    @pytest.mark.parametrize("known", [True, False])
    def test_a_refused_invite_is_recorded_once(self, office: Office, known: bool) -> None:
        alice = office.phone("100")
        call = alice.invite("101" if known else "999")
        response = alice.inbox.popleft()
        assert isinstance(response, Response)
        call.ack_failure(response)
        office.advance(120)
        office.assert_empty()
