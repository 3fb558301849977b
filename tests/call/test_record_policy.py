"""Calls that are recorded by themselves: by the option `record` of a user, a line or a trunk."""

import re

import msgspec
import pytest

from pbx.call.party import Party
from pbx.call.record_policy import Side, is_recorded
from pbx.config.line import Line
from pbx.config.recording import LINE_CHOICES, USER_CHOICES, RecordingSettings
from pbx.media.protocol import Play, Played, Record, Recorded, StopPlaying, StopVoice, Voice
from pbx.recording_side import SnapshotPolicy
from pbx.sip.message import Request, Response
from tests.call.office import Office, Phone, established
from tests.call.phone import Invite
from tests.call.telco import LINE, TRUNK, telco
from tests.call.test_click_to_dial import NO_SUBSCRIPTION, refers
from tests.call.test_conversion import sdp
from tests.call.test_pick_up import pick_up, ringing, the_call
from tests.call.test_recording import port_of, recordings, said
from tests.call.test_resume import reborn
from tests.call.test_take_over import of_caller, takes
from tests.call.transferring import answers, to


@pytest.fixture
def office() -> Office:
    return Office()


def ptimes(message: Request | Response) -> list[str]:
    return re.findall(r"a=ptime:(\d+)", message.body.decode())


def outgoing(office: Office, line: Line) -> tuple[Request, Response]:
    """Alice's answered call over a line: its INVITE, and her answer."""
    peer = telco(office, line)
    alice = office.phone("100")
    call = alice.invite("9030123")
    invite = peer.hears("INVITE")
    answers(peer, invite)
    answer = call.answered()
    call.ack()
    return invite, answer


def incoming(office: Office, line: Line) -> tuple[Request, Response]:
    """An answered call to alice over a line: her INVITE, and the line's answer."""
    peer = telco(office, msgspec.structs.replace(line, destination="100"))
    alice = office.phone("100")
    call = peer.calls("100")
    peer.trying()
    invite = alice.hears("INVITE")
    answers(alice, invite)
    answer = call.answered()
    call.ack()
    return invite, answer


class TestWhich:
    @pytest.mark.parametrize("choice", USER_CHOICES)
    @pytest.mark.parametrize("caller", [True, False])
    def test_of_a_user_to_another_one(self, office: Office, choice: str, *, caller: bool) -> None:
        office.change_user("100" if caller else "101", record=choice)
        alice, bob, _, _ = established(office)
        found = recordings(office)
        assert bool(found) == (choice == "all")
        for one in found:
            assert (one.left, one.right) == (port_of(office, alice), port_of(office, bob))
            assert re.fullmatch(r"record/\d{8}/\d{6}_100_101_[0-9a-f]{16}\.wav", one.path)
            assert not one.stereo

    @pytest.mark.parametrize("way", [outgoing, incoming])
    @pytest.mark.parametrize("choice", USER_CHOICES)
    def test_of_a_user_to_outside(self, office: Office, choice: str, way: object) -> None:
        office.change_user("100", record=choice)
        assert callable(way)
        way(office, TRUNK)
        assert len(recordings(office)) == (choice != "off")

    @pytest.mark.parametrize("line", [LINE, TRUNK])
    @pytest.mark.parametrize("choice", LINE_CHOICES)
    def test_of_a_line(self, line: Line, choice: str) -> None:
        for way, kind in ((outgoing, "outgoing"), (incoming, "incoming")):
            office = Office()
            way(office, msgspec.structs.replace(line, record=choice))
            assert len(recordings(office)) == (choice in ("all", kind))

    def test_another_users_calls_are_not(self, office: Office) -> None:
        office.change_user("102", record="all")
        established(office)
        assert recordings(office) == []

    def test_a_number_outside_is_no_users(self, office: Office) -> None:
        """It may look like one."""
        office.change_user("103", record="all")
        policy = SnapshotPolicy(lambda: office.snapshot)
        ours, theirs = Side(Party("100"), called=True), Side(Party("103", line="x"), called=False)
        assert not is_recorded(policy, ours, theirs)

    def test_with_a_track_each(self) -> None:
        office = Office(recording=RecordingSettings(stereo=True))
        office.change_user("100", record="all")
        established(office)
        assert recordings(office)[0].stereo

    def test_a_call_that_nobody_answers_is_not(self, office: Office) -> None:
        office.change_user("100", record="all")
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 183, "Progress", bob.sdp())
        assert recordings(office) == []


