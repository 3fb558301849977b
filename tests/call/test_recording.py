"""Recordings of calls between phones, as the administrator begins and ends them."""

import pytest

from pbx.call.call import Call
from pbx.media import codecs
from pbx.media.protocol import (
    Command,
    Record,
    Recorded,
    Release,
    StopRecording,
    Stream,
    Tap,
    Voice,
)
from tests.call.office import Office, Phone, established
from tests.call.services import served
from tests.call.test_conversion import converted, sdp
from tests.call.test_resume import reborn
from tests.call.test_take_over import of_caller, takes
from tests.call.transferring import answers, consulted, replacing, to


@pytest.fixture
def office() -> Office:
    return Office()


def begin(office: Office, file: str = "20261123/a.wav", *, stereo: bool = False) -> str:
    """Record the only call; return why not."""
    (call_id,) = office.exchange.calls
    refusal = office.exchange.recordings.record(call_id, file, stereo=stereo)
    office.pump()
    return refusal


def end(office: Office) -> str:
    (call_id,) = office.exchange.calls
    refusal = office.exchange.recordings.stop(call_id)
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

    def test_ends_with_both_streams_at_once(self, office: Office) -> None:
        """What the engine has yet of either party is recorded, too: it is told of both by one command."""
        _, _, call, _ = established(office)
        begin(office)
        (record,) = recordings(office)
        call.bye()
        assert said(office, Release) == [Release([record.left, record.right])]
        assert said(office, StopRecording) == []

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
        assert office.exchange.recordings.record("c9", "a.wav", stereo=False) == "unknown-call"
        assert office.exchange.recordings.stop("c9") == "unknown-call"

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


