"""Recordings that a local user begins and ends by a code, pressed in the call."""

import pytest

from pbx.call.call_recording import MOST
from pbx.call.record_code import CodeWatch
from pbx.config.recording import RecordingSettings
from pbx.media.protocol import Digit, Play, Played, SendDigits, StopRecording, Stream
from tests.call.office import Invite, Office, Phone, established
from tests.call.telco import TRUNK, telco
from tests.call.test_conversion import sdp
from tests.call.test_info import RELAY, TAKES_INFO, told
from tests.call.test_record_policy import played, ptimes
from tests.call.test_recording import begin, port_of, recordings, said
from tests.call.test_resume import reborn
from tests.call.transferring import answers, to


@pytest.fixture
def office() -> Office:
    return Office()


def press(
    office: Office, phone: Phone, keys: str = "*1", *, inband: bool = False, gap_s: float = 0.5
) -> None:
    """The engine hears keys in the sound of a phone."""
    for key in keys:
        office.exchange.reported(Digit(port_of(office, phone), key, inband), office.now)
        office.now += gap_s
    office.pump()


def beeps(office: Office) -> list[tuple[int, str]]:
    return [(one.port, one.tone) for one in office.media if isinstance(one, Play)]


def end_beeps(office: Office) -> None:
    for one in played(office):
        office.exchange.reported(Played(one.player), office.now)
    office.pump()


class TestCodeWatch:
    @pytest.mark.parametrize("keys", ["*1", "**1", "5*1", "*2*1"])
    def test_found(self, keys: str) -> None:
        watch = CodeWatch("*1")
        assert [watch.completes("a", key, 0.0) for key in keys] == [False] * (len(keys) - 1) + [
            True
        ]

    @pytest.mark.parametrize("keys", ["*", "1", "1*", "*#1", "*21"])
    def test_not_found(self, keys: str) -> None:
        watch = CodeWatch("*1")
        assert not any(watch.completes("a", key, 0.0) for key in keys)

    def test_each_party_for_itself(self) -> None:
        watch = CodeWatch("*1")
        assert not watch.completes("a", "*", 0.0)
        assert not watch.completes("b", "1", 0.1)
        assert watch.completes("a", "1", 0.2)

    def test_slowly(self) -> None:
        watch = CodeWatch("*1")
        assert not watch.completes("a", "*", 0.0)
        assert not watch.completes("a", "1", 3.1)

    def test_every_time_anew(self) -> None:
        watch = CodeWatch("11")
        assert [watch.completes("a", "1", 0.0) for _ in range(4)] == [False, True, False, True]

    def test_none(self) -> None:
        watch = CodeWatch("")
        assert not any(watch.completes("a", key, 0.0) for key in "*1*1")


