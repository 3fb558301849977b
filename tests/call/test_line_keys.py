"""Keys in calls over lines that hear of them by INFO, or as tones: the line's option `dtmf`."""

from collections.abc import Callable

import msgspec
import pytest

from pbx.config.line import Line
from pbx.config.settings import MediaSettings
from pbx.media import codecs
from pbx.media.protocol import Digit, DigitEnded, EndDigit, SendDigits
from pbx.sip.message import Request, Response
from tests.call.office import Office, Phone
from tests.call.phone import Invite
from tests.call.telco import TRUNK, Telco, telco
from tests.call.test_conversion import names, pair, sdp
from tests.call.test_info import NO_INFO, RELAY, TAKES_INFO
from tests.call.test_resume import kept
from tests.call.transferring import to

INFO, INBAND = (
    msgspec.structs.replace(TRUNK, dtmf=form, destination="100") for form in ("info", "inband")
)
EVENTS = "8 101"
BOTH_PCMA = (codecs.PCMA, codecs.PCMA)


@pytest.fixture
def office() -> Office:
    return Office()


def calling(
    office: Office, line: Line, formats: str = EVENTS, answer: str = "8", *more: str
) -> tuple[Phone, Telco, Invite, Request]:
    """Alice's answered call over the line."""
    peer = telco(office, line)
    alice = office.phone("100")
    call = alice.invite("9030123", body=sdp(alice, formats, *more), headers=TAKES_INFO)
    invite = peer.hears("INVITE")
    peer.respond(invite, 200, "OK", sdp(peer, answer), headers=TAKES_INFO)
    peer.hears("ACK")
    call.answered()
    call.ack()
    return alice, peer, call, invite


def port_of(office: Office, phone: Phone) -> int:
    """Our port for a phone's sound."""
    (port,) = (
        one.port
        for one in office.running().values()
        if one.remote_rtp is not None and one.remote_rtp.host == phone.address.host
    )
    return port


def press(
    office: Office, phone: Phone, digit: str = "5", ms: int = 230, *, inband: bool = False
) -> None:
    """The engine hears a key in the sound of a phone: how it begins, and how it ends."""
    port = port_of(office, phone)
    office.exchange.reported(Digit(port, digit, inband), office.now)
    office.now += ms / 1000
    office.exchange.reported(DigitEnded(port, digit, ms), office.now)
    office.pump()


def heard_of(peer: Phone) -> list[str]:
    """The keys that a peer is told of by INFO, which it takes."""
    found = []
    while peer.inbox and isinstance(peer.inbox[0], Request) and peer.inbox[0].method == "INFO":
        info = peer.hears("INFO")
        assert info.get("Content-Type") == "application/dtmf-relay"
        found.append(", ".join(info.body.decode().splitlines()))
        peer.respond(info, 200)
    assert not peer.inbox
    return found


def dialled(office: Office) -> list[tuple[int, str]]:
    return [(one.port, one.digits) for one in office.media if isinstance(one, SendDigits)]


def lengths(office: Office) -> list[tuple[str, int]]:
    """The keys that the engine was to tell of, and what was said of how long each lasts."""
    found: list[tuple[str, int]] = []
    for one in office.media:
        if isinstance(one, SendDigits):
            port = one.port
            found.append((one.digits, one.on_ms))
        elif isinstance(one, EndDigit):
            assert one.port == port
            found.append(("", one.on_ms))
    return found


def event_types(message: Request | Response) -> list[str]:
    lines = message.body.decode().splitlines()
    return [line.split()[0][9:] for line in lines if "telephone-event/8000" in line]


