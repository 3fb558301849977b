import pytest

from pbx.sdp.payload import DynamicTypes, audio_codec, encoding
from tests.sdp.texts import octets, parsed, session


class TestRfc3551Section6:
    """Payload types with a fixed meaning, and those that rtpmap explains."""

    @pytest.mark.parametrize(
        ("format_", "name"), [("0", "PCMU"), ("8", "G711X"), ("96", "opus"), ("97", "")]
    )
    def test_encoding(self, format_: str, name: str) -> None:
        lines = ("m=audio 4 RTP/AVP 0 8 96", "a=rtpmap:96 opus/48000/2", "a=rtpmap:8 G711X/8000")
        assert encoding(parsed(session(*lines)).media[0], format_) == name

    @pytest.mark.parametrize(
        ("lines", "codec"),
        [
            (("m=audio 4 RTP/AVP 8 0",), "PCMA"),
            (("m=audio 4 RTP/AVP 101 13 9", "a=rtpmap:101 telephone-event/8000"), "G722"),
            (("m=audio 4 RTP/AVP 96 0", "a=rtpmap:96 opus/48000/2"), "opus"),
            (("m=audio 4 RTP/AVP 96 0",), "PCMU"),
            (("m=audio 0 RTP/AVP 8", "m=audio 4 RTP/AVP 0"), "PCMU"),
            (("m=image 4 udptl t38",), ""),
            ((), ""),
        ],
    )
    def test_audio_codec(self, lines: tuple[str, ...], codec: str) -> None:
        assert audio_codec(octets(session(*lines))) == codec

    def test_no_description(self) -> None:
        assert audio_codec(b"") == ""


class TestRfc3264Section8_3_2:
    """A payload type never changes its meaning in a session."""

    def types(self, *lines: str) -> DynamicTypes:
        types = DynamicTypes()
        types.learn(parsed(session(*lines)).media)
        return types

    def test_from_96_on(self) -> None:
        types = DynamicTypes()
        asked = [("opus", 48000, 2), ("telephone-event", 8000, 1), ("OPUS", 48000, 2)]
        assert [types.number(*one) for one in asked] == [96, 97, 96]

    def test_as_it_was(self) -> None:
        types = self.types("m=audio 4 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000")
        assert types.number("telephone-event", 8000, 1) == 101
        assert types.number("telephone-event", 48000, 1) == 102
        types.learn(parsed(session("m=audio 4 RTP/AVP 8")).media)
        assert types.number("telephone-event", 8000, 1) == 101
        assert types.number("opus", 48000, 2) == 103

    def test_not_what_two_streams_mean_differently(self) -> None:
        one = ("m=audio 4 RTP/AVP 98", "a=rtpmap:98 opus/48000/2")
        other = ("m=audio 6 RTP/AVP 98", "a=rtpmap:98 AMR/8000")
        assert self.types(*one, *other).number("opus", 48000, 2) == 99

    def test_video_has_numbers_of_its_own(self) -> None:
        types = self.types("m=video 4 RTP/AVP 96", "a=rtpmap:96 VP8/90000")
        assert types.number("opus", 48000, 2) == 96

    @pytest.mark.parametrize("number", ["x", "1" * 5000, "0"])
    def test_other_numbers(self, number: str) -> None:
        types = self.types("m=audio 4 RTP/AVP 0", f"a=rtpmap:{number} opus/48000/2")
        assert types.number("opus", 48000, 2) == 96

    def test_the_last_ones(self) -> None:
        types = self.types("m=audio 4 RTP/AVP 127", "a=rtpmap:127 AMR/8000")
        assert types.number("opus", 48000, 2) == 96
        every = [f"a=rtpmap:{number} AMR/8000" for number in range(96, 128)]
        assert self.types("m=audio 4 RTP/AVP 96", *every).number("opus", 48000, 2) is None
