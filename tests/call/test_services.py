"""Calls that the exchange itself answers: offer and answer, the dialog, what becomes of the call."""

import msgspec
import pytest

from pbx.call.journal import CallState
from pbx.config.settings import CallSettings, ServiceSettings
from pbx.errors import PeerError
from pbx.media.codecs import G722, OPUS, PCMA, PCMU
from pbx.media.protocol import (
    Command,
    Digit,
    Played,
    Record,
    Recorded,
    Release,
    StopPlaying,
    StopRecording,
    Stream,
    Voice,
)
from pbx.sdp.description import parse_sdp
from tests.call.office import Invite, Office, Phone
from tests.call.services import ends, played, player, served, voices


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


def sdp(phone: Phone, *lines: str) -> bytes:
    host = phone.address.host
    head = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0")
    return "".join(f"{line}\r\n" for line in (*head, *lines)).encode()


class TestAnswer:
    def test_echo(self, office: Office, alice: Phone) -> None:
        call = alice.invite("*43")
        answer = call.answered()
        (media,) = parse_sdp(answer.body).media
        assert (media.formats, media.port) == (("8", "101"), 20000)
        assert media.direction is not None
        assert media.direction.value == "sendrecv"
        assert "INFO" in answer.all("Allow")
        call.ack()
        (stream,) = office.running().values()
        assert stream.remote_rtp is not None
        assert stream.remote_rtp.host == alice.address.host
        assert (stream.port, stream.sink, stream.send, stream.wait) == (20000, 0, True, False)
        (voice,) = voices(office).values()
        assert voice == Voice(20000, PCMA, 8, 20, 101, echo=True, event_clock=8000)
        told = [type(one) for one in office.media if isinstance(one, Stream | Voice)]
        assert told == [Stream, Voice]
        office.exchange.hang_up(next(iter(office.exchange.calls)), office.now)
        office.pump()
        alice.respond(alice.hears("BYE"), 200)
        assert office.cause() == ("ADMINISTRATOR", 16)
        office.advance(120)
        office.assert_empty()

    def test_the_record_is_that_of_any_call(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*43")
        assert office.changed == ["talking"]
        office.now += 5
        call.bye()
        alice.response(200)
        (facts,) = office.ended
        assert (facts.caller_number, facts.dialed_number, facts.called_number) == (
            *("100", "*43"),
            "*43",
        )
        assert (facts.route, facts.codec, facts.caller_addr) == (
            *("service echo", "PCMA"),
            "udp 192.0.2.10:5060",
        )
        assert facts.talk is not None
        assert facts.release == facts.talk + 5
        assert office.cause() == ("CALLER_HUNG_UP", 16)
        assert Release([20000]) in office.media
        office.advance(120)
        office.assert_empty()

    def test_only_users_are_served(self, office: Office) -> None:
        stranger = office.phone("100", register=False)
        stranger.request("INVITE", "sip:*43@192.0.2.1", call_id="s", cseq=1, body=stranger.sdp())
        stranger.response(407)
        assert not office.exchange.calls

    def test_a_number_that_is_switched_off(self) -> None:
        office = Office(services=ServiceSettings(echo=""))
        office.phone("100").invite("*43").phone.response(404)
        assert office.cause() == ("NO_ROUTE", 1)

    @pytest.mark.parametrize(
        ("number", "listened"), [("*47", True), ("*43", False), ("*6*1", False)]
    )
    def test_tones_are_listened_for_where_keys_do_something(
        self, office: Office, alice: Phone, number: str, *, listened: bool
    ) -> None:
        """The phone sends no telephone-events."""
        call = alice.invite(number, sdp(alice, "m=audio 4000 RTP/AVP 8"))
        call.answered()
        call.ack()
        (voice,) = voices(office).values()
        assert (voice.event_type, voice.inband) == (-1, listened)

    def test_another_number(self) -> None:
        office = Office(services=ServiceSettings(echo="#5"))
        served(office.phone("100"), "%235")
        (voice,) = voices(office).values()
        assert voice.echo

    def test_nothing_in_common(self, office: Office, alice: Phone) -> None:
        body = sdp(alice, "m=audio 4000 RTP/AVP 18 101", "a=rtpmap:101 telephone-event/8000")
        alice.invite("*43", body).phone.response(488)
        assert office.cause() == ("REQUEST_UNUSABLE", 79)
        office.advance(120)
        office.assert_empty()

    @pytest.mark.parametrize("body", [None, b""])
    def test_before_there_is_an_engine(self, body: bytes | None) -> None:
        office = Office(engine=False)
        alice, _ = office.phone("100"), office.phone("101")
        # As for any call
        for dialed, offer in (("101", alice.sdp()), ("*43", body)):
            call = alice.invite(dialed, offer, call_id=dialed)
            call.ack_failure(alice.response(503))
        assert [facts.cause.tag.name for facts in office.ended if facts.cause] == ["LIMIT"] * 2
        office.advance(120)
        office.assert_empty()

    @pytest.mark.parametrize("body", [None, b""])
    def test_an_engine_that_codes_no_speech(self, alice: Phone, body: bytes | None) -> None:
        alice.office.engine_ready(codecs=("telephone-event",))
        alice.invite("*43", body).phone.response(488)

    def test_no_port_is_left(self) -> None:
        office = Office(ports=0)
        office.phone("100").invite("*43").phone.response(503)
        assert office.cause() == ("LIMIT", 42)
        office.advance(120)
        office.assert_empty()

    def test_video_is_refused(self, alice: Phone) -> None:
        body = sdp(alice, "m=video 4002 RTP/AVP 34", "m=audio 4000 RTP/AVP 0")
        answer = alice.invite("*43", body).answered()
        video, audio = parse_sdp(answer.body).media
        assert (video.port, audio.port) == (0, 20000)
        assert list(alice.office.running()) == [20000]

    def test_sound_that_would_come_back_to_itself(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*43")
        body = alice.sdp(port=20000).replace(alice.address.host.encode(), b"192.0.2.1")
        call.reinvite(body)
        alice.response(488)

    def test_the_longest_duration(self) -> None:
        office = Office(CallSettings(max_duration_s=60))
        alice = office.phone("100")
        served(alice, "*43")
        office.advance(59)
        assert not alice.inbox
        office.advance(2)
        alice.hears("BYE")
        assert office.cause() == ("MAX_DURATION", 102)

    def test_silence_ends_it(self, office: Office, alice: Phone) -> None:
        served(alice, "*43")
        assert office.running()[20000].timeout_s == 60
        office.exchange.stream_timed_out(20000, office.now)
        office.pump()
        alice.hears("BYE")
        assert office.cause() == ("MEDIA_TIMEOUT", 41)

    def test_no_ack_ever(self, office: Office, alice: Phone) -> None:
        alice.invite("*45").answered()
        office.advance(40)
        assert office.cause() == ("TRANSACTION_TIMED_OUT", 102)


class TestLateOffer:
    """RFC 3261 §13.2.1: the offer is ours, the answer comes in the ACK."""

    def test_our_offer(self, office: Office, alice: Phone) -> None:
        call = alice.invite("*43", b"")
        (media,) = parse_sdp(call.answered().body).media
        assert [one.encoding for one in media.rtpmaps] == [
            *("opus", "G722", "PCMA", "PCMU", "G726-32", "GSM"),
            *("CN", "telephone-event"),
            *("L16", "L16", "L16"),
        ]
        assert not voices(office)
        assert office.changed == ["talking"]
        call.ack(sdp(alice, "m=audio 4000 RTP/AVP 9 101", "a=rtpmap:101 telephone-event/8000"))
        (voice,) = voices(office).values()
        assert (voice.codec, voice.payload_type, voice.event_type, voice.echo) == (
            *(G722, 9, 101),
            True,
        )
        call.bye()
        alice.response(200)
        assert office.ended[0].codec == "G722"
        office.advance(120)
        office.assert_empty()

    def test_no_answer_in_the_ack(self, office: Office, alice: Phone) -> None:
        call = alice.invite("*43", b"")
        call.answered()
        call.ack()
        alice.hears("BYE")
        assert office.cause() == ("REQUEST_UNUSABLE", 79)

    def test_an_answer_that_cannot_be_read(self, office: Office, alice: Phone) -> None:
        call = alice.invite("*43", b"")
        call.answered()
        call.ack(b"nonsense")
        alice.hears("BYE")
        assert office.cause() == ("REQUEST_UNUSABLE", 79)


class TestSeveralCodecsInTheAnswer:
    """RFC 3264 §10.2: the peer may send any of them, and a voice takes one; so we ask for one."""

    @pytest.fixture
    def call(self, alice: Phone) -> Invite:
        call = alice.invite("*45", b"")
        call.answered()
        call.ack(sdp(alice, "m=audio 4000 RTP/AVP 9 0 8"))
        return call

    def test_one_is_asked_for(self, office: Office, alice: Phone, call: Invite) -> None:
        assert voices(office)[20000].codec == G722
        asked = alice.hears("INVITE")
        (media,) = parse_sdp(asked.body).media
        assert (media.formats, media.port) == (("9",), 20000)
        tones = len(played(office))
        alice.respond(asked, 200, "OK", sdp(alice, "m=audio 4008 RTP/AVP 9"))
        alice.hears("ACK")
        assert not alice.inbox
        stream = office.running()[20000]
        assert stream.remote_rtp is not None
        assert stream.remote_rtp.port == 4008
        assert len(played(office)) == tones
        call.bye()
        alice.response(200)
        office.advance(120)
        office.assert_empty()

    @pytest.mark.parametrize("status", [488, 491, 500])
    def test_a_refusal_changes_nothing(
        self, office: Office, alice: Phone, call: Invite, status: int
    ) -> None:
        told: list[Command] = list(office.media)
        alice.respond(alice.hears("INVITE"), status)
        alice.hears("ACK")
        assert office.media == told
        assert not alice.inbox
        (running,) = office.exchange.calls.values()
        state = running.state()
        assert state is not None
        # RFC 3261 §14.1: "as if no re-INVITE had been issued"
        assert state.caller.media.told.count(b"a=rtpmap") > 1
        # The peer's next offer is answered by one codec.
        call.reinvite(sdp(alice, "m=audio 4000 RTP/AVP 8 9"))
        assert parse_sdp(call.answered().body).media[0].formats == ("8",)
        call.ack()
        assert voices(office)[20000].codec == PCMA
        assert not alice.inbox

    def test_a_peer_that_hangs_up_meanwhile(
        self, office: Office, alice: Phone, call: Invite
    ) -> None:
        asked = alice.hears("INVITE")
        call.bye()
        alice.response(200)
        alice.respond(asked, 487)
        alice.hears("ACK")
        assert office.cause() == ("CALLER_HUNG_UP", 16)
        office.advance(120)
        office.assert_empty()


class TestRfc3261Section14:
    """The session changes."""

    def test_hold_and_resume(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*45")
        tones = len(played(office))
        call.reinvite(alice.sdp("sendonly"))
        assert b"a=recvonly" in call.answered().body
        call.ack()
        assert not office.running()[20000].send
        assert not voices(office)[20000].speaks
        call.reinvite(alice.sdp())
        assert b"a=sendrecv" in call.answered().body
        call.ack()
        assert office.running()[20000].send
        assert voices(office)[20000].speaks
        # what plays has gone on
        assert len(played(office)) == tones

    def test_another_codec(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*43")
        call.reinvite(sdp(alice, "m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2"))
        call.answered()
        call.ack()
        voice = voices(office)[20000]
        assert (voice.codec, voice.payload_type, voice.event_type) == (OPUS, 96, -1)

    def test_nothing_in_common_leaves_all_as_it_was(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*43")
        told: list[Command] = list(office.media)
        call.reinvite(sdp(alice, "m=audio 4000 RTP/AVP 18"))
        alice.response(488)
        assert office.media == told
        call.bye()
        alice.response(200)
        assert office.cause() == ("CALLER_HUNG_UP", 16)

    def test_without_an_offer(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*43")
        call.reinvite(b"")
        assert b"opus" in call.answered().body
        call.ack(sdp(alice, "m=audio 4000 RTP/AVP 0"))
        assert voices(office)[20000].codec == PCMU

    def test_what_an_offer_of_ours_keeps(self, office: Office, alice: Phone) -> None:
        """RFC 3264 §8: the places of the media, and what a payload type means (§8.3.2)."""
        event = "a=rtpmap:101 telephone-event/8000"
        call = alice.invite(
            "*45",
            sdp(alice, "m=video 4002 RTP/AVP 96", "m=audio 4000 RTP/AVP 0 101", event),
        )
        call.answered()
        call.ack()
        tones = len(played(office))
        # What was said once counts, too.
        call.reinvite(
            sdp(alice, "m=video 0 RTP/AVP 96", "m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 AMR/8000")
        )
        call.answered()
        call.ack()
        call.reinvite(b"")
        video, audio = parse_sdp(call.answered().body).media
        assert (video.port, audio.port) == (0, 20000)
        meanings = {one.format: one.encoding for one in audio.rtpmaps}
        assert meanings["101"] == "telephone-event"
        assert "96" not in meanings
        call.ack(sdp(alice, "m=video 0 RTP/AVP 96", "m=audio 4000 RTP/AVP 0 101", event))
        assert voices(office)[20000].event_type == 101
        # The stream is the same, and what plays goes on.
        assert list(office.running()) == [20000]
        assert len(played(office)) == tones

    def test_sound_that_moves_to_another_place_begins_anew(
        self, office: Office, alice: Phone
    ) -> None:
        call = served(alice, "*45")
        first = player(office)
        call.reinvite(
            sdp(alice, "m=audio 0 RTP/AVP 8", "m=audio 4002 RTP/AVP 8"),
        )
        call.answered()
        call.ack()
        assert list(office.running()) == [20002]
        assert player(office).port == 20002
        assert player(office).player != first.player

    def test_without_any_sound_it_is_silent(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*45")
        call.reinvite(sdp(alice, "m=audio 0 RTP/AVP 8"))
        call.answered()
        call.ack()
        assert not office.running()
        call.reinvite(alice.sdp())
        call.answered()
        call.ack()
        (port,) = office.running()
        assert player(office).port == port


class TestInfo:
    """Digits of phones that send no telephone-events."""

    def test_a_digit(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*47")
        office.exchange.reported(Played(player(office).player), office.now)
        office.pump()
        call.cseq += 1
        headers = "Content-Type: application/dtmf-relay"
        call.request("INFO", call.cseq, b"Signal=#\r\nDuration=160\r\n", headers)
        alice.response(200)
        assert "StopRecording" in [type(one).__name__ for one in office.media]

    @pytest.mark.parametrize("inband", [False, True])
    @pytest.mark.parametrize("info_first", [False, True])
    def test_one_key_told_of_in_two_ways(
        self, office: Office, alice: Phone, info_first: bool, inband: bool
    ) -> None:
        call = served(alice, "*47")
        ends(office, player(office))

        def by_info() -> None:
            call.cseq += 1
            call.request("INFO", call.cseq, b"#", "Content-Type: application/dtmf")
            alice.response(200)

        def by_sound() -> None:
            office.exchange.reported(Digit(20000, "#", inband=inband), office.now)
            office.pump()

        first, second = (by_info, by_sound) if info_first else (by_sound, by_info)
        first()
        (record,) = [one for one in office.media if isinstance(one, Record)]
        office.exchange.reported(Recorded(record.recording, 3.0), office.now)
        office.pump()
        office.now += 0.3
        second()
        # The recording is played, and nobody has ended that.
        assert StopRecording(record.recording) in office.media
        assert not [one for one in office.media if isinstance(one, StopPlaying)]

    def test_another_body(self, alice: Phone) -> None:
        call = served(alice, "*47")
        call.cseq += 1
        call.request("INFO", call.cseq, b"<xml/>", "Content-Type: application/media_control+xml")
        assert "application/dtmf-relay" in alice.response(415).all("Accept")

    def test_an_info_package(self, alice: Phone) -> None:
        call = served(alice, "*47")
        call.cseq += 1
        headers = "Info-Package: x\nContent-Type: application/dtmf-relay"
        call.request("INFO", call.cseq, b"Signal=5", headers)
        refused = alice.response(469)
        # RFC 6086 §4.2.2: we take none
        assert refused.get("Recv-Info") == ""

    def test_a_sign_of_life(self, alice: Phone) -> None:
        call = served(alice, "*47")
        call.cseq += 1
        call.request("INFO", call.cseq)
        alice.response(200)


class TestEngine:
    def test_another_one_gets_all_again(self, office: Office, alice: Phone) -> None:
        served(alice, "*45")
        stream, voice, tone = office.running()[20000], voices(office)[20000], player(office)
        office.media.clear()
        office.engine_ready()
        office.pump()
        assert office.media[:2] == [stream, voice]
        again = player(office)
        assert (again.port, again.tone) == (20000, tone.tone)
        assert again.player != tone.player

    def test_what_it_says_of_others(self, office: Office, alice: Phone) -> None:
        served(alice, "*46")
        before = len(played(office))
        office.exchange.reported(Played(7), office.now)
        office.exchange.reported(Digit(20002, "#", inband=False), office.now)
        office.pump()
        assert len(played(office)) == before


class TestRestartOfTheExchange:
    """As of calls between phones, the journal keeps what it takes to go on."""

    def reborn(self, office: Office, *phones: Phone, limits: CallSettings | None = None) -> Office:
        after = Office(limits)
        after.now = office.now
        states: list[CallState] = []
        for call in office.exchange.calls.values():
            state = call.state()
            assert state is not None
            states.append(msgspec.json.decode(msgspec.json.encode(state), type=CallState))
        for phone in phones:
            phone.inbox.clear()
            phone.office = after
            after.phones[phone.address] = phone
        for call, state in zip(office.exchange.calls.values(), states, strict=True):
            after.exchange.resume(call.facts, state, after.now)
        after.engine_ready(office.running())
        after.pump()
        return after

    def test_the_service_begins_anew(self, office: Office, alice: Phone) -> None:
        call = served(alice, "*45")
        stream, voice = office.running()[20000], voices(office)[20000]
        after = self.reborn(office, alice)
        # What was left of it ends, before all is set again.
        told = [one for one in after.media if not isinstance(one, Played)]
        first = told.index(Release([20000]))
        assert told[first + 1 : first + 3] == [stream, voice]
        assert player(after).tone == "1004"
        call.bye()
        alice.response(200)
        assert after.cause() == ("CALLER_HUNG_UP", 16)
        after.advance(120)
        assert after.exchange.pool.free == 20

    def test_the_longest_duration_still_counts(self, office: Office, alice: Phone) -> None:
        served(alice, "*45")
        office.now += 50
        after = self.reborn(office, alice, limits=CallSettings(max_duration_s=60))
        after.advance(9)
        assert not after.ended
        after.advance(2)
        assert after.cause() == ("MAX_DURATION", 102)

    def test_a_conference_goes_on(self, office: Office, alice: Phone) -> None:
        bob = office.phone("101")
        served(alice, "*6*1*23")
        served(bob, "*6*1*23")
        after = self.reborn(office, alice, bob)
        (room,) = {voice.room for voice in voices(after).values()}
        assert room
        # Nobody has come: no tone says so.
        assert played(after) == []
        carol = after.phone("102")
        carol.invite("*6*1*9").phone.response(403)
        served(after.phone("103"), "*6*1*23")

    def test_a_journal_of_another_version(self, office: Office, alice: Phone) -> None:
        served(alice, "*45")
        (call,) = office.exchange.calls.values()
        state = call.state()
        assert state is not None
        with pytest.raises(PeerError):
            Office().exchange.resume(call.facts, CallState(state.caller), office.now)