class TestWhatIsAgreed:
    @pytest.mark.parametrize("line", [INFO, INBAND])
    @pytest.mark.parametrize("number", ["101", "97"])
    def test_the_phone_is_told_of_events_and_the_line_is_not(
        self, office: Office, line: Line, number: str
    ) -> None:
        """Under the phone's own number (RFC 3264 §6.1)."""
        more = [] if number == "101" else [f"a=rtpmap:{number} telephone-event/8000"]
        alice, peer, call, invite = calling(office, line, f"8 {number}", "8", *more)
        assert event_types(invite) == []
        assert call.answer is not None
        assert event_types(call.answer) == [number]
        assert pair(office, alice, peer) == BOTH_PCMA
        types = {port: one.event_type for port, one in office.voices().items()}
        assert types == {port_of(office, alice): int(number), port_of(office, peer): -1}

    @pytest.mark.parametrize("line", [INFO, INBAND])
    def test_in_calls_from_outside_too(self, office: Office, line: Line) -> None:
        peer, alice = telco(office, line), office.phone("100")
        call = peer.calls("555", body=sdp(peer, "8 0"))
        peer.trying()
        invite = alice.hears("INVITE")
        (number,) = event_types(invite)
        events = f"a=rtpmap:{number} telephone-event/8000"
        alice.respond(invite, 200, "OK", sdp(alice, f"8 {number}", events))
        alice.hears("ACK")
        assert names(call.answered()) == ["PCMA"]
        call.ack()
        assert pair(office, alice, peer) == BOTH_PCMA

    def test_a_phone_without_events_is_told_of_none(self, office: Office) -> None:
        alice, peer, call, _ = calling(office, INFO, "8")
        assert call.answer is not None
        assert names(call.answer) == ["PCMA"]
        # Its keys may be tones, or INFO
        assert pair(office, alice, peer) == BOTH_PCMA
        assert office.voices()[port_of(office, alice)].inband

    def test_only_codecs_that_the_engine_can_read(self, office: Office) -> None:
        lines = ("a=rtpmap:98 EVS/16000", "a=fmtp:98 br=13.2")
        _, _, call, invite = calling(office, INFO, "98 8 101", "8", *lines)
        assert b"EVS" not in invite.body
        assert b":98 " not in invite.body
        assert call.answer is not None
        assert names(call.answer) == ["PCMA", "telephone-event"]

    def test_codecs_that_differ(self, office: Office) -> None:
        alice, peer, call, _ = calling(office, INFO, EVENTS, "9")
        assert call.answer is not None
        assert names(call.answer) == ["PCMA", "telephone-event"]
        assert pair(office, alice, peer) == (codecs.PCMA, codecs.G722)

    @pytest.mark.parametrize("line", [INFO, INBAND])
    def test_the_call_says_its_one_codec(self, office: Office, line: Line) -> None:
        calling(office, line)
        (running,) = office.exchange.calls.values()
        assert (running.facts.codec, running.facts.called_codec) == ("PCMA", "")

    @pytest.mark.parametrize("line", [INFO, INBAND])
    def test_encrypted_sound_is_passed_on_without(self, office: Office, line: Line) -> None:
        peer, alice = telco(office, line), office.phone("100")
        keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
        call = alice.invite("9030123", body=sdp(alice, EVENTS, keys))
        peer.respond(peer.hears("INVITE"), 200, "OK", sdp(peer, "8", keys))
        peer.hears("ACK")
        assert event_types(call.answered()) == []
        assert office.voices() == {}

    def test_nor_is_it_converted_where_that_is_forbidden(self) -> None:
        office = Office(media=MediaSettings(convert=False))
        _, _, call, _ = calling(office, INFO)
        assert call.answer is not None
        assert event_types(call.answer) == []
        assert office.voices() == {}

    def test_a_line_that_names_events_all_the_same(self, office: Office) -> None:
        alice, peer, call, _ = calling(office, INFO, EVENTS, EVENTS)
        assert call.answer is not None
        assert event_types(call.answer) == ["101"]
        assert office.voices()[port_of(office, peer)].event_type == -1
        press(office, alice)
        assert heard_of(peer) == ["Signal=5, Duration=230"]

    def test_the_usual_form_is_passed_on(self, office: Office) -> None:
        _, _, call, invite = calling(office, TRUNK, EVENTS, EVENTS)
        assert event_types(invite) == ["101"]
        assert call.answer is not None
        assert event_types(call.answer) == ["101"]
        assert office.voices() == {}

    def test_between_two_lines_of_one_form_nothing_is_converted(self, office: Office) -> None:
        """A party on the line that is transferred to another one."""
        alice, peer, call, invite = calling(office, INFO)
        call.request("REFER", 3, headers=to("9030124"))
        alice.response(202)
        other = peer.hears("INVITE")
        peer.respond(other, 200, "OK", sdp(peer, "8"), headers=TAKES_INFO, tag="other")
        peer.hears("ACK")
        change = peer.hears("INVITE")
        assert event_types(change) == []
        peer.respond(change, 200, "OK", sdp(peer, "8"), headers=TAKES_INFO)
        peer.hears("ACK")
        assert office.voices() == {}
        peer.within(invite, "INFO", 1, b"Signal=5\r\nDuration=250\r\n", RELAY)
        peer.response(200)
        info = peer.hears("INFO")
        assert (info.call_id, info.body[:8]) == (other.call_id, b"Signal=5")