class TestTheWholeCall:
    def test_the_record_names_the_file(self, office: Office) -> None:
        office.change_user("100", record="all")
        _, _, call, _ = established(office)
        (record,) = recordings(office)
        call.bye()
        (facts,) = office.ended
        assert facts.recordings == (record.path.removeprefix("record/"),)
        assert facts.recording_failure == ""

    def test_a_late_offer(self, office: Office) -> None:
        office.change_user("100", record="all")
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", b"")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        answer = call.answered()
        assert ptimes(answer) == ["20"]
        assert recordings(office) == []
        call.ack(alice.sdp())
        assert ptimes(bob.hears("ACK")) == ["20"]
        assert len(recordings(office)) == 1

    def test_it_goes_on_when_the_user_has_transferred(self, office: Office) -> None:
        office.change_user("100", record="all")
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        call.request("REFER", 3, headers=to("102"))
        invite = carol.hears("INVITE")
        assert ptimes(invite) == ["20"]
        answers(carol, invite)
        again = bob.hears("INVITE")
        assert ptimes(again) == ["20"]
        answers(bob, again)
        first, second = recordings(office)
        assert second.path == first.path.replace(".wav", "-part2.wav")

    def test_who_is_transferred_to_a_recorded_user(self, office: Office) -> None:
        office.change_user("102", record="all")
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        call.request("REFER", 3, headers=to("102"))
        answers(carol, carol.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        (record,) = recordings(office)
        assert "_101_102_" in record.path

    def test_a_call_that_a_program_has_asked_for(self, office: Office) -> None:
        office.change_user("101", record="all")
        screen = office.phone("100", "192.0.2.50", register=False)
        alice, bob = office.phone("100"), office.phone("101")
        refers(screen, "101", NO_SUBSCRIPTION)
        answers(alice, alice.hears("INVITE"))
        assert recordings(office) == []
        invite = bob.hears("INVITE")
        assert ptimes(invite) == ["20"]
        answers(bob, invite)
        again = alice.hears("INVITE")
        assert ptimes(again) == ["20"]
        answers(alice, again)
        (record,) = recordings(office)
        assert "_100_101_" in record.path
        assert (record.left, record.right) == (port_of(office, alice), port_of(office, bob))

    def test_forwarded_by_a_phone(self, office: Office) -> None:
        office.change_user("102", record="all")
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 302, headers="Contact: <sip:102@192.0.2.1>")
        bob.hears("ACK")
        invite = carol.hears("INVITE")
        assert ptimes(invite) == ["20"]
        answers(carol, invite)
        alice.response(181)
        assert ptimes(call.answered()) == ["20"]
        assert len(recordings(office)) == 1

    def test_after_a_restart_what_is_wanted_is_known(self, office: Office) -> None:
        office.change_user("100", record="all")
        alice, bob, _, _ = established(office)
        (record,) = recordings(office)
        after = reborn(office, alice, bob, recordings=[record.recording])
        (call,) = after.exchange.calls.values()
        assert call.recorder.running.by == "option"  # type: ignore[union-attr]
        assert recordings(after) == []

    def test_nothing_is_left_of_it(self) -> None:
        office = Office(recording=RecordingSettings(announce="tone"))
        office.change_user("100", record="all")
        alice, bob, call, _ = established(office)
        call.bye()
        bob.respond(bob.hears("BYE"), 200)
        alice.response(200)
        office.advance(120)
        office.assert_empty()