class TestAfterACrashOfTheEngine:
    """Another engine has come, which has nothing of the call."""

    @pytest.mark.parametrize("stereo", [False, True])
    def test_it_goes_on_in_another_file(self, office: Office, *, stereo: bool) -> None:
        established(office)
        begin(office, stereo=stereo)
        (first,) = recordings(office)
        office.media.clear()
        office.engine_ready()
        office.pump()
        (second,) = recordings(office)
        assert second.path == "record/20261123/a-part2.wav"
        assert second.recording != first.recording
        assert (second.left, second.right, second.stereo) == (first.left, first.right, stereo)
        # The engine knows by then what it records, and nothing of the first one is to be ended.
        kinds = [type(one) for one in office.media if isinstance(one, Stream | Tap | Record)]
        assert kinds == [Stream, Stream, Tap, Tap, Record]
        assert said(office, StopRecording) == []
        assert end(office) == ""
        assert said(office, StopRecording) == [StopRecording(second.recording)]

    def test_the_record_names_all_parts(self, office: Office) -> None:
        _, _, call, _ = established(office)
        begin(office)
        for _ in range(2):
            office.engine_ready()
            office.pump()
        call.bye()
        (facts,) = office.ended
        parts = ("20261123/a.wav", "20261123/a-part2.wav", "20261123/a-part3.wav")
        assert facts.recordings == parts

    def test_of_a_converted_call(self, office: Office) -> None:
        converted(office)
        begin(office)
        office.media.clear()
        office.engine_ready()
        office.pump()
        kinds = [type(one) for one in office.media if isinstance(one, Voice | Tap | Record)]
        assert kinds == [Voice, Voice, Record]

    def test_of_a_call_that_an_exchange_before_has_begun(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        begin(office, stereo=True)
        (first,) = recordings(office)
        after = reborn(office, alice, bob, recordings=[first.recording])
        after.media.clear()
        after.engine_ready()
        after.pump()
        (second,) = recordings(after)
        assert (second.path, second.stereo) == ("record/20261123/a-part2.wav", True)

    def test_what_has_ended_before_does_not_begin_again(self, office: Office) -> None:
        established(office)
        begin(office)
        end(office)
        office.media.clear()
        office.engine_ready()
        office.pump()
        assert recordings(office) == []

    def test_an_engine_that_can_read_the_sound_no_more(self, office: Office) -> None:
        established(office)
        begin(office)
        office.engine_ready(codecs=())
        office.pump()
        (running,) = office.exchange.calls.values()
        assert not running.recording
        assert running.facts.recordings == ("20261123/a.wav",)


class TestOverTransfers:
    """It goes on where a recorded party goes on; each part of the call has a file of its own."""

    def test_blind(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        assert begin(office, stereo=True) == ""
        call.request("REFER", 3, headers=to("102"))
        invite = carol.hears("INVITE")
        assert len(recordings(office)) == 1
        answers(carol, invite)
        answers(bob, bob.hears("INVITE"))
        _, second = recordings(office)
        assert second.path == "record/20261123/a-part2.wav"
        assert (second.left, second.right) == (port_of(office, bob), port_of(office, carol))
        assert second.stereo
        assert len(said(office, StopRecording)) == 1
        (running,) = office.exchange.calls.values()
        assert running.recording
        # Each call's record names its file
        assert office.ended[0].recordings == ("20261123/a.wav",)
        assert running.facts.recordings == ("20261123/a-part2.wav",)
        assert end(office) == ""

    def test_who_transfers_hangs_up_at_once(self, office: Office) -> None:
        """Nobody talks until the answer: there is nothing to record."""
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        begin(office)
        call.request("REFER", 3, headers=to("102"))
        invite = carol.hears("INVITE")
        call.cseq = 3
        call.bye()
        assert len(recordings(office)) == 1
        answers(carol, invite)
        assert len(recordings(office)) == 2

    @pytest.mark.parametrize("recorded", ["first", "second", "both"])
    def test_attended(self, office: Office, recorded: str) -> None:
        alice, bob, carol, call, second, _, _ = consulted(office)
        first_id, second_id = office.exchange.calls
        wanted = {"first": [first_id], "second": [second_id]}.get(recorded, [first_id, second_id])
        for call_id in wanted:
            assert not office.exchange.recordings.record(call_id, f"d/{call_id}.wav", stereo=False)
        office.pump()
        call.request("REFER", 4, headers=replacing(second))
        answers(carol, carol.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        (running,) = office.exchange.calls.values()
        assert len(running.facts.recordings) == 1
        assert running.facts.recordings[0].endswith("-part2.wav")
        assert len(recordings(office)) == len(wanted) + 1
        assert len(said(office, StopRecording)) == len(wanted)

    def test_twice(self, office: Office) -> None:
        alice, bob, call, invited = established(office)
        carol, dave = office.phone("102"), office.phone("103")
        begin(office)
        call.request("REFER", 3, headers=to("102"))
        to_carol = carol.hears("INVITE")
        answers(carol, to_carol)
        answers(bob, bob.hears("INVITE"))
        carol.within(to_carol, "REFER", 2, headers=to("103"))
        answers(dave, dave.hears("INVITE"))
        assert [one.path.rpartition("/")[2] for one in recordings(office)] == [
            "a.wav",
            "a-part2.wav",
            "a-part3.wav",
        ]

    def test_taken_over(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        begin(office)
        mobile = office.phone("100", "192.0.2.110")
        taken = takes(mobile, of_caller(call))
        taken.answered()
        taken.ack()
        answers(bob, bob.hears("INVITE"))
        _, second = recordings(office)
        assert (second.left, second.right) == (port_of(office, mobile), port_of(office, bob))

    def test_into_a_service_it_ends(self, office: Office) -> None:
        """What a service says isn't recorded."""
        alice, bob, call, _ = established(office)
        begin(office)
        call.request("REFER", 3, headers=to("*43"))
        answers(bob, bob.hears("INVITE"))
        assert len(recordings(office)) == 1
        assert len(said(office, StopRecording)) == 1

    def test_the_target_refuses(self, office: Office) -> None:
        """Then it's still the same call, and the same file."""
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        begin(office)
        call.request("REFER", 3, headers=to("102"))
        carol.respond(carol.hears("INVITE"), 486, "Busy Here")
        assert said(office, StopRecording) == []
        (running,) = office.exchange.calls.values()
        assert running.recording

    def test_after_a_restart(self, office: Office) -> None:
        """Which file runs, and how, is known from the journal."""
        alice, bob, _, _ = established(office)
        begin(office, stereo=True)
        (running,) = office.exchange.calls.values()
        state = running.state()
        assert state is not None
        assert state.stereo
        assert isinstance(running, Call)
        again = office.exchange.recordings.resumed(running.facts, state)
        assert again == running.recorder.running


class TestRoom:
    def test_there_is_none(self, office: Office) -> None:
        established(office)
        office.exchange.recordings.refusal = lambda: "full"
        assert begin(office) == "no-room-to-record"
        assert recordings(office) == []
        office.exchange.recordings.refusal = lambda: ""
        assert begin(office) == ""

    def test_none_for_what_is_recorded_by_itself(self, office: Office) -> None:
        office.change_user("100", record="all")
        office.exchange.recordings.refusal = lambda: "full"
        _, _, call, _ = established(office)
        assert recordings(office) == []
        call.bye()
        (facts,) = office.ended
        assert (facts.recordings, facts.recording_failure) == ((), "full")

    def test_a_call_that_nobody_wants_recorded_is_not_lost(self, office: Office) -> None:
        office.exchange.recordings.refusal = lambda: "full"
        _, _, call, _ = established(office)
        call.bye()
        assert office.ended[0].recording_failure == ""

    def test_all_end_where_there_is_none_any_more(self, office: Office) -> None:
        _, _, call, _ = established(office)
        begin(office)
        assert office.exchange.recordings.running == {"20261123/a.wav"}
        (record,) = recordings(office)
        office.exchange.recordings.stop_all("full")
        office.pump()
        assert office.exchange.recordings.running == frozenset()
        assert said(office, StopRecording) == [StopRecording(record.recording)]
        call.bye()
        (facts,) = office.ended
        assert (facts.recordings, facts.recording_failure) == (("20261123/a.wav",), "full")

    def test_what_the_administrator_ends_has_not_failed(self, office: Office) -> None:
        _, _, call, _ = established(office)
        begin(office)
        (call_id,) = office.exchange.calls
        assert office.exchange.recordings.stop(call_id) == ""
        call.bye()
        assert office.ended[0].recording_failure == ""