class TestFromThePhone:
    """A key of the phone's, whichever way it tells of it."""

    def test_to_info_with_its_duration(self, office: Office) -> None:
        alice, peer, _, _ = calling(office, INFO)
        for digit, ms in (("1", 90), ("1", 90), ("#", 1400)):
            press(office, alice, digit, ms)
        assert heard_of(peer)[0] == "Signal=1, Duration=90"
        assert heard_of(peer) == []
        assert dialled(office) == []

    def test_one_info_after_the_other(self, office: Office) -> None:
        alice, peer, _, _ = calling(office, INFO)
        found = []
        for digit in "42!":
            press(office, alice, digit)
            found += heard_of(peer)
        assert found == [f"Signal={digit}, Duration=230" for digit in "42!"]

    def test_to_a_tone(self, office: Office) -> None:
        alice, peer, _, _ = calling(office, INBAND)
        press(office, alice)
        assert dialled(office) == [(port_of(office, peer), "5")]
        assert heard_of(peer) == []

    def test_to_a_tone_as_long_as_it_is_held(self, office: Office) -> None:
        alice, _, _, _ = calling(office, INBAND)
        for digit, ms in (("5", 230), ("#", 2000), ("1", 40), ("2", 60_000)):
            press(office, alice, digit, ms)
        held = [("5", 230), ("#", 2000), ("1", 80), ("2", 10_000)]
        assert lengths(office) == [one for digit, ms in held for one in ((digit, 10_000), ("", ms))]

    def test_a_key_whose_end_is_lost_ends_with_the_next_one(self, office: Office) -> None:
        alice, _, _, _ = calling(office, INBAND)
        port = port_of(office, alice)
        office.exchange.reported(Digit(port, "5", False), office.now)
        office.now += 0.3
        press(office, alice, "6", 100)
        assert lengths(office) == [("5", 10_000), ("", 300), ("6", 10_000), ("", 100)]

    @pytest.mark.parametrize("line", [INFO, INBAND])
    @pytest.mark.parametrize("info_first", [False, True])
    def test_told_of_twice_it_counts_once(
        self, office: Office, line: Line, info_first: bool
    ) -> None:
        alice, peer, call, _ = calling(office, line)

        def by_info() -> None:
            call.cseq += 1
            call.request("INFO", call.cseq, b"Signal=5\r\nDuration=250\r\n", RELAY)

        def by_sound() -> None:
            press(office, alice)

        ways: list[Callable[[], None]] = [by_info, by_sound]
        for way in ways if info_first else reversed(ways):
            way()
            office.now += 0.1
        told = len(heard_of(peer))
        assert (told, len(dialled(office))) == ((1, 0) if line is INFO else (0, 1))

    @pytest.mark.parametrize("formats", ["8", EVENTS])
    @pytest.mark.parametrize("allow", [TAKES_INFO, NO_INFO, ""])
    def test_by_info_to_a_tone(self, office: Office, formats: str, allow: str) -> None:
        """Whether the line would take INFO, too, or not."""
        peer, alice = telco(office, INBAND), office.phone("100")
        call = alice.invite("9030123", body=sdp(alice, formats))
        peer.respond(peer.hears("INVITE"), 200, "OK", sdp(peer, "8"), headers=allow)
        peer.hears("ACK")
        call.answered()
        call.ack()
        call.cseq += 1
        call.request("INFO", call.cseq, b"Signal=5\r\nDuration=250\r\n", RELAY)
        assert dialled(office) == [(port_of(office, peer), "5")]
        assert lengths(office) == [("5", 250)]
        assert heard_of(peer) == []

    def test_by_info_to_info(self, office: Office) -> None:
        _, peer, call, _ = calling(office, INFO)
        call.cseq += 1
        call.request("INFO", call.cseq, b"Signal=5\r\nDuration=250\r\n", RELAY)
        assert len(heard_of(peer)) == 1
        assert dialled(office) == []

    def test_a_tone_to_info(self, office: Office) -> None:
        alice, peer, _, _ = calling(office, INFO, "8")
        press(office, alice, inband=True)
        assert heard_of(peer) == ["Signal=5, Duration=230"]

    def test_the_end_of_a_key_that_nobody_heard_begin_is_none(self, office: Office) -> None:
        alice, peer, _, _ = calling(office, INFO)
        for digit in "56":
            office.exchange.reported(DigitEnded(port_of(office, alice), digit, 90), office.now)
        office.pump()
        assert heard_of(peer) == []

    def test_after_the_call_it_is_nobodys(self, office: Office) -> None:
        alice, peer, call, _ = calling(office, INFO)
        port = port_of(office, alice)
        office.exchange.reported(Digit(port, "5", False), office.now)
        call.bye()
        peer.respond(peer.hears("BYE"), 200)
        office.exchange.reported(DigitEnded(port, "5", 90), office.now)
        office.pump()
        assert not peer.inbox


