"""What the services do: music, milliwatt, recorder."""

import pytest

from pbx.config.settings import ServiceSettings
from pbx.media.protocol import (
    Command,
    Digit,
    Line,
    Record,
    Recorded,
    StopPlaying,
    StopRecording,
)
from tests.call.office import Office, Phone
from tests.call.services import ends, played, player, served, voices


@pytest.fixture
def office() -> Office:
    return Office(services=ServiceSettings(record_s=20))


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100")


class TestMilliwatt:
    def test_one_thousand_and_four_hertz_without_end(self, office: Office, alice: Phone) -> None:
        served(alice, "*45")
        (tone,) = played(office)
        assert (tone.port, tone.tone, tone.level_db, tone.times) == (20000, "1004", 0.0, 0)

    def test_an_engine_that_cannot_play_it(self, office: Office, alice: Phone) -> None:
        served(alice, "*45")
        ends(office, player(office), "64 sounds are played already")
        alice.hears("BYE")
        assert office.cause() == ("LIMIT", 42)


class TestMusic:
    def test_our_own_tune(self, office: Office, alice: Phone) -> None:
        served(alice, "*46")
        (tune,) = played(office)
        assert (tune.port, tune.tone, tune.level_db, tune.times) == (20000, "music", -10.0, 0)

    def test_the_owners_files_in_turn(self, office: Office, alice: Phone) -> None:
        office.tunes = ["a.wav", "b.wav"]
        served(alice, "*46")
        for _ in range(3):
            office.now += 30
            ends(office, player(office))
        assert [one.path for one in played(office)] == ["a.wav", "b.wav", "a.wav", "b.wav"]
        assert {(one.port, one.times, one.tone) for one in played(office)} == {(20000, 1, "")}

    def test_a_file_that_cannot_be_played_is_passed_over(
        self, office: Office, alice: Phone
    ) -> None:
        office.tunes = ["bad.wav", "good.wav"]
        served(alice, "*46")
        ends(office, player(office), "no WAV file")
        assert player(office).path == "good.wav"

    @pytest.mark.parametrize("failure", ["", "no WAV file"])
    def test_files_with_nothing_in_them(self, office: Office, alice: Phone, failure: str) -> None:
        office.tunes = ["a.wav", "b.wav"]
        served(alice, "*46")
        for _ in range(2):
            ends(office, player(office), failure)
        assert player(office).tone == "music"
        ends(office, player(office), "no such tone")
        assert len(played(office)) == 3
        alice.hears("BYE")
        assert office.cause() == ("LIMIT", 42)

    def test_files_are_looked_for_at_each_call(self, office: Office, alice: Phone) -> None:
        served(alice, "*46")
        office.tunes = ["new.wav"]
        served(office.phone("101"), "*46")
        assert [one.path for one in played(office)] == ["", "new.wav"]


def last(office: Office, kind: type[Command]) -> Command:
    return [one for one in office.media if isinstance(one, kind)][-1]


def recording(office: Office) -> Record:
    command = last(office, Record)
    assert isinstance(command, Record)
    return command


class Recorder:
    """A call to the recorder."""

    def __init__(self, office: Office, phone: Phone) -> None:
        self.office = office
        self.call = served(phone, "*47")

    def presses(self, digit: str = "#") -> None:
        self.office.exchange.reported(Digit(20000, digit, inband=False), self.office.now)
        self.office.pump()

    def wrote(self, seconds: float = 3.0, failure: str = "") -> None:
        """The engine says that the newest recording is whole."""
        report = Recorded(recording(self.office).recording, seconds, failure)
        self.office.exchange.reported(report, self.office.now)
        self.office.pump()

    def line(self, tone: str = "", silent_ms: int = 0) -> None:
        """The engine says what is on the caller's line."""
        self.office.exchange.reported(Line(20000, tone, silent_ms), self.office.now)
        self.office.pump()

    @property
    def stops(self) -> int:
        return sum(isinstance(one, StopRecording) for one in self.office.media)


@pytest.fixture
def recorder(office: Office, alice: Phone) -> Recorder:
    return Recorder(office, alice)


