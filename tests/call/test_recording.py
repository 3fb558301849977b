"""Recordings of calls between phones, as the administrator begins and ends them."""

import pytest

from pbx.media import codecs
from pbx.media.protocol import Command, Record, Recorded, StopRecording, Tap
from tests.call.office import Office, Phone, established
from tests.call.services import served
from tests.call.test_conversion import converted, sdp
from tests.call.test_resume import reborn


@pytest.fixture
def office() -> Office:
    return Office()


def begin(office: Office, file: str = "20261123/a.wav", *, stereo: bool = False) -> str:
    """Record the only call; return why not."""
    (call_id,) = office.exchange.calls
    refusal = office.exchange.record(call_id, file, stereo=stereo)
    office.pump()
    return refusal


def end(office: Office) -> str:
    (call_id,) = office.exchange.calls
    refusal = office.exchange.stop_recording(call_id)
    office.pump()
    return refusal


def said(office: Office, kind: type[Command]) -> list[Command]:
    return [one for one in office.media if isinstance(one, kind)]


def recordings(office: Office) -> list[Record]:
    return [one for one in office.media if isinstance(one, Record)]


def port_of(office: Office, phone: Phone) -> int:
    (port,) = (
        one.port
        for one in office.running().values()
        if one.remote_rtp is not None and one.remote_rtp.host == phone.address.host
    )
    return port


class TestRecording:
    def test_of_a_call_that_is_passed_on(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        assert begin(office, stereo=True) == ""
        (record,) = recordings(office)
        assert record.path == "record/20261123/a.wav"
        assert (record.left, record.right) == (port_of(office, alice), port_of(office, bob))
        assert record.stereo
        # What both may send to each other, by the numbers that they were told.
        formats = [(8, codecs.PCMA), (0, codecs.PCMU)]
        assert said(office, Tap) == [Tap(record.left, formats), Tap(record.right, formats)]
        assert office.media.index(said(office, Tap)[1]) < office.media.index(record)

    def test_of_a_converted_call(self, office: Office) -> None:
        alice, bob, _, _ = converted(office)
        assert begin(office) == ""
        (record,) = recordings(office)
        assert (record.left, record.right) == (port_of(office, alice), port_of(office, bob))
        assert said(office, Tap) == []

    def test_the_call_says_so(self, office: Office) -> None:
        _, _, call, _ = established(office)

        def recorded() -> list[bool]:
            return [one.recording for one in office.exchange.calls.values()]

        assert recorded() == [False]
        begin(office)
        assert recorded() == [True]
        end(office)
        assert recorded() == [False]
        begin(office, "20261123/b.wav")
        call.bye()
        (facts,) = office.ended
        assert facts.recordings == ("20261123/a.wav", "20261123/b.wav")

    def test_the_end(self, office: Office) -> None:
        established(office)
        begin(office)
        (record,) = recordings(office)
        assert end(office) == ""
        assert said(office, StopRecording) == [StopRecording(record.recording)]
        assert end(office) == "not-recorded"

    def test_another_one_has_another_name(self, office: Office) -> None:
        established(office)
        begin(office)
        end(office)
        begin(office, "20261123/b.wav")
        first, second = recordings(office)
        assert first.recording != second.recording

    def test_nothing_is_left_of_it(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        begin(office)
        call.bye()
        bob.respond(bob.hears("BYE"), 200)
        alice.response(200)
        office.advance(120)
        office.assert_empty()


class TestChanges:
    def test_other_codecs_are_told_of(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        begin(office)
        call.reinvite(sdp(alice, "9 101"))
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, "9 101"))
        bob.hears("ACK")
        call.answered()
        call.ack()
        assert said(office, Tap)[2:] == [
            Tap(port_of(office, alice), [(9, codecs.G722)]),
            Tap(port_of(office, bob), [(9, codecs.G722)]),
        ]
        assert len(recordings(office)) == 1

    def test_a_call_that_is_converted_no_more(self, office: Office) -> None:
        _, bob, call, _ = converted(office)
        begin(office)
        alice = call.phone
        call.reinvite(sdp(alice, "9 101"))
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, "9 101"))
        bob.hears("ACK")
        call.answered()
        call.ack()
        assert len(said(office, Tap)) == 2
        assert office.voices() == {}

    def test_without_a_recording_nobody_is_told(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp())
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        assert said(office, Tap) == []


