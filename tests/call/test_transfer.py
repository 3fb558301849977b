"""Blind transfers by REFER (RFC 5589 §6), as every party sees them."""

import pytest

from pbx.config.settings import CallSettings, MediaSettings
from pbx.media.protocol import Line, Play, StopPlaying
from pbx.sdp.description import Direction, parse_sdp
from pbx.sip.message import Request, Response
from tests.call.office import HOME, Invite, Office, Phone, established
from tests.call.transferring import (
    answers,
    causes,
    connected,
    direction_of,
    gone,
    hold,
    referred,
    refers,
    replacing,
    to,
    told,
)


@pytest.fixture
def office() -> Office:
    return Office()


KEYS = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


def talking(office: Office, media: str) -> tuple[Phone, Phone, Invite, Request]:
    """100 talks with 101, both by this media."""
    alice, bob = office.phone("100"), office.phone("101")

    def own(phone: Phone) -> bytes:
        return phone.sdp().partition(b"m=")[0] + media.encode()

    call = alice.invite("101", body=own(alice))
    invited = bob.hears("INVITE")
    bob.respond(invited, 200, "OK", own(bob))
    bob.hears("ACK")
    call.answered()
    call.ack()
    return alice, bob, call, invited


class TestBlind:
    def test_the_caller_transfers(self, office: Office) -> None:
        alice, bob, call, invited = established(office)
        carol = office.phone("102")
        hold(call, bob)
        call.request("REFER", 4, headers=to("102"))
        accepted = alice.response(202)
        assert accepted.contacts
        told(alice, 100)
        invite = carol.hears("INVITE")
        assert str(invite.from_.without_param("tag")) == '"User 101" <sip:101@192.0.2.1>'
        assert invite.get("Referred-By") == f"<sip:100@{HOME.host}>"
        # Bob is on hold, and speaks with carol all the same
        assert direction_of(invite) is Direction.SENDRECV
        carol.respond(invite, 180, "Ringing")
        told(alice, 180)
        carol.respond(invite, 200, "OK", carol.sdp())
        carol.hears("ACK")
        told(alice, 200)
        assert "cause=16" in (alice.hears("BYE").get("Reason") or "")
        again = bob.hears("INVITE")
        assert again.call_id == invited.call_id
        assert again.all("P-Asserted-Identity") == ['"User 102" <sip:102@192.0.2.1>']
        assert direction_of(again) is Direction.SENDRECV
        answers(bob, again)
        connected(office, bob, carol)
        bob.within(invited, "BYE", 2)
        bob.response(200)
        carol.respond(carol.hears("BYE"), 200)
        assert causes(office) == ["CALLER_TRANSFERRED", "CALLER_HUNG_UP"]
        first, second = office.ended
        assert (first.caller_number, first.called_number) == ("100", "101")
        assert (second.caller_number, second.called_number) == ("101", "102")
        assert (second.dialed_number, second.transferred_by) == ("102", "100")
        assert second.codec == "PCMA"
        gone(office, alice)

    def test_the_called_party_transfers(self, office: Office) -> None:
        alice, bob, call, invited = established(office)
        carol = office.phone("102")
        bob.within(invited, "REFER", 2, headers=to("102"))
        bob.response(202)
        told(bob, 100)
        invite = carol.hears("INVITE")
        assert str(invite.from_.without_param("tag")) == '"User 100" <sip:100@192.0.2.1>'
        answers(carol, invite)
        told(bob, 200)
        bob.respond(bob.hears("BYE"), 200)
        answers(alice, alice.hears("INVITE"))
        connected(office, alice, carol)
        call.bye()
        alice.response(200)
        carol.respond(carol.hears("BYE"), 200)
        assert causes(office) == ["CALLEE_TRANSFERRED", "CALLER_HUNG_UP"]
        assert [facts.transferred_by for facts in office.ended] == ["", "101"]
        office.advance(80)
        office.assert_empty()

    def test_who_transfers_may_hang_up_at_once(self, office: Office) -> None:
        """Many phones send BYE as soon as they have the 202."""
        alice, bob, carol, call, _ = referred(office)
        alice.response(202)
        told(alice, 100)
        call.cseq = 3
        call.bye()
        alice.response(200)
        assert not bob.inbox
        assert causes(office) == ["CALLER_TRANSFERRED"]
        # What bob says meanwhile goes nowhere
        office.assert_private()
        (running,) = office.exchange.calls.values()
        ports = {leg.number: leg.media.sound_port for leg in running.legs}
        assert office.running()[ports["101"]].sink == 0
        answers(carol, carol.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, carol)

    def test_early_media_is_heard_when_who_transfers_has_gone(self, office: Office) -> None:
        alice, bob, carol, call, _ = referred(office)
        invite = carol.hears("INVITE")
        carol.respond(invite, 183, "Session Progress", carol.sdp())
        (before, after) = office.exchange.calls.values()
        ports = {leg.number: leg.media.ports[0] for leg in (*before.legs, *after.legs)}
        assert office.running()[ports["102"]].sink == 0
        call.cseq = 3
        call.bye()
        assert office.running()[ports["102"]].sink == ports["101"]
        answers(carol, invite)
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, carol)

    @pytest.mark.parametrize(
        ("number", "status", "tag"),
        [("102", 480, "NOT_REGISTERED"), ("999", 404, "NO_ROUTE")],
    )
    def test_nobody_there(self, office: Office, number: str, status: int, tag: str) -> None:
        """RFC 5589 §6.2: the call goes on."""
        alice, bob, call, invited = established(office)
        refers(call, to(number), 100, status)
        assert causes(office) == [tag]
        assert not bob.inbox
        call.cseq = 3
        call.bye()
        alice.response(200)
        bob.respond(bob.hears("BYE"), 200)
        assert causes(office) == [tag, "CALLER_HUNG_UP"]
        office.advance(80)
        office.assert_empty()

    def test_busy_gives_the_call_back(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        hold(call, bob)
        refers(call, to("102"), 100)
        carol.respond(carol.hears("INVITE"), 486, "Busy Here")
        carol.hears("ACK")
        told(alice, 486)
        # It takes the call up again
        call.cseq = 4
        call.reinvite(alice.sdp())
        answers(bob, bob.hears("INVITE"))
        alice.response(200)
        call.ack()
        connected(office, alice, bob)
        assert office.ended[0].cause is not None
        assert office.ended[0].cause.heard == 486

    def test_busy_when_who_transfers_has_gone(self, office: Office) -> None:
        alice, bob, carol, call, invited = referred(office)
        call.cseq = 3
        call.bye()
        carol.respond(carol.hears("INVITE"), 486, "Busy Here")
        carol.hears("ACK")
        bob.respond(bob.hears("BYE"), 200)
        assert causes(office) == ["CALLER_TRANSFERRED", "CALLEE_REJECTED"]
        gone(office, alice)

    def test_no_answer(self) -> None:
        office = Office(CallSettings(no_answer_s=20))
        alice, bob, carol, call, _ = referred(office)
        alice.response(202)
        told(alice, 100)
        carol.respond(carol.hears("INVITE"), 180, "Ringing")
        told(alice, 180)
        office.advance(20.1)
        carol.hears("CANCEL")
        told(alice, 480)
        assert not bob.inbox
        assert len(office.exchange.calls) == 1

    def test_who_is_transferred_hangs_up_meanwhile(self, office: Office) -> None:
        alice, bob, carol, call, invited = referred(office)
        alice.response(202)
        told(alice, 100)
        invite = carol.hears("INVITE")
        carol.respond(invite, 180, "Ringing")
        told(alice, 180)
        bob.within(invited, "BYE", 2)
        bob.response(200)
        told(alice, 487)
        alice.respond(alice.hears("BYE"), 200)
        carol.respond(carol.hears("CANCEL"), 200)
        carol.respond(invite, 487)
        assert sorted(causes(office)) == ["CALLEE_HUNG_UP", "CALLER_CANCELLED"]
        carol.inbox.clear()
        office.advance(80)
        office.assert_empty()

    def test_glare_with_who_is_transferred(self, office: Office) -> None:
        """RFC 3261 §14.1: bob changes his session just then; he is asked again."""
        alice, bob, carol, call, invited = referred(office)
        answers(carol, carol.hears("INVITE"))
        bob.respond(bob.hears("INVITE"), 491, "Request Pending")
        bob.hears("ACK")
        for _ in range(41):
            if not bob.inbox:
                office.advance(0.1)
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, carol)

    def test_its_new_partner_changes_the_session_meanwhile(self, office: Office) -> None:
        """Carol's hold reaches bob before he has been asked again, and hers is answered, too."""
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        call.request("REFER", 3, headers=to("102"))
        to_carol = carol.hears("INVITE")
        answers(carol, to_carol)
        bob.respond(bob.hears("INVITE"), 491, "Request Pending")
        bob.hears("ACK")
        carol.within(to_carol, "INVITE", 1, carol.sdp("sendonly"))
        carol.response(100)
        answers(bob, bob.hears("INVITE"), "recvonly")
        assert direction_of(carol.response(200)) is Direction.RECVONLY
        carol.within(to_carol, "ACK", 1)
        for _ in range(41):
            if not bob.inbox:
                office.advance(0.1)
        answers(bob, bob.hears("INVITE"), "recvonly")
        office.assert_private()
        office.advance(40)
        assert not bob.inbox

    def test_who_keeps_its_session_is_heard_all_the_same(self, office: Office) -> None:
        alice, bob, carol, call, invited = referred(office)
        answers(carol, carol.hears("INVITE"))
        bob.respond(bob.hears("INVITE"), 488, "Not Acceptable Here")
        bob.hears("ACK")
        connected(office, bob, carol)
        office.advance(5)
        assert not bob.inbox

    def test_one_after_the_other(self, office: Office) -> None:
        """Who was transferred is transferred again, by its new partner."""
        alice, bob, call, invited = established(office)
        carol, dave = office.phone("102"), office.phone("103")
        call.request("REFER", 3, headers=to("102"))
        first = carol.hears("INVITE")
        answers(carol, first)
        answers(bob, bob.hears("INVITE"))
        carol.within(first, "REFER", 2, headers=to("103"))
        carol.response(202)
        told(carol, 100)
        answers(dave, dave.hears("INVITE"))
        told(carol, 200)
        carol.respond(carol.hears("BYE"), 200)
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, dave)
        assert causes(office) == ["CALLER_TRANSFERRED", "CALLEE_TRANSFERRED"]

    def test_several_phones_ring(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol, desk = office.phone("102"), office.phone("102", "192.0.2.112")
        call.request("REFER", 3, headers=to("102"))
        first, second = carol.hears("INVITE"), desk.hears("INVITE")
        carol.respond(first, 180, "Ringing")
        answers(desk, second)
        assert carol.hears("CANCEL").cseq.number == first.cseq.number
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, desk)

    def test_converted(self, office: Office) -> None:
        """Bob has G.722 alone, and carol PCMA: the exchange converts."""
        alice, bob = office.phone("100"), office.phone("101")
        carol = office.phone("102")
        g722 = bob.sdp().replace(b"RTP/AVP 8 0 101", b"RTP/AVP 9")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 200, "OK", g722)
        bob.hears("ACK")
        call.answered()
        call.ack()
        assert len(office.voices()) == 2
        call.request("REFER", 3, headers=to("102"))
        answers(carol, carol.hears("INVITE"))
        office.assert_private()
        again = bob.hears("INVITE")
        assert "9" in parse_sdp(again.body).media[0].formats
        bob.respond(again, 200, "OK", g722)
        bob.hears("ACK")
        connected(office, bob, carol)
        assert len(office.voices()) == 2
        assert {one.port for one in office.voices().values()} <= office.running().keys()


