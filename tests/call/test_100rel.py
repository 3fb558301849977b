"""Reliable provisional responses (RFC 3262) in calls: T2.1 to T2.8 of miniSIPServer's posts."""

import pytest

from pbx.config.settings import CallSettings
from pbx.sdp.description import parse_sdp
from pbx.sip.message import Request, Response
from tests.call.office import Invite, Office, Phone

KNOWS = "Supported: 100rel"
NEEDS = "Require: 100rel"


def reliable(rseq: int) -> str:
    return f"Require: 100rel\nRSeq: {rseq}"


@pytest.fixture
def office() -> Office:
    return Office()


def called(office: Office, callers: str = "") -> tuple[Phone, Phone, Invite, Request]:
    """Alice calls Bob; his INVITE."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101", headers=callers)
    return alice, bob, call, bob.hears("INVITE")


def early(alice: Phone, call: Invite, status: int) -> tuple[Response, int]:
    """The reliable response that Alice hears, and its number."""
    response = alice.response(status)
    assert response.all("Require") == ["100rel"]
    call.answer = response
    rseq = int(response.get("RSeq") or "0")
    assert 0 < rseq < 2**32
    return response, rseq


def prack(alice: Phone, call: Invite, rseq: int, status: int = 200, body: bytes = b"") -> None:
    call.cseq += 1
    call.request("PRACK", call.cseq, body, f"RAck: {rseq} 2 INVITE")
    alice.response(status)


def talk_and_end(office: Office, alice: Phone, bob: Phone, call: Invite) -> None:
    """The call is answered: Alice acknowledges and hangs up, and nothing is left."""
    answer = call.answered()
    invites = 2
    call.request("ACK", invites)
    assert answer.body
    call.bye()
    bob.respond(bob.hears("BYE"), 200)
    alice.response(200)
    office.advance(120)
    assert office.cause()[0] == "CALLER_HUNG_UP"
    office.assert_empty()


class TestRfc3262Section4:
    """We as UAC: the called phone's leg."""

    def test_t2_1_the_invite_offers_it(self, office: Office) -> None:
        _, _, _, invite = called(office)
        assert "100rel" in invite.all("Supported")
        assert not invite.all("Require")

    def test_t2_2_each_is_acknowledged_once_and_in_order(self, office: Office) -> None:
        _, bob, _, invite = called(office)
        bob.respond(invite, 180, "-", headers=reliable(7))
        first = bob.hears("PRACK")
        assert first.get("RAck") == f"7 {invite.cseq.number} INVITE"
        assert first.to.tag == bob.tag
        assert first.uri == f"sip:101@{bob.address.host}:5060"
        assert first.cseq.number == invite.cseq.number + 1
        bob.respond(first, 200)
        # Repeated, as one whose PRACK is late; and one that has overtaken another
        bob.respond(invite, 180, "-", headers=reliable(7))
        bob.respond(invite, 183, "-", bob.sdp(), reliable(9))
        assert not bob.inbox
        bob.respond(invite, 183, "-", bob.sdp(), reliable(8))
        second = bob.hears("PRACK")
        assert second.get("RAck") == f"8 {invite.cseq.number} INVITE"
        assert second.cseq.number == first.cseq.number + 1

    def test_what_comes_out_of_order_is_not_looked_at(self, office: Office) -> None:
        alice, bob, _, invite = called(office)
        bob.respond(invite, 180, "-", headers=reliable(7))
        alice.response(180)
        bob.respond(invite, 183, "-", bob.sdp(), reliable(9))
        assert not alice.inbox

    def test_each_early_dialog_counts_by_itself(self, office: Office) -> None:
        """§4: a proxy behind the contact has forked."""
        _, bob, _, invite = called(office)
        bob.respond(invite, 180, "-", headers=reliable(7), tag="x")
        assert bob.hears("PRACK").to.tag == f"x{bob.address.host}"
        bob.respond(invite, 180, "-", headers=reliable(100), tag="y")
        assert bob.hears("PRACK").to.tag == f"y{bob.address.host}"

    def test_its_way_is_that_of_the_response(self, office: Office) -> None:
        """T2.2: route set and remote target of the early dialog (RFC 3261 §12.1.2)."""
        _, bob, _, invite = called(office)
        bob.respond(
            invite,
            183,
            "-",
            bob.sdp(),
            f"{reliable(1)}\nRecord-Route: <sip:{bob.address.host}:5060;lr>",
            contact="<sip:elsewhere@198.51.100.7>",
        )
        prack = bob.hears("PRACK")
        assert prack.uri == "sip:elsewhere@198.51.100.7"
        assert prack.all("Route") == [f"<sip:{bob.address.host}:5060;lr>"]

    def test_the_numbers_of_the_dialog_go_on(self, office: Office) -> None:
        alice, bob, call, invite = called(office)
        bob.respond(invite, 183, "-", bob.sdp(), reliable(1))
        bob.respond(bob.hears("PRACK"), 200)
        alice.response(183)
        bob.respond(invite, 200, "OK", bob.sdp())
        assert bob.hears("ACK").cseq.number == invite.cseq.number
        call.answered()
        call.ack()
        call.bye()
        assert bob.hears("BYE").cseq.number == invite.cseq.number + 2

    def test_t2_5_switched_off(self) -> None:
        office = Office(CallSettings(prack=False))
        alice, bob, _, invite = called(office)
        assert "100rel" not in [*invite.all("Supported"), *invite.all("Require")]
        bob.respond(invite, 183, "-", bob.sdp(), reliable(1))
        assert not bob.inbox
        alice.response(183)

    def test_a_late_offer_does_not_offer_it(self, office: Office) -> None:
        """The callee's offer would come before there is anybody to answer it (§5)."""
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", b"")
        assert "100rel" not in bob.hears("INVITE").all("Supported")

    @pytest.mark.parametrize("status", [405, 501])
    def test_t2_6_a_phone_that_refuses_what_it_asks_for(self, office: Office, status: int) -> None:
        """The call goes on, and the next one doesn't offer it."""
        alice, bob, call, invite = called(office)
        bob.respond(invite, 183, "-", bob.sdp(), reliable(1))
        bob.respond(bob.hears("PRACK"), status)
        alice.response(183)
        assert office.ended == []
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        bob.respond(bob.hears("BYE"), 200)
        alice.response(200)
        alice.invite("101", call_id="again")
        assert "100rel" not in bob.hears("INVITE").all("Supported")

    @pytest.mark.parametrize("status", [481, 500, None])
    def test_whatever_a_prack_is_answered_the_call_goes_on(
        self, office: Office, status: int | None
    ) -> None:
        _, bob, call, invite = called(office)
        bob.respond(invite, 183, "-", bob.sdp(), reliable(1))
        first = bob.hears("PRACK")
        if status:
            bob.respond(first, status)
        office.advance(40)
        bob.inbox.clear()
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        assert office.ended == []

    @pytest.mark.parametrize("headers", ["Require: 100rel", "Require: 100rel\nRSeq: x", "RSeq: 1"])
    def test_half_a_reliable_response_is_an_ordinary_one(
        self, office: Office, headers: str
    ) -> None:
        alice, bob, _, invite = called(office)
        bob.respond(invite, 180, "-", headers=headers)
        alice.response(180)
        assert not bob.inbox