class TestAfterARestart:
    """The exchange has died and come back; the engine has gone on."""

    def test_it_goes_on_and_can_be_ended(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        begin(office)
        (record,) = recordings(office)
        after = reborn(office, alice, bob, recordings=[record.recording])
        (call,) = after.exchange.calls.values()
        assert call.recording
        assert recordings(after) == said(after, StopRecording) == []
        assert begin(after, "20261123/b.wav") == "recorded-already"
        assert end(after) == ""
        assert said(after, StopRecording) == [StopRecording(record.recording)]

    def test_its_codecs_may_still_change(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        begin(office)
        (record,) = recordings(office)
        after = reborn(office, alice, bob, recordings=[record.recording])
        before = len(said(after, Tap))
        call.reinvite(sdp(alice, "9 101"))
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, "9 101"))
        bob.hears("ACK")
        call.answered()
        assert said(after, Tap)[before:] == [
            Tap(record.left, [(9, codecs.G722)]),
            Tap(record.right, [(9, codecs.G722)]),
        ]

    def test_the_record_names_it(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        begin(office)
        (record,) = recordings(office)
        after = reborn(office, alice, bob, recordings=[record.recording])
        call.bye()
        (facts,) = after.ended
        assert facts.recordings == ("20261123/a.wav",)

    def test_one_that_has_ended_meanwhile(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        begin(office)
        after = reborn(office, alice, bob)
        assert not next(iter(after.exchange.calls.values())).recording
        assert begin(after, "20261123/b.wav") == ""

    def test_what_is_nobodys_is_ended(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        after = reborn(office, alice, bob, recordings=[99])
        assert said(after, StopRecording) == [StopRecording(99)]


class TestRefusals:
    def test_no_call(self, office: Office) -> None:
        assert office.exchange.record("c9", "a.wav", stereo=False) == "unknown-call"
        assert office.exchange.stop_recording("c9") == "unknown-call"

    def test_a_call_that_is_not_answered(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        assert begin(office) == "not-recordable"
        assert recordings(office) == []

    def test_a_call_to_a_service(self, office: Office) -> None:
        served(office.phone("100"), "*43")
        assert begin(office) == "not-recordable"
        assert end(office) == "not-recorded"

    @pytest.mark.parametrize(
        "media",
        [
            "m=audio 4000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
            "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 iLBC/8000\r\n",
        ],
    )
    def test_sound_that_the_engine_cannot_read(self, office: Office, media: str) -> None:
        alice, bob = office.phone("100"), office.phone("101")

        def own(phone: Phone) -> bytes:
            return sdp(phone, "8").partition(b"m=")[0] + media.encode()

        call = alice.invite("101", own(alice))
        bob.respond(bob.hears("INVITE"), 200, "OK", own(bob))
        bob.hears("ACK")
        call.answered()
        call.ack()
        assert begin(office) == "not-recordable"

    def test_twice(self, office: Office) -> None:
        established(office)
        begin(office)
        assert begin(office) == "recorded-already"


class TestFailures:
    def test_a_file_that_could_not_be_made_is_not_named(self, office: Office) -> None:
        established(office)
        begin(office)
        (record,) = recordings(office)
        office.exchange.reported(Recorded(record.recording, 0.0, "No space left"), office.now)
        office.pump()
        (running,) = office.exchange.calls.values()
        assert not running.recording
        assert running.facts.recordings == ()

    def test_a_disk_that_gets_full_ends_it(self, office: Office) -> None:
        established(office)
        begin(office)
        (record,) = recordings(office)
        office.exchange.reported(Recorded(record.recording, 9.5, "No space left"), office.now)
        office.pump()
        (running,) = office.exchange.calls.values()
        assert not running.recording
        assert running.facts.recordings == ("20261123/a.wav",)
        assert office.discarded == []

    def test_with_a_new_engine_it_can_begin_again(self, office: Office) -> None:
        established(office)
        begin(office)
        office.engine_ready()
        office.pump()
        assert begin(office, "20261123/b.wav") == ""
