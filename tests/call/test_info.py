"""Keys that a phone tells of by INFO, in a call with another phone."""

import pytest

from pbx.media.protocol import Digit, SendDigits
from pbx.sip.message import Request
from tests.call.office import Office, Phone
from tests.call.phone import Invite
from tests.call.test_conversion import sdp

RELAY = "Content-Type: application/dtmf-relay"
TAKES_INFO = "Allow: INVITE, ACK, BYE, CANCEL, INFO"
NO_INFO = "Allow: INVITE, ACK, BYE, CANCEL"


@pytest.fixture
def office() -> Office:
    return Office()


def talking(
    office: Office, caller: str = "8", callee: str = "8", allow: str = TAKES_INFO
) -> tuple[Phone, Phone, Invite, Request]:
    """Alice's answered call to bob, by their formats and bob's Allow."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101", sdp(alice, caller), headers=TAKES_INFO)
    invite = bob.hears("INVITE")
    bob.respond(invite, 200, "OK", sdp(bob, callee), headers=allow)
    bob.hears("ACK")
    call.answered()
    call.ack()
    return alice, bob, call, invite


def press(
    call: Invite, body: bytes = b"Signal=5\r\nDuration=250\r\n", headers: str = RELAY
) -> None:
    call.cseq += 1
    call.request("INFO", call.cseq, body, headers)


def told(info: Request) -> tuple[str, str]:
    """What an INFO says, and as which kind of body."""
    signal, duration = info.body.decode().splitlines()
    assert duration.startswith("Duration=")
    return signal, info.get("Content-Type") or ""


def dialled(office: Office) -> list[tuple[int, str]]:
    return [(one.port, one.digits) for one in office.media if isinstance(one, SendDigits)]


def ports(office: Office) -> tuple[int, int]:
    """Alice's and bob's, of a call that is converted."""
    alice, bob = office.voices()
    return alice, bob


class TestPassedOn:
    """To a phone that takes INFO and has no telephone-events."""

    @pytest.mark.parametrize(
        ("body", "headers", "signal"),
        [
            (b"Signal=5\r\nDuration=250\r\n", RELAY, "Signal=5"),
            (b"#", "Content-Type: application/dtmf", "Signal=#"),
            (b"Signal=16\r\n", RELAY, "Signal=!"),
        ],
    )
    def test_as_info(self, office: Office, body: bytes, headers: str, signal: str) -> None:
        alice, bob, call, _ = talking(office)
        press(call, body, headers)
        assert told(bob.hears("INFO")) == (signal, "application/dtmf-relay")
        alice.response(200)
        assert dialled(office) == []

    @pytest.mark.parametrize(
        ("body", "headers", "duration"),
        [
            (b"Signal=5\r\nDuration=250\r\n", RELAY, "Duration=250"),
            (b"Signal=5\r\n", RELAY, "Duration=160"),
            (b"5", "Content-Type: application/dtmf", "Duration=160"),
        ],
    )
    def test_for_as_long_as_it_was_held(
        self, office: Office, body: bytes, headers: str, duration: str
    ) -> None:
        _, bob, call, _ = talking(office)
        press(call, body, headers)
        assert bob.hears("INFO").body.decode().splitlines() == ["Signal=5", duration]

    def test_to_the_caller(self, office: Office) -> None:
        alice, bob, _, invite = talking(office)
        bob.within(invite, "INFO", 1, b"Signal=A", RELAY)
        bob.response(200)
        assert told(alice.hears("INFO"))[0] == "Signal=A"

    def test_one_after_the_other(self, office: Office) -> None:
        """The next one waits for the answer: INFOs that overtake each other are refused."""
        alice, bob, call, _ = talking(office)
        for digit in "123":
            press(call, f"Signal={digit}".encode())
            if digit == "1":
                first = bob.hears("INFO")
            alice.response(200)
        assert not bob.inbox
        bob.respond(first, 200)
        second = bob.hears("INFO")
        assert told(second)[0] == "Signal=2"
        assert second.cseq.number == first.cseq.number + 1
        assert not bob.inbox
        # No answer: after 32 s (Timer F) the next one's turn comes
        office.advance(33)
        heard = [one for one in bob.inbox if isinstance(one, Request)]
        assert told(heard[-1])[0] == "Signal=3"
        assert office.ended == []

    def test_a_flood_is_cut(self, office: Office) -> None:
        alice, bob, call, _ = talking(office)
        for _ in range(200):
            press(call)
            while alice.inbox:
                alice.inbox.popleft()
        told_of = 0
        while bob.inbox:
            told_of += 1
            bob.respond(bob.hears("INFO"), 200)
        assert 10 <= told_of < 40

    @pytest.mark.parametrize("status", [405, 415, 501])
    def test_a_phone_that_refuses_is_left_alone(self, office: Office, status: int) -> None:
        alice, bob, call, _ = talking(office, allow="")
        press(call)
        alice.inbox.clear()
        bob.respond(bob.hears("INFO"), status)
        press(call)
        alice.response(200)
        assert not bob.inbox
        assert office.ended == []

    @pytest.mark.parametrize("status", [400, 408, 481, 500, 603])
    def test_no_answer_ends_the_call(self, office: Office, status: int) -> None:
        alice, bob, call, _ = talking(office)
        press(call)
        alice.response(200)
        bob.respond(bob.hears("INFO"), status)
        press(call)
        assert told(bob.hears("INFO"))[0] == "Signal=5"
        assert office.ended == []

    def test_a_phone_without_info_gets_none(self, office: Office) -> None:
        alice, bob, call, _ = talking(office, allow=NO_INFO)
        press(call)
        alice.response(200)
        assert not bob.inbox

    def test_after_the_end_nothing_is_sent(self, office: Office) -> None:
        alice, bob, call, _ = talking(office)
        press(call)
        press(call)
        info = bob.hears("INFO")
        call.bye()
        bob.respond(bob.hears("BYE"), 200)
        bob.respond(info, 200)
        assert not bob.inbox


class TestConverted:
    """Between phones without a common codec."""

    def test_as_a_telephone_event(self, office: Office) -> None:
        alice, bob, call, _ = talking(office, "8 101", "9 101")
        press(call)
        alice.response(200)
        assert dialled(office) == [(ports(office)[1], "5")]
        assert not bob.inbox

    @pytest.mark.parametrize("allow", [NO_INFO, ""])
    def test_as_a_tone(self, office: Office, allow: str) -> None:
        alice, bob, call, _ = talking(office, "8 101", "9", allow)
        press(call)
        alice.response(200)
        assert dialled(office) == [(ports(office)[1], "5")]
        assert not bob.inbox

    def test_as_info_rather_than_a_tone(self, office: Office) -> None:
        alice, bob, call, _ = talking(office, "8", "9")
        press(call)
        assert told(bob.hears("INFO"))[0] == "Signal=5"
        assert dialled(office) == []

    @pytest.mark.parametrize("inband", [False, True])
    @pytest.mark.parametrize("info_first", [False, True])
    def test_a_key_told_of_twice_counts_once(
        self, office: Office, info_first: bool, inband: bool
    ) -> None:
        _, _, call, _ = talking(office, "8 101", "9 101")
        own, partner = ports(office)

        def by_sound() -> None:
            office.exchange.reported(Digit(own, "5", inband), office.now)
            office.pump()

        def by_info() -> None:
            press(call)

        for way in (by_info, by_sound) if info_first else (by_sound, by_info):
            way()
            office.now += 0.2
        assert dialled(office) == [(partner, "5")]


class TestPassedOnSound:
    """Between phones with a common codec, both of which have telephone-events."""

    def test_as_a_telephone_event_by_the_engine(self, office: Office) -> None:
        """Which knows whether the phone sends them itself, too."""
        alice, bob, call, _ = talking(office, "8 101", "8 101")
        (port,) = (
            one.port
            for one in office.running().values()
            if one.remote_rtp and one.remote_rtp.host == bob.address.host
        )
        assert not office.voices()
        press(call)
        alice.response(200)
        assert dialled(office) == [(port, "5")]
        assert not bob.inbox
        assert office.running()[port].event_type == 101
        assert office.running()[port].event_clock == 8000

    def test_a_flash_goes_by_info(self, office: Office) -> None:
        _, bob, call, _ = talking(office, "8 101", "8 101")
        press(call, b"Signal=16\r\n")
        assert told(bob.hears("INFO"))[0] == "Signal=!"

    def test_not_where_it_is_encrypted(self, office: Office) -> None:
        """Nobody but the phones can write such packets."""
        alice, bob = office.phone("100"), office.phone("101")
        keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
        call = alice.invite("101", sdp(alice, "8 101", keys))
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", sdp(bob, "8 101", keys), headers=TAKES_INFO)
        bob.hears("ACK")
        call.answered()
        call.ack()
        press(call)
        assert told(bob.hears("INFO"))[0] == "Signal=5"
        assert dialled(office) == []
        assert {one.event_type for one in office.running().values()} == {-1}

    def test_the_clocks_of_what_is_spoken(self, office: Office) -> None:
        lines = ("a=rtpmap:98 opus/48000/2", "a=rtpmap:99 telephone-event/48000")
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", sdp(alice, "98 99", *lines))
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, "98 99", *lines))
        bob.hears("ACK")
        call.answered()
        call.ack()
        assert [(one.clock, one.event_clock) for one in office.running().values()] == [
            (48000, 48000)
        ] * 2


class TestEarly:
    def test_before_any_answer_it_is_nobodys(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", sdp(alice, "8"))
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        call.answer = alice.response(180)
        press(call)
        alice.response(200)
        assert not bob.inbox
        assert office.ended == []

    def test_early_media_that_is_converted_hears_it(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", sdp(alice, "8 101"))
        bob.respond(bob.hears("INVITE"), 183, "-", sdp(bob, "9 101"))
        call.answer = alice.response(183)
        press(call)
        alice.response(200)
        assert dialled(office) == [(ports(office)[1], "5")]


class TestRefused:
    def test_another_body(self, office: Office) -> None:
        alice, bob, call, _ = talking(office)
        press(call, b"<xml/>", "Content-Type: application/media_control+xml")
        assert alice.response(415).all("Accept") == ["application/dtmf-relay", "application/dtmf"]
        assert not bob.inbox

    def test_an_info_package(self, office: Office) -> None:
        """RFC 6086 §4.2.2: we take none."""
        alice, bob, call, _ = talking(office)
        press(call, headers=f"Info-Package: x\n{RELAY}")
        assert alice.response(469).get("Recv-Info") == ""
        assert not bob.inbox

    def test_a_sign_of_life(self, office: Office) -> None:
        alice, bob, call, _ = talking(office)
        press(call, b"", "")
        alice.response(200)
        assert not bob.inbox