class TestCode:
    @pytest.mark.parametrize("inband", [False, True])
    def test_begins_and_ends(self, office: Office, *, inband: bool) -> None:
        alice, bob, call, _ = established(office)
        port = port_of(office, alice)
        press(office, alice, inband=inband)
        (record,) = recordings(office)
        assert "_100_101_" in record.path
        # Who has pressed it hears so; then their sound is passed on again
        assert beeps(office) == [(port, "1400/200")]
        assert len(office.voices()) == 2
        end_beeps(office)
        assert office.voices() == {}
        press(office, alice, inband=inband)
        assert said(office, StopRecording) == [StopRecording(record.recording)]
        assert beeps(office)[1:] == [(port, "1400/100 0/100 1400/100")]
        press(office, alice, inband=inband)
        first, second = recordings(office)
        assert first.path != second.path
        call.bye()
        assert len(office.ended[0].recordings) == 2

    def test_at_once_again(self, office: Office) -> None:
        """Each file has a name of its own, in whichever second it begins."""
        alice, _, _, _ = established(office)
        for _ in range(5):
            press(office, alice, gap_s=0.0)
        assert len({one.path for one in recordings(office)}) == 3

    def test_again_and_again(self, office: Office) -> None:
        """The call's record says that there would have been more."""
        alice, _, call, _ = established(office)
        for _ in range(2 * MOST):
            press(office, alice, gap_s=0.0)
        call.bye()
        (facts,) = office.ended
        assert len(recordings(office)) == len(set(facts.recordings)) == MOST
        assert facts.recording_failure == ""

    def test_more_often_than_a_call_may_be_recorded(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        for _ in range(2 * MOST + 2):
            press(office, alice, gap_s=0.0)
        # It is told to the administrator, too
        assert begin(office) == "recorded-often"
        call.bye()
        (facts,) = office.ended
        assert len(recordings(office)) == len(set(facts.recordings)) == MOST
        assert facts.recording_failure == "it has as many recordings as a call may have"

    def test_by_the_called_user(self, office: Office) -> None:
        _, bob, _, _ = established(office)
        press(office, bob)
        assert len(recordings(office)) == 1
        assert beeps(office)[0][0] == port_of(office, bob)

    def test_by_info(self, office: Office) -> None:
        _, bob, call, _ = established(office)
        for at, key in enumerate(("*", "1")):
            body = f"Signal={key}\r\nDuration=160\r\n".encode()
            call.request("INFO", 3 + at, body=body, headers=RELAY)
        assert len(recordings(office)) == 1

    def test_told_of_in_two_ways_it_counts_once(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        for at, key in enumerate(("*", "1")):
            press(office, alice, key, gap_s=0.1)
            body = f"Signal={key}\r\nDuration=160\r\n".encode()
            call.request("INFO", 3 + at, body=body, headers=RELAY)
        assert len(recordings(office)) == 1
        assert said(office, StopRecording) == []

    @pytest.mark.parametrize("by_info", [False, True])
    def test_a_party_outside_can_not(self, office: Office, *, by_info: bool) -> None:
        peer = telco(office, TRUNK)
        alice = office.phone("100")
        call = alice.invite("9030123")
        invite = peer.hears("INVITE")
        answers(peer, invite)
        call.answered()
        call.ack()
        if by_info:
            for at, key in enumerate(("*", "1")):
                body = f"Signal={key}\r\nDuration=160\r\n".encode()
                peer.within(invite, "INFO", 1 + at, body, RELAY)
        else:
            press(office, peer)
        assert recordings(office) == []
        assert beeps(office) == []
        press(office, alice)
        assert len(recordings(office)) == 1
        press(office, peer)
        assert said(office, StopRecording) == []

    def test_a_user_who_may_not(self, office: Office) -> None:
        office.change_user("100", record_by_code=False)
        alice, bob, _, _ = established(office)
        press(office, alice)
        assert recordings(office) == []
        press(office, bob)
        assert len(recordings(office)) == 1

    def test_what_the_owner_wants_goes_on(self, office: Office) -> None:
        office.change_user("101", record="all")
        alice, _, _, _ = established(office)
        press(office, alice)
        assert said(office, StopRecording) == []
        assert beeps(office) == [(port_of(office, alice), "1400/200")]

    @pytest.mark.parametrize("announce", ["", "tone"])
    def test_where_the_disk_has_no_room_who_has_pressed_it_hears_so(self, announce: str) -> None:
        office = Office(recording=RecordingSettings(announce=announce))
        office.exchange.recordings.refusal = lambda: "full"
        alice, _, call, _ = established(office)
        press(office, alice)
        assert recordings(office) == []
        refusal = "425/200 0/100 425/200 0/100 425/200"
        assert beeps(office) == [(port_of(office, alice), refusal)]
        call.bye()
        assert office.ended[0].recording_failure == "full"

    def test_before_the_answer_it_means_nothing(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 183, "Progress", bob.sdp())
        alice.response(183)
        press(office, alice)
        assert recordings(office) == []

    def test_another_code(self) -> None:
        office = Office(recording=RecordingSettings(code="##7"))
        alice, _, _, _ = established(office)
        press(office, alice, "*1")
        assert recordings(office) == []
        press(office, alice, "##7")
        assert len(recordings(office)) == 1

    def test_switched_off(self) -> None:
        office = Office(recording=RecordingSettings(code=""))
        alice, _, _, _ = established(office)
        assert not any(one.keys for one in office.media if isinstance(one, Stream))
        press(office, alice)
        assert recordings(office) == []

    def test_with_an_announcement_both_hear_that_alone(self) -> None:
        office = Office(recording=RecordingSettings(announce="tone"))
        alice, _, _, _ = established(office)
        press(office, alice)
        assert [tone for _, tone in beeps(office)] == ["1400/250 0/14750"] * 2

    def test_it_goes_on_over_a_transfer_and_may_be_ended_there(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        press(office, alice)
        call.request("REFER", 3, headers=to("102"))
        answers(carol, carol.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        assert len(recordings(office)) == 2
        press(office, carol)
        (running,) = office.exchange.calls.values()
        assert not running.recording

    def test_after_a_restart_it_may_be_ended(self, office: Office) -> None:
        alice, bob, _, _ = established(office)
        press(office, alice)
        (record,) = recordings(office)
        after = reborn(office, alice, bob, recordings=[record.recording])
        press(after, alice)
        assert said(after, StopRecording) == [StopRecording(record.recording)]


KEYS = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


def talking(
    office: Office, formats: str, *lines: str, protocol: str = "RTP/AVP"
) -> tuple[Invite, Phone]:
    """100 talks with 101, by these formats."""
    alice, bob = office.phone("100"), office.phone("101")

    def own(phone: Phone) -> bytes:
        return sdp(phone, formats, *lines).replace(b"RTP/AVP", protocol.encode())

    call = alice.invite("101", own(alice), headers=TAKES_INFO)
    bob.respond(bob.hears("INVITE"), 200, "OK", own(bob), headers=TAKES_INFO)
    bob.hears("ACK")
    call.answered()
    call.ack()
    return call, bob


def press_by_info(call: Invite, keys: str = "*1") -> None:
    for key in keys:
        call.cseq += 1
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        call.request("INFO", call.cseq, body, RELAY)


class TestSoundThatTheEngineCannotRead:
    """It neither records it nor plays anything to who hears it."""

    SILENT = pytest.mark.parametrize(
        ("formats", "lines", "protocol"),
        [
            ("18", (), "RTP/AVP"),
            ("8 101", (KEYS,), "RTP/SAVP"),
            ("8 101", (KEYS,), "RTP/AVP"),
            ("8 101", ("a=fingerprint:sha-256 00",), "UDP/TLS/RTP/SAVP"),
        ],
    )

    @SILENT
    def test_nothing_is_claimed(
        self, office: Office, formats: str, lines: tuple[str, ...], protocol: str
    ) -> None:
        call, _ = talking(office, formats, *lines, protocol=protocol)
        for _ in range(2):
            press_by_info(call)
            assert office.voices() == {}
            assert beeps(office) == []
            assert recordings(office) == []
        call.bye()
        assert office.ended[0].recordings == ()
        assert office.ended[0].recording_failure == "the media engine can't read its sound"

    def test_once_it_can_nothing_has_failed(self, office: Office) -> None:
        call, bob = talking(office, "18")
        press_by_info(call)
        for _ in "*1":
            bob.respond(bob.hears("INFO"), 200, "OK")
            call.phone.response(200)
        assert recordings(office) == []
        call.reinvite(sdp(call.phone, "8"))
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, "8"))
        bob.hears("ACK")
        call.answered()
        call.ack()
        office.now += 5
        press_by_info(call)
        assert len(recordings(office)) == 1
        call.bye()
        assert len(office.ended[0].recordings) == 1
        assert office.ended[0].recording_failure == ""

    @SILENT
    def test_nor_does_the_administrator_record_it(
        self, office: Office, formats: str, lines: tuple[str, ...], protocol: str
    ) -> None:
        call, _ = talking(office, formats, *lines, protocol=protocol)
        assert begin(office) == "not-recordable"
        call.bye()
        assert office.ended[0].recording_failure == "the media engine can't read its sound"

    @SILENT
    def test_keys_reach_the_other_party_still(
        self, office: Office, formats: str, lines: tuple[str, ...], protocol: str
    ) -> None:
        call, bob = talking(office, formats, *lines, protocol=protocol)
        for key in "*15":
            press_by_info(call, key)
            heard = bob.hears("INFO")
            assert told(heard)[0] == f"Signal={key}"
            bob.respond(heard, 200)


class TestPacketLength:
    @pytest.mark.parametrize("by_code", [True, False])
    def test_the_next_offer_and_answer_ask_for_20_ms(
        self, office: Office, *, by_code: bool
    ) -> None:
        """None is made for that alone: packets of any length are recorded."""
        alice, bob, call, _ = established(office)
        if by_code:
            press(office, alice)
        else:
            assert begin(office) == ""
        assert len(recordings(office)) == 1
        assert not alice.inbox
        assert not bob.inbox
        call.reinvite(sdp(alice, "8", "a=ptime:40", "a=sendonly"))
        invite = bob.hears("INVITE")
        assert ptimes(invite) == ["20"]
        bob.respond(invite, 200, "OK", sdp(bob, "8", "a=ptime:30", "a=recvonly"))
        assert ptimes(call.answered()) == ["20"]


class TestKeysThatArePassedOn:
    """What the engine passes on as it comes, nobody else tells the other party of."""

    def test_they_are_not_told_twice(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", sdp(alice, "8 101"))
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, "8 101"))
        bob.hears("ACK")
        call.answered()
        call.ack()
        press(office, alice, "5")
        assert said(office, SendDigits) == []
        assert not bob.inbox

    def test_only_local_users_keys_are_watched(self, office: Office) -> None:
        peer = telco(office, TRUNK)
        alice = office.phone("100")
        call = alice.invite("9030123", sdp(alice, "8 101"))
        invite = peer.hears("INVITE")
        peer.respond(invite, 200, "OK", sdp(peer, "8 101"))
        peer.hears("ACK")
        call.answered()
        running = office.running()
        assert running[port_of(office, alice)].keys
        assert not running[port_of(office, peer)].keys
