"""A phone takes a call that rings elsewhere: INVITE with Replaces (RFC 3891)."""

import pytest

from pbx.sdp.description import parse_sdp
from pbx.sip.message import Request
from tests.call.office import HOME, Invite, Office, Phone, established

VIDEO = b"m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


@pytest.fixture
def office() -> Office:
    return Office()


def ringing(office: Office) -> tuple[Phone, Phone, Invite, Request]:
    """Alice's call rings at bob's."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101")
    invite = bob.hears("INVITE")
    bob.respond(invite, 180, "Ringing")
    alice.response(180)
    return alice, bob, call, invite


def the_call(office: Office) -> str:
    """As busy lamps name it."""
    (name,) = office.exchange.calls
    return f"Replaces: {name};to-tag=ringing;from-tag=calling"


def pick_up(phone: Phone, replaces: str, body: bytes | None = None) -> Invite:
    headers = f"Require: replaces\n{replaces}"
    return phone.invite("101", call_id="pick-up", headers=headers, body=body)


class TestPickedUp:
    def test_by_the_name_that_lamps_have(self, office: Office) -> None:
        alice, bob, call, invite = ringing(office)
        carol = office.phone("102")
        taken = pick_up(carol, the_call(office))
        assert taken.answered().all("P-Asserted-Identity") == ['"User 100" <sip:100@192.0.2.1>']
        taken.ack()
        cancel = bob.hears("CANCEL")
        assert "completed elsewhere" in (cancel.get("Reason") or "")
        bob.respond(cancel, 200)
        bob.respond(invite, 487)
        bob.hears("ACK")
        assert call.answered().all("P-Asserted-Identity") == ['"User 102" <sip:102@192.0.2.1>']
        call.ack()
        office.assert_private()
        (running,) = office.exchange.calls.values()
        ports = {leg.number: leg.media.sound_port for leg in running.legs if leg.media.ports}
        assert office.running()[ports["100"]].sink == ports["102"]
        assert office.running()[ports["102"]].sink == ports["100"]
        taken.bye()
        carol.response(200)
        alice.respond(alice.hears("BYE"), 200)
        (facts,) = office.ended
        assert (facts.dialed_number, facts.called_number) == ("101", "102")
        assert "picked up by 102" in facts.route
        assert facts.cause is not None
        assert facts.cause.tag.name == "CALLEE_HUNG_UP"
        office.advance(80)
        office.assert_empty()

    @pytest.mark.parametrize("mirrored", [False, True])
    def test_by_the_dialog_itself(self, office: Office, mirrored: bool) -> None:
        """As the phone that rings has it, or as we do."""
        alice, bob, call, invite = ringing(office)
        carol = office.phone("102")
        tags = (bob.tag, invite.from_.tag)
        to_tag, from_tag = tags if mirrored else reversed(tags)
        taken = pick_up(
            carol, f"Replaces: {invite.call_id};to-tag={to_tag};from-tag={from_tag};early-only"
        )
        taken.answered()
        taken.ack()
        call.answered()
        call.ack()
        office.assert_private()

    def test_media_that_only_one_has(self, office: Office) -> None:
        alice, bob, call, _ = ringing(office)
        carol = office.phone("102")
        taken = pick_up(carol, the_call(office), carol.sdp() + VIDEO)
        answer = parse_sdp(taken.answered().body)
        assert [bool(one.port) for one in answer.media] == [True, False]
        taken.ack()
        assert len(parse_sdp(call.answered().body).media) == 1
        call.ack()
        office.assert_private()

    def test_both_change_it_before_both_acks(self, office: Office) -> None:
        """Each owes the exchange an ACK; one change waits, the other one meets it (§14.1)."""
        alice, _, call, _ = ringing(office)
        carol = office.phone("102")
        taken = pick_up(carol, the_call(office))
        taken.answered()
        call.answered()
        call.request("UPDATE", 2, alice.sdp("sendonly"))
        taken.request("UPDATE", 2, carol.sdp("sendonly"))
        carol.response(491)
        taken.ack()
        carol.respond(carol.hears("INVITE"), 200, "OK", carol.sdp("recvonly"))
        carol.hears("ACK")
        assert b"recvonly" in alice.response(200).body
        call.ack()
        office.advance(40)
        assert office.ended == []

    def test_without_a_common_codec(self, office: Office) -> None:
        """The exchange converts."""
        alice, bob, call, _ = ringing(office)
        carol = office.phone("102")
        g722 = carol.sdp().replace(b"RTP/AVP 8 0 101", b"RTP/AVP 9")
        taken = pick_up(carol, the_call(office), g722)
        assert "9" in parse_sdp(taken.answered().body).media[0].formats
        taken.ack()
        assert "8" in parse_sdp(call.answered().body).media[0].formats
        call.ack()
        assert len(office.voices()) == 2

    def test_a_call_that_is_being_transferred(self, office: Office) -> None:
        alice, bob, call, invited = established(office)
        carol, dave = office.phone("102"), office.phone("103")
        call.request("REFER", 3, headers=f"Refer-To: <sip:102@{HOME.host}>")
        invite = carol.hears("INVITE")
        carol.respond(invite, 180, "Ringing")
        name = [one for one in office.exchange.calls.values() if one.facts.talk is None][0].facts.id
        taken = pick_up(dave, f"Replaces: {name};to-tag=ringing;from-tag=calling")
        taken.answered()
        taken.ack()
        assert carol.hears("CANCEL")
        again = bob.hears("INVITE")
        assert again.call_id == invited.call_id
        bob.respond(again, 200, "OK", bob.sdp())
        bob.hears("ACK")
        office.assert_private()
        (running,) = office.exchange.calls.values()
        assert (running.facts.caller_number, running.facts.called_number) == ("101", "103")


class TestRefused:
    @pytest.mark.parametrize(
        ("value", "status"),
        [
            ("nobody;to-tag=1;from-tag=2", 481),
            ("nobody;to-tag=1", 400),
            ("nonsense", 400),
        ],
    )
    def test_what_is_not_there(self, office: Office, value: str, status: int) -> None:
        carol = office.phone("102")
        office.phone("101")
        pick_up(carol, f"Replaces: {value}")
        carol.response(status)

    def test_the_caller_s_side(self, office: Office) -> None:
        """RFC 3891 §3: an early dialog that we haven't begun."""
        alice, bob, call, _ = ringing(office)
        carol = office.phone("102")
        (running,) = office.exchange.calls.values()
        leg = next(iter(running.legs))
        dialog = leg.usage.dialog
        assert dialog is not None
        tags = f"to-tag={dialog.local_tag};from-tag={dialog.remote_tag}"
        pick_up(carol, f"Replaces: {dialog.call_id};{tags}")
        carol.response(481)
        assert not bob.inbox

    @pytest.mark.parametrize(("more", "status"), [("", 403), (";early-only", 486)])
    def test_a_call_that_goes_on(self, office: Office, more: str, status: int) -> None:
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        tags = f"to-tag={invite.from_.tag};from-tag={bob.tag}"
        pick_up(carol, f"Replaces: {invite.call_id};{tags}{more}")
        carol.response(status)
        assert not bob.inbox
        assert not alice.inbox
        # It leaves a record, as every call does
        assert [facts.caller_number for facts in office.ended] == ["102"]

    def test_a_call_that_is_over(self, office: Office) -> None:
        alice, bob, call, invite = established(office)
        carol = office.phone("102")
        call.bye()
        alice.response(200)
        bob.respond(bob.hears("BYE"), 200)
        tags = f"to-tag={invite.from_.tag};from-tag={bob.tag}"
        pick_up(carol, f"Replaces: {invite.call_id};{tags}")
        carol.response(481)

    def test_of_a_service(self, office: Office) -> None:
        alice, carol = office.phone("100"), office.phone("102")
        call = alice.invite("*43")
        call.answered()
        call.ack()
        pick_up(carol, the_call(office))
        carol.response(403)

    def test_without_an_offer(self, office: Office) -> None:
        ringing(office)
        carol = office.phone("102")
        pick_up(carol, the_call(office), b"")
        carol.response(488)

    def test_with_an_offer_that_is_none(self, office: Office) -> None:
        _, bob, _, _ = ringing(office)
        carol = office.phone("102")
        pick_up(carol, the_call(office), b"nonsense")
        assert carol.inbox.popleft().start_line().split()[1] in ("400", "488")
        assert not bob.inbox

    def test_no_ports(self) -> None:
        office = Office(ports=2)
        alice, bob, call, invite = ringing(office)
        carol = office.phone("102")
        pick_up(carol, the_call(office))
        carol.response(503)
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        alice.response(200)
        bob.respond(bob.hears("BYE"), 200)
        carol.inbox.clear()
        office.advance(80)
        office.assert_empty()