class TestPacketLength:
    """`a=ptime:20` to both parties of a call that will be recorded, and to no other's."""

    @pytest.mark.parametrize("way", [outgoing, incoming])
    def test_of_a_line(self, office: Office, way: object) -> None:
        assert callable(way)
        invite, answer = way(office, msgspec.structs.replace(TRUNK, record="all", ptime_ms=30))
        assert ptimes(invite) == ptimes(answer) == ["20"]

    def test_what_the_phones_ask_for_is_replaced(self, office: Office) -> None:
        office.change_user("101", record="all")
        assert self._asked(office, "a=ptime:30") == (["20"], ["20"])

    def test_what_the_phones_ask_for_is_passed_on(self, office: Office) -> None:
        office.change_user("101", record="outside")
        assert self._asked(office, "a=ptime:30") == (["30"], ["30"])
        assert recordings(office) == []

    def test_a_hold_asks_for_it_too(self, office: Office) -> None:
        office.change_user("101", record="all")
        alice, bob, call, _ = established(office)
        call.reinvite(alice.sdp("sendonly"))
        invite = bob.hears("INVITE")
        assert ptimes(invite) == ["20"]
        answers(bob, invite, "recvonly")
        assert ptimes(call.answered()) == ["20"]

    def test_a_phone_that_takes_a_call_over_is_asked_for_it(self, office: Office) -> None:
        office.change_user("101", record="all")
        alice, bob, call, _ = established(office)
        mobile = office.phone("100", "192.0.2.110")
        taken = takes(mobile, of_caller(call))
        assert ptimes(taken.answered()) == ["20"]
        taken.ack()
        invite = bob.hears("INVITE")
        assert ptimes(invite) == ["20"]
        answers(bob, invite)
        assert len(recordings(office)) == 2

    def test_a_phone_that_picks_up_is_asked_for_it(self, office: Office) -> None:
        office.change_user("102", record="all")
        _, _, call, invite = ringing(office)
        assert ptimes(invite) == []
        carol = office.phone("102")
        assert ptimes(pick_up(carol, the_call(office)).answered()) == ["20"]
        assert ptimes(call.answered()) == ["20"]
        assert len(recordings(office)) == 1

    @staticmethod
    def _asked(office: Office, line: str) -> tuple[list[str], list[str]]:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", sdp(alice, "8", line))
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", sdp(bob, "8", line))
        return ptimes(invite), ptimes(call.answered())


class TestFailures:
    def test_sound_that_nobody_can_read(self, office: Office) -> None:
        office.change_user("100", record="all")
        alice, bob = office.phone("100"), office.phone("101")
        iLBC = ("97", "a=rtpmap:97 iLBC/8000")
        call = alice.invite("101", sdp(alice, *iLBC))
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, *iLBC))
        bob.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        (facts,) = office.ended
        assert facts.recordings == ()
        assert facts.recording_failure == "the media engine can't read its sound"

    def test_a_disk_that_is_full(self, office: Office) -> None:
        office.change_user("100", record="all")
        _, _, call, _ = established(office)
        (record,) = recordings(office)
        office.exchange.reported(Recorded(record.recording, 0.0, "No space left"), office.now)
        office.pump()
        assert office.exchange.calls
        call.bye()
        (facts,) = office.ended
        assert (facts.recordings, facts.recording_failure) == ((), "No space left")


def played(office: Office) -> list[Play]:
    return [one for one in office.media if isinstance(one, Play)]


def end_of(office: Office, *plays: Play, failure: str = "") -> None:
    for one in plays:
        office.exchange.reported(Played(one.player, failure), office.now)
    office.pump()


