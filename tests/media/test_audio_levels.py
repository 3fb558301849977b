"""What we answer, offer and agree on of levels in packets' headers (RFC 6464 §4, RFC 6465 §4)."""

import pytest

from pbx.media.audio_levels import CSRC_LEVEL, SSRC_LEVEL, AudioLevels
from pbx.media.codecs import CODECS
from pbx.media.conversion import Interpreter, voices
from pbx.media.endpoint import agreed, answer, narrowed, offer
from pbx.media.session import LegMedia, PortPool
from pbx.sdp.description import parse_sdp

HOST = "192.0.2.1"
ALL = frozenset(one.name for one in CODECS)

BOTH = AudioLevels(level_in=1, level_out=1)
HEARS = AudioLevels(level_in=1)
TELLS = AudioLevels(level_out=1)
NOTHING = AudioLevels()


def sdp(*lines: str, session: tuple[str, ...] = (), formats: str = "0 101") -> bytes:
    head = ("v=0", "o=- 1 1 IN IP4 10.0.0.5", "s=-", "c=IN IP4 10.0.0.5", "t=0 0", *session)
    media = (f"m=audio 4000 RTP/AVP {formats}", "a=rtpmap:101 telephone-event/8000", *lines)
    return "".join(f"{line}\r\n" for line in (*head, *media)).encode()


def extmaps(text: bytes) -> list[str]:
    (media,) = parse_sdp(text).media
    return media.attributes("extmap")


def leg() -> LegMedia:
    return LegMedia(PortPool([20000, 20002]), HOST, 1, timeout_s=0)


def levels(media: LegMedia) -> AudioLevels:
    found = agreed(media.checkpoint())
    assert found is not None
    voice = found.voice(20000, 8000)
    return AudioLevels(voice.level_in, voice.level_out, voice.speakers_out)


def come_to(offered: bytes) -> tuple[list[str], AudioLevels]:
    """What a phone that offers that is answered, and what its voice does."""
    media = leg()
    media.remote(offered)
    told = media.describe(answer(offered, ALL, HOST))
    return extmaps(told), levels(media)


class TestAnswers:
    @pytest.mark.parametrize(
        ("said", "ours", "found"),
        [
            (f"1 {SSRC_LEVEL}", [f"1 {SSRC_LEVEL}"], BOTH),
            (f"1/sendrecv {SSRC_LEVEL} vad=on", [f"1 {SSRC_LEVEL} vad=on"], BOTH),
            (f"1/sendonly {SSRC_LEVEL}", [f"1/recvonly {SSRC_LEVEL}"], HEARS),
            (f"1/recvonly {SSRC_LEVEL}", [f"1/sendonly {SSRC_LEVEL}"], TELLS),
            (f"1/inactive {SSRC_LEVEL}", [], NOTHING),
            # Without the bit the rest is what we measure ourselves.
            (f"1 {SSRC_LEVEL} vad=off", [f"1 {SSRC_LEVEL} vad=off"], TELLS),
            (f"1 {SSRC_LEVEL} x=y", [f"1 {SSRC_LEVEL}"], BOTH),
            (f"2 {CSRC_LEVEL}", [f"2/sendonly {CSRC_LEVEL}"], AudioLevels(speakers_out=2)),
            (f"2/recvonly {CSRC_LEVEL}", [f"2/sendonly {CSRC_LEVEL}"], AudioLevels(speakers_out=2)),
            (f"2/sendonly {CSRC_LEVEL}", [], NOTHING),
            ("3 urn:ietf:params:rtp-hdrext:sdes:mid", [], NOTHING),
            (f"15 {SSRC_LEVEL}", [], NOTHING),
            (f"1/both {SSRC_LEVEL}", [], NOTHING),
        ],
    )
    def test_by_the_same_number(self, said: str, ours: list[str], found: AudioLevels) -> None:
        assert come_to(sdp(f"a=extmap:{said}")) == (ours, found)

    def test_both_as_firefox_offers_them(self) -> None:
        lines = (
            f"a=extmap:1 {SSRC_LEVEL}",
            f"a=extmap:2/recvonly {CSRC_LEVEL}",
            "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid",
        )
        assert come_to(sdp(*lines)) == (
            [f"1 {SSRC_LEVEL}", f"2/sendonly {CSRC_LEVEL}"],
            AudioLevels(1, 1, 2),
        )

    def test_of_the_whole_session(self) -> None:
        offered = sdp(session=(f"a=extmap:1 {SSRC_LEVEL}",))
        assert come_to(offered) == ([f"1 {SSRC_LEVEL}"], BOTH)

    def test_a_number_for_two_things(self) -> None:
        lines = (f"a=extmap:1 {SSRC_LEVEL}", f"a=extmap:1 {CSRC_LEVEL}")
        assert come_to(sdp(*lines)) == ([], NOTHING)

    def test_none_where_none_was_offered(self) -> None:
        assert come_to(sdp()) == ([], NOTHING)