class TestToThePhone:
    """A key that the line tells of."""

    def tells(self, office: Office, peer: Telco, invite: Request, *, inband: bool) -> None:
        if inband:
            press(office, peer, "7", inband=True)
        else:
            peer.within(invite, "INFO", 1, b"Signal=7\r\nDuration=250\r\n", RELAY)
            peer.response(200)

    @pytest.mark.parametrize(("line", "inband"), [(INFO, False), (INFO, True), (INBAND, True)])
    def test_as_an_event(self, office: Office, line: Line, inband: bool) -> None:
        alice, peer, _, invite = calling(office, line)
        voice = office.voices()[port_of(office, peer)]
        assert voice.inband
        assert voice.hides_keys
        self.tells(office, peer, invite, inband=inband)
        assert dialled(office) == [(port_of(office, alice), "7")]
        assert lengths(office) == ([("7", 10_000), ("", 230)] if inband else [("7", 250)])
        assert heard_of(alice) == []

    def test_told_of_twice_it_counts_once(self, office: Office) -> None:
        _, peer, _, invite = calling(office, INFO)
        for inband in (True, False):
            self.tells(office, peer, invite, inband=inband)
        assert len(dialled(office)) == 1

    def test_tones_are_left_to_a_phone_without_events(self, office: Office) -> None:
        """It hears them as they are: another one beside would be a second key."""
        _, peer, _, _ = calling(office, INBAND, "8")
        assert not office.voices()[port_of(office, peer)].inband
        assert not office.voices()[port_of(office, peer)].hides_keys

    def test_by_info_to_a_phone_without_events(self, office: Office) -> None:
        alice, peer, _, invite = calling(office, INFO, "8")
        self.tells(office, peer, invite, inband=False)
        assert len(heard_of(alice)) == 1
        assert dialled(office) == []