class TestRfc3262Section3:
    """We as UAS: the caller's leg."""

    def test_t2_3_early_media_is_sent_reliably(self, office: Office) -> None:
        alice, bob, call, invite = called(office, KNOWS)
        bob.respond(invite, 183, "-", bob.sdp())
        _, rseq = early(alice, call, 183)
        prack(alice, call, rseq)
        office.advance(30)
        assert not alice.inbox
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        talk_and_end(office, alice, bob, call)

    def test_ringing_alone_may_be_lost(self, office: Office) -> None:
        alice, bob, _, invite = called(office, KNOWS)
        bob.respond(invite, 180)
        response = alice.response(180)
        assert response.get("RSeq") is None
        assert not response.all("Require")

    def test_all_are_reliable_where_it_is_required(self, office: Office) -> None:
        alice, bob, call, invite = called(office, NEEDS)
        bob.respond(invite, 180)
        _, first = early(alice, call, 180)
        prack(alice, call, first)
        bob.respond(invite, 183, "-", bob.sdp())
        _, second = early(alice, call, 183)
        assert second == first + 1
        prack(alice, call, second)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        talk_and_end(office, alice, bob, call)

    def test_the_next_waits_for_the_prack(self, office: Office) -> None:
        alice, bob, call, invite = called(office, NEEDS)
        bob.respond(invite, 180)
        _, first = early(alice, call, 180)
        bob.respond(invite, 183, "-", bob.sdp())
        assert not alice.inbox
        prack(alice, call, first)
        early(alice, call, 183)

    def test_it_is_repeated_until_64_t1_and_then_the_call_is_refused(self, office: Office) -> None:
        alice, bob, call, invite = called(office, KNOWS)
        bob.respond(invite, 183, "-", bob.sdp())
        response, _ = early(alice, call, 183)
        start, times = office.now, []
        for _ in range(132):
            office.advance(0.25)
            while alice.inbox and alice.inbox[0].start_line().startswith("SIP/2.0 183"):
                assert alice.response(183).get("RSeq") == response.get("RSeq")
                times.append(office.now - start)
            if alice.inbox:
                break
        assert times == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        alice.response(504)
        assert office.now - start == 32
        bob.hears("CANCEL")
        assert office.cause()[0] == "TRANSACTION_TIMED_OUT"

    def test_the_answer_waits_for_the_prack(self, office: Office) -> None:
        """§3: a session description that has not been acknowledged holds the 2xx back."""
        alice, bob, call, invite = called(office, KNOWS)
        bob.respond(invite, 183, "-", bob.sdp())
        _, rseq = early(alice, call, 183)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        assert not alice.inbox
        prack(alice, call, rseq)
        talk_and_end(office, alice, bob, call)

    def test_ringing_does_not_hold_the_answer_back(self, office: Office) -> None:
        alice, bob, call, invite = called(office, NEEDS)
        bob.respond(invite, 180)
        _, rseq = early(alice, call, 180)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        # §3: a PRACK may come after the final response
        prack(alice, call, rseq)
        call.request("ACK", 2)
        office.advance(60)
        assert office.ended == []
        assert not alice.inbox

    def test_the_caller_gives_up_before_its_prack(self, office: Office) -> None:
        alice, bob, call, invite = called(office, KNOWS)
        bob.respond(invite, 183, "-", bob.sdp())
        early(alice, call, 183)
        call.cancel()
        alice.response(200)
        call.ack_failure(alice.response(487))
        bob.respond(bob.hears("CANCEL"), 200)
        bob.respond(invite, 487)
        office.advance(120)
        office.assert_empty()

    @pytest.mark.parametrize(
        ("rack", "status"),
        [
            ("RAck: {other} 2 INVITE", 481),
            ("RAck: {rseq} 1 INVITE", 481),
            ("RAck: {rseq} 2 UPDATE", 481),
            ("RAck: {rseq} 2", 400),
            ("RAck: x y z", 400),
            ("", 400),
        ],
    )
    def test_a_prack_that_acknowledges_nothing(
        self, office: Office, rack: str, status: int
    ) -> None:
        alice, bob, call, invite = called(office, KNOWS)
        bob.respond(invite, 183, "-", bob.sdp())
        _, rseq = early(alice, call, 183)
        call.request("PRACK", 3, headers=rack.format(rseq=rseq, other=rseq + 1))
        alice.response(status)
        call.cseq = 3
        prack(alice, call, rseq)
        # And a second one to the same response
        call.request("PRACK", 5, headers=f"RAck: {rseq} 2 INVITE")
        alice.response(481)

    def test_a_prack_of_no_call(self, office: Office) -> None:
        alice = office.phone("100")
        alice.request(
            "PRACK",
            "sip:101@192.0.2.1",
            call_id="x",
            cseq=1,
            to="<sip:101@192.0.2.1>;tag=none",
            headers="RAck: 1 1 INVITE",
        )
        alice.response(481)

    def test_another_offer_in_the_prack(self, office: Office) -> None:
        alice, bob, call, invite = called(office, KNOWS)
        bob.respond(invite, 183, "-", bob.sdp())
        _, rseq = early(alice, call, 183)
        prack(alice, call, rseq, 200, alice.sdp(port=4300))
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        assert not call.answered().body
        assert office.ended == []

    def test_each_minute_again(self) -> None:
        """§13.3.1.1 of RFC 3261: the caller's proxies must not give up."""
        office = Office(CallSettings(no_answer_s=0))
        alice, bob, call, invite = called(office, KNOWS)
        bob.respond(invite, 183, "-", bob.sdp())
        _, rseq = early(alice, call, 183)
        prack(alice, call, rseq)
        office.advance(60)
        again = alice.response(183)
        assert again.get("RSeq") is None
        assert not again.body

    def test_each_minute_again_where_it_is_required(self) -> None:
        office = Office(CallSettings(no_answer_s=0))
        alice, bob, call, invite = called(office, NEEDS)
        bob.respond(invite, 180)
        _, first = early(alice, call, 180)
        prack(alice, call, first)
        office.advance(60)
        _, second = early(alice, call, 180)
        assert second == first + 1
        prack(alice, call, second)
        assert office.ended == []

    def test_t2_4_a_caller_that_does_not_know_it(self, office: Office) -> None:
        alice, bob, _, invite = called(office)
        bob.respond(invite, 183, "-", bob.sdp())
        response = alice.response(183)
        assert response.get("RSeq") is None
        assert not response.all("Require")

    def test_switched_off_it_is_there_for_who_requires_it(self) -> None:
        office = Office(CallSettings(prack=False))
        alice, bob, call, invite = called(office, NEEDS)
        bob.respond(invite, 180)
        early(alice, call, 180)

    def test_a_late_offer_that_requires_it_rings_in_silence(self, office: Office) -> None:
        """A reliable response would have to carry our offer (§5), which nobody has yet."""
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", b"", headers=NEEDS)
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        assert not alice.inbox
        bob.respond(invite, 200, "OK", bob.sdp())
        assert call.answered().body

    def test_the_answer_that_counts_is_the_first_one(self, office: Office) -> None:
        """RFC 3264: what was answered reliably can't be answered again: another session follows."""
        alice, bob, call, invite = called(office, KNOWS)
        bob.respond(invite, 183, "-", bob.sdp())
        first, rseq = early(alice, call, 183)
        prack(alice, call, rseq)
        only = b"\r\n".join(
            line for line in bob.sdp().split(b"\r\n") if not line.startswith(b"a=rtpmap")
        ).replace(b"RTP/AVP 8 0 101", b"RTP/AVP 0")
        bob.respond(invite, 200, "OK", only)
        bob.hears("ACK")
        answer = call.answered()
        assert answer.body == first.body
        call.request("ACK", 2)
        change = alice.hears("INVITE")
        assert parse_sdp(change.body).media[0].formats[0] == "0"
        alice.respond(change, 200, "OK", alice.sdp())
        alice.hears("ACK")
        assert office.ended == []