class TestOffers:
    def test_none_of_our_own(self) -> None:
        assert extmaps(offer(ALL, HOST)) == []

    def test_what_was_agreed_on_goes_on(self) -> None:
        media = leg()
        offered = sdp(f"a=extmap:4 {SSRC_LEVEL}", f"a=extmap:2 {CSRC_LEVEL}", "a=extmap:3 urn:x")
        media.remote(offered)
        media.describe(answer(offered, ALL, HOST))
        again = media.describe(offer(ALL, HOST, media.checkpoint()))
        assert extmaps(again) == [f"4 {SSRC_LEVEL}", f"2/sendonly {CSRC_LEVEL}"]
        # It answers without one of them.
        media.remote(sdp(f"a=extmap:4 {SSRC_LEVEL}"))
        assert levels(media) == AudioLevels(level_in=4, level_out=4)

    def test_nothing_by_another_number_than_we_said(self) -> None:
        media = leg()
        offered = sdp(f"a=extmap:4 {SSRC_LEVEL}")
        media.remote(offered)
        media.describe(answer(offered, ALL, HOST))
        media.describe(offer(ALL, HOST, media.checkpoint()))
        media.remote(sdp(f"a=extmap:5 {SSRC_LEVEL}"))
        assert levels(media) == NOTHING

    def test_of_one_codec_instead_of_several(self) -> None:
        media = leg()
        media.describe(offer(ALL, HOST))
        media.remote(sdp(formats="8 0 101"))
        assert extmaps(narrowed(media.checkpoint(), HOST)) == []


class TestConvertedCalls:
    def test_who_is_answered_by_us(self) -> None:
        """Its partner speaks another codec, and knows nothing of levels."""
        call: list[LegMedia] = []
        pool = PortPool([20000, 20002, 20004])
        caller, callee = (LegMedia(pool, HOST, 1, call=call, timeout_s=0) for _ in range(2))
        caller.remote(sdp(f"a=extmap:1 {SSRC_LEVEL}", f"a=extmap:2 {CSRC_LEVEL}"))
        caller.reserve()
        offered = Interpreter(callee, lambda: ALL).offer(caller.last_remote)
        # What is passed on is passed on whole.
        assert extmaps(offered) == [f"1 {SSRC_LEVEL}", f"2 {CSRC_LEVEL}"]
        callee.remote(sdp(formats="8 101").replace(b"10.0.0.5", b"10.0.0.6"))
        answered = Interpreter(caller, lambda: ALL).answer(callee.last_remote)
        assert extmaps(answered) == [f"1 {SSRC_LEVEL}", f"2/sendonly {CSRC_LEVEL}"]
        one, other = voices(caller, callee, ALL)
        assert (one.level_in, one.level_out, one.speakers_out) == (1, 1, 2)
        assert (other.level_in, other.level_out, other.speakers_out) == (0, 0, 0)