class TestChanges:
    @pytest.mark.parametrize("line", [INFO, INBAND])
    def test_hold_and_resume_by_the_phone(self, office: Office, line: Line) -> None:
        alice, peer, call, _ = calling(office, line)
        for wanted, given in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
            call.reinvite(sdp(alice, EVENTS, f"a={wanted}"))
            change = peer.hears("INVITE")
            assert event_types(change) == []
            peer.respond(change, 200, "OK", sdp(peer, "8", f"a={given}"), headers=TAKES_INFO)
            peer.hears("ACK")
            assert event_types(call.answered()) == ["101"]
            call.ack()
            assert pair(office, alice, peer) == BOTH_PCMA
        press(office, alice)
        assert len(heard_of(peer)) + len(dialled(office)) == 1

    @pytest.mark.parametrize("line", [INFO, INBAND])
    def test_a_change_by_the_line(self, office: Office, line: Line) -> None:
        alice, peer, _, invite = calling(
            office, line, "8 97", "8", "a=rtpmap:97 telephone-event/8000"
        )
        for number, formats in enumerate(("0 8", "8"), start=1):
            peer.within(invite, "INVITE", number, sdp(peer, formats))
            peer.response(100)
            change = alice.hears("INVITE")
            # What 97 has meant, it means still (RFC 3264 §8.3.2)
            assert event_types(change) == ["97"]
            told = sdp(alice, f"{formats[0]} 97", "a=rtpmap:97 telephone-event/8000")
            alice.respond(change, 200, "OK", told)
            alice.hears("ACK")
            assert event_types(peer.response(200)) == []
            peer.within(invite, "ACK", number)
            assert len(office.voices()) == 2
        press(office, alice)
        assert len(heard_of(peer)) + len(dialled(office)) == 1

    def test_a_transfer_to_a_colleague(self, office: Office) -> None:
        """Whose events have another number; what is left of the call keeps the line's form."""
        alice, peer, call, _ = calling(office, INFO)
        carol = office.phone("102")
        call.request("REFER", 3, headers=to("102"))
        alice.response(202)
        invite = carol.hears("INVITE")
        (number,) = event_types(invite)
        events = f"a=rtpmap:{number} telephone-event/8000"
        carol.respond(invite, 200, "OK", sdp(carol, f"8 {number}", events), headers=TAKES_INFO)
        carol.hears("ACK")
        change = peer.hears("INVITE")
        assert event_types(change) == []
        peer.respond(change, 200, "OK", sdp(peer, "8"), headers=TAKES_INFO)
        peer.hears("ACK")
        assert pair(office, carol, peer) == BOTH_PCMA
        press(office, carol)
        assert heard_of(peer) == ["Signal=5, Duration=230"]

    def test_early_media_has_keys(self, office: Office) -> None:
        peer, alice = telco(office, INBAND), office.phone("100")
        call = alice.invite("9030123", body=sdp(alice, EVENTS))
        peer.respond(peer.hears("INVITE"), 183, "-", sdp(peer, "8"))
        call.answer = alice.response(183)
        assert event_types(call.answer) == ["101"]
        press(office, alice)
        assert dialled(office) == [(port_of(office, peer), "5")]

    @pytest.mark.parametrize("line", [INFO, INBAND])
    def test_a_restart_of_the_engine(self, office: Office, line: Line) -> None:
        alice, peer, _, _ = calling(office, line)
        before = office.voices()
        office.media.clear()
        office.engine_ready()
        office.pump()
        assert office.voices() == before
        press(office, alice)
        assert len(heard_of(peer)) + len(dialled(office)) == 1

    @pytest.mark.parametrize("line", [INFO, INBAND])
    def test_a_restart_of_the_exchange(self, office: Office, line: Line) -> None:
        alice, peer, call, _ = calling(office, line)
        before = office.voices()
        facts, state = kept(office)
        after = Office()
        telco(after, line)
        after.now = office.now
        for phone in (alice, peer):
            phone.inbox.clear()
            phone.office = after
            after.phones[phone.address] = phone
        after.exchange.resume(facts, state, after.now)
        after.engine_ready(state.ports)
        after.pump()
        assert after.voices() == before
        call.reinvite(sdp(alice, EVENTS))
        peer.respond(peer.hears("INVITE"), 200, "OK", sdp(peer, "8"), headers=TAKES_INFO)
        peer.hears("ACK")
        assert event_types(call.answered()) == ["101"]
        call.ack()
        press(after, alice)
        assert len(heard_of(peer)) + len(dialled(after)) == 1