@pytest.mark.parametrize("caller", ["", KNOWS, NEEDS])
@pytest.mark.parametrize("callee", [False, True])
class TestInterworking:
    """T2.7, T2.8: any pair of legs reaches early media and answer."""

    def test_early_media_and_answer(self, office: Office, caller: str, callee: bool) -> None:
        alice, bob, call, invite = called(office, caller)
        bob.respond(invite, 183, "-", bob.sdp(), reliable(41) if callee else "")
        if callee:
            bob.respond(bob.hears("PRACK"), 200)
        if caller:
            response, rseq = early(alice, call, 183)
            prack(alice, call, rseq)
        else:
            response = alice.response(183)
        assert response.body
        assert {one.remote_rtp.host for one in office.running().values() if one.remote_rtp} == {
            alice.address.host,
            bob.address.host,
        }
        bob.respond(invite, 200, "OK", b"" if callee else bob.sdp())
        bob.hears("ACK")
        talk_and_end(office, alice, bob, call)

    def test_refused(self, office: Office, caller: str, callee: bool) -> None:
        alice, bob, call, invite = called(office, caller)
        bob.respond(invite, 180, "-", headers=reliable(41) if callee else "")
        if callee:
            bob.respond(bob.hears("PRACK"), 200)
        alice.response(180)
        bob.respond(invite, 486)
        bob.hears("ACK")
        call.ack_failure(alice.response(486))
        office.advance(120)
        office.assert_empty()