class TestAnnouncement:
    def _office(self, announce: str) -> tuple[Office, Phone, Phone, Invite]:
        office = Office(recording=RecordingSettings(announce=announce))
        office.change_user("100", record="all")
        alice, bob, call, _ = established(office)
        return office, alice, bob, call

    def test_a_file_is_played_to_both_and_then_their_sound_is_passed_on(self) -> None:
        office, alice, bob, _ = self._office("/x/a.wav")
        plays = played(office)
        assert [(one.port, one.path, one.times) for one in plays] == [
            (port_of(office, phone), "/x/a.wav", 1) for phone in (alice, bob)
        ]
        voices = office.voices()
        a, b = (voices[one.port] for one in plays)
        assert (a.partner, b.partner) == (b.port, a.port)
        assert office.media.index(b) < office.media.index(plays[0])
        end_of(office, plays[0])
        assert len(office.voices()) == 2
        end_of(office, plays[1])
        assert office.voices() == {}
        # What is passed on again is recorded, too
        assert len(said(office, Record)) == 1

    def test_a_file_that_cannot_be_played_gives_way_to_the_tone(self) -> None:
        office, alice, bob, _ = self._office("/x/a.wav")
        files, before = played(office), len(office.media)
        end_of(office, files[1], failure="No such file")
        end_of(office, files[0], failure="No such file")
        tones = played(office)[2:]
        assert [(one.port, one.tone, one.times) for one in tones] == [
            (port_of(office, phone), "1400/250 0/14750", 0) for phone in (bob, alice)
        ]
        # Nothing is set anew between file and tone: their sound has no gap
        assert not any(isinstance(one, Voice | StopVoice) for one in office.media[before:])
        (call_id,) = office.exchange.calls
        assert office.exchange.recordings.stop(call_id) == ""
        office.pump()
        assert said(office, StopPlaying) == [StopPlaying(one.player) for one in tones]
        end_of(office, *tones)
        assert office.voices() == {}

    def test_a_tone_that_cannot_be_played_either_is_not_tried_for_ever(self) -> None:
        office, *_ = self._office("/x/a.wav")
        end_of(office, *played(office), failure="64 sounds are played already")
        tones = played(office)[2:]
        end_of(office, *tones, failure="64 sounds are played already")
        assert len(played(office)) == 4
        assert office.voices() == {}

    def test_a_file_whose_failure_is_told_after_the_recordings_end(self) -> None:
        office, *_ = self._office("/x/a.wav")
        (call_id,) = office.exchange.calls
        assert office.exchange.recordings.stop(call_id) == ""
        end_of(office, *played(office), failure="No such file")
        assert len(played(office)) == 2
        assert office.voices() == {}

    def test_a_tone_goes_on_as_long_as_the_recording(self) -> None:
        office, *_ = self._office("tone")
        plays = played(office)
        assert [(one.tone, one.times) for one in plays] == [("1400/250 0/14750", 0)] * 2
        (call_id,) = office.exchange.calls
        assert office.exchange.recordings.stop(call_id) == ""
        office.pump()
        assert said(office, StopPlaying) == [StopPlaying(one.player) for one in plays]
        end_of(office, *plays)
        assert office.voices() == {}

    def test_a_tone_goes_on_after_a_restart(self) -> None:
        office, alice, bob, _ = self._office("tone")
        (record,) = recordings(office)
        after = reborn(
            office,
            alice,
            bob,
            recordings=[record.recording],
            recording=RecordingSettings(announce="tone"),
        )
        assert [(one.port, one.times) for one in played(after)] == [
            (port_of(after, phone), 0) for phone in (alice, bob)
        ]
        # What an engine that has outlived the exchange was playing in is set anew
        kinds = [type(one) for one in after.media if isinstance(one, Voice | StopVoice)]
        assert kinds == [StopVoice, StopVoice, Voice, Voice]

    def test_a_tone_goes_on_in_another_engine(self) -> None:
        office, alice, bob, _ = self._office("tone")
        office.media.clear()
        office.engine_ready()
        office.pump()
        assert len(played(office)) == 2
        assert len([one for one in office.media if isinstance(one, Voice)]) == 2

    def test_a_file_that_was_played_in_an_engine_that_has_died(self) -> None:
        """What it was playing in, it passes on."""
        office, *_ = self._office("/x/a.wav")
        plays = played(office)
        office.media.clear()
        office.engine_ready()
        office.pump()
        again = played(office)
        assert {one.player for one in plays}.isdisjoint(one.player for one in again)
        end_of(office, *again)
        assert office.voices() == {}

    def test_one_whose_exchange_has_died_meanwhile(self) -> None:
        office, alice, bob, _ = self._office("/x/a.wav")
        (record,) = recordings(office)
        after = reborn(office, alice, bob, recordings=[record.recording])
        stopped = [one.port for one in after.media if isinstance(one, StopVoice)]
        assert stopped == [port_of(after, phone) for phone in (alice, bob)]

    def test_by_the_administrator_too(self) -> None:
        office = Office(recording=RecordingSettings(announce="tone"))
        established(office)
        (call_id,) = office.exchange.calls
        assert office.exchange.recordings.record(call_id, "20261123/a.wav", stereo=False) == ""
        office.pump()
        assert len(played(office)) == 2
