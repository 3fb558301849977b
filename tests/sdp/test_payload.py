import pytest

from pbx.sdp.payload import audio_codec, encoding
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