class TestToAService:
    """The exchange itself is whom the party is transferred to."""

    def test_into_a_room(self, office: Office) -> None:
        alice, bob, call, invited = established(office)
        carol = office.phone("102")
        member = carol.invite("*6*1", call_id="room")
        member.answered()
        member.ack()
        hold(call, bob)
        refers(call, to("*6*1"), 100, 200)
        alice.respond(alice.hears("BYE"), 200)
        again = bob.hears("INVITE")
        assert again.call_id == invited.call_id
        assert direction_of(again) is Direction.SENDRECV
        answers(bob, again)
        office.assert_private()
        voices = office.voices()
        assert len(voices) == 2
        assert len({voice.room for voice in voices.values()}) == 1
        assert {voice.room for voice in voices.values()} != {0}
        # Of several codecs one is asked for
        narrowed = bob.hears("INVITE")
        bob.respond(narrowed, 200, "OK", bob.sdp().replace(b"8 0 101", b"8 101"))
        bob.hears("ACK")
        bob.within(invited, "BYE", 2)
        bob.response(200)
        assert causes(office) == ["CALLER_TRANSFERRED", "CALLER_HUNG_UP"]
        last = office.ended[-1]
        assert (last.caller_number, last.called_number) == ("101", "*6*1")
        assert last.transferred_by == "100"
        member.bye()
        carol.response(200)
        office.advance(80)
        office.assert_empty()

    def test_who_is_busy_changing_is_asked_again(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.request("REFER", 3, headers=to("*43"))
        bob.respond(bob.hears("INVITE"), 491)
        bob.hears("ACK")
        for _ in range(41):
            if not bob.inbox:
                office.advance(0.1)
        answers(bob, bob.hears("INVITE"))
        (voice,) = office.voices().values()
        assert voice.echo

    def test_who_cannot_is_hung_up(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.request("REFER", 3, headers=to("*43"))
        bob.respond(bob.hears("INVITE"), 488)
        bob.hears("ACK")
        bob.respond(bob.hears("BYE"), 200)
        assert causes(office) == ["CALLER_TRANSFERRED", "REQUEST_UNUSABLE"]
        gone(office, alice)

    @pytest.mark.parametrize(
        "media",
        [
            f"m=audio 4000 RTP/SAVP 8\r\n{KEYS}\r\n",
            "m=audio 4000 UDP/TLS/RTP/SAVPF 8\r\na=fingerprint:sha-256 00\r\n",
        ],
    )
    def test_who_talks_encrypted_stays(self, office: Office, media: str) -> None:
        """Its phone would refuse plain sound, when there is nobody any more to go back to."""
        alice, bob, call, _ = talking(office, media)
        refers(call, to("*43"), 100, 488)
        assert not alice.inbox
        assert not bob.inbox
        assert causes(office) == ["REQUEST_UNUSABLE"]
        assert office.ended[0].transferred_by == "100"
        call.bye()
        assert causes(office) == ["REQUEST_UNUSABLE", "CALLER_HUNG_UP"]

    def test_who_talks_encrypted_stays_out_of_a_call_with_a_service(self, office: Office) -> None:
        alice, bob, call, _ = talking(office, f"m=audio 4000 RTP/SAVP 8\r\n{KEYS}\r\n")
        room = alice.invite("*6*1", call_id="room")
        room.answered()
        room.ack()
        refers(call, replacing(room), 100, 488)
        assert not bob.inbox
        assert office.ended == []

    def test_who_may_talk_encrypted_is_offered_plain_sound(self, office: Office) -> None:
        """RFC 8643: with RTP/AVP its keys are no more than an offer."""
        alice, bob, call, _ = talking(office, f"m=audio 4000 RTP/AVP 8\r\n{KEYS}\r\n")
        call.request("REFER", 3, headers=to("*43"))
        again = bob.hears("INVITE")
        assert b"crypto" not in again.body
        answers(bob, again)
        (voice,) = office.voices().values()
        assert voice.echo

    def test_a_room_whose_password_is_wrong(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        member = office.phone("102").invite("*6*1*47", call_id="room")
        member.answered()
        member.ack()
        refers(call, to("*6*1*11"), 100, 403)
        assert not bob.inbox
        assert office.ended[0].dialed_number == "*6*1*xxxx"


class TestWaiting:
    """Who is transferred hears that it rings, when who transfers has gone."""

    def test_ringing_tone(self, office: Office) -> None:
        alice, bob, carol, call, _ = referred(office)
        invite = carol.hears("INVITE")
        call.cseq = 3
        call.bye()
        assert office.voices() == {}
        carol.respond(invite, 180, "Ringing")
        (voice,) = office.voices().values()
        assert (voice.room, voice.partner) == (0, 0)
        (play,) = [one for one in office.media if type(one) is Play]
        assert (play.tone, play.port, play.times) == ("ringback", voice.port, 0)
        answers(carol, invite)
        assert StopPlaying(play.player) in office.media
        assert office.voices() == {}
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, carol)

    @pytest.mark.parametrize("country", ["", "CN"])
    def test_the_tone_of_the_country(self, country: str) -> None:
        office = Office(media=MediaSettings(country=country))
        _, _, carol, call, _ = referred(office)
        carol.respond(carol.hears("INVITE"), 180, "Ringing")
        call.cseq = 3
        call.bye()
        (play,) = [one for one in office.media if type(one) is Play]
        assert (play.tone, play.country) == ("ringback", country)

    def test_who_waits_has_gone(self, office: Office) -> None:
        """A gateway of an analogue line lets us hear that its party has hung up, and says no word."""
        _, bob, carol, call, _ = referred(office)
        invite = carol.hears("INVITE")
        call.cseq = 3
        call.bye()
        carol.respond(invite, 180, "Ringing")
        (voice,) = office.voices().values()
        assert voice.line
        for port, tone in ((voice.port, ""), (voice.port + 40, "busy")):
            office.exchange.reported(Line(port, tone, 1000), office.now)
            office.pump()
            assert not carol.inbox
        office.exchange.reported(Line(voice.port, "congestion", 0), office.now)
        office.pump()
        carol.hears("CANCEL")
        bob.respond(bob.hears("BYE"), 200)
        assert causes(office)[-1] == "CALLER_HUNG_UP"

    def test_it_rang_before(self, office: Office) -> None:
        alice, bob, carol, call, invited = referred(office)
        carol.respond(carol.hears("INVITE"), 180, "Ringing")
        assert office.voices() == {}
        call.cseq = 3
        call.bye()
        assert len(office.voices()) == 1
        bob.within(invited, "BYE", 2)
        bob.response(200)
        assert office.voices() == {}
        assert office.running() == {}

    @pytest.mark.parametrize(
        "media",
        [
            f"m=audio 4000 RTP/SAVP 8\r\n{KEYS}\r\n",
            f"m=audio 4000 RTP/AVP 8\r\n{KEYS}\r\n",
            "m=audio 4000 RTP/AVP 18\r\n",
        ],
    )
    def test_who_the_engine_cannot_speak_with_hears_nothing(
        self, office: Office, media: str
    ) -> None:
        alice, bob, call, _ = talking(office, media)
        carol = office.phone("102")
        call.request("REFER", 3, headers=to("102"))
        call.cseq = 3
        call.bye()
        carol.respond(carol.hears("INVITE"), 180, "Ringing")
        assert office.voices() == {}
        assert [one for one in office.media if type(one) is Play] == []


class TestRfc4916:
    """Who says that it can take it hears by From, too, whom it talks with now."""

    def test_from_changes(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        carol = office.phone("102")
        call = alice.invite("101", headers="Supported: from-change, timer")
        answer = "Supported: from-change"
        invited = bob.hears("INVITE")
        bob.respond(invited, 200, "OK", bob.sdp(), headers=answer)
        bob.hears("ACK")
        assert "from-change" in call.answered().all("Supported")
        call.ack()
        call.request("REFER", 3, headers=to("102"))
        answers(carol, carol.hears("INVITE"))
        again = bob.hears("INVITE")
        assert str(again.from_) == f'"User 102" <sip:102@192.0.2.1>;tag={invited.from_.tag}'
        answers(bob, again)
        bob.within(invited, "BYE", 2)
        bob.response(200)
        assert carol.hears("BYE")

    def test_a_hidden_party_stays_hidden(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        carol = office.phone("102")
        call = alice.invite("101")
        invited = bob.hears("INVITE")
        bob.respond(invited, 200, "OK", bob.sdp(), headers="Supported: from-change")
        bob.hears("ACK")
        call.answered()
        call.ack()
        call.request("REFER", 3, headers=to("102"))
        carol.respond(carol.hears("INVITE"), 200, "OK", carol.sdp(), headers="Privacy: id")
        carol.hears("ACK")
        again = bob.hears("INVITE")
        assert "anonymous@anonymous.invalid" in str(again.from_)
        assert again.get("P-Asserted-Identity") is None

    def test_who_doesn_t_say_so_sees_the_same_from(self, office: Office) -> None:
        alice, bob, carol, call, invited = referred(office)
        answers(carol, carol.hears("INVITE"))
        assert bob.hears("INVITE").get("From") == invited.get("From")

    def test_the_peer_s_own_change(self, office: Office) -> None:
        alice, bob, call, invited = established(office)
        lines = f"From: <sip:999@{HOME.host}>;tag={bob.tag}"
        data = "\n".join(
            [
                f"UPDATE {invited.contacts[0].uri} SIP/2.0",  # type: ignore[index]
                f"Via: SIP/2.0/UDP {bob.address.host}:5060;branch=z9hG4bKchange;rport",
                "Max-Forwards: 70",
                lines,
                f"To: {invited.get('From')}",
                f"Call-ID: {invited.call_id}",
                "CSeq: 3 UPDATE",
                f"Contact: {bob.contact}",
            ]
        )
        bob.send(data)
        bob.response(200)
        call.bye()
        alice.response(200)
        assert str(bob.hears("BYE").to) == f"<sip:999@{HOME.host}>;tag={bob.tag}"


class TestTheRefer:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ("", 400),
            ("Refer-To: <sip:102@x>\nRefer-To: <sip:103@x>", 400),
            ("Refer-To: <sip:", 400),
            ("Refer-To: <http://x>", 416),
            ("Refer-To: <sip:102@x;method=SUBSCRIBE>", 403),
            ("Refer-To: <sip:102@x?Replaces=nonsense>", 400),
            ("Refer-To: <sip:102@x>\nReferred-By: <sip", 400),
            ("Refer-To: <sip:102@x>\nRequire: moon", 420),
        ],
    )
    def test_refused(self, office: Office, headers: str, status: int) -> None:
        alice, bob, call, _ = established(office)
        call.request("REFER", 3, headers=headers)
        alice.response(status)
        assert not alice.inbox
        assert not bob.inbox
        connected(office, alice, bob)

    def test_one_at_a_time(self, office: Office) -> None:
        alice, bob, call, invited = established(office)
        office.phone("102")
        call.request("REFER", 3, headers=to("102"))
        bob.within(invited, "REFER", 2, headers=to("102"))
        bob.response(491)

    def test_before_the_answer(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        alice.inbox.clear()
        bob.within(invite, "REFER", 2, headers=to("102"))
        assert isinstance(bob.inbox[0], Response)
        assert 400 <= bob.inbox[0].status < 500

    def test_of_a_service(self, office: Office) -> None:
        alice = office.phone("100")
        call = alice.invite("*43")
        call.answered()
        call.ack()
        call.request("REFER", 3, headers=to("101"))
        alice.response(603)

    def test_outside_a_call(self, office: Office) -> None:
        alice = office.phone("100")
        """It's another thing: `test_click_to_dial`; and in no dialog that there is, 481."""
        uri = f"sip:101@{HOME.host}"
        alice.request("REFER", uri, call_id="x", cseq=1, headers=to("102"))
        alice.response(407)
        there = f"<{uri}>;tag=none"
        alice.request("REFER", uri, call_id="y", cseq=1, to=there, headers=to("102"))
        alice.response(481)

    def test_without_a_subscription(self, office: Office) -> None:
        """RFC 4488."""
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        call.request("REFER", 3, headers=to("102", "\nRefer-Sub: false\nRequire: norefersub"))
        assert alice.response(202).get("Refer-Sub") == "false"
        answers(carol, carol.hears("INVITE"))
        assert alice.hears("BYE")

    def test_the_second_one_of_a_dialog_has_an_id(self, office: Office) -> None:
        """RFC 3515 §2.4.6."""
        alice, bob, call, _ = established(office)
        for cseq in (3, 4):
            call.request("REFER", cseq, headers=to("999"))
            alice.response(202)
            for notify in told(alice, 100, 404):
                assert notify.get("Event") == ("refer" if cseq == 3 else "refer;id=4")

    def test_who_doesn_t_listen_loses_no_call(self, office: Office) -> None:
        alice, bob, carol, call, _ = referred(office)
        alice.response(202)
        alice.respond(alice.hears("NOTIFY"), 481)
        carol.respond(carol.hears("INVITE"), 180, "Ringing")
        assert not alice.inbox
        carol.inbox.clear()
        office.advance(40)
        assert not [facts for facts in office.ended if facts.called_number == "101"]

    def test_who_hides_is_not_named(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        carol = office.phone("102")
        call = alice.invite("101", headers="Privacy: id")
        answers(bob, bob.hears("INVITE"))
        call.answered()
        call.ack()
        call.request("REFER", 3, headers=f"Refer-To: <sip:102@{HOME.host}>")
        invite = carol.hears("INVITE")
        assert invite.get("Referred-By") is None


def test_a_transferred_call_survives_the_exchange(office: Office) -> None:
    """Its state is what the journal needs."""
    alice, bob, carol, call, _ = referred(office)
    answers(carol, carol.hears("INVITE"))
    answers(bob, bob.hears("INVITE"))
    (running,) = office.exchange.calls.values()
    state = running.state()
    assert state is not None
    assert state.callee is not None
    assert (state.caller.number, state.callee.number) == ("101", "102")
    assert len(state.ports) == 2