class TestRecorder:
    def test_records_after_the_beep_and_plays_at_the_key(
        self, office: Office, recorder: Recorder
    ) -> None:
        beep = player(office)
        assert (beep.port, beep.tone, beep.times) == (20000, "1000/250", 1)
        recorder.presses()
        ends(office, beep)
        record = recording(office)
        assert (record.left, record.right) == (20000, 0)
        assert record.path == f"recordings/{record.recording}.wav"
        recorder.presses("5")
        assert recorder.stops == 0
        recorder.presses()
        assert last(office, StopRecording) == StopRecording(record.recording)
        recorder.presses()
        assert recorder.stops == 1
        recorder.wrote()
        assert player(office).path == record.path

    def test_when_it_has_been_played_it_begins_anew(
        self, office: Office, recorder: Recorder
    ) -> None:
        ends(office, player(office))
        first = recording(office)
        recorder.presses()
        recorder.wrote()
        ends(office, player(office))
        assert player(office).tone == "1000/250"
        assert office.discarded == [first.path]
        ends(office, player(office))
        assert recording(office).recording != first.recording

    def test_the_key_ends_the_playing(self, office: Office, recorder: Recorder) -> None:
        ends(office, player(office))
        recorder.presses()
        recorder.wrote()
        recorder.presses()
        assert last(office, StopPlaying) == StopPlaying(player(office).player)
        ends(office, player(office))
        assert player(office).tone == "1000/250"

    def test_the_longest_recording(self, office: Office, recorder: Recorder) -> None:
        ends(office, player(office))
        office.advance(19.9)
        assert recorder.stops == 0
        office.advance(0.2)
        assert recorder.stops == 1
        office.advance(60)
        assert recorder.stops == 1
        recorder.wrote(20.0)
        assert player(office).path == recording(office).path

    def test_silence_ends_a_recording(self, office: Office, recorder: Recorder) -> None:
        assert voices(office)[20000].line
        ends(office, player(office))
        office.advance(3)
        recorder.line(silent_ms=1000)
        office.advance(5)
        recorder.line()
        office.advance(2)
        recorder.line(silent_ms=1000)
        office.advance(8.9)
        assert recorder.stops == 0
        office.advance(0.2)
        assert recorder.stops == 1
        recorder.wrote(19.0)
        assert player(office).path == recording(office).path

    def test_silence_before_the_recording_is_none_of_it(
        self, office: Office, recorder: Recorder
    ) -> None:
        office.advance(3)
        recorder.line(silent_ms=1000)
        office.advance(4)
        ends(office, player(office))
        office.advance(9.9)
        assert recorder.stops == 0
        office.advance(0.2)
        assert recorder.stops == 1

    def test_silence_may_last(self, alice: Phone) -> None:
        office = Office(services=ServiceSettings(record_s=60, record_silence_s=0))
        recorder = Recorder(office, office.phone("100"))
        ends(office, player(office))
        recorder.line(silent_ms=1000)
        office.advance(59.9)
        assert recorder.stops == 0
        office.advance(0.2)
        assert recorder.stops == 1

    def test_a_line_that_is_new_has_not_been_silent(
        self, office: Office, alice: Phone, recorder: Recorder
    ) -> None:
        ends(office, player(office))
        recorder.line(silent_ms=1000)
        recorder.call.reinvite(alice.sdp().replace(b"m=audio", b"m=audio 0 RTP/AVP 8\r\nm=audio"))
        recorder.call.answered()
        recorder.call.ack()
        ends(office, player(office))
        office.advance(15)
        assert recorder.stops == 0

    @pytest.mark.parametrize("tone", ["busy", "congestion"])
    @pytest.mark.parametrize("recorded", [False, True])
    def test_a_busy_tone_is_a_hang_up(
        self, office: Office, alice: Phone, recorder: Recorder, tone: str, recorded: bool
    ) -> None:
        if recorded:
            ends(office, player(office))
        recorder.line(tone)
        alice.respond(alice.hears("BYE"), 200)
        assert office.cause() == ("CALLER_HUNG_UP", 16)
        office.advance(120)
        office.assert_empty()

    def test_the_line_of_another_call(self, office: Office, recorder: Recorder) -> None:
        ends(office, player(office))
        office.exchange.reported(Line(20040, "busy", 1000), office.now)
        office.advance(15)
        assert recorder.stops == 0
        assert not office.ended

    def test_what_there_is_is_played_even_if_the_disk_is_full(
        self, office: Office, recorder: Recorder
    ) -> None:
        ends(office, player(office))
        recorder.wrote(2.0, "no space left on device")
        assert player(office).path == recording(office).path
        office.advance(30)
        assert recorder.stops == 0

    def test_nothing_could_be_written(
        self, office: Office, alice: Phone, recorder: Recorder
    ) -> None:
        ends(office, player(office))
        recorder.wrote(0.0, "no space left on device")
        alice.respond(alice.hears("BYE"), 200)
        assert office.cause() == ("LIMIT", 42)
        office.advance(120)
        office.assert_empty()

    @pytest.mark.parametrize("recorded", [False, True])
    def test_nothing_can_be_played(
        self, office: Office, alice: Phone, recorder: Recorder, recorded: bool
    ) -> None:
        if recorded:
            ends(office, player(office))
            recorder.presses()
            recorder.wrote()
        ends(office, player(office), "64 sounds are played already")
        alice.respond(alice.hears("BYE"), 200)
        assert office.cause() == ("LIMIT", 42)
        office.advance(120)
        office.assert_empty()

    def test_the_key_right_after_the_beep(self, office: Office, recorder: Recorder) -> None:
        ends(office, player(office))
        first = recording(office)
        recorder.presses()
        recorder.wrote(0.0)
        assert player(office).tone == "1000/250"
        assert office.discarded == [first.path]

    def test_a_stream_in_the_place_of_the_last_begins_with_the_beep(
        self, office: Office, alice: Phone, recorder: Recorder
    ) -> None:
        ends(office, player(office))
        first = recording(office)
        moved = alice.sdp().replace(b"m=audio", b"m=audio 0 RTP/AVP 8\r\nm=audio")
        recorder.call.reinvite(moved)
        recorder.call.answered()
        recorder.call.ack()
        beep = player(office)
        assert (beep.port, beep.tone) == (20002, "1000/250")
        # The engine has ended it with its stream.
        recorder.wrote()
        assert player(office) == beep
        assert office.discarded == [first.path]
        ends(office, beep)
        assert recording(office).left == 20002

    def test_a_stream_that_ends_for_a_while(
        self, office: Office, alice: Phone, recorder: Recorder
    ) -> None:
        beep = player(office)
        recorder.call.reinvite(alice.sdp().replace(b"m=audio 4000", b"m=audio 0"))
        recorder.call.answered()
        recorder.call.ack()
        ends(office, beep)
        assert not [one for one in office.media if isinstance(one, Record)]
        recorder.call.reinvite(alice.sdp())
        recorder.call.answered()
        recorder.call.ack()
        assert player(office) != beep
        ends(office, player(office))
        assert recording(office).left == player(office).port

    def test_hanging_up_leaves_no_file(
        self, office: Office, alice: Phone, recorder: Recorder
    ) -> None:
        ends(office, player(office))
        recorder.call.bye()
        alice.response(200)
        assert office.discarded == []
        # The engine ends the recording with the stream.
        recorder.wrote()
        assert office.discarded == [recording(office).path]
        office.advance(120)
        office.assert_empty()

    def test_hanging_up_while_it_is_played(
        self, office: Office, alice: Phone, recorder: Recorder
    ) -> None:
        ends(office, player(office))
        recorder.presses()
        recorder.wrote()
        recorder.call.bye()
        assert office.discarded == [recording(office).path]

    def test_another_engine_begins_with_the_beep(self, office: Office, recorder: Recorder) -> None:
        ends(office, player(office))
        lost = recording(office)
        office.engine_ready()
        office.pump()
        assert player(office).tone == "1000/250"
        assert office.discarded == [lost.path]
        office.advance(30)
        assert recorder.stops == 0
        ends(office, player(office))
        assert recording(office) != lost
