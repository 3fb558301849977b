"""Session changes in a call: RFC 3261 §14, RFC 3264 §8, RFC 5057 §5.1."""

import pytest

from pbx.media.protocol import Release
from pbx.sdp.description import parse_sdp
from pbx.sip.message import Request
from tests.call.office import HOME, Invite, Office, Phone, established, talking

VIDEO = b"m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


@pytest.fixture
def office() -> Office:
    return Office()


def hang_up(office: Office, bob: Phone, invite: Request, cseq: int = 9) -> None:
    """Bob ends the call, and nothing of it is left."""
    bob.within(invite, "BYE", cseq)
    office.advance(120)
    office.assert_empty()


class TestRfc3261Section14_1:
    """UAC behaviour: what a re-INVITE of ours is answered."""

    @pytest.mark.parametrize(
        ("status", "told"),
        [(488, 488), (491, 491), (606, 606), (500, 491), (401, 488), (302, 488), (480, 488)],
    )
    def test_a_refusal_never_ends_the_other_dialog(
        self, office: Office, status: int, told: int
    ) -> None:
        alice, bob, call, invite = established(office)
        call.reinvite(alice.sdp(port=4100))
        bob.respond(bob.hears("INVITE"), status)
        bob.hears("ACK")
        alice.response(told)
        assert office.ended == []
        hang_up(office, bob, invite)

    def test_no_dialog_any_more(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        bob.respond(bob.hears("INVITE"), 408)
        bob.hears("ACK")
        bob.hears("BYE")
        assert office.cause() == ("TRANSACTION_TIMED_OUT", 102)

    @pytest.mark.parametrize("offer", [True, False])
    def test_an_acceptance_without_description_changes_nothing(
        self, office: Office, offer: bool
    ) -> None:
        alice, bob, call, invite = established(office)
        before = office.running()
        call.reinvite(alice.sdp(port=4100) if offer else b"")
        bob.respond(bob.hears("INVITE"), 200, "OK")
        bob.hears("ACK")
        alice.response(488)
        assert office.running() == before
        hang_up(office, bob, invite)

    def test_provisional_responses_change_nothing(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp())
        change = bob.hears("INVITE")
        bob.respond(change, 180)
        bob.respond(change, 183, "-", bob.sdp())
        assert not alice.inbox

    def test_the_caller_is_reached_after_early_media(self, office: Office) -> None:
        """Its dialog has a tag of its own then, with the fork's number."""
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 183, "-", bob.sdp())
        alice.response(183)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        bob.response(200)
        bob.within(invite, "ACK", 1)
        bob.within(invite, "BYE", 2)
        bob.response(200)
        alice.respond(alice.hears("BYE"), 200)
        office.advance(120)
        office.assert_empty()

    def test_an_acceptance_after_the_end_is_acknowledged(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        call.reinvite(b"")
        change = bob.hears("INVITE")
        bob.respond(change, 100)
        call.bye()
        assert alice.response(487).cseq.method == "INVITE"
        assert alice.response(200).cseq.method == "BYE"
        bob.hears("CANCEL")
        bob.hears("BYE")
        bob.respond(change, 200, "OK", bob.sdp())
        assert parse_sdp(bob.hears("ACK").body).media[0].port == 0
        assert not bob.inbox
        office.advance(120)
        office.assert_empty()

    def test_a_refusal_after_the_end_is_no_matter(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp())
        change = bob.hears("INVITE")
        call.bye()
        bob.hears("BYE")
        bob.respond(change, 487)
        bob.hears("ACK")
        office.advance(120)
        office.assert_empty()

    def test_a_phone_that_never_answers_a_change_leaves_nothing(self, office: Office) -> None:
        """Neither the change nor, after the end, its transaction waits for ever."""
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp())
        bob.respond(bob.hears("INVITE"), 180)
        office.advance(600)
        assert office.ended == []
        call.bye()
        office.advance(120)
        office.assert_empty()

    def test_a_lost_path_refuses_the_change(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        call.reinvite(alice.sdp("sendonly"))
        office.endpoint.flow_failed(bob.flow, "unreachable", office.now)
        office.pump()
        alice.response(488)
        assert office.ended == []
        hang_up(office, bob, invite)


class TestRfc3261Section14_2:
    """UAS behaviour: a re-INVITE to us."""

    def test_no_change_before_the_answer(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        call.answer = alice.response(180)
        call.reinvite(alice.sdp())
        assert 0 <= int(alice.response(500).get("Retry-After") or "-1") <= 10

    def test_a_change_that_gets_no_ack_ends_the_call(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp("recvonly"))
        office.advance(33)
        assert office.cause() == ("TRANSACTION_TIMED_OUT", 102)

    def test_a_late_offer_that_is_never_answered(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        call.reinvite(b"")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        call.answered()
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(491)
        call.ack()
        bob.hears("ACK")
        bob.hears("BYE")
        assert office.cause() == ("REQUEST_UNUSABLE", 79)

    @pytest.mark.parametrize("ports", [2, 3])
    def test_there_is_no_port_for_what_is_added(self, ports: int) -> None:
        office = Office(ports=ports)
        alice, bob, call, invite = established(office)
        before = office.running()
        call.reinvite(alice.sdp() + VIDEO)
        alice.response(488)
        assert not bob.inbox
        assert office.running() == before
        hang_up(office, bob, invite)


def answered(office: Office, offer: bytes | None = None) -> tuple[Phone, Phone, Invite, Request]:
    """Alice's call that bob has answered; her ACK is on its way."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101", body=offer)
    invite = bob.hears("INVITE")
    bob.respond(invite, 200, "OK", bob.sdp())
    if offer is None:
        bob.hears("ACK")
    call.answered()
    return alice, bob, call, invite


class TestRfc5407Section3_1:
    """A change of the session before the ACK, which is lost or late."""

    def test_case_1_by_who_owes_the_ack(self, office: Office) -> None:
        """§3.1.4: "This example recommends that 200 be sent instead of 491"."""
        alice, bob, call, invite = answered(office)
        call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        # "The UA should not reject or drop the ACK on grounds of the CSeq number."
        call.request("ACK", 2)
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        call.answered()
        call.ack()
        office.advance(40)
        assert not alice.inbox
        assert office.ended == []
        hang_up(office, bob, invite)

    def test_case_2_by_who_owes_an_answer(self, office: Office) -> None:
        """§3.1.5: "since he is not able to properly handle a new request until he receives"."""
        alice, bob, call, _ = answered(office, b"")
        call.reinvite(alice.sdp("sendonly"))
        alice.response(491)
        assert not bob.inbox

    def test_by_the_other_party(self, office: Office) -> None:
        """Bob owes nothing: his change waits for alice's ACK."""
        alice, bob, call, invite = answered(office)
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        assert not alice.inbox
        call.ack()
        alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        assert b"recvonly" in bob.response(200).body
        bob.within(invite, "ACK", 1)
        office.advance(40)
        hang_up(office, bob, invite)

    def test_by_the_other_partys_update(self, office: Office) -> None:
        alice, bob, call, invite = answered(office)
        bob.within(invite, "UPDATE", 1, bob.sdp("sendonly"))
        assert not alice.inbox
        assert not bob.inbox
        call.ack()
        alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        assert b"recvonly" in bob.response(200).body
        hang_up(office, bob, invite)

    def test_an_update_doesnt_wait_for_long(self, office: Office) -> None:
        """RFC 3311 §5.2: 504."""
        alice, bob, call, invite = answered(office)
        bob.within(invite, "UPDATE", 1, bob.sdp("sendonly"))
        office.advance(20)
        bob.response(504)
        alice.inbox.clear()
        call.ack()
        assert not alice.inbox
        hang_up(office, bob, invite)

    def test_by_the_other_party_after_a_late_offer(self, office: Office) -> None:
        alice, bob, call, invite = answered(office, b"")
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(491)
        call.ack(alice.sdp())
        bob.hears("ACK")
        bob.within(invite, "INVITE", 2, bob.sdp("sendonly"))
        bob.response(100)
        alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        bob.response(200)
        hang_up(office, bob, invite)

    def test_by_both(self, office: Office) -> None:
        """Alice's change is as good as her ACK, but it meets bob's (§14.1)."""
        alice, bob, call, invite = answered(office)
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        call.reinvite(alice.sdp("sendonly"))
        bob.response(491)
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        call.answered()
        call.ack()
        hang_up(office, bob, invite)

    def test_it_is_withdrawn_meanwhile(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        alice.respond(alice.hears("INVITE"), 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        bob.response(200)
        before = office.running()
        branch = call.reinvite(alice.sdp(port=4100))
        call.cancel_reinvite(branch)
        alice.response(200)
        alice.response(487)
        bob.within(invite, "ACK", 1)
        assert not bob.inbox
        assert office.running() == before
        hang_up(office, bob, invite)

    def test_no_ack_comes(self, office: Office) -> None:
        _, bob, _, invite = answered(office)
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        office.advance(33)
        bob.response(487)
        bob.hears("BYE")
        assert office.cause() == ("TRANSACTION_TIMED_OUT", 102)

    def test_who_owes_the_ack_transfers_meanwhile(self, office: Office) -> None:
        """Who is taken along has its change refused for now, and is asked anew."""
        alice, bob, call, invite = answered(office)
        carol = office.phone("102")
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        call.request("REFER", 3, headers=f"Refer-To: <sip:102@{HOME.host}>")
        alice.response(202)
        to_carol = carol.hears("INVITE")
        carol.respond(to_carol, 200, "OK", carol.sdp())
        carol.hears("ACK")
        bob.response(491)
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        office.assert_private()
        carol.within(to_carol, "BYE", 1)
        carol.response(200)
        bob.hears("BYE")
        office.advance(80)
        office.assert_empty()


class TestWithdrawnChange:
    """A re-INVITE that is cancelled (§9, §14.1)."""

    def test_the_other_party_hears_the_cancel(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        before = office.running()
        branch = call.reinvite(alice.sdp(port=4100))
        change = bob.hears("INVITE")
        bob.respond(change, 180)
        call.cancel_reinvite(branch)
        assert alice.response(200).cseq.method == "CANCEL"
        assert alice.response(487).cseq.method == "INVITE"
        bob.respond(bob.hears("CANCEL"), 200)
        bob.respond(change, 487)
        bob.hears("ACK")
        assert office.running() == before
        assert office.ended == []
        call.reinvite(alice.sdp(port=4200))
        bob.hears("INVITE")
        hang_up(office, bob, invite)

    def test_an_acceptance_that_crosses_the_cancel_is_undone(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        branch = call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        bob.respond(change, 180)
        call.cancel_reinvite(branch)
        bob.hears("CANCEL")
        alice.inbox.clear()
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        back = bob.hears("INVITE")
        assert b"a=sendrecv" in back.body
        bob.respond(back, 200, "OK", bob.sdp())
        bob.hears("ACK")
        assert not alice.inbox
        assert all(stream.send for stream in office.running().values())

    def test_a_callees_change_is_undone_too(self, office: Office) -> None:
        alice, bob, _, invite = established(office)
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        change = alice.hears("INVITE")
        alice.respond(change, 180)
        # The path to bob fails while his change is open: it can't be answered any more
        office.endpoint.flow_failed(bob.flow, "unreachable", office.now)
        office.pump()
        alice.hears("CANCEL")
        alice.respond(change, 200, "OK", alice.sdp("recvonly"))
        alice.hears("ACK")
        alice.respond(alice.hears("INVITE"), 488)
        alice.hears("ACK")
        assert office.ended == []
        hang_up(office, bob, invite)

    def test_a_cancel_after_the_acceptance_changes_nothing(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        branch = call.reinvite(alice.sdp("sendonly"))
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        call.answered()
        call.cancel_reinvite(branch)
        assert alice.response(200).cseq.method == "CANCEL"
        call.ack()
        assert not bob.inbox
        assert office.ended == []


class TestPortsOfAChange:
    def test_what_was_added_and_removed_gives_its_ports_back(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        free = office.exchange.pool.free
        for theirs in (VIDEO, VIDEO.replace(b"5000", b"0")):
            call.reinvite(alice.sdp() + theirs)
            bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp() + theirs)
            bob.hears("ACK")
            call.answered()
            call.ack()
        assert office.exchange.pool.free == free
        assert any(isinstance(one, Release) for one in office.media)
        hang_up(office, bob, invite)

    def test_another_call_runs_beside_it(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol, dave = office.phone("102"), office.phone("103")
        other, _ = talking(carol, dave)
        call.bye()
        alice.response(200)
        assert len(office.running()) == 2
        other.bye()
        assert office.running() == {}


class TestMoreMediaThanPorts:
    """RFC 3261 §14.1: a change that can't be had leaves the session as it was."""

    @pytest.mark.parametrize("ports", [2, 3])
    def test_one_of_a_late_offer_is_refused(self, ports: int) -> None:
        office = Office(ports=ports)
        alice, bob, call, invite = established(office)
        before = office.running()
        call.reinvite(b"")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp() + VIDEO)
        bob.hears("ACK")
        alice.response(488)
        # What bob was promised by the ACK is put back.
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        assert not bob.inbox
        assert office.running() == before
        assert office.ended == []
        hang_up(office, bob, invite)


class TestMediaLoop:
    """Descriptions that name the call's own ports would let media go round in the engine."""

    @pytest.mark.parametrize("host", ["192.0.2.1", "127.0.0.1"])
    @pytest.mark.parametrize("offset", [0, 1])
    def test_a_change_to_our_own_port_is_refused(
        self, office: Office, host: str, offset: int
    ) -> None:
        alice, _, call, _ = established(office)
        for port in sorted(office.running()):
            loop = alice.sdp(port=port + offset).replace(alice.address.host.encode(), host.encode())
            call.reinvite(loop)
            call.ack_failure(alice.response(488))
        assert office.ended == []

    def test_so_is_an_answer_that_does(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        port = parse_sdp(invite.body).media[0].port
        loop = bob.sdp(port=port).replace(bob.address.host.encode(), b"192.0.2.1")
        bob.respond(invite, 200, "OK", loop)
        bob.hears("ACK")
        bob.hears("BYE")
        alice.response(488)
        assert office.cause() == ("REQUEST_UNUSABLE", 79)


class TestGone:
    def test_a_phone_that_knows_the_call_no_more_has_hung_up(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        bob.respond(bob.hears("INVITE"), 481)
        bob.hears("ACK")
        assert office.cause() == ("CALLEE_HUNG_UP", 41)
